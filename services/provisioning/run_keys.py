"""Keys of running steps: what a CLI shows to the registry, and nothing more."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final
from uuid import UUID

from domain.identity.errors import ApiKeyNotFound
from domain.identity.keys import KeyKind, Token, new_token
from domain.identity.permissions import Permission
from domain.scope import Scope
from services.identity.api_keys import CreateKey, key_row
from services.identity.hashing import KeyHasher
from storage.database import Database, now
from storage.identity import api_keys

SCOPES: Final = [Permission.REGISTRY_READ.value]


@dataclass(frozen=True, slots=True)
class RunKey:
    """A key in the clear; it goes into the CLI's configuration."""

    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class DrawnKey:
    """A key that is good for nothing until it is made."""

    token: Token
    hashed: str = field(repr=False)


class RunKeys:
    """Makes a key for a step and ends it with the step. Its rights are at most those of who submitted the run."""

    def __init__(self, database: Database, hasher: KeyHasher) -> None:
        """Take what the use cases need, made once at start-up."""
        self._database = database
        self._hasher = hasher

    async def draw(self) -> DrawnKey:
        """Draw a key that is nobody's yet: the slow part, for which nothing has to be known."""
        token = new_token(KeyKind.RUN)
        return DrawnKey(token, await self._hasher.hash(token.text))

    async def make(
        self, scope: Scope, owner_id: UUID, drawn: DrawnKey, *, run_id: UUID, step_id: UUID, lifetime: timedelta
    ) -> RunKey:
        """Make a drawn key good, with the step's id; it ends by itself should nobody end it."""
        token = drawn.token
        async with self._database.transaction(scope) as session:
            request = CreateKey(f"run {run_id}", KeyKind.RUN, SCOPES, await now(session) + lifetime)
            row = key_row(scope.organization_id, owner_id, token, drawn.hashed, request, scopes=SCOPES)
            row.id = step_id
            session.add(row)
            return RunKey(token.text)

    async def end(self, scope: Scope, step_id: UUID) -> None:
        """End the key of a step, if it has one; again is harmless."""
        async with self._database.transaction(scope) as session:
            try:
                row = await api_keys.get(session, scope.organization_id, step_id)
            except ApiKeyNotFound:
                return
            if row.kind == KeyKind.RUN:
                row.revoked_at = row.revoked_at or await now(session)
