"""The demo's second half: runs, from a request to outputs, stopped half-way, and by the older API."""

import re
from typing import Any, Final

import httpx2
from pydantic import JsonValue

from cli.client.api import Document
from cli.client.run_log import ConnectionLost, LogText, StateSeen, follow
from cli.demo.member import Member
from cli.demo.registry_story import SOURCE, VERSION
from cli.demo.telling import check
from cli.errors import CheckFailed

RUNS: Final = "/api/v1/runs"
MODULE: Final[dict[str, JsonValue]] = {"source": SOURCE, "version": VERSION}
PASSWORD: Final = "correct horse battery staple"  # noqa: S105  the demo's own, to be searched for in what is shown
PLANNED: Final = re.compile(r"^ +# |^Plan:|sensitive|^approved")
HAPPENING: Final = re.compile(r"Installed provider|Creating\.\.\.|complete|Outputs| is [a-z_]+$")
LONG_SECONDS: Final = 600
TIER: Final = "enterprise"


def run_to_outputs(member: Member) -> str:
    """Submit a run, look at its plan, approve it, follow its log, and read its outputs; give its id."""
    body: dict[str, JsonValue] = {
        "deployment": "staging",
        "engine": member.engine,
        "module": MODULE,
        "inputs": {"name": "staging", "services": {"web": 8080, "api": 9090}, "create_seconds": 2},
        "secret_inputs": {"admin_password": PASSWORD},
        "tags": {"team": "platform"},
    }
    run = _submit(member, body)
    _wait_for(member, run, "awaiting_approval")
    plan = member.groundwork("run", "approve", run, "--yes", "--reason", "as planned", told=PLANNED)
    log = member.groundwork("run", "logs", run, told=HAPPENING)
    outputs = member.groundwork("run", "outputs", run)
    check(holds=_state(member, run) == "applied", otherwise=f"the run is {_state(member, run)} and not applied")
    for text in (plan, log, outputs):
        check(holds=PASSWORD not in text, otherwise="the secret input was shown")
    endpoint = "https://web.staging.groundwork.test:8080"
    check(holds=endpoint in outputs, otherwise=f"the outputs have no endpoint {endpoint}")
    check(holds="(sensitive)" in outputs, otherwise="the sensitive output is not marked")
    revealed = member.api.post(f"{RUNS}/{run}/outputs/reveal")["values"]
    check(holds=revealed == {"admin_login": f"admin:{PASSWORD}"}, otherwise="the sensitive output is another one")
    return run


def show_in_temporal(member: Member, run: str, web_url: str) -> None:
    """Give the address of the run's workflow in the Temporal Web UI, and see that it is there."""
    page = f"{web_url}/namespaces/default/workflows/run:{run}"
    with httpx2.Client(trust_env=False) as browser:
        found = browser.get(f"{web_url}/api/v1/namespaces/default/workflows/run:{run}").json()
        check(holds=browser.get(page).is_success, otherwise=f"the Web UI does not show {page}")
    status = found["workflowExecutionInfo"]["status"]
    check(holds=status.endswith("COMPLETED"), otherwise=f"the workflow of the run is {status}")
    member.teller.say(f"Temporal Web UI: {page}")


def cancel_half_way(member: Member) -> None:
    """Cancel a run of ten minutes while it applies; what it had made stays in the state, and is not made again."""
    body: dict[str, JsonValue] = {
        "deployment": "production",
        "environment": "production",
        "engine": member.engine,
        "module": MODULE,
        "inputs": {"name": "production", "create_seconds": LONG_SECONDS},
        "auto_apply": True,
    }
    run = _submit(member, body)
    for news in follow(member.api, run):
        if isinstance(news, LogText):
            member.teller.say("\n".join(filter(HAPPENING.search, news.text.splitlines())))
            if "time_sleep" in news.text and "Creating" in news.text:
                break
            continue
        if isinstance(news, ConnectionLost):
            continue
        member.teller.say(f"run {run} is {news.state}")
        if news.final:
            raise CheckFailed(f"the run ended as {news.state} before it could be canceled")
    member.groundwork("run", "cancel", run)
    _wait_for(member, run, "canceled")
    found = member.api.get(f"{RUNS}/{run}")
    [state, *_] = member.api.items(f"/api/v1/deployments/{found['deployment_id']}/states", limit=1)
    member.teller.say(f"its state survived: serial {state['serial']}, {state['size']} bytes")
    planned, wanted = found["changes_add"], _left_to_make(member)
    check(holds=0 < wanted < planned, otherwise=f"{planned} resources were planned, and {wanted} are left to make")
    member.teller.say(f"a new plan makes {wanted} of the {planned} resources: the others are in the state")


def provision_a_tier(member: Member, organization: str, request: dict[str, Any]) -> None:
    """Define a tier and provision it with the provisioning engine's own request."""
    size = ("--input", 'services={"web": 443}', "--minutes", "30")
    member.groundwork("tiers", "create", TIER, SOURCE, VERSION, "--engine", member.engine, *size)
    answer = member.api.post("/api/v1/provisioning/provision", request | {"tenant_id": organization})
    member.teller.say(f"POST /api/v1/provisioning/provision: {answer['message']}, job {answer['job_id']}")
    _wait_for(member, answer["job_id"], "applied")
    status = member.api.get(answer["progress_tracking_url"])
    check(holds=status["status"] == "completed", otherwise=f"the job is {status['status']}")
    endpoints = status["service_endpoints"]
    check(holds=set(endpoints) == {"web"}, otherwise=f"the job's endpoints are {endpoints}")
    member.teller.say(f"GET {answer['progress_tracking_url']}: {status['message']}, {endpoints['web']}")
    listed = member.groundwork("deployments", "list")
    check(holds=all(name in listed for name in ("staging", "production")), otherwise="a deployment is missing")


def _submit(member: Member, body: dict[str, JsonValue]) -> str:
    run: Document = member.api.post(RUNS, body)
    member.teller.say(f"POST {RUNS}: run {run['id']} of {run['deployment_name']} is {run['state']}")
    return str(run["id"])


def _wait_for(member: Member, run: str, state: str) -> None:
    """Follow a run until it is in a state.

    Raises:
        CheckFailed: it ended in another one.
    """
    for news in follow(member.api, run):
        if isinstance(news, StateSeen):
            member.teller.say(f"run {run} is {news.state}")
            if news.state == state:
                return
            if news.final:
                error = member.api.get(f"{RUNS}/{run}")["error_message"]
                raise CheckFailed(f"run {run} ended as {news.state} and not as {state}: {error}")


def _left_to_make(member: Member) -> int:
    run = _submit(member, {"deployment": "production", "operation": "plan"})
    _wait_for(member, run, "planned")
    return int(member.api.get(f"{RUNS}/{run}")["changes_add"])


def _state(member: Member, run: str) -> str:
    return str(member.api.get(f"{RUNS}/{run}")["state"])
