"""Another CHECK in the place of one, as migrations write it."""

from alembic import op


def replace_check(table: str, name: str, condition: str) -> None:
    """Let a table refuse something else than before, and let nobody wait while every row is looked at.

    The new rule holds for what is written from now on, is then held against the rows that are there while others
    read and write, and only then takes the place of the old one. Each of these is a transaction of its own, so
    what stands before the call in the migration is committed by it. Harmless when it broke off and is run again.
    """
    coming = f"{name}_new"
    with op.get_context().autocommit_block():
        op.execute(f'ALTER TABLE "{table}" DROP CONSTRAINT IF EXISTS "{coming}"')
        op.execute(f'ALTER TABLE "{table}" ADD CONSTRAINT "{coming}" CHECK ({condition}) NOT VALID')
        op.execute(f'ALTER TABLE "{table}" VALIDATE CONSTRAINT "{coming}"')
        op.execute(f'ALTER TABLE "{table}" DROP CONSTRAINT IF EXISTS "{name}"')
        op.execute(f'ALTER TABLE "{table}" RENAME CONSTRAINT "{coming}" TO "{name}"')
