"""Writes a new migration from what changed in the tables: `python -m tools.migration "add a column"`.

It compares the tables in the code with a database of its own, made by the migrations there are.
"""

import asyncio
import re
import sys
import tempfile
from pathlib import Path

from alembic import command

from integrations.embedded.postgresql import PostgreSQL
from storage.migrations.upgrade import configuration, head, upgrade
from tools.definitions import of_migrations_and_models, what_to_write


async def main(subject: str) -> int:
    """Write the next one of the chain."""
    if not re.search(r"[a-z]", subject):
        print('say what it does: make migration M="add a column"', file=sys.stderr)
        return 2
    print("starting PostgreSQL and running the migrations there are ...", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        async with PostgreSQL(Path(folder) / "postgresql", durable=False) as server:
            await asyncio.to_thread(upgrade, server.owner_url)
            checks = what_to_write(*of_migrations_and_models(server.owner_url))
            following = f"{int(head()) + 1:04}"
            await asyncio.to_thread(
                command.revision, configuration(server.owner_url), subject, autogenerate=True, rev_id=following
            )
    for line in checks:
        print(f"write into it, since alembic compares no CHECK: {line}")
    print(
        "read it, shorten it, and add row-level security by storage/migrations/policies.py where it makes a table"
    )
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(" ".join(sys.argv[1:]))))
