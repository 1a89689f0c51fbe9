"""`groundwork modules`: what is published of them."""

from typing import Annotated, Final

from cyclopts import App, Parameter

from cli.client.api import Api
from cli.client.published import MODULES, address, find_module, versions_of
from cli.client.showing import PEOPLE, ClientOutput, Column, Limit, labelled, moment
from cli.errors import usage
from cli.output import examples

PARTS: Final = 3

modules = App(
    name="modules",
    help="See the modules that are published.",
    help_format="plaintext",
    version_flags=[],
    help_epilogue=examples("groundwork modules list", "groundwork modules show platform/network/aws"),
)


COLUMNS: Final = (
    Column("MODULE", address),
    Column("LATEST", "latest_version"),
    Column("DESCRIPTION", "description"),
    Column("FIRST PUBLISHED", moment("created_at"), extra=True),
)


@modules.command(name="list", help_epilogue=examples("groundwork modules list", "groundwork modules list network"))
def list_modules(
    words: Annotated[
        tuple[str, ...], Parameter(name="WORDS", help="Only those with each of these in address or description.")
    ] = (),
    /,
    *,
    limit: Limit = None,
    output: ClientOutput = PEOPLE,
) -> None:
    """List the organization's modules in order of first publication."""
    with Api.of_caller() as api:
        output.listing(
            api.items(MODULES, limit=limit, q=" ".join(words)),
            COLUMNS,
            empty="no module has all of these words: `groundwork modules list` shows all"
            if words
            else "no module yet: `groundwork publish module ./folder --namespace NAMESPACE --name NAME "
            "--system SYSTEM --version 1.0.0` publishes one",
            id_field=address,
        )


@modules.command(help_epilogue=examples("groundwork modules show platform/network/aws"))
def show(
    module: Annotated[str, Parameter(name="MODULE", help="NAMESPACE/NAME/SYSTEM.")],
    /,
    *,
    output: ClientOutput = PEOPLE,
) -> None:
    """Show a module, its versions, and how to use it. With --quiet: the versions, the highest first."""
    parts = module.split("/")
    if len(parts) != PARTS or not all(parts):
        raise usage("a module is named NAMESPACE/NAME/SYSTEM, as `groundwork modules list` shows it")
    with Api.of_caller() as api:
        found = find_module(api, module)
        versions = versions_of(api, module)
        hostname = api.get("/version")["registry_hostname"]
    source, latest = f"{hostname}/{module}", found["latest_version"]
    lines = {
        "module": module,
        "description": found["description"] or None,
        "versions": versions,
        "first published": moment("created_at")(found),
        "use it by": latest and f'source = "{source}", version = "{latest}"',
        "apply it by": latest
        and f"groundwork run submit {module} {latest} --name DEPLOYMENT --input VARIABLE=VALUE",
    }
    output.noun(
        {**found, "source": source, "versions": versions},
        labelled(lines),
        id_field=lambda _: "\n".join(versions),
    )
