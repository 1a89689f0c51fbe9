"""Queries on namespaces."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from domain.registry.errors import NamespaceConfusable, NamespaceNotFound, NamespaceTaken
from storage.database import insert_unless_there, violated
from storage.registry.tables import NamespaceRow


async def claim(session: AsyncSession, namespace: NamespaceRow) -> bool:
    """Store a new namespace; tell whether it is new, or the organization's already.

    Raises:
        NamespaceTaken: another organization has it.
        NamespaceConfusable: one that looks like it exists.
    """
    try:
        is_new = await insert_unless_there(session, namespace, by=["name"])
    except IntegrityError as error:
        if violated(error) != "uq_namespace_skeleton":
            raise
        raise NamespaceConfusable(
            "this namespace reads like one that exists; choose another", namespace=namespace.name
        ) from error
    if not is_new and await find(session, namespace.organization_id, namespace.name) is None:
        raise NamespaceTaken("another organization has claimed this namespace", namespace=namespace.name)
    return is_new


async def find(session: AsyncSession, organization_id: UUID, name: str) -> NamespaceRow | None:
    """Read one namespace of the organization; None where it has none of this name."""
    return await session.scalar(
        select(NamespaceRow).where(NamespaceRow.organization_id == organization_id, NamespaceRow.name == name)
    )


async def get(session: AsyncSession, organization_id: UUID, name: str) -> NamespaceRow:
    """Read one namespace of the organization.

    Raises:
        NamespaceNotFound: nobody has claimed it, or another organization has.
    """
    row = await find(session, organization_id, name)
    if row is None:
        raise NamespaceNotFound(
            "your organization has not claimed this namespace; look for a slip in its name, or claim it for good: "
            "POST /api/v1/namespaces",
            namespace=name,
        )
    return row


async def page(
    session: AsyncSession, organization_id: UUID, *, after: UUID | None, limit: int
) -> list[NamespaceRow]:
    """List the organization's namespaces in order of claiming, beginning behind the given id."""
    query = select(NamespaceRow).where(NamespaceRow.organization_id == organization_id)
    if after is not None:
        query = query.where(NamespaceRow.id > after)
    return list(await session.scalars(query.order_by(NamespaceRow.id).limit(limit)))
