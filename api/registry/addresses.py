"""Addresses of modules and providers as paths name them; what is no address is simply not there."""

from domain.registry.names import ModuleAddress, ProviderAddress


async def module_address(namespace: str, name: str, system: str) -> ModuleAddress:
    """Take a module's address from the path."""
    return ModuleAddress(namespace, name, system)


async def provider_address(namespace: str, type: str) -> ProviderAddress:
    """Take a provider's address from the path."""
    return ProviderAddress(namespace, type)
