"""Use cases on organizations."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from domain.errors import AlreadyMade
from domain.idempotency import Claim
from domain.identity.keys import KeyKind, new_token
from domain.identity.permissions import EVERYTHING, Permission
from domain.identity.principal import Principal
from domain.identity.rights import ORGANIZATION
from domain.ids import new_id
from domain.scope import PLATFORM, Scope
from domain.tenants.errors import OrganizationExists, OrganizationNotFound
from domain.tenants.organizations import Organization, OrganizationStatus, check_slug
from services.identity.api_keys import CreateKey, key_row
from services.identity.hashing import KeyHasher
from storage import audit, idempotency
from storage.database import Database
from storage.tenants import organizations
from storage.tenants.tables import OrganizationRow

OPERATORS: Final = "operators"
FIRST_KEY: Final = CreateKey("first administrator", KeyKind.PERSONAL, [EVERYTHING], None)

FURTHER_KEY: Final = replace(FIRST_KEY, name="further administrator")


@dataclass(frozen=True, slots=True)
class CreateOrganization:
    """What it takes to create an organization."""

    slug: str
    display_name: str
    administrator_email: str


class Organizations:
    """Creates organizations, each with a first administrator, and shows them to who belongs to them."""

    def __init__(self, database: Database, hasher: KeyHasher) -> None:
        """Take what the use cases need, made once at start-up."""
        self._database = database
        self._hasher = hasher

    async def create(
        self, scope: Scope, request: CreateOrganization, claim: Claim | None = None
    ) -> tuple[Organization, str]:
        """Create an organization; give it and the key of its first administrator, which is stored nowhere.

        Raises:
            SlugInvalid, OrganizationExists, IdempotencyKeyReused.
            AlreadyMade: an earlier request with this claim made it, and its answer showed the key.
        """
        check_slug(request.slug)
        return await self._create(scope, request, claim, over_the_platform=False)

    async def bootstrap(
        self, administrator_email: str, *, keep: Callable[[str], None] = lambda _: None
    ) -> str | None:
        """Make the operators' organization, whose administrator may make others; give that one's key.

        Args:
            administrator_email: whose key it will be.
            keep: is given the key before anything is committed, so that no crash can leave one that nobody has.

        Returns:
            The key, or None if the installation has its operators already.
        """
        async with self._database.platform("look for operators") as session:
            if await organizations.find_by_slug(session, OPERATORS) is not None:
                return None
        request = CreateOrganization(OPERATORS, "Operators", administrator_email)
        try:
            _, key = await self._create(
                Scope(new_id(), PLATFORM), request, None, over_the_platform=True, keep=keep
            )
        except OrganizationExists:
            return None  # another process was first
        return key

    async def add_administrator(
        self, slug: str, administrator_email: str, *, keep: Callable[[str], None] = lambda _: None
    ) -> str:
        """Make one more administrator of an organization, for when nobody has a key of the others; give the key.

        Args:
            slug: of the organization; one of the operators' may make others.
            administrator_email: whose key it will be; somebody who is an administrator already gets another key.
            keep: see `bootstrap`.

        Raises:
            OrganizationNotFound.
        """
        token = new_token(FIRST_KEY.kind)
        hashed = await self._hasher.hash(token.text)
        async with self._database.platform("make administrator") as session:
            row = await organizations.find_by_slug(session, slug)
            if row is None:
                raise OrganizationNotFound(f"there is no organization {slug}", slug=slug)
            user_id = await organizations.add_administrator(
                session, row.id, administrator_email, over_the_platform=slug == OPERATORS
            )
            key = key_row(row.id, user_id, token, hashed, FURTHER_KEY, scopes=FURTHER_KEY.scopes)
            session.add(key)
            audit.record(
                session,
                Scope(row.id, PLATFORM),
                "tenants.administrator_made",
                ("api_key", key.id),
                kid=key.kid,
                email=administrator_email,
            )
            keep(token.text)
            return token.text

    async def page(self, principal: Principal, *, after: UUID | None, limit: int) -> list[Organization]:
        """List the caller's organization, or all of them for an operator of the installation."""
        async with self._database.platform("list organizations") as session:
            if principal.rights.allow(Permission.ORGANIZATION_CREATE, ORGANIZATION):
                rows = await organizations.page(session, after=after, limit=limit)
            else:
                own = await organizations.get(session, principal.organization_id)
                rows = [own] if after is None or own.id > after else []
            return [Organization.model_validate(row) for row in rows]

    async def _create(
        self,
        scope: Scope,
        request: CreateOrganization,
        claim: Claim | None,
        *,
        over_the_platform: bool,
        keep: Callable[[str], None] = lambda _: None,
    ) -> tuple[Organization, str]:
        token = new_token(FIRST_KEY.kind)
        hashed = await self._hasher.hash(token.text)
        async with self._database.platform("make organization") as session:
            row = OrganizationRow(
                id=new_id(),
                slug=request.slug,
                display_name=request.display_name,
                status=OrganizationStatus.ACTIVE,
            )
            claimed = await idempotency.claim(session, scope, claim, row.id)
            if claimed != row.id:
                raise AlreadyMade(
                    "this request has made an organization before; its administrator's key was shown then and is "
                    "stored nowhere: any administrator of it makes another, and if there is none, make another "
                    "organization",
                    id=str(claimed),
                )
            await organizations.add(session, row)
            user_id = await organizations.add_administrator(
                session, row.id, request.administrator_email, over_the_platform=over_the_platform
            )
            session.add(key_row(row.id, user_id, token, hashed, FIRST_KEY, scopes=FIRST_KEY.scopes))
            # Both sides of the wall see it: the one that made it, and the one that was made.
            for organization_id in {scope.organization_id, row.id}:
                seen_in = Scope(organization_id, scope.actor, scope.request_id, scope.source_address)
                audit.record(
                    session, seen_in, "tenants.organization_made", ("organization", row.id), slug=row.slug
                )
            keep(token.text)
            return Organization.model_validate(row), token.text
