"""What a run that was just submitted means, as far as its key may know."""

from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue

from cli.client.api import Api, Document
from cli.client.errors import FORBIDDEN, RequestRefused
from cli.client.finding import DEPLOYMENTS, RUNS, last_applied
from cli.client.withdrawals import seen, warning_of

MODULES: Final = "/api/v1/modules"
EFFECTS: Final = {"destroy": "destroys", "plan": "plans", "refresh": "refreshes"}


def effect(api: Api, made: Document) -> str:
    """Say what a run does, and to what: whether the name was taken already is easily overlooked."""
    what = f"{made['deployment_name']} ({made['environment']})"
    if (does := EFFECTS.get(made["operation"])) is not None:
        return f"which {does} {what}"
    try:
        last = last_applied(api, made["deployment_id"])
        in_environment = list(api.items(DEPLOYMENTS, limit=2, environment=made["environment"]))
    except RequestRefused as error:
        if error.status != FORBIDDEN:
            raise
        return f"which makes or changes {what}"
    if last is not None and last["operation"] != "destroy":
        return f"which changes {what}"
    first = ", the first of that environment" if len(in_environment) == 1 else ""
    return f"which makes {what}{first}"


def kept_inputs(body: Mapping[str, JsonValue], made: Document) -> list[str]:
    """Name the variables whose values a run took over, since its request gave no inputs or no secret ones."""
    kept = set(made["inputs"]) if body["inputs"] is None else set()
    return sorted(kept.union(made["secret_input_names"] if body["secret_inputs"] is None else ()))


def dropped_inputs(api: Api, made: Document) -> list[str]:
    """Name the variables that had values in the run which another goes on from, and have none in that.

    None are known to a key that may submit runs and not look at them.
    """
    if made["basis_run_id"] is None:
        return []
    try:
        basis = api.get(f"{RUNS}/{made['basis_run_id']}")
    except RequestRefused as error:
        if error.status != FORBIDDEN:
            raise
        return []
    return sorted(_variables(basis) - _variables(made))


def warning(api: Api, made: Document) -> str | None:
    """Say that the module's version is deprecated or yanked; None where it isn't, or its key may not look."""
    used = seen(api, f"{MODULES}/{made['module_source']}", made["module_version"])
    said = None if used is None else warning_of(used)
    return None if said is None else f"warning: {made['module_source']} {made['module_version']} is {said}"


def _variables(run: Document) -> set[str]:
    return {*run["inputs"], *run["secret_input_names"]}
