"""Outputs as JSON text: JSONB refuses the NUL that any text of a module may contain."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
_COLUMNS = ("type", "value")


def upgrade() -> None:
    """Change the schema."""
    for column in _COLUMNS:
        op.alter_column("run_output", column, type_=sa.JSON(), postgresql_using=f'"{column}"::json')


def downgrade() -> None:
    """Take the change back; refused by the database if an output has a NUL."""
    for column in _COLUMNS:
        op.alter_column("run_output", column, type_=postgresql.JSONB(), postgresql_using=f'"{column}"::jsonb')
