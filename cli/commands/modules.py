"""`groundwork modules`: what is published of them."""

from typing import Annotated, Final

from cyclopts import App, Parameter

from cli.client import withdrawals
from cli.client.api import Api
from cli.client.described import declared, not_described, to_give
from cli.client.files import segment
from cli.client.published import MODULES, address, find_module, find_version, versions_of
from cli.client.showing import PEOPLE, ClientOutput, Column, Limit, labelled, moment
from cli.errors import usage
from cli.output import examples

PATH: Final = "/api/v1/modules"
PARTS: Final = 3
Module = Annotated[str, Parameter(name="MODULE", help="NAMESPACE/NAME/SYSTEM.")]

modules = App(
    name="modules",
    help="See the modules that are published, and say which versions are no longer good.",
    help_format="plaintext",
    version_flags=[],
    help_epilogue=examples(
        "groundwork modules list",
        "groundwork modules show platform/network/aws",
        "groundwork modules yank platform/network/aws 1.0.0 --reason 'It deletes the wrong subnet.'",
    ),
)


COLUMNS: Final = (
    Column("MODULE", address),
    Column("LATEST", "latest_version"),
    Column("DESCRIPTION", "description"),
    Column("FIRST PUBLISHED", moment("created_at"), extra=2),
    Column("DEPRECATED", "deprecated", extra=1),
)


@modules.command(
    name=["list", "search"],
    help_epilogue=examples("groundwork modules list", "groundwork modules search network --system aws"),
)
def list_modules(
    words: Annotated[
        tuple[str, ...],
        Parameter(name="WORDS", help="Only those with a word in address or description that begins so."),
    ] = (),
    /,
    *,
    namespace: Annotated[str | None, Parameter(help="Only those of this namespace.")] = None,
    system: Annotated[str | None, Parameter(help="Only those for this system, as in aws.")] = None,
    deprecated: Annotated[
        bool | None,
        Parameter(negative="--current", help="Only those whose latest version is deprecated, or is not."),
    ] = None,
    limit: Limit = None,
    output: ClientOutput = PEOPLE,
) -> None:
    """List or search the organization's modules, in order of first publication."""
    narrowed = bool(words) or (namespace, system, deprecated) != (None, None, None)
    with Api.of_caller() as api:
        output.listing(
            api.items(
                MODULES,
                limit=limit,
                q=" ".join(words),
                namespace=namespace,
                system=system,
                deprecated=deprecated,
            ),
            COLUMNS,
            empty="no module is so: `groundwork modules list` shows all"
            if narrowed
            else "no module yet: `groundwork publish module ./folder --namespace NAMESPACE --name NAME "
            "--system SYSTEM --version 1.0.0` publishes one",
            id_field=address,
        )


@modules.command(
    help_epilogue=examples(
        "groundwork modules show platform/network/aws", "groundwork modules show platform/network/aws 1.0.0"
    )
)
def show(
    module: Module,
    version: Annotated[str | None, Parameter(name="VERSION", help="Only this version, yanked or not.")] = None,
    /,
    *,
    output: ClientOutput = PEOPLE,
) -> None:
    """Show a module, its versions, how to use it, and what its latest version declares; or one version alone.

    With --quiet: the versions on offer, the highest first.
    """
    path = _path(module)
    with Api.of_caller() as api:
        found = find_module(api, module)
        published = list(api.items(f"{path}/versions"))
        one = None if version is None else find_version(published, version, of=module)
        versions = versions_of(api, module) if one is None else [one["version"]]
        chosen = found["latest_version"] if one is None else one["version"]
        known = chosen and api.get(f"{path}/{segment(chosen)}/documents")
        hostname = api.get("/version")["registry_hostname"]
    told = published if one is None else [one]
    source, usable = f"{hostname}/{module}", chosen and (one is None or one["yank"] is None)
    about = {
        "module": module,
        "description": (one or found)["description"] or None,
        "versions": versions if one is None else None,
        **withdrawals.lines_of(told),
        "not described": known and not_described(known),
        "first published": moment("created_at")(found) if one is None else None,
        "published": one and moment("published_at")(one),
        "sha256": one and one["sha256"],
        "use it by": f'source = "{source}", version = "{chosen}"' if usable else None,
        "apply it by": f"groundwork run submit {module} {chosen} --name DEPLOYMENT {to_give(known)}".rstrip()
        if usable
        else None,
    }
    output.noun(
        {
            **(one or found),
            "source": source,
            "versions": versions,
            "withdrawn": withdrawals.withdrawn(told),
            "documents": known,
        },
        labelled(about) + (declared(known, of=chosen) if known else ""),
        id_field=lambda _: "\n".join(versions),
    )


@modules.command(
    help_epilogue=examples(
        "groundwork modules deprecate platform/network/aws 1.0.0 --message 'Tags are missing.' --replacement 2.0.0"
    )
)
def deprecate(
    module: Module,
    version: withdrawals.Version,
    /,
    *,
    message: withdrawals.Message,
    replacement: withdrawals.Replacement = None,
    output: ClientOutput = PEOPLE,
) -> None:
    """Deprecate a version: it is still offered. `modules show` says so; terraform and tofu can't for modules."""
    withdrawals.deprecate(output, _path(module), version, message, replacement, of=module)


@modules.command(help_epilogue=examples("groundwork modules undeprecate platform/network/aws 1.0.0"))
def undeprecate(module: Module, version: withdrawals.Version, /, *, output: ClientOutput = PEOPLE) -> None:
    """Take a deprecation back. Again is harmless."""
    withdrawals.undeprecate(output, _path(module), version, of=module)


@modules.command(
    help_epilogue=examples(
        "groundwork modules yank platform/network/aws 1.0.0 --reason 'It deletes the wrong subnet.'"
    )
)
def yank(
    module: Module,
    version: withdrawals.Version,
    /,
    *,
    reason: withdrawals.Reason,
    output: ClientOutput = PEOPLE,
) -> None:
    """Offer a version no longer: no `init` chooses it. Its download still answers who has its address."""
    withdrawals.yank(output, _path(module), version, reason, of=module)


@modules.command(help_epilogue=examples("groundwork modules unyank platform/network/aws 1.0.0"))
def unyank(module: Module, version: withdrawals.Version, /, *, output: ClientOutput = PEOPLE) -> None:
    """Offer a yanked version again. Again is harmless."""
    withdrawals.unyank(output, _path(module), version, of=module)


def _path(module: str) -> str:
    parts = module.split("/")
    if len(parts) != PARTS or not all(parts):
        raise usage("a module is named NAMESPACE/NAME/SYSTEM, as `groundwork modules list` shows it")
    return f"{PATH}/{'/'.join(map(segment, parts))}"
