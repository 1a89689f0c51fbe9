"""`groundwork downloads`: who downloads what of the registry, with what, and when."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from cyclopts import App, Parameter

from cli.client.api import Api, Document
from cli.client.files import segment
from cli.client.showing import PEOPLE, ClientOutput, Column, Limit, moment
from cli.errors import usage
from cli.output import examples

PATH: Final = "/api/v1/analytics"
NOTHING: Final = "no download in this time; --from 2026-01-01 looks further back (at most 400 days)"
KINDS: Final = {3: "modules", 2: "providers"}
"""What an address names, by how many parts it has."""
From = Annotated[
    datetime | None,
    Parameter(name="--from", help="Hours that begin at this time or later, in UTC unless it says; 30 days ago."),
]
To = Annotated[
    datetime | None, Parameter(name="--to", help="Hours that begin before this time, in UTC unless it says; now.")
]
Most = Annotated[int, Parameter(help="How many at most, up to 200.")]
MOST_COLUMNS: Final = (
    Column("DOWNLOADS", "downloads"),
    Column("ADDRESS", "address"),
    Column("KEYS", "api_keys"),
    Column("LAST", moment("last_at")),
)
CONSUMER_COLUMNS: Final = (
    Column("DOWNLOADS", "downloads"),
    Column("KEY", lambda consumer: consumer["name"] or "(no longer kept)"),
    Column("TOOLS", "tools"),
    Column("LAST", moment("last_at")),
    Column("ID", "api_key_id", extra=1),
)

downloads = App(
    name="downloads",
    help="See who downloads what: a download is that a key was told where a version is.",
    help_format="plaintext",
    version_flags=[],
    help_epilogue=examples(
        "groundwork downloads list --interval hour --from 2026-11-24",
        "groundwork downloads consumers platform/network/aws 1.0.0",
    ),
)


@downloads.command(
    name="list",
    help_epilogue=examples("groundwork downloads list --interval hour --kind module --from 2026-11-24"),
)
def list_downloads(
    *,
    interval: Annotated[Literal["day", "hour"], Parameter(help="What downloads are counted by, in UTC.")] = "day",
    kind: Annotated[Literal["module", "provider"] | None, Parameter(help="Only those of these.")] = None,
    begin: From = None,
    end: To = None,
    limit: Limit = None,
    output: ClientOutput = PEOPLE,
) -> None:
    """Count downloads by day or hour of UTC, those without any left out. With --quiet: the days or hours."""
    query = _period(begin, end) | {"interval": interval, "kind": kind}
    at = _in_utc("%Y-%m-%d" if interval == "day" else "%Y-%m-%d %H:%M")
    with Api.of_caller() as api:
        output.listing(
            api.items(f"{PATH}/downloads", limit=limit, **query),
            (Column(f"{interval.upper()} (UTC)", at), Column("DOWNLOADS", "downloads")),
            empty=NOTHING,
            id_field=at,
        )


@downloads.command(help_epilogue=examples("groundwork downloads modules --limit 10"))
def modules(*, begin: From = None, end: To = None, limit: Most = 20, output: ClientOutput = PEOPLE) -> None:
    """List the modules that were downloaded most, the most first. With --quiet: their addresses."""
    _most("modules", begin, end, limit, output)


@downloads.command(help_epilogue=examples("groundwork downloads providers --from 2026-11-01 --to 2026-12-01"))
def providers(*, begin: From = None, end: To = None, limit: Most = 20, output: ClientOutput = PEOPLE) -> None:
    """List the providers that were downloaded most, the most first. With --quiet: their addresses."""
    _most("providers", begin, end, limit, output)


@downloads.command(help_epilogue=examples("groundwork downloads keys --limit 10"))
def keys(*, begin: From = None, end: To = None, limit: Most = 20, output: ClientOutput = PEOPLE) -> None:
    """List the keys that downloaded most, the most first; runs as one. With --quiet: their ids."""
    _most("consumers", begin, end, limit, output)


@downloads.command(
    help_epilogue=examples(
        "groundwork downloads consumers platform/network/aws 1.0.0",
        "groundwork downloads consumers platform/acme 1.0.0 --json",
    )
)
def consumers(
    address: Annotated[str, Parameter(name="ADDRESS", help="A module's or a provider's, as lists show it.")],
    version: Annotated[str, Parameter(name="VERSION", help="One of its versions.")],
    /,
    *,
    limit: Limit = None,
    output: ClientOutput = PEOPLE,
) -> None:
    """List the keys that have downloaded a version in the last 400 days, and with which tools; runs as one."""
    parts = address.split("/")
    if len(parts) not in KINDS:
        raise usage(f"{address} is neither a module (NAMESPACE/NAME/SYSTEM) nor a provider (NAMESPACE/TYPE)")
    path = "/".join(map(segment, (KINDS[len(parts)], *parts, version)))
    with Api.of_caller() as api:
        output.listing(
            api.items(f"{PATH}/{path}/consumers", limit=limit),
            CONSUMER_COLUMNS,
            empty=f"no key has downloaded {address} {version} in the last 400 days",
            id_field=_id,
        )


def _most(noun: str, begin: datetime | None, end: datetime | None, limit: int, output: ClientOutput) -> None:
    with Api.of_caller() as api:
        page = api.get(f"{PATH}/{noun}", limit=limit, **_period(begin, end))
    columns, id_field = (CONSUMER_COLUMNS, _id) if noun == "consumers" else (MOST_COLUMNS, "address")
    output.listing(page["items"], columns, empty=NOTHING, id_field=id_field)


def _id(consumer: Document) -> str:
    return str(consumer["api_key_id"] or consumer["name"])


def _period(begin: datetime | None, end: datetime | None) -> dict[str, str | None]:
    return {"from": _written(begin), "to": _written(end)}


def _written(time: datetime | None) -> str | None:
    if time is None:
        return None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).isoformat()


def _in_utc(form: str) -> Callable[[Document], Any]:
    """Make a column's value of when an hour or day began: in UTC, where it would be another day elsewhere."""
    return lambda counted: datetime.fromisoformat(counted["at"]).astimezone(UTC).strftime(form)
