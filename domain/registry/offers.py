"""What is on offer, as lists and pages about it show it: a version with what is known of all of them."""

from pydantic import BaseModel, Field

from domain.registry.documents import VersionDocuments
from domain.registry.modules import ModuleVersion
from domain.registry.providers import ProviderVersion


class ModuleOffer(BaseModel, frozen=True):
    """A version of a module, the latest one in lists."""

    version: ModuleVersion
    downloads: int = Field(description="Of the module in all its versions.")


class ModuleDetail(ModuleOffer, frozen=True):
    """A version of a module, and what there is beside it."""

    versions: tuple[str, ...] = Field(description="Those that are offered, the highest last.")
    systems: tuple[str, ...] = Field(description="For which there is a module of this name, in order.")
    documents: VersionDocuments


class ProviderOffer(BaseModel, frozen=True):
    """A release of a provider without its packages, the latest one in lists."""

    version: ProviderVersion
    downloads: int = Field(description="Of the provider in all its versions and platforms.")


class ProviderDetail(ProviderOffer, frozen=True):
    """A release of a provider, and what there is beside it."""

    versions: tuple[str, ...] = Field(description="Those that are offered, the highest last.")
