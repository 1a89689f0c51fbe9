"""How alembic reaches the database: as the owner, one at a time, never waiting long for a lock."""

from typing import Final

from alembic import context
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, pool, text

from storage.migrations.metadata import METADATA
from storage.migrations.turns import turn

LOCK_TIMEOUT: Final = "1s"


def run() -> None:
    """Upgrade, or compare for `alembic check`; two at once run one after the other.

    The revision that was there when the turn came is left in the attribute `before`.
    """
    attributes = context.config.attributes
    engine = create_engine(attributes["url"], poolclass=pool.NullPool, hide_parameters=True)
    with engine.connect() as connection, turn(connection):
        attributes["before"] = MigrationContext.configure(connection).get_current_revision()
        # A migration that waits for a lock makes everybody behind it wait too: it gives up and is run again.
        connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
        connection.commit()
        context.configure(
            connection=connection,
            target_metadata=METADATA,
            compare_server_default=False,
            transaction_per_migration=True,  # one that commits meanwhile leaves those before it noted
            include_name=lambda name, kind, _: not (kind == "table" and _is_partition(name)),
        )
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


def _is_partition(name: str | None) -> bool:
    return name is not None and name.startswith("audit_event_")


run()
