"""`groundwork bootstrap`: the first administrator of an installation that `groundwork dev` did not make."""

import sys
from typing import Annotated

from cyclopts import Parameter

from cli.errors import BootstrapDone, OnlyAgain
from cli.output import PEOPLE, Output
from config.start import begin_process
from services.identity.hashing import KeyHasher
from services.tenants.all import make_tenants
from services.tenants.organizations import OPERATORS
from workers.composition import open_database


async def bootstrap(
    email: Annotated[str, Parameter(help="Whose key it will be.")],
    *,
    again: Annotated[
        bool, Parameter(negative="", help="Make one more administrator, where nobody has a key any more.")
    ] = False,
    organization: Annotated[str, Parameter(help="Slug of the organization, with --again.")] = OPERATORS,
    output: Output = PEOPLE,
) -> None:
    """Make the operators' organization and print the key of its administrator, who may make all others.

    Run it once, after `groundwork migrate`. The key is stored nowhere: what is printed is the only copy, and it is
    printed before anything is stored, so that a full disk loses nothing. Where it got lost later, --again makes
    another one; the organization's audit log tells of it. It needs the database's addresses and nothing else.

    Examples:
      groundwork bootstrap you@example.com > admin.key
      groundwork bootstrap you@example.com --again > admin.key
    """
    if organization != OPERATORS and not again:
        raise OnlyAgain("--organization goes with --again: the first administrator is the operators'")

    def show(key: str) -> None:
        output.result({"key": key}, key)
        sys.stdout.flush()

    database = open_database(begin_process())
    try:
        organizations = make_tenants(database, KeyHasher()).organizations
        if again:
            await organizations.add_administrator(organization, email, keep=show)
        elif await organizations.bootstrap(email, keep=show) is None:
            raise BootstrapDone(
                "this installation has its operators already: one of them can make further keys, and where "
                "nobody has a key any more, --again makes one"
            )
    finally:
        await database.close()
