"""How long a search takes over a hundred thousand published versions, beside the query that looks at each."""

import random
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from sqlalchemy import Engine, create_engine, or_, select, text

from bench.measurements import Measurement, median, percentile
from domain.registry.search import ModuleSearch
from domain.scope import PLATFORM, Scope
from integrations.embedded.postgresql import PostgreSQL
from storage.database import Database, Session
from storage.migrations.upgrade import upgrade
from storage.registry import module_search
from storage.registry.tables import ModuleRow
from storage.roles import ensure_roles

MODULES: Final = 100_000
"""Each of one version: the most modules that so many versions can be of."""
SEARCHES: Final = 200
PAGE: Final = 51
THINGS: Final = ("network", "bucket", "cluster", "database", "queue", "cache", "dns", "role", "key", "vault")
SYSTEMS: Final = ("aws", "gcp", "azurerm", "kubernetes")
KINDS: Final = ("main", "edge", "blue", "green", "core", "shared", "legacy")
FILL: Final = (
    "INSERT INTO organization (id, slug, display_name, status) VALUES (:organization, 'bench', 'Bench', 'active')",
    """
    INSERT INTO namespace (name, id, organization_id, skeleton)
    SELECT 'team-' || n, gen_random_uuid(), :organization, 'team' || n FROM generate_series(0, 49) n
    """,
    """
    INSERT INTO module (organization_id, id, namespace, name, system, description, latest_version)
    SELECT :organization, gen_random_uuid(), 'team-' || n % 50,
           (cast(:things AS text[]))[1 + abs(hashint4(n)) % 10] || '-' || n,
           (cast(:systems AS text[]))[1 + abs(hashint4(n + 1)) % 4],
           'A ' || (cast(:kinds AS text[]))[1 + abs(hashint4(n + 2)) % 7] || ' thing of the platform team',
           '1.0.0'
    FROM generate_series(1, :modules) n
    """,
    """
    INSERT INTO module_word (organization_id, module_id, word)
    SELECT DISTINCT organization_id, id, word FROM module,
           regexp_split_to_table(lower(concat_ws(' ', namespace, name, system, description)), '[^a-z0-9]+') word
    """,
    "ANALYZE module, module_word",
)
Find = Callable[[Session, ModuleSearch], Awaitable[object]]


async def search() -> AsyncIterator[Measurement]:
    """Search for what people type: whole words, beginnings, several, numbers, and what nothing has."""
    organization_id = uuid4()
    with tempfile.TemporaryDirectory(prefix="groundwork-bench-") as folder:
        async with PostgreSQL(Path(folder) / "postgresql", durable=False) as server:
            ensure_roles(server.owner_url, server.app_url, server.platform_url)
            upgrade(server.owner_url)
            owner = create_engine(server.owner_url)
            _fill(owner, organization_id)
            owner.dispose()
            database = Database(server.app_url, server.platform_url)

            async def indexed(session: Session, wanted: ModuleSearch) -> object:
                return await module_search.page(session, organization_id, wanted, after=None, limit=PAGE)

            async def naive(session: Session, wanted: ModuleSearch) -> object:
                query = select(ModuleRow).where(ModuleRow.organization_id == organization_id)
                for word in wanted.words:
                    columns = (ModuleRow.namespace, ModuleRow.name, ModuleRow.system, ModuleRow.description)
                    query = query.where(or_(*(column.icontains(word) for column in columns)))
                return list(await session.scalars(query.order_by(ModuleRow.id).limit(PAGE)))

            scope = Scope(organization_id, PLATFORM)
            chance = random.Random(5)  # noqa: S311  the same searches each time
            wanted = [_wanted(chance) for _ in range(SEARCHES)]
            ours = await _times(database, scope, wanted, indexed)
            theirs = await _times(database, scope, wanted[:40], naive)
            await database.close()
    yield Measurement(
        f"search over {MODULES:,} versions, p95",
        percentile(ours, 95),
        "ms",
        50,
        note=f"median {median(ours):.1f} ms; looking at each: p95 {percentile(theirs, 95):.0f} ms",
    )


def _fill(owner: Engine, organization_id: UUID) -> None:
    given = {
        "organization": organization_id,
        "modules": MODULES,
        "things": list(THINGS),
        "systems": list(SYSTEMS),
        "kinds": list(KINDS),
    }
    with owner.begin() as connection:
        for statement in FILL:
            used = {name: value for name, value in given.items() if f":{name}" in statement}
            connection.execute(text(statement), used)


def _wanted(chance: random.Random) -> ModuleSearch:
    thing, system, kind = chance.choice(THINGS), chance.choice(SYSTEMS), chance.choice(KINDS)
    typed = chance.choice(
        (thing, thing[:3], f"{thing} {system}", f"{kind} {thing}", str(chance.randrange(MODULES)), "nothingness")
    )
    return ModuleSearch(q=typed, system=chance.choice((None, None, None, system)))


async def _times(database: Database, scope: Scope, wanted: list[ModuleSearch], find: Find) -> list[float]:
    """Search for each; give the milliseconds, the transaction included."""
    times = []
    for each in wanted:
        began = time.perf_counter()
        async with database.transaction(scope) as session:
            await find(session, each)
        times.append((time.perf_counter() - began) * 1_000)
    return times
