"""From a key to a principal, in several processes."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from config.secrets import Secrets
from domain.identity.errors import Unauthenticated
from domain.identity.keys import KeyKind
from domain.identity.permissions import PLATFORM_ONLY, Permission
from integrations.embedded.postgresql import PostgreSQL
from services.all import Services
from services.changes import Changes
from services.identity.api_keys import CreateKey
from services.identity.authentication import Authentication
from services.identity.hashing import KeyHasher
from storage.database import Database
from storage.listening import Listener, Subscription
from tests.factories.organizations import Caller
from workers.composition import AUTHORIZATION_CHANNEL

pytestmark = pytest.mark.servers


class CountingHasher(KeyHasher):
    """A real hasher that counts how often it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.checks = 0

    async def matches(self, stored: str, token: str) -> bool:
        self.checks += 1
        return await super().matches(stored, token)


class PausingHasher(KeyHasher):
    """A real hasher that says when it was asked and answers when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.may_answer = asyncio.Event(), asyncio.Event()

    async def matches(self, stored: str, token: str) -> bool:
        self.asked.set()
        await self.may_answer.wait()
        return await super().matches(stored, token)


@pytest.fixture
def hasher() -> CountingHasher:
    return CountingHasher()


@pytest.fixture
async def other_process(
    database: Database, secrets: Secrets, hasher: CountingHasher, postgresql: PostgreSQL
) -> AsyncIterator[Authentication]:
    """Make what another API process has: memory of its own, and an ear on commits."""
    changes = Changes()
    hears = asyncio.Event()

    def connected(yes: bool) -> None:
        changes.hears(yes)
        if yes:
            hears.set()

    listener = Listener(postgresql.platform_url, (Subscription(AUTHORIZATION_CHANNEL, changes.hear, connected),))
    listening = asyncio.create_task(listener.run())
    await hears.wait()
    yield Authentication(database, hasher, secrets.pepper, changes)
    listening.cancel()


async def until_refused(authentication: Authentication, key: str) -> None:
    while True:
        try:
            await authentication.authenticate(key)
        except Unauthenticated:
            return
        await asyncio.sleep(0)


class TestAuthenticate:
    async def test_fifty_requests_with_a_new_key_hash_it_once(
        self, other_process: Authentication, hasher: CountingHasher, caller: Caller
    ) -> None:
        found = await asyncio.gather(*(other_process.authenticate(caller.key) for _ in range(50)))
        assert {principal.key_id for principal in found} == {caller.principal.key_id}
        await other_process.authenticate(caller.key)
        assert hasher.checks == 1

    async def test_an_administrator_of_an_organization_has_no_right_over_the_installation(
        self, caller: Caller
    ) -> None:
        assert caller.principal.rights.everywhere == frozenset(Permission) - PLATFORM_ONLY

    async def test_a_key_revoked_elsewhere_is_refused_within_a_second(
        self, services: Services, other_process: Authentication, caller: Caller
    ) -> None:
        made, key = await services.identity.api_keys.create(
            caller.principal, caller.scope, CreateKey("lost", KeyKind.PERSONAL, ["*"], None)
        )
        await other_process.authenticate(key)
        await services.identity.api_keys.revoke(caller.scope, made.id)
        await asyncio.wait_for(until_refused(other_process, key), timeout=1)

    async def test_a_key_is_refused_to_who_comes_after_its_revocation_was_heard(
        self, services: Services, database: Database, secrets: Secrets, caller: Caller
    ) -> None:
        made, key = await services.identity.api_keys.create(
            caller.principal, caller.scope, CreateKey("lost", KeyKind.PERSONAL, ["*"], None)
        )
        hasher, changes = PausingHasher(), Changes()
        authentication = Authentication(database, hasher, secrets.pepper, changes)
        before = asyncio.create_task(authentication.authenticate(key))
        await hasher.asked.wait()
        await services.identity.api_keys.revoke(caller.scope, made.id)
        changes.hear(str(caller.organization.id))
        after = asyncio.create_task(authentication.authenticate(key))
        await asyncio.sleep(0)
        hasher.may_answer.set()
        assert (await before).key_id == made.id
        with pytest.raises(Unauthenticated):
            await after

    async def test_nothing_remembered_is_used_while_commits_cannot_be_heard(
        self, other_process: Authentication, hasher: CountingHasher, caller: Caller
    ) -> None:
        await other_process.authenticate(caller.key)
        other_process._changes.hears(connected=False)
        await other_process.authenticate(caller.key)
        assert hasher.checks == 2

    async def test_a_frozen_organization_only_reads(
        self, database: Database, other_process: Authentication, caller: Caller
    ) -> None:
        await other_process.authenticate(caller.key)
        async with database.platform("freeze") as session:
            await session.execute(
                text("UPDATE organization SET status = 'frozen' WHERE id = :id"), {"id": caller.organization.id}
            )

        async def until_read_only() -> None:
            while True:
                if (await other_process.authenticate(caller.key)).read_only_from is not None:
                    return
                await asyncio.sleep(0)

        await asyncio.wait_for(until_read_only(), timeout=1)

    async def test_a_user_who_left_takes_the_keys_along(
        self, database: Database, other_process: Authentication, caller: Caller
    ) -> None:
        await other_process.authenticate(caller.key)
        async with database.transaction(caller.scope) as session:
            await session.execute(text("DELETE FROM membership"))
        await asyncio.wait_for(until_refused(other_process, caller.key), timeout=1)


class TestNoteUses:
    async def test_writes_when_a_key_was_last_used(
        self, services: Services, other_process: Authentication, caller: Caller
    ) -> None:
        await other_process.authenticate(caller.key)
        await other_process.note_uses()
        [key] = await services.identity.api_keys.page(caller.scope, after=None, limit=10)
        assert key.last_used_at is not None
