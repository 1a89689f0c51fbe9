"""Use cases that show what is on offer, to people and to the tools that help them choose."""

from collections.abc import Iterable

from domain.registry.errors import ModuleNotFound, ProviderNotFound
from domain.registry.names import ModuleAddress, ProviderAddress
from domain.registry.offers import ModuleDetail, ModuleOffer, ProviderDetail, ProviderOffer
from domain.registry.search import ALL, ModuleSearch
from domain.registry.versions import Version, canonical, latest
from domain.scope import Scope
from services.registry.nouns import documents_of, module_version, provider_version
from storage.database import Database
from storage.registry import documents, download_counts, module_search, modules, providers


class Offers:
    """Lists the latest versions of modules and providers, and shows one with all that is known of it.

    Downloads are those that were written; services.registry.counter writes each within some seconds.
    """

    def __init__(self, database: Database) -> None:
        """Take what the use cases need, made once at start-up."""
        self._database = database

    async def modules(
        self, scope: Scope, search: ModuleSearch = ALL, *, name: str | None = None, offset: int, limit: int
    ) -> list[ModuleOffer]:
        """List the latest versions of the modules that are searched for, in order of first publication."""
        async with self._database.transaction(scope) as session:
            found = await module_search.page_with_latest(
                session, scope.organization_id, search, name=name, offset=offset, limit=limit
            )
            downloads = await download_counts.totals(session, scope.organization_id, [of.id for of, _ in found])
            return [
                ModuleOffer(
                    version=module_version(ModuleAddress(of.namespace, of.name, of.system), row),
                    downloads=downloads[of.id],
                )
                for of, row in found
            ]

    async def module(self, scope: Scope, address: ModuleAddress, version: str | None = None) -> ModuleDetail:
        """Show a version of a module, its latest if none is named; also one that is yanked.

        Raises:
            ModuleNotFound.
        """
        async with self._database.transaction(scope) as session:
            organization_id = scope.organization_id
            module = await modules.get(session, organization_id, address)
            wanted = module.latest_version if version is None else version
            if wanted is None:
                raise ModuleNotFound("every version of this module is yanked", module=str(address))
            row = await modules.get_version(session, organization_id, address, wanted)
            offered = await modules.versions(session, organization_id, module.id)
            known = await documents.find(session, organization_id, row.id)
            downloads = await download_counts.totals(session, organization_id, [module.id])
            return ModuleDetail(
                version=module_version(address, row),
                downloads=downloads[module.id],
                versions=_in_order(offered),
                systems=tuple(await modules.systems(session, organization_id, address)),
                documents=documents_of(known),
            )

    async def providers(
        self, scope: Scope, *, namespace: str | None = None, offset: int, limit: int
    ) -> list[ProviderOffer]:
        """List the latest releases of providers, in order of first publication."""
        async with self._database.transaction(scope) as session:
            found = await providers.page_with_latest(
                session, scope.organization_id, namespace=namespace, offset=offset, limit=limit
            )
            downloads = await download_counts.totals(session, scope.organization_id, [of.id for of, _ in found])
            return [
                ProviderOffer(
                    version=provider_version(ProviderAddress(of.namespace, of.type), row, []),
                    downloads=downloads[of.id],
                )
                for of, row in found
            ]

    async def provider(self, scope: Scope, address: ProviderAddress, version: str | None = None) -> ProviderDetail:
        """Show a release of a provider, its latest if none is named; also one that is yanked.

        One whose key was revoked, or that did not verify when it was last checked, is not there.

        Raises:
            ProviderNotFound.
        """
        async with self._database.transaction(scope) as session:
            provider = await providers.get(session, scope.organization_id, address)
            groups = await providers.alike(session, scope.organization_id, provider.id)
            vouched = {version for group in groups if group.vouched for version in group.versions}
            withdrawn = [version for group in groups if group.withdrawn for version in group.versions]
            told = await providers.of_versions(session, scope.organization_id, provider.id, withdrawn)
            offered = vouched - {row.version for row in told if row.yanked_at is not None}
            wanted = latest(offered) if version is None else canonical(version) or version
            if wanted is None:
                raise ProviderNotFound(
                    "no version of this provider can be installed: each is yanked, or nothing vouches for it",
                    provider=str(address),
                )
            if wanted not in vouched:
                raise ProviderNotFound(
                    "there is no such version of this provider that can be installed",
                    provider=str(address),
                    version=version,
                )
            [row] = await providers.of_versions(session, scope.organization_id, provider.id, [wanted])
            downloads = await download_counts.totals(session, scope.organization_id, [provider.id])
            return ProviderDetail(
                version=provider_version(address, row, []),
                downloads=downloads[provider.id],
                versions=_in_order(offered),
            )


def _in_order(versions: Iterable[str]) -> tuple[str, ...]:
    return tuple(map(str, sorted(map(Version.parse, versions))))
