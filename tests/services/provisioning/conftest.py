"""What the use cases of provisioning are tried on."""

from collections.abc import Awaitable, Callable

import pytest

from services.all import Services
from tests.factories.modules import publish_module
from tests.factories.organizations import Caller
from tests.factories.runs import Driver

A_MODULE = {"main.tf": 'output "greeting" {\n  value = "hello"\n}\n'}


@pytest.fixture
async def make_driver(
    services: Services, make_caller: Callable[[], Awaitable[Caller]]
) -> Callable[[], Awaitable[Driver]]:
    """Give a function that makes an organization with a module, and who drives its runs by hand."""

    async def make() -> Driver:
        caller = await make_caller()
        return Driver(services, caller.scope, await publish_module(services, caller, A_MODULE))

    return make


@pytest.fixture
async def driver(make_driver: Callable[[], Awaitable[Driver]]) -> Driver:
    """Make one."""
    return await make_driver()
