"""Who sends a request: from a key to a principal, in a microsecond when the key was seen lately."""

import asyncio
import hashlib
import math
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import structlog

from domain.errors import Unavailable
from domain.identity.errors import Unauthenticated
from domain.identity.keys import Token, read_token
from domain.identity.permissions import held
from domain.identity.principal import Principal
from domain.identity.rights import Rights
from domain.scope import Actor, ActorKind, Scope
from services.changes import Changes
from services.identity.hashing import KeyHasher
from storage.database import Database
from storage.identity import api_keys
from storage.identity.api_keys import FoundKey

TTL_SECONDS: Final = 30.0
NOTE_USES_SECONDS: Final = 60.0
MOST_KEPT: Final = 50_000
REFUSAL: Final = "send a valid API key as a Bearer token; this one is unknown, revoked or expired"
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Kept:
    principal: Principal
    until: float
    """By the monotonic clock, as each time here that is compared for every request."""
    ends: float
    """When the key does; it is kept beyond that, so that who goes on to send it has it hashed no more often."""


class Authentication:
    """Checks keys, and keeps what it found for 30 seconds, or until it hears that rights changed.

    A kept principal is found by a keyed hash of the whole key, so the memory of the process holds no key, and
    comparing takes the same time for any wrong one. Ends that are known (expiry, trial) are compared each time.
    While changes can't be heard nothing that was kept is used.
    """

    def __init__(self, database: Database, hasher: KeyHasher, pepper: bytes, changes: Changes) -> None:
        """Take the secret of the keyed hash, each installation's own, and who tells when rights change."""
        self._database = database
        self._hasher = hasher
        self._keyed = hashlib.blake2b(key=pepper, digest_size=32)
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()
        self._checking: dict[tuple[bytes, int], asyncio.Future[_Kept]] = {}
        self._used: dict[int, float] = {}  # by the numbers of keys' ids: a UUID counts its hash each time
        self._forgotten = 0
        self._changes = changes
        changes.subscribe(self._forget)

    async def authenticate(self, text: str) -> Principal:
        """Tell whose key this is and what it may do.

        Raises:
            Unauthenticated: not a key, unknown, revoked, expired, its owner or organization gone.
            Unavailable: the database does not answer, or too many keys are being checked.
        """
        principal = self.known(text.encode(), time.monotonic())
        if principal is not None:
            return principal
        token = read_token(text)
        if token is None:
            raise Unauthenticated(REFUSAL)
        return self._use(await self._check_once(self._mac(text.encode()), token), time.monotonic())

    def known(self, key: bytes, now: float) -> Principal | None:
        """Tell whose key this is if it was seen lately; None where `authenticate` has to be asked.

        Args:
            key: as it was sent.
            now: by the monotonic clock.

        Raises:
            Unauthenticated: the key has ended since.
        """
        kept = self._kept.get(self._mac(key))
        if kept is None or kept.until <= now or not self._changes.heard:
            return None
        return self._use(kept, now)

    def _use(self, kept: _Kept, now: float) -> Principal:
        if kept.ends <= now:
            raise Unauthenticated(REFUSAL)
        principal = kept.principal
        self._used[principal.key_id.int] = now
        return principal

    def _mac(self, key: bytes) -> bytes:
        keyed = self._keyed.copy()  # for each request; to make it from the pepper takes half as long again
        keyed.update(key)
        return keyed.digest()

    async def note_uses(self) -> None:
        """Write when keys were last used, for those used since the last call."""
        used, self._used = self._used, {}
        if used:
            began = datetime.now(UTC) - timedelta(seconds=time.monotonic())  # when the monotonic clock was at zero
            uses = {UUID(int=key): began + timedelta(seconds=at) for key, at in used.items()}
            async with self._database.platform("note uses of keys") as session:
                await api_keys.touch(session, uses)

    async def _check_once(self, mac: bytes, token: Token) -> _Kept:
        # Many requests with one new key hash it once: argon2 is what they would all wait for. One that comes after
        # a change was heard joins no check that may have read what was before.
        check = (mac, self._forgotten)
        running = self._checking.get(check)
        if running is not None:
            return await asyncio.shield(running)
        future = asyncio.ensure_future(self._check(mac, token))
        self._checking[check] = future
        future.add_done_callback(lambda _: self._checking.pop(check))
        return await asyncio.shield(future)

    async def _check(self, mac: bytes, token: Token) -> _Kept:
        forgotten = self._forgotten
        async with self._database.platform("authenticate") as session:
            found = await api_keys.find_by_kid(session, token.kid)
        if found is None or not await self._hasher.matches(found.hash, token.text):
            raise Unauthenticated(REFUSAL)
        owner = Actor(ActorKind.API_KEY, str(found.id), on_behalf_of=str(found.owner_id))
        async with self._database.transaction(Scope(found.organization_id, owner)) as session:
            rights = await api_keys.rights_of(session, found.organization_id, found.owner_id)
        principal = _principal(found, owner, rights)
        now = time.monotonic()
        kept = _Kept(principal, now + TTL_SECONDS, now + _seconds_left(found.valid_until))
        if forgotten == self._forgotten:  # otherwise what was read may be older than what was heard
            self._kept[mac] = kept
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return kept

    def _forget(self, organization_id: UUID | None) -> None:
        self._forgotten += 1
        if organization_id is None:
            self._kept.clear()
            return
        gone = [mac for mac, kept in self._kept.items() if kept.principal.organization_id == organization_id]
        for mac in gone:
            del self._kept[mac]

    async def note_uses_forever(self) -> None:
        """Call note_uses from time to time, until cancelled."""
        while True:
            await asyncio.sleep(NOTE_USES_SECONDS)
            try:
                await self.note_uses()
            except Unavailable as error:
                log.warning("key_uses_not_noted", reason=error.reason)


def _seconds_left(end: datetime | None) -> float:
    return math.inf if end is None else (end - datetime.now(UTC)).total_seconds()


def _principal(found: FoundKey, actor: Actor, rights: dict[str, list[str]]) -> Principal:
    return Principal(
        organization_id=found.organization_id,
        actor=actor,
        key_id=found.id,
        user_id=found.owner_id,
        rights=Rights(held(rights, found.scopes)),
        valid_until=found.valid_until,
        read_only_from=_read_only_from(found),
    )


def _read_only_from(found: FoundKey) -> datetime | None:
    if found.status == "frozen":
        return datetime.min.replace(tzinfo=UTC)
    return found.trial_ends_at if found.status == "trial" else None
