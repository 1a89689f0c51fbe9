"""`groundwork deployments`: the live things that runs make and change."""

from typing import Annotated, Final

from cyclopts import App, Parameter

from cli.client.api import Api, Document
from cli.client.errors import FORBIDDEN, RequestRefused
from cli.client.finding import RUNS, find_deployment, nothing_in
from cli.client.showing import PEOPLE, ClientOutput, Column, Limit, labelled, moment
from cli.output import examples

PATH: Final = "/api/v1/deployments"
DeploymentId = Annotated[str, Parameter(name="DEPLOYMENT", help="Its name, its id, or the beginning of the id.")]

deployments = App(
    name="deployments",
    help="See what runs have made.",
    help_format="plaintext",
    version_flags=[],
    help_epilogue=examples("groundwork deployments list", "groundwork deployments show staging"),
)


def _state(deployment: Document) -> str:
    """Say what there is of it, or that nothing can be applied to it."""
    return "blocked" if deployment["blocked_by_run_id"] is not None else str(deployment["state"])


def _module(deployment: Document) -> str:
    return f"{deployment['module_source']} {deployment['module_version']}"


def _last_run(api: Api, run_id: str) -> str:
    """Say what came of a run, as far as the key may know."""
    try:
        run = api.get(f"{RUNS}/{run_id}")
    except RequestRefused as error:
        if error.status != FORBIDDEN:
            raise
        return run_id
    return f"{run_id} ({run['operation']}, {run['state']})"


def _tags(deployment: Document) -> list[str]:
    return [f"{key}={value}" for key, value in deployment["tags"].items()]


COLUMNS: Final = (
    Column("DEPLOYMENT", "name"),
    Column("ENVIRONMENT", "environment"),
    Column("STATE", _state),
    Column("MODULE", _module),
    Column("TAGS", _tags, extra=1),
    Column("LAST RUN", "latest_run_id", extra=3),
    Column("CREATED", moment("created_at"), extra=2),
)
STATE_COLUMNS: Final = (
    Column("SERIAL", "serial"),
    Column("BYTES", "size"),
    Column("WRITTEN", moment("created_at")),
    Column("RUN", "run_id"),
    Column("SHA256", "sha256", extra=1),
)


@deployments.command(name="list", help_epilogue=examples("groundwork deployments list --environment staging"))
def list_deployments(
    *,
    environment: Annotated[str | None, Parameter(help="Only those of this environment.")] = None,
    tag: Annotated[list[str] | None, Parameter(negative="", help="Only those with this key=value.")] = None,
    limit: Limit = None,
    output: ClientOutput = PEOPLE,
) -> None:
    """List deployments, the newest first, destroyed ones included."""
    with Api.of_caller() as api:
        output.listing(
            api.items(PATH, limit=limit, environment=environment, tag=tag),
            COLUMNS,
            empty=lambda: (
                nothing_in(api, PATH, environment)
                or f"{'no such deployment' if environment or tag else 'no deployment yet'}: "
                "`groundwork run submit MODULE VERSION --name NAME` makes one"
            ),
            id_field="name",
        )


@deployments.command(help_epilogue=examples("groundwork deployments show staging"))
def show(deployment: DeploymentId, /, *, output: ClientOutput = PEOPLE) -> None:
    """Show a deployment, and what to do next where it waits for somebody."""
    with Api.of_caller() as api:
        found = api.get(f"{PATH}/{find_deployment(api, deployment)}")
        run = found["latest_run_id"]
        last = None if output.json or output.quiet or run is None else _last_run(api, run)
    blocker = found["blocked_by_run_id"]
    lines = {
        "deployment": found["name"],
        "id": found["id"],
        "environment": found["environment"],
        "state": _state(found),
        "module": _module(found),
        "engine": found["engine"],
        "tags": _tags(found) or None,
        "last run": last,
        "created": moment("created_at")(found),
        "destroyed": moment("destroyed_at")(found),
        "expires": moment("expires_at")(found),
        "next": None if blocker is None else f"groundwork run status {blocker}, which blocks every other run",
    }
    output.noun(found, labelled(lines), id_field="name")


@deployments.command(help_epilogue=examples("groundwork deployments states staging --limit 1"))
def states(deployment: DeploymentId, /, *, limit: Limit = None, output: ClientOutput = PEOPLE) -> None:
    """List the states a deployment went through, the newest first. Their contents are kept encrypted."""
    with Api.of_caller() as api:
        output.listing(
            api.items(f"{PATH}/{find_deployment(api, deployment)}/states", limit=limit),
            STATE_COLUMNS,
            empty=f"no state yet, for nothing has been applied: see `groundwork run status {deployment}`",
        )
