"""Routes of who installs what."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query

from api.dependencies import UsageService
from api.pagination import CallerPaging, Page
from api.registry.callers import UsageReader
from domain.moments import Moment
from domain.registry.names import ModuleAddress, ProviderAddress
from domain.registry.usage import Consumer, DownloadsInTime, MostInstalled, UsageInterval, UsageKind
from services.registry.usage import Period

router = APIRouter(prefix="/api/v1/analytics", tags=["registry"])

USUAL: Final = timedelta(days=30)


async def _period(
    begin: Annotated[
        Moment | None, Query(alias="from", description="The first moment; 30 days before the end.")
    ] = None,
    end: Annotated[Moment | None, Query(alias="to", description="The first moment after it; now.")] = None,
) -> Period:
    last = end or datetime.now(UTC)
    return Period(begin or last - USUAL, last)


AskedPeriod = Annotated[Period, Depends(_period)]
Most = Annotated[int, Query(ge=1, le=200, description="How many at most.")]


@router.get("/downloads", operation_id="count_downloads")
async def count_downloads(
    scope: UsageReader,
    usage: UsageService,
    period: AskedPeriod,
    interval: UsageInterval = UsageInterval.DAY,
    kind: UsageKind | None = None,
) -> Page[DownloadsInTime]:
    """Count what was installed by hour or day (UTC's), those without downloads left out.

    What is older than 400 days is forgotten; how often a module or provider was installed in all stays known.
    """
    return Page(items=await usage.in_time(scope, period, interval=interval, kind=kind), next_cursor=None)


@router.get("/modules", operation_id="list_most_installed_modules")
async def list_most_installed_modules(
    scope: UsageReader, usage: UsageService, period: AskedPeriod, limit: Most = 20
) -> Page[MostInstalled]:
    """List the modules that were installed most, the most first."""
    return Page(
        items=await usage.most_installed(scope, period, kind=UsageKind.MODULE, limit=limit), next_cursor=None
    )


@router.get("/providers", operation_id="list_most_installed_providers")
async def list_most_installed_providers(
    scope: UsageReader, usage: UsageService, period: AskedPeriod, limit: Most = 20
) -> Page[MostInstalled]:
    """List the providers that were installed most, the most first."""
    return Page(
        items=await usage.most_installed(scope, period, kind=UsageKind.PROVIDER, limit=limit), next_cursor=None
    )


@router.get("/modules/{namespace}/{name}/{system}/{version}/consumers", operation_id="list_module_consumers")
async def list_module_consumers(
    *,
    namespace: str,
    name: str,
    system: str,
    version: str,
    scope: UsageReader,
    usage: UsageService,
    paging: CallerPaging,
) -> Page[Consumer]:
    """List the keys that have installed a module version in the last 400 days, and the tools they came with."""
    address = ModuleAddress(namespace, name, system)
    return await paging.of(
        lambda after, limit: usage.consumers_of_module(scope, address, version, after=after, limit=limit)
    )


@router.get("/providers/{namespace}/{type}/{version}/consumers", operation_id="list_provider_consumers")
async def list_provider_consumers(
    *,
    namespace: str,
    type: str,
    version: str,
    scope: UsageReader,
    usage: UsageService,
    paging: CallerPaging,
) -> Page[Consumer]:
    """List the keys that have installed a provider release in the last 400 days, and the tools they came with."""
    address = ProviderAddress(namespace, type)
    return await paging.of(
        lambda after, limit: usage.consumers_of_provider(scope, address, version, after=after, limit=limit)
    )
