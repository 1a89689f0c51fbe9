"""Queries on organizations and the people in them."""

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from domain.identity.permissions import EVERYTHING
from domain.ids import new_id
from domain.tenants.errors import OrganizationExists, OrganizationNotFound
from storage.database import insert_unless_there, violated
from storage.identity import api_keys
from storage.identity.tables import MembershipRow, RoleGrantRow, RoleRow, UserRow
from storage.tenants.tables import OrganizationRow


async def add(session: AsyncSession, organization: OrganizationRow) -> None:
    """Store a new organization.

    Raises:
        OrganizationExists: its slug is taken.
    """
    session.add(organization)
    try:
        await session.flush()  # the constraint speaks now, while the slug is at hand
    except IntegrityError as error:
        if violated(error) != "uq_organization_slug":
            raise
        raise OrganizationExists("there is an organization with this slug", slug=organization.slug) from error


async def get(session: AsyncSession, organization_id: UUID) -> OrganizationRow:
    """Read one organization.

    Raises:
        OrganizationNotFound: unknown.
    """
    row = await session.get(OrganizationRow, organization_id)
    if row is None:
        raise OrganizationNotFound("there is no such organization", organization_id=str(organization_id))
    return row


async def find_by_slug(session: AsyncSession, slug: str) -> OrganizationRow | None:
    """Read one organization by its slug; None where there is none."""
    return await session.scalar(select(OrganizationRow).where(OrganizationRow.slug == slug))


async def page(session: AsyncSession, *, after: UUID | None, limit: int) -> list[OrganizationRow]:
    """List all organizations in order of making, beginning behind the given id."""
    query = select(OrganizationRow).order_by(OrganizationRow.id).limit(limit)
    return list(await session.scalars(query if after is None else query.where(OrganizationRow.id > after)))


async def user_of_email(session: AsyncSession, email: str, name: str) -> UserRow:
    """Give the user with this address, made now if there is none."""
    # Two at once with one address: the index picks, and both read what it picked.
    await insert_unless_there(session, UserRow(id=new_id(), email=email, name=name))
    found = await session.scalars(select(UserRow).where(func.lower(UserRow.email) == email.lower()))
    return found.one()


async def add_administrator(
    session: AsyncSession, organization_id: UUID, email: str, *, over_the_platform: bool = False
) -> UUID:
    """Make somebody a member who may do everything in the organization, or in the installation; give their id.

    Again is harmless.
    """
    user_id = (await user_of_email(session, email, email.split("@", maxsplit=1)[0])).id
    await insert_unless_there(session, MembershipRow(organization_id=organization_id, user_id=user_id))
    held = await api_keys.rights_of(session, organization_id, user_id)
    role = (
        await session.scalars(
            select(RoleRow).where(RoleRow.organization_id.is_(None), RoleRow.name == "administrator")
        )
    ).one()
    for scope_type in ("organization", "platform") if over_the_platform else ("organization",):
        if EVERYTHING in held.get(scope_type, ()):
            continue
        session.add(
            RoleGrantRow(
                organization_id=organization_id,
                id=new_id(),
                subject_type="user",
                subject_id=user_id,
                role_id=role.id,
                scope_type=scope_type,
            )
        )
    await session.flush()  # a key refers to the membership
    return user_id
