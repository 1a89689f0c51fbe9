"""Runs and their outputs, as people read them."""

import json
from typing import Final

from cli.client.api import Document
from cli.client.showing import Column, labelled, moment

AWAITING_APPROVAL: Final = "awaiting_approval"
WORKING: Final = frozenset({"planning", "applying", "recovering"})
NEXT: Final = {
    AWAITING_APPROVAL: "groundwork run approve {0}, which shows the plan and asks, or `run reject`",
    "failed": "groundwork run logs {0}",
    "needs_attention": "groundwork run logs {0}, set things right, then `run acknowledge`",
}
"""What somebody may want to do about a run, by its state."""


def in_words(run: Document) -> str:
    """Describe a run, with what to do next where it waits for somebody."""
    lines = {
        "run": run["id"],
        "deployment": f"{run['deployment_name']} ({run['environment']})",
        "module": f"{run['module_source']} {run['module_version']}",
        "operation": run["operation"],
        "state": run["state"],
        "changes": changes(run),
        "progress": progress(run) if run["state"] in WORKING else None,
        "waiting": _waiting(run),
        "reason": run["decision_reason"],
        "error": run["error_message"],
        "submitted": moment("created_at")(run),
        "ended": moment("finished_at")(run),
        "workflow": run["workflow_url"] or run["workflow_id"],
    }
    if run["state"] in NEXT:
        lines["next"] = NEXT[run["state"]].format(run["id"])
    elif run["waiting"] is not None:
        lines["next"] = _next_of_waiting(run["waiting"])
    return labelled(lines)


def _next_of_waiting(waiting: Document) -> str | None:
    match waiting:
        case {"waits_for": "run" | "acknowledgement", "run_id": run_id}:
            return f"groundwork run status {run_id}"
        case {"waits_for": "worker", "queue": queue}:
            return f"whoever operates the servers: `groundwork doctor`, and a worker of the queue {queue}"
        case {"waits_for": "delivery"}:
            return "whoever operates the servers: `groundwork doctor`, and whether Temporal answers"
        case _:
            return None


def _waiting(run: Document) -> str | None:
    if run["waiting"] is None:
        return None
    before = run["queue_position"] or 0
    return f"{run['waiting']['reason']} ({before} runs go before)" if before > 1 else str(run["waiting"]["reason"])


def changes(run: Document) -> str | None:
    """Say what a run changes; None before it has a plan."""
    signs = {"changes_import": "import ", "changes_add": "+", "changes_change": "~", "changes_remove": "-"}
    counted = {sign: run[name] for name, sign in signs.items() if run[name]}
    if run["changes_add"] is None:
        return None
    return " ".join(f"{sign}{count}" for sign, count in counted.items()) or "none"


def progress(run: Document) -> str | None:
    """Say how far a run is; None before it has begun."""
    if run["progress_total"] is None:
        return run["progress_message"] or None
    return f"{run['progress_done']} of {run['progress_total']} {run['progress_message']}".rstrip()


def without_outputs(run: Document, *, revealed: bool) -> str:
    """Say why a run has no outputs to show."""
    if run["state"] != "applied":
        return f"no outputs: run {run['id']} is {run['state']}, and only one that is applied has any"
    if run["operation"] == "destroy":
        return f"no outputs: run {run['id']} destroyed {run['deployment_name']}"
    return f"no {'sensitive ' if revealed else ''}outputs: the module of run {run['id']} has none"


def _output_value(output: Document) -> str:
    if output.get("sensitive"):
        return "(sensitive)"
    value = output["value"]
    return value if isinstance(value, str) else json.dumps(value)


RUN_COLUMNS: Final = (
    Column("ID", "id"),
    Column("DEPLOYMENT", "deployment_name"),
    Column("ENVIRONMENT", "environment", extra=1),
    Column("OPERATION", "operation", extra=1),
    Column("STATE", "state"),
    Column("CHANGES", changes),
    Column("MODULE", lambda run: f"{run['module_source']} {run['module_version']}", extra=2),
    Column("SUBMITTED", moment("created_at"), extra=1),
)
OUTPUT_COLUMNS: Final = (Column("NAME", "name"), Column("VALUE", _output_value))
