"""What is published and downloaded: modules and providers, whose tables differ in names alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlalchemy.orm import InstrumentedAttribute

from domain.registry.downloads import DownloadKind
from storage.registry.tables import ModuleRow, ModuleVersionRow, ProviderRow, ProviderVersionRow

Of = TypeVar("Of", ModuleRow, ProviderRow)
Version = TypeVar("Version", ModuleVersionRow, ProviderVersionRow)


@dataclass(frozen=True, slots=True)
class Kind(Generic[Of, Version]):
    """The tables of modules, or those of providers."""

    of: type[Of]
    address: tuple[InstrumentedAttribute[str], ...]
    """The columns of its address, in order."""
    version: type[Version]
    of_which: InstrumentedAttribute[UUID]
    """The versions' column that says of which module or provider they are."""

    @property
    def is_of(self) -> ColumnElement[bool]:
        """Hold for a version and what it is of: what the two tables are joined by."""
        return (self.of.organization_id == self.version.organization_id) & (self.of.id == self.of_which)


MODULES: Final = Kind(
    ModuleRow,
    (ModuleRow.namespace, ModuleRow.name, ModuleRow.system),
    ModuleVersionRow,
    ModuleVersionRow.module_id,
)
PROVIDERS: Final = Kind(
    ProviderRow, (ProviderRow.namespace, ProviderRow.type), ProviderVersionRow, ProviderVersionRow.provider_id
)
DOWNLOADED: Final[Mapping[DownloadKind, Kind[Any, Any]]] = {
    DownloadKind.MODULE: MODULES,
    DownloadKind.PROVIDER: PROVIDERS,
}
