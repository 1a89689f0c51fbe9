"""Registry: every check of a provider release as a row, and those that were asked for."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from storage.migrations.policies import protect

revision = "0005"
down_revision = "0004"
_REASON = "(result = 'refused') = (code IS NOT NULL) AND (code IS NULL) = (reason IS NULL)"
_OF_PUBLISHING = """
INSERT INTO verification (
    organization_id, id, provider_version_id, result, checked_at, checked_by, evidence, files
)
SELECT v.organization_id, v.id, v.id, 'verified', v.published_at, v.evidence -> 'verified_by', v.evidence,
    jsonb_build_array(
        jsonb_build_object(
            'name', format('terraform-provider-%s_%s_SHA256SUMS', p.type, v.version),
            'sha256', v.checksums_sha256, 'found_sha256', v.checksums_sha256
        ),
        jsonb_build_object(
            'name', format('terraform-provider-%s_%s_SHA256SUMS.sig', p.type, v.version),
            'sha256', v.signature_sha256, 'found_sha256', v.signature_sha256
        )
    ) || (
        SELECT jsonb_agg(
            jsonb_build_object('name', f.filename, 'sha256', f.sha256, 'found_sha256', f.sha256)
            ORDER BY f.filename
        )
        FROM provider_platform f
        WHERE f.organization_id = v.organization_id AND f.provider_version_id = v.id
    )
FROM provider_version v
JOIN provider p ON p.organization_id = v.organization_id AND p.id = v.provider_id
"""


def upgrade() -> None:
    """Change the schema; what was published before has its evidence as its first verification."""
    op.add_column("provider_version", sa.Column("refused_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("provider_version", sa.Column("refusal", sa.String(), nullable=True))
    op.create_check_constraint(
        op.f("ck_provider_version_refusal"), "provider_version", "(refused_at IS NULL) = (refusal IS NULL)"
    )
    op.create_table(
        "verification",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("provider_version_id", sa.Uuid(), nullable=False),
        sa.Column("result", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("checked_by", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("evidence", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("files", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint("result IN ('refused', 'verified')", name=op.f("ck_verification_result")),
        sa.CheckConstraint(_REASON, name=op.f("ck_verification_reason")),
        sa.CheckConstraint("result = 'refused' OR evidence IS NOT NULL", name=op.f("ck_verification_evidence")),
        sa.ForeignKeyConstraint(
            ["organization_id", "provider_version_id"],
            ["provider_version.organization_id", "provider_version.id"],
            name=op.f("fk_verification_organization_id_provider_version_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_verification")),
    )
    op.create_index(
        "ix_verification_release", "verification", ["organization_id", "provider_version_id", "id"], unique=False
    )
    op.create_table(
        "verification_request",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("provider_version_id", sa.Uuid(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id", "provider_version_id"],
            ["provider_version.organization_id", "provider_version.id"],
            name=op.f("fk_verification_request_organization_id_provider_version_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_verification_request")),
        sa.UniqueConstraint(
            "organization_id",
            "provider_version_id",
            name=op.f("uq_verification_request_organization_id_provider_version_id"),
        ),
    )
    protect("verification", app="SELECT, INSERT")
    protect("verification_request", app="SELECT, INSERT, UPDATE, DELETE", platform="SELECT")
    op.execute(_OF_PUBLISHING)


def downgrade() -> None:
    """Take the change back, for the round trip in the tests."""
    op.drop_table("verification_request")
    op.drop_table("verification")
    op.drop_constraint(op.f("ck_provider_version_refusal"), "provider_version", type_="check")
    op.drop_column("provider_version", "refusal")
    op.drop_column("provider_version", "refused_at")
