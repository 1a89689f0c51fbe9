"""Modules: the nouns."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, Field

from domain.registry.withdrawals import Deprecation, Yank


class ArchiveFormat(StrEnum):
    """What a module's archive is; the value is the ending by which tools recognise it."""

    TAR_GZ = "tar.gz"
    ZIP = "zip"


class ModuleVersion(BaseModel, frozen=True, from_attributes=True):
    """One published version of a module; its bytes never change."""

    id: UUID
    namespace: str
    name: str
    system: str
    version: str
    description: str
    sha256: str = Field(description="Of the archive as it was sent and is served.")
    size: int
    format: ArchiveFormat
    published_at: datetime
    deprecation: Deprecation | None = None
    yank: Yank | None = None


class Module(BaseModel, frozen=True, from_attributes=True):
    """A module as lists show it: its address and its newest version."""

    id: UUID
    namespace: str
    name: str
    system: str
    description: str = Field(description="Of its latest version.")
    latest_version: str | None = Field(
        description="The highest release that can be installed, or the highest pre-release where none is; "
        "null where no version can be."
    )
    deprecated: bool = Field(description="Whether its latest version is.")
    created_at: datetime
