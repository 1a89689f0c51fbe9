"""Envelope encryption."""

import asyncio
import os
from collections.abc import Awaitable, Callable

import pytest

from config.secrets import Secrets
from domain.errors import SealBroken
from domain.ids import new_id
from services.secrets import Envelope, SealedKind
from storage.database import Database
from tests.factories.organizations import Caller

pytestmark = pytest.mark.servers


@pytest.fixture
def envelope(database: Database, secrets: Secrets) -> Envelope:
    """Make one that remembers no data key yet."""
    return Envelope(database, secrets.key_encryption_key)


class TestOpen:
    async def test_gives_back_what_was_sealed_in_another_process_too(
        self, database: Database, secrets: Secrets, envelope: Envelope, caller: Caller
    ) -> None:
        thing = new_id()
        sealed = await envelope.seal(caller.scope, SealedKind.STATE, thing, b"a secret")
        assert b"secret" not in sealed
        other = Envelope(database, secrets.key_encryption_key)
        assert await other.open(caller.scope, SealedKind.STATE, thing, sealed) == b"a secret"

    async def test_refuses_a_value_that_was_moved(
        self, envelope: Envelope, make_caller: Callable[[], Awaitable[Caller]]
    ) -> None:
        owner, stranger, thing = await make_caller(), await make_caller(), new_id()
        sealed = await envelope.seal(owner.scope, SealedKind.STATE, thing, b"a secret")
        for scope, kind, name in (
            (owner.scope, SealedKind.PLAN, thing),
            (owner.scope, SealedKind.STATE, new_id()),
            (stranger.scope, SealedKind.STATE, thing),
        ):
            with pytest.raises(SealBroken):
                await envelope.open(scope, kind, name, sealed)

    async def test_refuses_any_changed_byte_and_anything_cut(self, envelope: Envelope, caller: Caller) -> None:
        sealed = await envelope.seal(caller.scope, SealedKind.STATE, "x", b"a secret")
        for place in range(len(sealed)):
            changed = bytearray(sealed)
            changed[place] ^= 1
            with pytest.raises(SealBroken):
                await envelope.open(caller.scope, SealedKind.STATE, "x", bytes(changed))
            with pytest.raises(SealBroken):
                await envelope.open(caller.scope, SealedKind.STATE, "x", sealed[:place])

    async def test_refuses_with_another_key_encryption_key(
        self, database: Database, envelope: Envelope, caller: Caller
    ) -> None:
        sealed = await envelope.seal(caller.scope, SealedKind.STATE, "x", b"a secret")
        with pytest.raises(SealBroken):
            await Envelope(database, os.urandom(32)).open(caller.scope, SealedKind.STATE, "x", sealed)


class TestSeal:
    async def test_processes_that_begin_at_once_agree_on_one_data_key(
        self, database: Database, secrets: Secrets, caller: Caller
    ) -> None:
        envelopes = [Envelope(database, secrets.key_encryption_key) for _ in range(8)]
        sealed = await asyncio.gather(
            *(each.seal(caller.scope, SealedKind.STATE, "x", b"1") for each in envelopes)
        )
        assert len({value[1:17] for value in sealed}) == 1
