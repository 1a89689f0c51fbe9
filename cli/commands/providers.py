"""`groundwork providers`: what is published of them."""

from typing import Annotated, Final

from cyclopts import App, Parameter

from cli.client.api import Api, Document
from cli.client.files import segment
from cli.client.finding import find_named
from cli.client.showing import PEOPLE, ClientOutput, Column, Limit, labelled, moment
from cli.errors import usage
from cli.output import examples

PATH: Final = "/api/v1/providers"
PARTS: Final = 2

providers = App(
    name="providers",
    help="See the providers that are published.",
    help_format="plaintext",
    version_flags=[],
    help_epilogue=examples("groundwork providers list", "groundwork providers show platform/acme"),
)


def _address(provider: Document) -> str:
    return f"{provider['namespace']}/{provider['type']}"


def _release(version: Document) -> str:
    platforms = ", ".join(f"{platform['os']}_{platform['arch']}" for platform in version["platforms"])
    return f"{version['version']} ({platforms})"


COLUMNS: Final = (
    Column("PROVIDER", _address),
    Column("LATEST", "latest_version"),
    Column("FIRST PUBLISHED", moment("created_at")),
)


@providers.command(name="list", help_epilogue=examples("groundwork providers list"))
def list_providers(
    *,
    limit: Limit = None,
    output: ClientOutput = PEOPLE,
) -> None:
    """List the organization's providers in order of first publication."""
    with Api.of_caller() as api:
        output.listing(
            api.items(PATH, limit=limit),
            COLUMNS,
            empty="no provider yet: `groundwork publish provider ./dist --namespace NAMESPACE` publishes one",
            id_field=_address,
        )


@providers.command(help_epilogue=examples("groundwork providers show platform/acme"))
def show(
    provider: Annotated[str, Parameter(name="PROVIDER", help="NAMESPACE/TYPE.")],
    /,
    *,
    output: ClientOutput = PEOPLE,
) -> None:
    """Show a provider, its versions that can be installed, and how to use it. With --quiet: the versions."""
    parts = provider.split("/")
    if len(parts) != PARTS or not all(parts):
        raise usage("a provider is named NAMESPACE/TYPE, as `groundwork providers list` shows it")
    with Api.of_caller() as api:
        found = find_named(api, PATH, provider, named=_address, noun="provider")
        versions = api.get(f"/v1/providers/{'/'.join(map(segment, parts))}/versions")["versions"]
        hostname = api.get("/version")["registry_hostname"]
    source, latest = f"{hostname}/{provider}", found["latest_version"]
    lines = {
        "provider": provider,
        "versions": [_release(version) for version in versions] or "none whose key is still in use",
        "first published": moment("created_at")(found),
        "use it by": latest and f'source = "{source}", version = "{latest}"',
    }
    output.noun(
        {**found, "source": source, "versions": versions},
        labelled(lines),
        id_field=lambda _: "\n".join(version["version"] for version in versions),
    )
