"""Queries on modules."""

from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.registry.errors import ModuleNotFound
from domain.registry.names import ModuleAddress
from domain.registry.versions import LONGEST, canonical, latest
from storage.database import insert_unless_there, locked
from storage.registry.kinds import MODULES
from storage.registry.module_search import note_words
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
    return _there(await session.scalar(_of_address(organization_id, address)), address)


async def get_locked(session: AsyncSession, organization_id: UUID, address: ModuleAddress) -> ModuleRow:
    """Read one module, and let nobody change it until the transaction ends.

    Raises:
        ModuleNotFound: unknown, or another organization's.
    """
    return _there(await session.scalar(locked(_of_address(organization_id, address))), address)


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
        .join(ModuleRow, MODULES.is_of)
        .where(
            ModuleVersionRow.organization_id == organization_id,
            ModuleRow.namespace == address.namespace,
            ModuleRow.name == address.name,
            ModuleRow.system == address.system,
            ModuleVersionRow.version == version,
        )
    )
    return await session.scalar(query)


async def get_version(
    session: AsyncSession, organization_id: UUID, address: ModuleAddress, version: str
) -> ModuleVersionRow:
    """Read the version that somebody asks for; `v1.0` means 1.0.0, as to the tools.

    Raises:
        ModuleNotFound: no such module, or no such version of it.
    """
    wanted = canonical(version)
    found = None if wanted is None else await find_version_at(session, organization_id, address, wanted)
    if found is None:
        await get(session, organization_id, address)
        raise ModuleNotFound(
            "there is no such version of this module", module=str(address), version=version[:LONGEST]
        )
    return found


async def versions(session: AsyncSession, organization_id: UUID, module_id: UUID) -> dict[str, bool]:
    """Tell of each version that is offered (those that are yanked are not) whether it is deprecated."""
    query = select(ModuleVersionRow.version, ModuleVersionRow.deprecated_at.is_not(None)).where(
        ModuleVersionRow.organization_id == organization_id,
        ModuleVersionRow.module_id == module_id,
        ModuleVersionRow.yanked_at.is_(None),
    )
    found = await session.execute(query)
    return dict(found.all())


async def systems(session: AsyncSession, organization_id: UUID, address: ModuleAddress) -> list[str]:
    """List the systems for which a module of the address's namespace and name offers a version, in order."""
    query = select(ModuleRow.system).where(
        ModuleRow.organization_id == organization_id,
        ModuleRow.namespace == address.namespace,
        ModuleRow.name == address.name,
        ModuleRow.latest_version.is_not(None),
    )
    return list(await session.scalars(query.order_by(ModuleRow.system)))


async def page_of_versions(
    session: AsyncSession, organization_id: UUID, module_id: UUID, *, after: UUID | None, limit: int
) -> list[ModuleVersionRow]:
    """List a module's versions in order of publication, yanked ones included."""
    query = select(ModuleVersionRow).where(
        ModuleVersionRow.organization_id == organization_id, ModuleVersionRow.module_id == module_id
    )
    if after is not None:
        query = query.where(ModuleVersionRow.id > after)
    return list(await session.scalars(query.order_by(ModuleVersionRow.id).limit(limit)))


async def note_latest(session: AsyncSession, module: ModuleRow) -> None:
    """Bring a locked module's latest version up to date, after a change of what can be installed of it.

    The description that lists show and searches look in is that version's; without any, it is the last one's. A
    version that was published without words, as by servers of the release before, takes those of the module.
    """
    offered = await versions(session, module.organization_id, module.id)
    module.latest_version = latest(offered)
    module.deprecated = offered.get(module.latest_version or "", False)
    if module.latest_version is not None:
        found = await find_version(session, module.organization_id, module.id, module.latest_version)
        if found is not None:
            found.description = module.description = found.description or module.description
    await note_words(session, module)


def _there(row: ModuleRow | None, address: ModuleAddress) -> ModuleRow:
    if row is None:
        raise ModuleNotFound("there is no such module", module=str(address))
    return row


def _of_address(organization_id: UUID, address: ModuleAddress) -> Select[ModuleRow]:
    return select(ModuleRow).where(
        ModuleRow.organization_id == organization_id,
        ModuleRow.namespace == address.namespace,
        ModuleRow.name == address.name,
        ModuleRow.system == address.system,
    )
