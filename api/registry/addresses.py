"""Addresses of modules and providers as paths name them; what is no address is simply not there."""

from typing import Annotated

from fastapi import Depends

from domain.registry.names import ModuleAddress, ProviderAddress


async def _module(namespace: str, name: str, system: str) -> ModuleAddress:
    return ModuleAddress(namespace, name, system)


async def _provider(namespace: str, type: str) -> ProviderAddress:
    return ProviderAddress(namespace, type)


OfModule = Annotated[ModuleAddress, Depends(_module)]
"""A module's address, taken from the path."""
OfProvider = Annotated[ProviderAddress, Depends(_provider)]
"""A provider's address, taken from the path."""
