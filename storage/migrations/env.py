"""How alembic reaches the database: as the owner, one at a time, never waiting long for a lock."""

from typing import Final

from alembic import context
from sqlalchemy import create_engine, pool, text

from storage.migrations.metadata import METADATA

ADVISORY_LOCK: Final = 0x67776D6967  # any number that nobody else takes


def run() -> None:
    """Upgrade, or compare for `alembic check`; two at once run one after the other."""
    engine = create_engine(context.config.attributes["url"], poolclass=pool.NullPool, hide_parameters=True)
    with engine.connect() as connection:
        connection.execute(text("SET lock_timeout = '60s'"))  # as long as all migrations of another may take
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": ADVISORY_LOCK})
        # A migration that waits for a lock makes everybody behind it wait too: it gives up and is run again.
        connection.execute(text("SET lock_timeout = '5s'"))
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
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": ADVISORY_LOCK})
        connection.commit()
    engine.dispose()


def _is_partition(name: str | None) -> bool:
    return name is not None and name.startswith("audit_event_")


run()
