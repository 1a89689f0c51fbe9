"""`groundwork namespaces`: the first part of registry addresses, claimed before anything is published."""

from typing import Final

from cyclopts import App

from cli.client.api import Api
from cli.client.showing import PEOPLE, ClientOutput, Column, Limit, moment
from cli.output import examples

PATH: Final = "/api/v1/namespaces"
COLUMNS: Final = (Column("NAMESPACE", "name"), Column("CLAIMED", moment("created_at")))

namespaces = App(
    name="namespaces",
    help="Claim and list namespaces of the registry.",
    help_format="plaintext",
    version_flags=[],
    help_epilogue=examples("groundwork namespaces claim platform"),
)


@namespaces.command(name="list", help_epilogue=examples("groundwork namespaces list"))
def list_namespaces(
    *,
    limit: Limit = None,
    output: ClientOutput = PEOPLE,
) -> None:
    """List the organization's namespaces."""
    with Api.of_caller() as api:
        output.listing(
            api.items(PATH, limit=limit),
            COLUMNS,
            empty="no namespace yet: `groundwork namespaces claim NAME` claims one",
            id_field="name",
        )


@namespaces.command(help_epilogue=examples("groundwork namespaces claim platform"))
def claim(name: str, /, *, output: ClientOutput = PEOPLE) -> None:
    """Claim a namespace, unique in the installation, for the organization. Again is harmless."""
    with Api.of_caller() as api:
        made = api.post(PATH, {"name": name})
    output.noun(made, f"claimed {name}: publish into it with `groundwork publish`", id_field="name")
