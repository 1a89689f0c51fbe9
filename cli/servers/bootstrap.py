"""`groundwork bootstrap`: the first administrator of an installation that `groundwork dev` did not make."""

from typing import Annotated

from cyclopts import Parameter

from cli.errors import BootstrapDone
from cli.output import PEOPLE, Output
from config.start import begin_process
from workers.composition import open_services


async def bootstrap(
    email: Annotated[str, Parameter(help="Whose key it will be.")],
    *,
    output: Output = PEOPLE,
) -> None:
    """Make the operators' organization and print the key of its administrator, who may make all others.

    It works once, after `groundwork migrate`. The key is stored nowhere: what is printed is the only copy.
    """
    async with open_services(begin_process()) as services:
        key = await services.tenants.organizations.bootstrap(email)
    if key is None:
        raise BootstrapDone("this installation has its operators already; one of them can make further keys")
    output.result({"key": key}, key)
