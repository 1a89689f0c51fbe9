"""`groundwork tiers`: named sizes, each a module version and the inputs that make it one."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Literal

from cyclopts import App, Parameter
from cyclopts.validators import Number
from pydantic import JsonValue, TypeAdapter

from cli.client.api import Api, Document
from cli.client.finding import find_named
from cli.client.published import names_module
from cli.client.run_inputs import read_inputs
from cli.client.showing import PEOPLE, ClientOutput, Column, Limit, labelled, moment
from cli.output import examples

PATH: Final = "/api/v1/provisioning/tiers"
DURATION: Final = TypeAdapter(timedelta)

tiers = App(
    name="tiers",
    help="Define and list tiers: named sizes of a module.",
    help_format="plaintext",
    version_flags=[],
    help_epilogue=examples("groundwork tiers create small platform/network/aws 1.2.0 --input nodes=1"),
)


def _module(tier: Document) -> str:
    return f"{tier['module_source']} {tier['module_version']}"


COLUMNS: Final = (
    Column("TIER", "name"),
    Column("MODULE", _module),
    Column("ENVIRONMENT", "environment"),
    Column("ENGINE", "engine", extra=2),
    Column("DESCRIPTION", "description", extra=1),
    Column("CREATED", moment("created_at"), extra=3),
)


@tiers.command(name="list", help_epilogue=examples("groundwork tiers list"))
def list_tiers(
    *,
    limit: Limit = None,
    output: ClientOutput = PEOPLE,
) -> None:
    """List the organization's tiers in order of making."""
    with Api.of_caller() as api:
        output.listing(
            api.items(PATH, limit=limit),
            COLUMNS,
            empty="no tier yet: `groundwork tiers create NAME MODULE VERSION` makes one",
            id_field="name",
        )


@tiers.command(
    help_epilogue=examples(
        "groundwork tiers create small platform/network/aws 1.2.0 --input nodes=1",
        "groundwork tiers create large platform/network/aws 1.2.0 --inputs-file large.json --environment staging",
    )
)
def create(
    name: Annotated[str, Parameter(name="NAME", help="What requests call it.")],
    module: Annotated[str, Parameter(name="MODULE", help="NAMESPACE/NAME/SYSTEM of a published module.")],
    version: Annotated[str, Parameter(name="VERSION", help="Its version.")],
    /,
    *,
    input: Annotated[
        list[str] | None,
        Parameter(negative="", help='name=value; a value that begins with [, { or " is JSON. Give several.'),
    ] = None,
    inputs_file: Annotated[
        Path | None, Parameter(allow_leading_hyphen=True, help="JSON object of values; - is standard input.")
    ] = None,
    environment: Annotated[str | None, Parameter(help="Of what is made of it; development by default.")] = None,
    engine: Annotated[Literal["terraform", "opentofu"] | None, Parameter(help="Which tool does it.")] = None,
    description: Annotated[str, Parameter(help="A line for lists.")] = "",
    minutes: Annotated[
        int | None, Parameter(validator=Number(gte=0), help="How long it takes, as answers say; 30 by default.")
    ] = None,
    output: ClientOutput = PEOPLE,
) -> None:
    """Make a tier. It never changes, and requests can't change its inputs; another size is another tier."""
    chosen: dict[str, JsonValue] = {
        "environment": environment,
        "engine": engine,
        "inputs": read_inputs(inputs_file, input or ()),
        "estimated_duration": None if minutes is None else minutes * 60,
    }
    body: dict[str, JsonValue] = {
        "name": name,
        "description": description,
        "module": {"source": module, "version": version},
    }
    with Api.of_caller() as api, names_module(api, module, version):
        made = api.post(PATH, body | {field: value for field, value in chosen.items() if value is not None})
    output.noun(made, f"created {name}: {_module(made)} in {made['environment']}", id_field="name")


@tiers.command(help_epilogue=examples("groundwork tiers show small"))
def show(
    name: Annotated[str, Parameter(name="NAME", help="The tier's name.")],
    /,
    *,
    output: ClientOutput = PEOPLE,
) -> None:
    """Show a tier and the inputs that make it one size."""
    with Api.of_caller() as api:
        found = find_named(api, PATH, name, named=lambda tier: str(tier["name"]), noun="tier")
    lines = {
        "tier": found["name"],
        "description": found["description"] or None,
        "module": _module(found),
        "engine": found["engine"],
        "environment": found["environment"],
        "inputs": json.dumps(found["inputs"]),
        "takes about": f"{DURATION.validate_python(found['estimated_duration']) // timedelta(minutes=1)} minutes",
        "created": moment("created_at")(found),
    }
    output.noun(found, labelled(lines), id_field="name")
