"""`groundwork providers`: what is published of them."""

from typing import Annotated, Final

from cyclopts import App, Parameter

from cli.client import withdrawals
from cli.client.api import Api, Document
from cli.client.files import segment
from cli.client.finding import find_named
from cli.client.showing import PEOPLE, ClientOutput, Column, Limit, labelled, moment
from cli.errors import usage
from cli.output import examples

PATH: Final = "/api/v1/providers"
PARTS: Final = 2
Provider = Annotated[str, Parameter(name="PROVIDER", help="NAMESPACE/TYPE.")]

providers = App(
    name="providers",
    help="See the providers that are published, and say which versions are no longer good.",
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
    Column("DEPRECATED", "deprecated", extra=True),
)


@providers.command(
    name=["list", "search"],
    help_epilogue=examples("groundwork providers list", "groundwork providers search acme"),
)
def list_providers(
    words: Annotated[
        tuple[str, ...], Parameter(name="WORDS", help="Only those with a word in the address that begins so.")
    ] = (),
    /,
    *,
    limit: Limit = None,
    output: ClientOutput = PEOPLE,
) -> None:
    """List or search the organization's providers, in order of first publication."""
    with Api.of_caller() as api:
        output.listing(
            api.items(PATH, limit=limit, q=" ".join(words)),
            COLUMNS,
            empty="no provider is so: `groundwork providers list` shows all"
            if words
            else "no provider yet: `groundwork publish provider ./dist --namespace NAMESPACE` publishes one",
            id_field=_address,
        )


@providers.command(help_epilogue=examples("groundwork providers show platform/acme"))
def show(
    provider: Provider,
    /,
    *,
    output: ClientOutput = PEOPLE,
) -> None:
    """Show a provider, its versions that can be installed, and how to use it. With --quiet: the versions."""
    path = _path(provider)
    with Api.of_caller() as api:
        found = find_named(api, PATH, provider, named=_address, noun="provider")
        versions = api.get(f"/v1/providers{path.removeprefix(PATH)}/versions")["versions"]
        withdrawn = withdrawals.withdrawn(api, path)
        hostname = api.get("/version")["registry_hostname"]
    source, latest = f"{hostname}/{provider}", found["latest_version"]
    lines = {
        "provider": provider,
        "versions": [_release(version) for version in versions] or "none: each is yanked or refused",
        **withdrawals.lines_of(withdrawn),
        "first published": moment("created_at")(found),
        "use it by": latest and f'source = "{source}", version = "{latest}"',
    }
    output.noun(
        {**found, "source": source, "versions": versions, "withdrawn": withdrawn},
        labelled(lines),
        id_field=lambda _: "\n".join(version["version"] for version in versions),
    )


@providers.command(
    help_epilogue=examples(
        "groundwork providers deprecate platform/acme 1.0.0 --message 'Tags are missing.' --replacement 2.0.0"
    )
)
def deprecate(
    provider: Provider,
    version: withdrawals.Version,
    /,
    *,
    message: withdrawals.Message,
    replacement: withdrawals.Replacement = None,
    output: ClientOutput = PEOPLE,
) -> None:
    """Deprecate a version: it is still offered, and terraform and tofu print the message at `init`."""
    withdrawals.deprecate(output, _path(provider), version, message, replacement, of=provider)


@providers.command(help_epilogue=examples("groundwork providers undeprecate platform/acme 1.0.0"))
def undeprecate(provider: Provider, version: withdrawals.Version, /, *, output: ClientOutput = PEOPLE) -> None:
    """Take a deprecation back. Again is harmless."""
    withdrawals.undeprecate(output, _path(provider), version, of=provider)


@providers.command(
    help_epilogue=examples("groundwork providers yank platform/acme 1.0.0 --reason 'It deletes the wrong subnet.'")
)
def yank(
    provider: Provider,
    version: withdrawals.Version,
    /,
    *,
    reason: withdrawals.Reason,
    output: ClientOutput = PEOPLE,
) -> None:
    """Offer a version no longer: `init` prints why, and fails where a lock file has it, until `init -upgrade`."""
    withdrawals.yank(output, _path(provider), version, reason, of=provider)


@providers.command(help_epilogue=examples("groundwork providers unyank platform/acme 1.0.0"))
def unyank(provider: Provider, version: withdrawals.Version, /, *, output: ClientOutput = PEOPLE) -> None:
    """Offer a yanked version again. Again is harmless."""
    withdrawals.unyank(output, _path(provider), version, of=provider)


def _path(provider: str) -> str:
    parts = provider.split("/")
    if len(parts) != PARTS or not all(parts):
        raise usage("a provider is named NAMESPACE/TYPE, as `groundwork providers list` shows it")
    return f"{PATH}/{'/'.join(map(segment, parts))}"
