"""Who sends a request: from a key to a principal, in two microseconds when the key was seen lately."""

import asyncio
import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
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
        self._checking: dict[tuple[bytes, int], asyncio.Future[Principal]] = {}
        self._used: dict[UUID, float] = {}
        self._forgotten = 0
        self._changes = changes
        changes.subscribe(self._forget)

    async def authenticate(self, text: str) -> Principal:
        """Tell whose key this is and what it may do.

        Raises:
            Unauthenticated: not a key, unknown, revoked, expired, its owner or organization gone.
            Unavailable: the database does not answer, or too many keys are being checked.
        """
        principal = self.known(text)
        if principal is not None:
            return principal
        token = read_token(text)
        if token is None:
            raise Unauthenticated(REFUSAL)
        return self._use(await self._check_once(self._mac(text), token))

    def known(self, text: str) -> Principal | None:
        """Tell whose key this is if it was seen lately; None where `authenticate` has to be asked.

        Raises:
            Unauthenticated: the key has ended since.
        """
        kept = self._kept.get(self._mac(text))
        if kept is None or not self._changes.heard or kept.until <= time.monotonic():
            return None
        return self._use(kept.principal)

    def _mac(self, text: str) -> bytes:
        keyed = self._keyed.copy()  # for each request; to make it from the pepper takes half as long again
        keyed.update(text.encode())
        return keyed.digest()

    def _use(self, principal: Principal) -> Principal:
        now = time.time()
        if principal.valid_until is not None and principal.valid_until.timestamp() <= now:
            raise Unauthenticated(REFUSAL)
        self._used[principal.key_id] = now
        return principal

    async def note_uses(self) -> None:
        """Write when keys were last used, for those used since the last call."""
        used, self._used = self._used, {}
        if used:
            async with self._database.platform("note uses of keys") as session:
                await api_keys.touch(session, {key: datetime.fromtimestamp(at, UTC) for key, at in used.items()})

    async def _check_once(self, mac: bytes, token: Token) -> Principal:
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

    async def _check(self, mac: bytes, token: Token) -> Principal:
        forgotten = self._forgotten
        async with self._database.platform("authenticate") as session:
            found = await api_keys.find_by_kid(session, token.kid)
        if found is None or not await self._hasher.matches(found.hash, token.text):
            raise Unauthenticated(REFUSAL)
        owner = Actor(ActorKind.API_KEY, str(found.id), on_behalf_of=str(found.owner_id))
        async with self._database.transaction(Scope(found.organization_id, owner)) as session:
            rights = await api_keys.rights_of(session, found.organization_id, found.owner_id)
        principal = _principal(found, owner, rights)
        if forgotten == self._forgotten:  # otherwise what was read may be older than what was heard
            self._kept[mac] = _Kept(principal, time.monotonic() + TTL_SECONDS)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return principal

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
