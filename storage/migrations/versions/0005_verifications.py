"""Registry: every check of a provider release as a row, and those that were asked for."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from storage.migrations.checks import replace_check
from storage.migrations.policies import protect

revision = "0005"
down_revision = "0004"
_REASON = "(result = 'refused') = (code IS NOT NULL) AND (code IS NULL) = (reason IS NULL)"


def upgrade() -> None:
    """Change the schema."""
    for column in (sa.Column("refused_at", sa.DateTime(timezone=True)), sa.Column("refusal", sa.String())):
        op.add_column("provider_version", column, if_not_exists=True)
    replace_check("provider_version", "ck_provider_version_refusal", "(refused_at IS NULL) = (refusal IS NULL)")
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


def downgrade() -> None:
    """Take the change back, for the round trip in the tests."""
    op.drop_table("verification_request")
    op.drop_table("verification")
    op.drop_constraint(op.f("ck_provider_version_refusal"), "provider_version", type_="check")
    op.drop_column("provider_version", "refusal")
    op.drop_column("provider_version", "refused_at")
