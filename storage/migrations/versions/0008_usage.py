"""Registry: who installs what."""

import sqlalchemy as sa
from alembic import op

from storage.migrations.policies import protect

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Change the schema."""
    op.create_table(
        "download_count",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("api_key_id", sa.Uuid(), nullable=False),
        sa.Column("user_agent", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("downloads", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("kind IN ('module', 'provider')", name=op.f("ck_download_count_kind")),
        sa.CheckConstraint("downloads > 0", name=op.f("ck_download_count_downloads")),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organization.id"],
            name=op.f("fk_download_count_organization_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "organization_id", "version_id", "hour", "api_key_id", "user_agent", name=op.f("pk_download_count")
        ),
    )
    op.create_index("ix_download_count_hour", "download_count", ["organization_id", "hour"], unique=False)
    op.create_index("ix_download_count_age", "download_count", ["hour"], unique=False)
    protect("download_count", app="SELECT, INSERT, UPDATE", platform="SELECT, DELETE")
    op.create_table(
        "download_total",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("installed_id", sa.Uuid(), nullable=False),
        sa.Column("downloads", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("downloads > 0", name=op.f("ck_download_total_downloads")),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organization.id"],
            name=op.f("fk_download_total_organization_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organization_id", "installed_id", name=op.f("pk_download_total")),
    )
    protect("download_total", app="SELECT, INSERT, UPDATE")


def downgrade() -> None:
    """Change it back; only development goes this way."""
    op.drop_table("download_total")
    op.drop_table("download_count")
