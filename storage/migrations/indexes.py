"""An index of a table that is there, as migrations build it."""

from alembic import op
from sqlalchemy import text


def build_index(name: str, table: str, columns: str, *, unique: bool = False) -> None:
    """Build an index while others read and write the table. Harmless when it broke off and is run again.

    It waits for each transaction that began before it, and keeps nobody waiting meanwhile: so it waits as long as
    a minute. What stands before the call in the migration is committed by it.

    Args:
        name: of the index; what is left of one that broke off is thrown away.
        table: that it is of.
        columns: what stands behind the table's name in SQL, as in `(a, b) INCLUDE (c)`.
        unique: whether it refuses a second row of the same.
    """
    kind = "UNIQUE INDEX" if unique else "INDEX"
    with op.get_context().autocommit_block():
        before = op.get_bind().scalar(text("SELECT current_setting('lock_timeout')"))
        op.execute("SET lock_timeout = '60s'")
        op.execute(f'DROP INDEX CONCURRENTLY IF EXISTS "{name}"')
        op.execute(f'CREATE {kind} CONCURRENTLY "{name}" ON "{table}" {columns}')
        op.execute(f"SET lock_timeout = '{before}'")
