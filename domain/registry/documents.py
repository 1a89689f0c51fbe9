"""What a module's code says of itself: the nouns, in the names of the public registry's answers."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field

INGEST_WORKFLOW: Final = "registry.ingest_module"


class DocumentsState(StrEnum):
    """How far a version's documents are; the version can be installed in any of them.

    While they are read again, what was read before is still there.
    """

    PENDING = "pending"
    READY = "ready"
    UNREADABLE = "unreadable"


class VersionReference(BaseModel, frozen=True):
    """Input of the workflow that reads a module version."""

    organization_id: UUID
    module_version_id: UUID

    @property
    def workflow_id(self) -> str:
        """What the workflow is called: a version has one, however often it is started."""
        return f"module-version:{self.module_version_id}"


class DocumentsRead(BaseModel, frozen=True):
    """What reading came to; it goes into a history, so it says nothing of what was read."""

    state: DocumentsState


def _storable(said: str) -> str:
    return said.replace("\0", "\N{REPLACEMENT CHARACTER}")


Said = Annotated[str, AfterValidator(_storable)]
"""Text out of somebody's code: whatever that writes, it can be stored."""


class Input(BaseModel, frozen=True):
    """A variable."""

    name: Said
    type: Said = Field(description="As it is written in HCL; `any` where the code names none.")
    description: Said
    default: Said | None = Field(
        description="As JSON; null where a value has to be given, or a secret would show."
    )
    required: bool
    sensitive: bool = False
    ephemeral: bool = False
    deprecated: Said | None = Field(default=None, description="What to use instead, in the module's own words.")


class Output(BaseModel, frozen=True):
    """A value that the module gives."""

    name: Said
    description: Said
    sensitive: bool = False
    ephemeral: bool = False
    deprecated: Said | None = None


class Dependency(BaseModel, frozen=True):
    """A module that it calls."""

    name: Said
    source: Said
    version: Said = Field(description="The constraint as it is written; empty where there is none.")


class ProviderDependency(BaseModel, frozen=True):
    """A provider that it needs."""

    name: Said
    namespace: Said
    source: Said = Field(description="The address, with its host where the code names one.")
    version: Said = Field(description="The constraint; empty where there is none.")


class Resource(BaseModel, frozen=True):
    """A resource or data source that it declares."""

    name: Said
    type: Said
    mode: Said = Field(description="`managed` for resources, `data` for data sources.")


class ModulePart(BaseModel, frozen=True):
    """The root module, a submodule or an example: one folder of the archive."""

    path: Said = Field(description="Below the archive's top; empty for the root module.")
    name: Said = Field(description="Of the folder; empty for the root module.")
    readme: Said = Field(description="Markdown as it was published, not made safe to show; empty without one.")
    empty: bool = Field(description="Whether the folder declares nothing at all.")
    inputs: tuple[Input, ...] = ()
    outputs: tuple[Output, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    provider_dependencies: tuple[ProviderDependency, ...] = ()
    resources: tuple[Resource, ...] = ()
    unreadable: Said | None = Field(default=None, description="Why the folder's code could not be read.")


class Documents(BaseModel, frozen=True):
    """All parts of a module version."""

    root: ModulePart
    submodules: tuple[ModulePart, ...] = ()
    examples: tuple[ModulePart, ...] = ()


class VersionDocuments(BaseModel, frozen=True):
    """What is known of a version's documents."""

    state: DocumentsState
    reason: str | None = Field(
        default=None,
        description="Why they are unreadable; of `pending`, what keeps this installation from reading them, "
        "which it tries again; of `ready`, why they could not be read once more.",
    )
    documents: Documents | None = Field(
        default=None, description="What was read last; while they are read again, that is still shown."
    )
    reader: str | None = Field(default=None, description="The tool that read them last, and its version.")
    read_at: datetime | None = None
