"""Registry: which batches of download counts are written."""

import sqlalchemy as sa
from alembic import op

from storage.migrations.policies import protect

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Change the schema."""
    op.create_table(
        "download_batch",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organization.id"],
            name=op.f("fk_download_batch_organization_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_download_batch")),
    )
    op.create_index("ix_download_batch_written_at", "download_batch", ["written_at"], unique=False)
    protect("download_batch", app="SELECT, INSERT", platform="SELECT, DELETE")


def downgrade() -> None:
    """Change it back; only development goes this way."""
    op.drop_table("download_batch")
