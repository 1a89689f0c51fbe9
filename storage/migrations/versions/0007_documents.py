"""Registry: what the code of module versions declares."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from storage.migrations.policies import protect

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Change the schema."""
    op.create_table(
        "module_documents",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("module_version_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("documents", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("reader", sa.String(), nullable=True),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('pending', 'ready', 'unreadable')", name=op.f("ck_module_documents_state")),
        sa.CheckConstraint("(state = 'pending') = (due_at IS NOT NULL)", name=op.f("ck_module_documents_due")),
        sa.CheckConstraint(
            "(state = 'ready') = (documents IS NOT NULL)", name=op.f("ck_module_documents_documents")
        ),
        sa.CheckConstraint(
            "(state = 'unreadable') = (reason IS NOT NULL)", name=op.f("ck_module_documents_reason")
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "module_version_id"],
            ["module_version.organization_id", "module_version.id"],
            name=op.f("fk_module_documents_organization_id_module_version_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organization_id", "module_version_id", name=op.f("pk_module_documents")),
    )
    op.create_index(
        "ix_module_documents_due",
        "module_documents",
        ["due_at"],
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    protect("module_documents", app="SELECT, INSERT, UPDATE", platform="SELECT")


def downgrade() -> None:
    """Change it back; only development goes this way."""
    op.drop_table("module_documents")
