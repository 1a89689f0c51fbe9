"""`groundwork providers`: what is published of them."""

from typing import Annotated, Final

from cyclopts import App, Parameter

from cli.client import releases, withdrawals
from cli.client.api import Api, Document
from cli.client.errors import FORBIDDEN, RequestRefused
from cli.client.files import segment
from cli.client.finding import find_named, gpg_keys_path
from cli.client.published import find_version
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
    Column("DEPRECATED", "deprecated", extra=1),
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


@providers.command(
    help_epilogue=examples(
        "groundwork providers show platform/acme", "groundwork providers show platform/acme 1.0.0"
    )
)
def show(
    provider: Provider,
    version: Annotated[str | None, Parameter(name="VERSION", help="Only this version, yanked or not.")] = None,
    /,
    *,
    output: ClientOutput = PEOPLE,
) -> None:
    """Show a provider, its versions that can be installed, and its latest release in full; or one release alone.

    Of a release: its platforms, the key that signed it, and what its last verification found. With --quiet:
    the versions.
    """
    path = _path(provider)
    with Api.of_caller() as api:
        found = find_named(api, PATH, provider, named=_address, noun="provider")
        published = list(api.items(f"{path}/versions"))
        one = None if version is None else find_version(published, version, of=provider)
        offered = api.get(f"/v1/providers{path.removeprefix(PATH)}/versions")["versions"]
        chosen = found["latest_version"] if one is None else one["version"]
        keys = _keys(api, found["namespace"])
        made = list(api.items(releases.verifications_path(path, chosen))) if chosen else []
        hostname = api.get("/version")["registry_hostname"]
    release = next((each for each in published if each["version"] == chosen), None)
    versions = [each for each in offered if one is None or each["version"] == chosen]
    told, source = published if one is None else [one], f"{hostname}/{provider}"
    none = "none: each is yanked or refused" if one is None else "it can't be installed"
    listed = [_release(each) for each in versions] if one is None else None
    about = {
        "provider": provider,
        "versions": listed if versions else none,
        **withdrawals.lines_of(told),
        "first published": moment("created_at")(found) if one is None else None,
        "use it by": f'source = "{source}", version = "{chosen}"' if versions else None,
    }
    output.noun(
        {
            **(one or found),
            "source": source,
            "versions": versions,
            "withdrawn": withdrawals.withdrawn(told),
            "release": release,
            "verifications": made,
        },
        labelled(about) + ("" if release is None else releases.described(release, keys, made)),
        id_field=lambda _: "\n".join(each["version"] for each in versions),
    )


@providers.command(help_epilogue=examples("groundwork providers verify platform/acme 1.0.0"))
def verify(
    provider: Provider,
    version: withdrawals.Version,
    /,
    *,
    wait: Annotated[bool, Parameter(help="Wait for what it finds, or only ask for it.")] = True,
    output: ClientOutput = PEOPLE,
) -> int:
    """Have a release verified again: every stored byte, and the signature with today's keys.

    One that is refused is not served until another verification is good. Where a file is gone from the blob store
    or can't be read, the verification is incomplete, and the release is served, or not, as before. The exit status
    is 0 only where it is verified.
    """
    path = releases.verifications_path(_path(provider), version)
    again = f"`groundwork providers verifications {provider} {version}`"
    with Api.of_caller() as api:
        if wait:
            releases.require_readable(api, path)
        asked = api.post(path)
        if not wait:
            output.noun(asked, f"{provider} {version} will be verified again: {again} shows what is found")
            return 0
        output.progress(
            f"a worker verifies {provider} {version}; Ctrl-C ends the waiting, and {again} shows it later"
        )
        found = releases.awaited(api, path, asked["id"])
    output.noun(found, releases.verdict(provider, version, found), id_field="result")
    return 0 if found["result"] == releases.VERIFIED else 1


@providers.command(help_epilogue=examples("groundwork providers verifications platform/acme 1.0.0"))
def verifications(
    provider: Provider, version: withdrawals.Version, /, *, limit: Limit = None, output: ClientOutput = PEOPLE
) -> None:
    """List the verifications of a release, the first of which was its publication."""
    with Api.of_caller() as api:
        output.listing(
            api.items(releases.verifications_path(_path(provider), version), limit=limit),
            releases.VERIFICATIONS,
            empty=f"none yet: `groundwork providers verify {provider} {version}` makes one",
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
    withdrawals.yank(output, _path(provider), version, reason, of=provider, locked=", not by a lock file either")


@providers.command(help_epilogue=examples("groundwork providers unyank platform/acme 1.0.0"))
def unyank(provider: Provider, version: withdrawals.Version, /, *, output: ClientOutput = PEOPLE) -> None:
    """Take a yank back: the version is offered again unless it is refused. Again is harmless."""
    withdrawals.unyank(output, _path(provider), version, of=provider)


def _keys(api: Api, namespace: str) -> list[Document]:
    """List the keys of a namespace, whose owners are told; none to who may not see them."""
    try:
        return list(api.items(gpg_keys_path(namespace)))
    except RequestRefused as error:
        if error.status != FORBIDDEN:
            raise
        return []


def _path(provider: str) -> str:
    parts = provider.split("/")
    if len(parts) != PARTS or not all(parts):
        raise usage("a provider is named NAMESPACE/TYPE, as `groundwork providers list` shows it")
    return f"{PATH}/{'/'.join(map(segment, parts))}"
