"""Queries on modules."""

from uuid import UUID

from sqlalchemy import Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.registry.errors import ModuleNotFound
from domain.registry.names import ModuleAddress
from domain.registry.versions import latest
from storage.database import insert_unless_there, locked
from storage.registry.tables import ModuleRow, ModuleVersionRow


async def add_or_lock(session: AsyncSession, module: ModuleRow) -> ModuleRow:
    """Store a module unless it is there; give its row, which nobody changes until the transaction ends."""
    await insert_unless_there(session, module)
    address = ModuleAddress(module.namespace, module.name, module.system)
    return (await session.scalars(locked(_of_address(module.organization_id, address)))).one()


async def get(session: AsyncSession, organization_id: UUID, address: ModuleAddress) -> ModuleRow:
    """Read one module.

    Raises:
        ModuleNotFound: unknown, or another organization's.
    """
    row = await session.scalar(_of_address(organization_id, address))
    if row is None:
        raise ModuleNotFound("there is no such module", module=str(address))
    return row


async def find_version(
    session: AsyncSession, organization_id: UUID, module_id: UUID, version: str
) -> ModuleVersionRow | None:
    """Read one version of a module; None where it was not published."""
    query = select(ModuleVersionRow).where(
        ModuleVersionRow.organization_id == organization_id,
        ModuleVersionRow.module_id == module_id,
        ModuleVersionRow.version == version,
    )
    return await session.scalar(query)


async def find_version_at(
    session: AsyncSession, organization_id: UUID, address: ModuleAddress, version: str
) -> ModuleVersionRow | None:
    """Read one version by its module's address; None where it was not published."""
    query = (
        select(ModuleVersionRow)
        .join(
            ModuleRow,
            (ModuleRow.organization_id == ModuleVersionRow.organization_id)
            & (ModuleRow.id == ModuleVersionRow.module_id),
        )
        .where(
            ModuleVersionRow.organization_id == organization_id,
            ModuleRow.namespace == address.namespace,
            ModuleRow.name == address.name,
            ModuleRow.system == address.system,
            ModuleVersionRow.version == version,
        )
    )
    return await session.scalar(query)


async def versions(session: AsyncSession, organization_id: UUID, module_id: UUID) -> list[str]:
    """List a module's versions as they were published, in no order."""
    query = select(ModuleVersionRow.version).where(
        ModuleVersionRow.organization_id == organization_id, ModuleVersionRow.module_id == module_id
    )
    return list(await session.scalars(query))


async def note_latest(session: AsyncSession, module: ModuleRow) -> None:
    """Bring a locked module's latest version up to date, after a change of what can be installed of it."""
    module.latest_version = latest(await versions(session, module.organization_id, module.id))


async def page(
    session: AsyncSession, organization_id: UUID, *, words: list[str], after: UUID | None, limit: int
) -> list[ModuleRow]:
    """List modules in order of first publication; each word has to occur in the address or description."""
    query = select(ModuleRow).where(ModuleRow.organization_id == organization_id)
    for word in words:
        columns = (ModuleRow.namespace, ModuleRow.name, ModuleRow.system, ModuleRow.description)
        query = query.where(or_(*(column.icontains(word, autoescape=True) for column in columns)))
    if after is not None:
        query = query.where(ModuleRow.id > after)
    return list(await session.scalars(query.order_by(ModuleRow.id).limit(limit)))


def _of_address(organization_id: UUID, address: ModuleAddress) -> Select[ModuleRow]:
    return select(ModuleRow).where(
        ModuleRow.organization_id == organization_id,
        ModuleRow.namespace == address.namespace,
        ModuleRow.name == address.name,
        ModuleRow.system == address.system,
    )
