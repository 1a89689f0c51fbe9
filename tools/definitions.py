"""What tables refuse, by the migrations and by the models: alembic itself compares no CHECK."""

from typing import Final

from sqlalchemy import CheckConstraint, Connection, create_engine, text

from storage.migrations.metadata import METADATA

Definitions = dict[tuple[str, str], str]
"""A constraint or index as PostgreSQL writes it, by its table and name; NOT NULL and triggers aside."""

_CONSTRAINTS: Final = text("""
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(pg_constraint.oid)
    FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
    WHERE connamespace = current_schema()::regnamespace AND contype NOT IN ('n', 't') AND NOT relispartition
""")
_INDEXES: Final = text("""
    SELECT tablename, indexname, replace(indexdef, schemaname || '.', '') FROM pg_indexes
    WHERE schemaname = current_schema() AND tablename NOT LIKE 'audit_event_%'
""")


def of_migrations_and_models(owner_url: str) -> tuple[Definitions, Definitions]:
    """Read what a database has, and what the models would make; nothing of that stays."""
    engine = create_engine(owner_url)
    with engine.connect() as connection:
        of_migrations = _definitions(connection)
        connection.execute(text("CREATE SCHEMA made"))
        connection.execute(text("SET search_path TO made"))
        METADATA.create_all(connection)
        of_models = _definitions(connection)
        connection.rollback()
    engine.dispose()
    return of_migrations, of_models


def what_to_write(of_migrations: Definitions, of_models: Definitions) -> list[str]:
    """Give the lines that a migration needs for CHECKs of tables that were there before."""
    there = {table for table, _ in of_migrations}
    lines = []
    for key in sorted(of_migrations.keys() | of_models.keys()):
        table, name = key
        old, new = of_migrations.get(key), of_models.get(key)
        if old == new or table not in there or not (new or old or "").startswith("CHECK"):
            continue
        if new is None:
            lines.append(f'op.drop_constraint("{name}", "{table}")')
        else:
            lines.append(f'replace_check("{table}", "{name}", "{_condition(table, name)}")')
    return lines


def _condition(table: str, name: str) -> str:
    constraints = METADATA.tables[table.strip('"')].constraints
    return next(
        str(each.sqltext) for each in constraints if isinstance(each, CheckConstraint) and each.name == name
    )


def _definitions(connection: Connection) -> Definitions:
    found = [*connection.execute(_CONSTRAINTS), *connection.execute(_INDEXES)]
    return {(table, name): definition for table, name, definition in found if table != "alembic_version"}
