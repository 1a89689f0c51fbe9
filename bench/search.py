"""How long a search takes over a hundred thousand published versions, beside the query that looks at each."""

import random
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final
from uuid import uuid4

from sqlalchemy import create_engine, or_, select, text

from bench.filling import KINDS, NAMESPACES, SYSTEMS, THINGS, fill_modules
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
SEARCHES: Final = 40
"""Of each kind."""
NAIVE: Final = 20
PAGE: Final = 51
Find = Callable[[Session, ModuleSearch], Awaitable[object]]


async def search() -> AsyncIterator[Measurement]:
    """Search for what people type: whole words, beginnings, several, numbers, what nothing has, with filters."""
    organization_id = uuid4()
    with tempfile.TemporaryDirectory(prefix="groundwork-bench-") as folder:
        async with PostgreSQL(Path(folder) / "postgresql", durable=False) as server:
            ensure_roles(server.owner_url, server.app_url, server.platform_url)
            upgrade(server.owner_url)
            owner = create_engine(server.owner_url, isolation_level="AUTOCOMMIT")
            with owner.connect() as connection:
                organization = "INSERT INTO organization (id, slug, display_name, status)"
                connection.execute(
                    text(f"{organization} VALUES (:id, 'bench', 'Bench', 'active')"), {"id": organization_id}
                )
                fill_modules(connection, organization_id, modules=MODULES, grown=0, more=0)
            owner.dispose()
            database = Database(server.app_url, server.platform_url)

            async def indexed(session: Session, wanted: ModuleSearch) -> object:
                return await module_search.page_with_latest(session, organization_id, wanted, offset=0, limit=PAGE)

            async def naive(session: Session, wanted: ModuleSearch) -> object:
                query = select(ModuleRow).where(ModuleRow.organization_id == organization_id)
                for word in wanted.words:
                    columns = (ModuleRow.namespace, ModuleRow.name, ModuleRow.system, ModuleRow.description)
                    query = query.where(or_(*(column.icontains(word) for column in columns)))
                return list(await session.scalars(query.order_by(ModuleRow.id).limit(PAGE)))

            scope = Scope(organization_id, PLATFORM)
            for kind, wanted in _kinds(random.Random(5)).items():  # noqa: S311  the same searches each time
                ours = await _times(database, scope, [wanted() for _ in range(SEARCHES)], indexed)
                theirs = await _times(database, scope, [wanted() for _ in range(NAIVE)], naive)
                note = f"median {median(ours):.1f} ms; looking at each: p95 {percentile(theirs, 95):.0f} ms"
                yield Measurement(f"search for {kind}, p95", percentile(ours, 95), "ms", 50, note=note)
            await database.close()


def _kinds(chance: random.Random) -> Mapping[str, Callable[[], ModuleSearch]]:
    """Give what makes a search of each kind."""

    def some(words: Sequence[str], many: int = 1) -> str:
        return " ".join(chance.sample(words, many))

    def system() -> str | None:
        return chance.choice((None, some(SYSTEMS)))

    return {
        "a word": lambda: ModuleSearch(q=some(THINGS), system=system()),
        "a beginning": lambda: ModuleSearch(q=some(THINGS)[:3], system=system()),
        "a letter": lambda: ModuleSearch(q=some(THINGS)[:1], system=system()),
        "two words": lambda: ModuleSearch(q=f"{some(KINDS)} {some(THINGS)}", system=system()),
        "two words that none has both": lambda: ModuleSearch(q=some(KINDS, 2), system=system()),
        "two beginnings that none has both": lambda: ModuleSearch(q="d k", system="aws"),
        "three beginnings that none has all": lambda: ModuleSearch(q="c b d"),
        "two beginnings that many have": lambda: ModuleSearch(
            q=chance.choice(("d c", "b g", "1 2")), system=system()
        ),
        "a word of another system": lambda: ModuleSearch(q="aws", system="gcp"),
        "words that all have": lambda: ModuleSearch(q="thing of the platform team", system=system()),
        "a number": lambda: ModuleSearch(q=str(chance.randrange(MODULES)), system=system()),
        "a word in a namespace": lambda: ModuleSearch(
            q=some(THINGS), namespace=f"team-{chance.randrange(NAMESPACES)}"
        ),
        "what none has": lambda: ModuleSearch(q=f"{some(THINGS)} nothingness"),
    }


async def _times(database: Database, scope: Scope, wanted: list[ModuleSearch], find: Find) -> list[float]:
    """Search for each; give the milliseconds, the transaction included."""
    times = []
    for each in wanted:
        began = time.perf_counter()
        async with database.transaction(scope) as session:
            await find(session, each)
        times.append((time.perf_counter() - began) * 1_000)
    return times
