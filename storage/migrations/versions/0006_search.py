"""Registry: searching modules by the beginnings of words, and versions that are deprecated or yanked."""

import sqlalchemy as sa
from alembic import op

from storage.migrations.checks import replace_check
from storage.migrations.indexes import build_index
from storage.migrations.policies import protect

revision = "0006"
down_revision = "0005"
_VERSIONS = ("module_version", "provider_version")
_DEPRECATION = (
    "(deprecated_at IS NULL) = (deprecation IS NULL) AND (replacement IS NULL OR deprecated_at IS NOT NULL)"
)


def upgrade() -> None:
    """Change the schema."""
    for table in _VERSIONS:
        op.add_column(table, sa.Column("replacement", sa.String()), if_not_exists=True)
        replace_check(table, f"ck_{table}_deprecation", _DEPRECATION)
        replace_check(table, f"ck_{table}_yank", "(yanked_at IS NULL) = (yank_reason IS NULL)")
    for table in ("module", "provider"):
        op.add_column(
            table,
            sa.Column("deprecated", sa.Boolean(), server_default=sa.false(), nullable=False),
            if_not_exists=True,
        )
    build_index("ix_module_system", "module", "(organization_id, system, id)")
    build_index("ix_module_deprecated", "module", "(organization_id, deprecated, id)")
    op.create_table(
        "module_word",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("module_id", sa.Uuid(), nullable=False),
        sa.Column("word", sa.String(collation="C"), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id", "module_id"],
            ["module.organization_id", "module.id"],
            name=op.f("fk_module_word_organization_id_module_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organization_id", "module_id", "word", name=op.f("pk_module_word")),
    )
    op.create_index(
        "ix_module_word_beginning", "module_word", ["organization_id", "word", "module_id"], unique=False
    )
    protect("module_word", app="SELECT, INSERT, DELETE")


def downgrade() -> None:
    """Take the change back, for the round trip in the tests."""
    op.drop_table("module_word")
    op.drop_index("ix_module_deprecated", table_name="module")
    op.drop_index("ix_module_system", table_name="module")
    for table in ("module", "provider"):
        op.drop_column(table, "deprecated")
    for table in _VERSIONS:
        op.drop_constraint(op.f(f"ck_{table}_yank"), table)
        op.drop_constraint(op.f(f"ck_{table}_deprecation"), table)
        op.drop_column(table, "replacement")
