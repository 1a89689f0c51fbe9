"""Searching modules as PostgreSQL does it: by indexes, under row-level security, in a fixed number of queries."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.ids import new_id
from domain.registry.search import ModuleSearch
from storage.database import Database
from storage.registry import module_search
from storage.registry.tables import ModuleRow
from tests.factories.organizations import Caller
from tests.fixtures.queries import counted_queries

pytestmark = pytest.mark.servers

MANY: Final = 5_000
FILL: Final = (
    """
    INSERT INTO namespace (name, id, organization_id, skeleton)
    VALUES (:namespace, gen_random_uuid(), :organization, :namespace)
    """,
    """
    INSERT INTO module (organization_id, id, namespace, name, system, description)
    SELECT :organization, gen_random_uuid(), :namespace, 'm' || n, 'aws', '' FROM generate_series(1, :many) n
    """,
    """
    INSERT INTO module_word (organization_id, module_id, word)
    SELECT organization_id, id, word FROM module, LATERAL (VALUES (name), ('common')) words (word)
    WHERE namespace = :namespace
    """,
)


@pytest.fixture(scope="module")
async def many(owner: AsyncEngine, make_caller: Callable[[], Awaitable[Caller]]) -> AsyncIterator[Caller]:
    """Fill an organization with modules, each with a word of its own and one that all have."""
    caller, namespace = await make_caller(), f"many-{new_id().hex[-12:]}"
    given = {"organization": caller.organization.id, "namespace": namespace, "many": MANY}
    async with owner.begin() as connection:
        for statement in FILL:
            used = {name: value for name, value in given.items() if f":{name}" in statement}
            await connection.execute(text(statement), used)
        await connection.execute(text("ANALYZE module, module_word"))
    yield caller
    async with owner.begin() as connection:
        await connection.execute(text("DELETE FROM namespace WHERE name = :name"), {"name": namespace})


async def plan(database: Database, caller: Caller, search: ModuleSearch) -> str:
    """Tell how PostgreSQL would find the first page, with the rights of the servers."""
    query = module_search.narrowed(select(ModuleRow), caller.organization.id, search, module_search.Ahead())
    written = (
        query.order_by(ModuleRow.id)
        .limit(51)
        .compile(dialect=database._app.dialect, compile_kwargs={"literal_binds": True})
    )
    async with database.transaction(caller.scope) as session:
        return "\n".join(await session.scalars(text(f"EXPLAIN {written}")))


class TestPage:
    async def test_of_a_rare_word_is_found_by_the_index_of_beginnings(
        self, database: Database, many: Caller
    ) -> None:
        found = await plan(database, many, ModuleSearch(q="m4321"))
        assert "ix_module_word_beginning" in found
        assert "Seq Scan" not in found

    async def test_of_a_word_that_all_have_is_read_in_order_and_no_further(
        self, database: Database, many: Caller
    ) -> None:
        found = await plan(database, many, ModuleSearch(q="common"))
        assert "Sort" not in found, found
        assert "Seq Scan" not in found

    @pytest.mark.parametrize(
        ("search", "index"),
        [
            (ModuleSearch(system="gcp"), "ix_module_system"),
            (ModuleSearch(deprecated=True), "ix_module_deprecated"),
            (ModuleSearch(namespace="nobody"), "ix_module_namespace"),
        ],
    )
    async def test_of_a_filter_that_few_pass_is_found_by_its_index(
        self, database: Database, many: Caller, search: ModuleSearch, index: str
    ) -> None:
        assert index in await plan(database, many, search)

    @pytest.mark.parametrize("limit", [1, 200])
    async def test_takes_as_many_questions_for_one_module_as_for_many(
        self, database: Database, many: Caller, limit: int
    ) -> None:
        with counted_queries(database) as statements:
            async with database.transaction(many.scope) as session:
                search = ModuleSearch(q="common m")
                rows = await module_search.page(session, many.organization.id, search, after=None, limit=limit)
        assert len(rows) == limit
        assert len(statements) == 4  # for whom it is, what begins so, how much does, what there is

    async def test_of_the_beginning_of_one_word_looks_for_that_word(
        self, database: Database, many: Caller
    ) -> None:
        async with database.transaction(many.scope) as session:
            found = await module_search.look_ahead(session, many.organization.id, ModuleSearch(q="comm m nothing"))
        assert found == module_search.Ahead({"comm": "common"})

    @pytest.mark.parametrize(("q", "found"), [("m1 m12", 111), ("m12 m34", 0), ("m12 m1 common", 111)])
    async def test_of_beginnings_of_several_words_has_what_they_have_in_common(
        self, database: Database, many: Caller, q: str, found: int
    ) -> None:
        search, of = ModuleSearch(q=q), many.organization.id
        async with database.transaction(many.scope) as session:
            ahead = await module_search.look_ahead(session, of, search)
            first = await module_search.page(session, of, search, after=None, limit=50)
            after = first[-1].id if first else None
            rest = await module_search.page(session, of, search, after=after, limit=200)
        assert ahead.together == search.words
        names = {each.name for each in (*first, *rest)}
        assert len(names) == found
        assert all(name.startswith("m12") for name in names)


class TestWords:
    async def test_follow_the_description(self, database: Database, many: Caller) -> None:
        async with database.transaction(many.scope) as session:
            [module] = await module_search.page(
                session, many.organization.id, ModuleSearch(q="m77"), after=None, limit=1
            )
            found = []
            for description in ("Fast storage", "Slow storage"):
                module.description = description
                await module_search.note_words(session, module)
                for word in ("fast", "slow", "stor"):
                    page = await module_search.page(
                        session, many.organization.id, ModuleSearch(q=word), after=None, limit=2
                    )
                    found += [word for each in page if each is module]
        assert found == ["fast", "stor", "slow", "stor"]
