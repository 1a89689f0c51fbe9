"""Use cases on API keys."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from domain.errors import AlreadyMade
from domain.idempotency import Claim
from domain.identity.errors import ApiKeyIsLast, ExpiryPast, ScopeExceedsOwner
from domain.identity.keys import ApiKey, KeyKind, Token, new_token
from domain.identity.permissions import ADMINISTRATION, EVERYTHING, expand, held
from domain.identity.principal import Principal
from domain.ids import new_id
from domain.scope import Scope
from services.identity.hashing import KeyHasher
from storage import audit, idempotency
from storage.database import Database, now
from storage.identity import api_keys
from storage.identity.tables import ApiKeyRow

FOR_GOOD: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class CreateKey:
    """What it takes to create a key."""

    name: str
    kind: KeyKind
    scopes: list[str]
    expires_at: datetime | None


class ApiKeys:
    """Creates keys, lists them and revokes them.

    A key's rights are at most its owner's, at every use, and it ends no later than the key that made it.
    """

    def __init__(self, database: Database, hasher: KeyHasher) -> None:
        """Take what the use cases need, made once at start-up."""
        self._database = database
        self._hasher = hasher

    async def create(
        self, principal: Principal, scope: Scope, request: CreateKey, claim: Claim | None = None
    ) -> tuple[ApiKey, str]:
        """Create a key for the caller; give its noun, and the key itself, which is stored nowhere.

        It ends with the caller's own key at the latest, also where a later end or none was asked for: a key
        that somebody stole must not be one for good.

        Raises:
            ScopeExceedsOwner: it would have a right that the caller's own key lacks.
            ExpiryPast: it would have expired already.
            AlreadyMade: an earlier request with this claim made it, and its answer showed the key.
            IdempotencyKeyReused.
        """
        token = new_token(request.kind)
        hashed = await self._hasher.hash(token.text)
        lacking = expand(request.scopes) - principal.rights.everywhere
        if lacking and EVERYTHING not in request.scopes:
            raise ScopeExceedsOwner("a key can't have rights that you lack", lacking=sorted(lacking))
        # "*" of somebody with fewer rights means: all that they have, spelled out.
        scopes = sorted(right.value for right in principal.rights.everywhere) if lacking else request.scopes
        ends = [end for end in (request.expires_at, principal.valid_until) if end is not None]
        request = replace(request, expires_at=min(ends, default=None))
        row = key_row(scope.organization_id, principal.user_id, token, hashed, request, scopes=scopes)
        async with self._database.transaction(scope) as session:
            claimed = await idempotency.claim(session, scope, claim, row.id)
            if claimed != row.id:
                raise AlreadyMade(
                    "this request has made a key before, which was shown then and is stored nowhere; "
                    "if nobody has it, revoke it and make another with another Idempotency-Key",
                    id=str(claimed),
                )
            if request.expires_at is not None and request.expires_at <= await now(session):
                raise ExpiryPast("the expiry lies in the past", expires_at=request.expires_at.isoformat())
            session.add(row)
            await session.flush()  # created_at is the database's
            audit.record(
                session, scope, "identity.api_key_made", ("api_key", row.id), kid=row.kid, scopes=row.scopes
            )
            return ApiKey.model_validate(row), token.text

    async def page(self, scope: Scope, *, after: UUID | None, limit: int) -> list[ApiKey]:
        """List the organization's keys in order of making, revoked ones included."""
        async with self._database.transaction(scope) as session:
            rows = await api_keys.page(session, scope.organization_id, after=after, limit=limit)
            return [ApiKey.model_validate(row) for row in rows]

    async def revoke(self, scope: Scope, key_id: UUID) -> None:
        """End a key at once; again is harmless.

        Raises:
            ApiKeyNotFound.
            ApiKeyIsLast: it is an administrator's, and no other key may do as much for as long.
        """
        async with self._database.transaction(scope) as session:
            # All of them, in one order: two administrators who revoke each other's key must not both succeed.
            makers = await api_keys.that_make_keys(session, scope.organization_id)
            owners = {key.owner_id for key in makers}
            of_owner = {each: await api_keys.rights_of(session, scope.organization_id, each) for each in owners}
            _check_not_last(key_id, makers, of_owner)
            row = await api_keys.get(session, scope.organization_id, key_id)
            if row.revoked_at is None:
                row.revoked_at = await now(session)
                audit.record(session, scope, "identity.api_key_revoked", ("api_key", row.id), kid=row.kid)


def _check_not_last(key_id: UUID, makers: list[ApiKeyRow], of_owner: dict[UUID, dict[str, list[str]]]) -> None:
    may = {key.id: held(of_owner[key.owner_id], key.scopes) for key in makers}
    ends = {key.id: key.expires_at or FOR_GOOD for key in makers}
    if not may.get(key_id, frozenset()) >= ADMINISTRATION:
        return
    if not any(may[key] >= may[key_id] and ends[key] >= ends[key_id] for key in may if key != key_id):
        raise ApiKeyIsLast(
            "without this key nobody would administer the organization: make another first, with all of its "
            "rights and as long a life (`groundwork keys create NAME`); where nobody has it now, who operates "
            "the installation makes one (`groundwork bootstrap EMAIL --again --organization SLUG`)",
            key_id=str(key_id),
        )


def key_row(
    organization_id: UUID, owner_id: UUID, token: Token, hashed: str, request: CreateKey, *, scopes: list[str]
) -> ApiKeyRow:
    """Make the row of a new key; the token itself goes nowhere but to its owner."""
    return ApiKeyRow(
        organization_id=organization_id,
        id=new_id(),
        kid=token.kid,
        kind=token.kind.value,
        name=request.name,
        hash=hashed,
        owner_id=owner_id,
        scopes=scopes,
        created_by=owner_id,
        expires_at=request.expires_at,
    )
