"""Registry: releases that are mended while they are verified, verifications without a file, and marked stores."""

import sqlalchemy as sa
from alembic import op

from storage.database import PLATFORM_ROLE
from storage.migrations.checks import replace_check
from storage.migrations.indexes import build_index
from storage.migrations.policies import grant

revision = "0010"
down_revision = "0009"
_COUNTED = {
    "provider_version": "organization_id, id, gpg_key_id, refused_at",
    "gpg_key": "organization_id, id, revoked_at",
}
_MANIFEST = "fk_provider_version_manifest_sha256"
_REASON = "AND (code IS NULL) = (reason IS NULL)"


def upgrade() -> None:
    """Change the schema."""
    op.add_column("provider_version", sa.Column("manifest_sha256", sa.String(), nullable=True), if_not_exists=True)
    op.add_column(
        "verification_request",
        sa.Column("sent_again_at", sa.DateTime(timezone=True), nullable=True),
        if_not_exists=True,
    )
    with op.get_context().autocommit_block():  # nobody waits while the rows are looked at
        op.execute(f"ALTER TABLE provider_version DROP CONSTRAINT IF EXISTS {_MANIFEST}")
        op.execute(
            f"ALTER TABLE provider_version ADD CONSTRAINT {_MANIFEST} "
            "FOREIGN KEY (manifest_sha256) REFERENCES blob (sha256) NOT VALID"
        )
        op.execute(f"ALTER TABLE provider_version VALIDATE CONSTRAINT {_MANIFEST}")
    _check(
        result="result IN ('incomplete', 'refused', 'verified')",
        reason=f"(result = 'verified') = (code IS NULL) {_REASON}",
        evidence="result <> 'verified' OR evidence IS NOT NULL",
    )
    build_index("ix_provider_version_refused", "provider_version", "(refused_at) WHERE refused_at IS NOT NULL")
    op.create_table(
        "blob_store",
        sa.Column("is_it", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("mark", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("is_it", name=op.f("ck_blob_store_one_row")),
        sa.PrimaryKeyConstraint("is_it", name=op.f("pk_blob_store")),
    )
    grant("blob_store", platform="SELECT, INSERT")
    for table, columns in _COUNTED.items():
        op.execute(f"CREATE POLICY platform ON {table} TO {PLATFORM_ROLE} USING (true) WITH CHECK (true)")
        grant(table, platform=f"SELECT ({columns})")


def downgrade() -> None:
    """Change it back; only development goes this way."""
    op.drop_table("blob_store")
    for table in _COUNTED:
        op.execute(f"REVOKE ALL ON {table} FROM {PLATFORM_ROLE}")
        op.execute(f"DROP POLICY platform ON {table}")
    op.drop_index("ix_provider_version_refused", table_name="provider_version")
    _check(
        result="result IN ('refused', 'verified')",
        reason=f"(result = 'refused') = (code IS NOT NULL) {_REASON}",
        evidence="result = 'refused' OR evidence IS NOT NULL",
    )
    op.drop_column("verification_request", "sent_again_at")
    op.drop_column("provider_version", "manifest_sha256")


def _check(**conditions: str) -> None:
    for name, condition in conditions.items():
        replace_check("verification", f"ck_verification_{name}", condition)
