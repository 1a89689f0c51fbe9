"""The one query on the registry that runs need: which bytes a module version is."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from storage.registry.tables import ModuleRow, ModuleVersionRow


async def find_digest(
    session: AsyncSession, organization_id: UUID, source: str, version: str
) -> str | None:
    """Look up the SHA-256 of a published version's archive, by `<namespace>/<name>/<system>`."""
    namespace, name, system = source.split("/")
    query = (
        select(ModuleVersionRow.sha256)
        .join(
            ModuleRow,
            (ModuleRow.organization_id == ModuleVersionRow.organization_id)
            & (ModuleRow.id == ModuleVersionRow.module_id),
        )
        .where(
            ModuleVersionRow.organization_id == organization_id,
            ModuleVersionRow.version == version,
            ModuleRow.namespace == namespace,
            ModuleRow.name == name,
            ModuleRow.system == system,
        )
    )
    return await session.scalar(query)
