"""Two API processes over one database: what is changed in one is seen in the other, and both count downloads."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import httpx2
import pytest
from sqlalchemy import text

from storage.database import Database
from tests.factories.organizations import Caller
from tests.factories.registry import (
    MODULES,
    NAMESPACES,
    PROVIDERS,
    Release,
    a_module,
    a_provider,
    add_key,
    claim_namespace,
    publish,
)
from tests.fixtures.platform import Installation
from tests.fixtures.processes import ApiProcess, running
from tests.fixtures.signing import Signer

pytestmark = [pytest.mark.servers, pytest.mark.timeout(120)]

PROMISED: Final = 1.0
"""Seconds after which a change in one process is seen in every other."""
LISTENING: Final = (
    "SELECT count(*) FROM pg_stat_activity WHERE query ~ '^LISTEN \"groundwork_(registry|authorization)\"'"
)


@dataclass(frozen=True, slots=True)
class Pair:
    """A client of each process, and an organization with a module and a provider."""

    here: httpx2.AsyncClient
    there: httpx2.AsyncClient
    caller: Caller
    namespace: str
    key_id: str

    async def change(self, method: str, path: str, body: dict[str, object] | None = None) -> None:
        answer = await self.here.request(method, path, json=body, headers=self.caller.headers)
        assert answer.is_success, answer.text

    async def is_seen(
        self, path: str, shows: Callable[[httpx2.Response], bool], *, headers: dict[str, str] | None = None
    ) -> None:
        """Return when the other process shows it; fail where that takes longer than was promised."""
        async with asyncio.timeout(PROMISED):
            while not shows(await self.there.get(path, headers=headers or self.caller.headers)):
                pass

    async def warm(self, path: str, shows: Callable[[httpx2.Response], bool]) -> None:
        """Have the other process keep an answer, which does not show it."""
        for _ in range(2):
            answer = await self.there.get(path, headers=self.caller.headers)
            assert answer.status_code == 200, answer.text
            assert not shows(answer)


@pytest.fixture(scope="module")
async def apis(make_installation: Callable[[], Installation]) -> AsyncIterator[tuple[ApiProcess, ApiProcess]]:
    first, second = ApiProcess(make_installation()), ApiProcess(make_installation())
    async with running(first, second):
        yield first, second


@pytest.fixture
async def pair(apis: tuple[ApiProcess, ApiProcess], caller: Caller, database: Database) -> AsyncIterator[Pair]:
    async with apis[0].client() as here, apis[1].client() as there:
        namespace, signer = await claim_namespace(here, caller), Signer()
        key = await add_key(here, caller, namespace, signer)
        await publish(here, caller, MODULES, a_module(namespace))
        await publish(here, caller, PROVIDERS, a_provider(namespace, Release(signer)))
        await both_listen(database)
        yield Pair(here, there, caller, namespace, str(key["id"]))


async def both_listen(database: Database) -> None:
    async with asyncio.timeout(20):
        while True:
            async with database.platform("look who listens") as session:
                if await session.scalar(text(LISTENING)) == 2:
                    return
            await asyncio.sleep(0.05)


class TestChange:
    async def test_of_what_is_published_is_seen_in_the_other_process(self, pair: Pair) -> None:
        module, provider = f"{pair.namespace}/network/aws", f"{pair.namespace}/time"
        versions, download = (
            f"/v1/modules/{module}/versions",
            f"/v1/providers/{provider}/0.1.0/download/linux/amd64",
        )
        withdrawn = f"/api/v1/providers/{provider}/0.1.0"
        steps: list[tuple[str, Callable[[httpx2.Response], bool], Callable[[], Awaitable[object]]]] = [
            (
                versions,
                lambda answer: "0.2.0" in answer.text,
                lambda: publish(pair.here, pair.caller, MODULES, a_module(pair.namespace, version="0.2.0")),
            ),
            (
                versions,
                lambda answer: "0.2.0" not in answer.text,
                lambda: pair.change(
                    "PUT", f"/api/v1/modules/{module}/0.2.0/yank", {"reason": "it deletes everything"}
                ),
            ),
            (
                f"/v1/providers/{provider}/versions",
                lambda answer: "use another" in answer.text,
                lambda: pair.change("PUT", f"{withdrawn}/deprecation", {"message": "use another"}),
            ),
            (
                download,
                lambda answer: answer.status_code == 404,
                lambda: pair.change("DELETE", f"{NAMESPACES}/{pair.namespace}/gpg-keys/{pair.key_id}"),
            ),
        ]
        for path, shows, change in steps:
            await pair.warm(path, shows)
            await change()
            await pair.is_seen(path, shows)

    async def test_of_a_key_is_seen_in_the_other_process(self, pair: Pair) -> None:
        made = await pair.here.post("/api/v1/api-keys", json={"name": "lost"}, headers=pair.caller.headers)
        headers = {"Authorization": f"Bearer {made.json()['key']}"}
        path = f"/v1/modules/{pair.namespace}/network/aws/versions"
        for _ in range(2):
            assert (await pair.there.get(path, headers=headers)).status_code == 200
        await pair.change("DELETE", f"/api/v1/api-keys/{made.json()['id']}")
        await pair.is_seen(path, lambda answer: answer.status_code == 401, headers=headers)

    async def test_is_seen_too_where_nobody_could_hear_of_it(self, pair: Pair, database: Database) -> None:
        path = f"/v1/modules/{pair.namespace}/network/aws/versions"
        await pair.warm(path, lambda answer: "0.2.0" in answer.text)
        async with database.platform("cut all who listen") as session:
            cut = LISTENING.replace("count(*)", "count(pg_terminate_backend(pid))")
            assert await session.scalar(text(cut)) == 2
        await publish(pair.here, pair.caller, MODULES, a_module(pair.namespace, version="0.2.0"))
        await pair.is_seen(path, lambda answer: "0.2.0" in answer.text)
        await both_listen(database)
        await pair.warm(path, lambda answer: "0.3.0" in answer.text)
        await publish(pair.here, pair.caller, MODULES, a_module(pair.namespace, version="0.3.0"))
        await pair.is_seen(path, lambda answer: "0.3.0" in answer.text)


class TestStop:
    async def test_writes_every_download_that_was_counted(
        self, apis: tuple[ApiProcess, ApiProcess], pair: Pair, database: Database
    ) -> None:
        paths = [f"/v1/modules/{pair.namespace}/network/aws/{version}/download" for version in ("0.1.0", "v0.1.0")]
        for path in paths:
            for client in (pair.here, pair.there, pair.there):
                for _ in range(3):
                    answer = await client.get(path, headers=pair.caller.headers)
                    assert answer.status_code == 200
        assert await asyncio.gather(*(api.end() for api in apis)) == [0, 0]
        try:
            async with database.transaction(pair.caller.scope) as session:
                assert await session.scalar(text("SELECT sum(downloads) FROM download_count")) == 18
        finally:
            await asyncio.gather(*(api.start() for api in apis))
        # Not even for the connections that both clients keep.
        assert not any("graceful shutdown exceeded" in api.log for api in apis)
