"""`groundwork keys`: API keys, for people and for machines."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal

from cyclopts import App, Parameter
from cyclopts.validators import Number
from pydantic import JsonValue

from cli.client.api import Api
from cli.client.finding import find_api_key
from cli.client.showing import PEOPLE, ClientOutput, Column, Limit, key_state, moment
from cli.output import examples

PATH: Final = "/api/v1/api-keys"
COLUMNS: Final = (
    Column("ID", "id"),
    Column("KEY", lambda key: f"gwk_{key['kind']}_{key['kid']}_...", extra=3),
    Column("NAME", "name"),
    Column("STATE", key_state),
    Column("SCOPES", "scopes"),
    Column("CREATED", moment("created_at"), extra=4),
    Column("LAST USED", moment("last_used_at"), extra=2),
    Column("EXPIRES", moment("expires_at"), extra=1),
)
KINDS: Final = {"personal": "pat", "service": "svc"}

keys = App(
    name="keys",
    help="Make, list and revoke API keys.",
    help_format="plaintext",
    version_flags=[],
    help_epilogue=examples("groundwork keys create laptop"),
)


@keys.command(name="list", help_epilogue=examples("groundwork keys list"))
def list_keys(
    *,
    limit: Limit = None,
    output: ClientOutput = PEOPLE,
) -> None:
    """List the organization's API keys, revoked ones included; never the keys themselves."""
    with Api.of_caller() as api:
        output.listing(
            api.items(PATH, limit=limit), COLUMNS, empty="no key yet: `groundwork keys create NAME` makes one"
        )


@keys.command(
    help_epilogue=examples(
        "groundwork keys create laptop",
        "(umask 077; groundwork keys create pipeline --kind service --scope module:publish --days 90 > new.key)",
    )
)
def create(
    name: Annotated[str, Parameter(help="What the key is for, as lists show it.")],
    /,
    *,
    scope: Annotated[
        list[str] | None,
        Parameter(negative="", help="A permission it may use, as in registry:read; give several."),
    ] = None,
    kind: Annotated[Literal["personal", "service"], Parameter(help="Whose it is.")] = "personal",
    days: Annotated[int | None, Parameter(validator=Number(gte=1), help="Days until it expires.")] = None,
    output: ClientOutput = PEOPLE,
) -> None:
    """Make an API key with your own rights, or fewer. It is printed once and stored nowhere."""
    expires_at = None if days is None else (datetime.now(UTC) + timedelta(days=days)).isoformat()
    scopes: list[JsonValue] = [*(scope or ["*"])]
    body: dict[str, JsonValue] = {"name": name, "kind": KINDS[kind], "scopes": scopes, "expires_at": expires_at}
    with Api.of_caller() as api:
        made = api.post(PATH, body)
    # With --quiet too: its id alone would be a key that nobody can ever use.
    output.result(made, made["key"])
    if not output.json:
        may = "all that you may" if scope is None else ", ".join(made["scopes"])
        until = "it is revoked" if made["expires_at"] is None else moment("expires_at")(made)
        output.progress(f"it may {may}, until {until}; this is the only time it is shown")


@keys.command(help_epilogue=examples("groundwork keys revoke 01932b0c-0000-7000-8000-000000000000"))
def revoke(
    key: Annotated[str, Parameter(help="Its id, or the beginning of it.")],
    /,
    *,
    output: ClientOutput = PEOPLE,
) -> None:
    """Revoke an API key: every server refuses it within a second."""
    with Api.of_caller() as api:
        found = find_api_key(api, key)
        api.delete(f"{PATH}/{found}")
    output.noun({"id": found}, f"revoked {found}")
