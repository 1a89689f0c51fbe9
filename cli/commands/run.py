"""`groundwork run`: runs submitted, watched and decided about."""

from pathlib import Path
from typing import Annotated, Final, Literal

from cyclopts import App, Parameter
from pydantic import JsonValue

from cli.client.api import Api, Document
from cli.client.asking import Yes, agrees
from cli.client.errors import ServerUnreachable
from cli.client.finding import find_run, find_run_with_outputs, nothing_in
from cli.client.published import names_module
from cli.client.run_inputs import read_inputs, read_secrets, split_pair
from cli.client.run_log import ConnectionLost, LogText, StateSeen, follow
from cli.client.run_view import AWAITING_APPROVAL, OUTPUT_COLUMNS, RUN_COLUMNS, in_words, without_outputs
from cli.client.showing import PEOPLE, ClientOutput, Limit, without_controls
from cli.client.submitted import dropped_inputs, effect, kept_inputs, warning
from cli.errors import usage
from cli.output import examples

PATH: Final = "/api/v1/runs"
SUCCEEDED: Final = frozenset({"applied", "planned"})
CANCELED: Final = "canceled"
EXAMPLE_ID: Final = "01932b0c-0000-7000-8000-000000000000"
RunId = Annotated[
    str, Parameter(name="RUN", help="Its id, the beginning of it, or a deployment, whose last run it is.")
]
Reason = Annotated[str | None, Parameter(help="Why, for whoever looks at the run later.")]

run = App(
    name="run",
    help="Submit runs, watch them and decide about them.",
    help_format="plaintext",
    version_flags=[],
    help_epilogue=examples("groundwork run submit demo/environment/local 1.0.0 --name staging --follow"),
)


@run.command(
    help_epilogue=examples(
        "groundwork run submit demo/environment/local 1.0.0 --name staging --input create_seconds=5 --follow",
        "groundwork run submit demo/environment/local 1.0.0 --name staging --secret-input admin_password",
        "groundwork run submit --name staging --operation destroy --auto-approve --follow",
    )
)
def submit(
    module: Annotated[str | None, Parameter(help="NAMESPACE/NAME/SYSTEM; by default as in the last run.")] = None,
    version: Annotated[str | None, Parameter(help="Its version; by default as in the last run.")] = None,
    /,
    *,
    name: Annotated[str, Parameter(help="The deployment: made by its first run, changed by later ones.")],
    operation: Annotated[Literal["apply", "destroy", "plan", "refresh"], Parameter(help="What to do.")] = "apply",
    input: Annotated[
        list[str] | None,
        Parameter(negative="", help='name=value; a value that begins with [, { or " is JSON. Give several.'),
    ] = None,
    inputs_file: Annotated[
        Path | None, Parameter(allow_leading_hyphen=True, help="JSON object of values; - is standard input.")
    ] = None,
    secret_input: Annotated[
        list[str] | None,
        Parameter(negative="", help="Name of a secret value: from TF_VAR_<name>, a prompt or standard input."),
    ] = None,
    no_inputs: Annotated[bool, Parameter(negative="", help="Keep no inputs either, secret or not.")] = False,
    environment: Annotated[str | None, Parameter(help="Of a new deployment; development by default.")] = None,
    tag: Annotated[list[str] | None, Parameter(negative="", help="key=value. Give several.")] = None,
    engine: Annotated[Literal["terraform", "opentofu"] | None, Parameter(help="Which tool does it.")] = None,
    auto_approve: Annotated[bool, Parameter(negative="", help="Apply the plan without asking.")] = False,
    follow: Annotated[bool, Parameter(negative="", help="Show the log; fail if the run does.")] = False,
    output: ClientOutput = PEOPLE,
) -> int:
    """Submit a run. Without a module it takes the one of the deployment's last run.

    Inputs are given whole: all of them, or none to keep those of the run that was applied last, else of the last
    one that had a plan. The same goes for secret inputs.
    """
    if no_inputs and (input or inputs_file or secret_input):
        raise usage("--no-inputs leaves all inputs out, so none can be given beside it")
    if (module is None) != (version is None):
        raise usage("a module is named with its version, as in demo/environment/local 1.0.0")
    tags: dict[str, JsonValue] = dict(split_pair(pair, "--tag") for pair in tag or ())
    body: dict[str, JsonValue] = {
        "deployment": name,
        "operation": operation,
        "module": None if module is None else {"source": module, "version": version},
        "engine": engine,
        "environment": environment,
        "inputs": {} if no_inputs else read_inputs(inputs_file, input or ()),
        "secret_inputs": {} if no_inputs else read_secrets(secret_input or ()),
        "tags": tags or None,
        "auto_apply": auto_approve,
    }
    with Api.of_caller() as api:
        with names_module(api, module, version):
            made = api.post(PATH, body)
        if (warned := warning(api, made)) is not None:
            output.progress(warned)
        if kept := kept_inputs(body, made):
            output.progress(
                f"with {', '.join(kept)} as in run {made['basis_run_id']}: --no-inputs leaves them out"
            )
        if dropped := dropped_inputs(api, made):
            output.progress(f"without {', '.join(dropped)} of run {made['basis_run_id']}: inputs are given whole")
        said = "" if output.quiet or output.json else f"submitted {made['id']}, {effect(api, made)}"
        if not follow:
            output.noun(made, f"{said}: watch it with `groundwork run logs {made['id']}`")
            return 0
        if said:
            output.progress(said)
        return _watch(api, made["id"], output)


@run.command(name="list", help_epilogue=examples("groundwork run list --state awaiting_approval --limit 20"))
def list_runs(
    *,
    state: Annotated[str | None, Parameter(help="Only those in this state.")] = None,
    environment: Annotated[str | None, Parameter(help="Only those of this environment.")] = None,
    tag: Annotated[list[str] | None, Parameter(negative="", help="Only those with this key=value.")] = None,
    limit: Limit = None,
    output: ClientOutput = PEOPLE,
) -> None:
    """List runs, the newest first."""
    with Api.of_caller() as api:
        output.listing(
            api.items(PATH, limit=limit, state=state, environment=environment, tag=tag),
            RUN_COLUMNS,
            empty=lambda: (
                nothing_in(api, PATH, environment)
                or f"{'no such run' if state or environment or tag else 'no run yet'}: "
                "`groundwork run submit MODULE VERSION --name NAME` makes one"
            ),
        )


@run.command(help_epilogue=examples(f"groundwork run status {EXAMPLE_ID}"))
def status(run_id: RunId, /, *, output: ClientOutput = PEOPLE) -> None:
    """Show where a run is, and what to do next."""
    with Api.of_caller() as api:
        found = api.get(f"{PATH}/{find_run(api, run_id)}")
    output.noun(found, in_words(found))


@run.command(help_epilogue=examples(f"groundwork run logs {EXAMPLE_ID}"))
def logs(
    run_id: RunId,
    /,
    *,
    follow: Annotated[
        bool | None,
        Parameter(help="Wait for more until the run ends, or not at all; by default until it needs a decision."),
    ] = None,
    output: ClientOutput = PEOPLE,
) -> None:
    """Show a run's log, and follow it until the run ends, or waits for approval.

    A connection that breaks is made again.
    """
    with Api.of_caller() as api:
        found = find_run(api, run_id)
        if follow is not False:
            _watch(api, found, output, to_end=follow is True)
        else:
            print(without_controls(api.text(f"{PATH}/{found}/logs.txt")), end="")


@run.command(help_epilogue=examples(f"groundwork run plan {EXAMPLE_ID}"))
def plan(run_id: RunId, /, *, output: ClientOutput = PEOPLE) -> None:
    """Show the plan that waits for approval, or that was decided about."""
    with Api.of_caller() as api:
        found = api.get(f"{PATH}/{find_run(api, run_id)}/plan")
    output.noun(found, without_controls(found["text"]).rstrip("\n"), id_field="sha256")


@run.command(
    help_epilogue=examples(f"groundwork run outputs {EXAMPLE_ID}", f"groundwork run outputs {EXAMPLE_ID} --reveal")
)
def outputs(
    run_id: Annotated[
        str,
        Parameter(
            name="RUN", help="Its id, the beginning of it, or a deployment, whose run that was applied last it is."
        ),
    ],
    /,
    *,
    reveal: Annotated[
        bool, Parameter(negative="", help="Show the values of sensitive outputs, which works once.")
    ] = False,
    output: ClientOutput = PEOPLE,
) -> None:
    """Show what a run came to, or what a deployment is now."""
    with Api.of_caller() as api:
        found = find_run_with_outputs(api, run_id)
        path = f"{PATH}/{found}/outputs"
        if reveal:
            values = api.post(f"{path}/reveal")["values"]
            items = [{"name": name, "value": value} for name, value in values.items()]
        else:
            items = api.listed(path)
        empty = "" if items else without_outputs(api.get(f"{PATH}/{found}"), revealed=reveal)
    output.listing(items, OUTPUT_COLUMNS, empty=empty, id_field="name")


@run.command(help_epilogue=examples(f"groundwork run cancel {EXAMPLE_ID}"))
def cancel(run_id: RunId, /, *, output: ClientOutput = PEOPLE) -> None:
    """Ask a run to stop. What it has made by then stays in the state."""
    _decide(run_id, "cancel", None, output, said="asked {} to stop", done="canceled")


@run.command(
    help_epilogue=examples(
        f"groundwork run approve {EXAMPLE_ID}",
        f"groundwork run approve {EXAMPLE_ID} --yes --reason 'as discussed'",
    )
)
def approve(
    run_id: RunId,
    /,
    *,
    yes: Yes = False,
    reason: Reason = None,
    output: ClientOutput = PEOPLE,
) -> int:
    """Show a run's plan, ask, and let it be applied: this plan, or none if the run has another by then."""
    with Api.of_caller() as api:
        found = find_run(api, run_id)
        plan = api.get(f"{PATH}/{found}/plan")
        # Read after the plan: what is approved unseen was decided about before this plan was.
        if api.get(f"{PATH}/{found}")["state"] == AWAITING_APPROVAL:
            output.progress(without_controls(plan["text"]).rstrip("\n"))
            if not (yes or agrees("Apply this plan?", output)):
                output.progress(f"the run still waits: `groundwork run approve {found}`, or `run reject`")
                return 1
        decided = api.post(f"{PATH}/{found}/approve", {"reason": reason, "plan_sha256": plan["sha256"]})
    _say_decided(found, "approve", decided, output, said="approved {}", done="approved")
    return 0


@run.command(help_epilogue=examples(f"groundwork run reject {EXAMPLE_ID} --reason 'wrong region'"))
def reject(run_id: RunId, /, *, reason: Reason = None, output: ClientOutput = PEOPLE) -> None:
    """End a run without applying its plan."""
    _decide(run_id, "reject", {"reason": reason}, output, said="rejected {}", done="rejected")


@run.command(help_epilogue=examples(f"groundwork run acknowledge {EXAMPLE_ID}"))
def acknowledge(run_id: RunId, /, *, output: ClientOutput = PEOPLE) -> None:
    """Say that what a run in need of attention left was looked after: its deployment may be changed again."""
    _decide(run_id, "acknowledge", None, output, said="acknowledged {}", done="acknowledged")


def _decide(words: str, verb: str, body: JsonValue, output: ClientOutput, *, said: str, done: str) -> None:
    with Api.of_caller() as api:
        run_id = find_run(api, words)
        found = api.post(f"{PATH}/{run_id}/{verb}", body)
    _say_decided(run_id, verb, found, output, said=said, done=done)


def _say_decided(run_id: str, verb: str, found: Document, output: ClientOutput, *, said: str, done: str) -> None:
    if _was_done_before(verb, found["state"]):
        human = f"{run_id} was {done} before; it is {found['state']}"
    else:
        human = f"{said.format(run_id)}: see what comes of it with `groundwork run logs {run_id}`"
    output.noun(found, human)


def _was_done_before(verb: str, state: str) -> bool:
    """Tell by the state in which a decision finds a run; the run moves only after it."""
    match verb:
        case "approve" | "reject":
            return state != AWAITING_APPROVAL
        case "cancel":
            return state == CANCELED
        case _:
            return False


def _is_undecided(api: Api, run_id: str, output: ClientOutput, *, to_end: bool) -> bool:
    """Tell whether a run that awaits approval really does, and say what to do."""
    if api.get(f"{PATH}/{run_id}")["decision"] is not None:
        return False
    output.progress(
        f"`groundwork run approve {run_id}` shows the plan and asks{'; Ctrl-C leaves' if to_end else ''}"
    )
    return True


def _watch(api: Api, run_id: str, output: ClientOutput, *, to_end: bool = True) -> int:
    """Show a run's log until it ends, or else needs a decision; give 0 if it came to what it was for, else 1."""
    state = ""
    try:
        for news in follow(api, run_id):
            match news:
                case StateSeen():
                    state = news.state
                    output.progress(f"{run_id} is {state}")
                    if (
                        state == AWAITING_APPROVAL
                        and _is_undecided(api, run_id, output, to_end=to_end)
                        and not to_end
                    ):
                        break
                case ConnectionLost():
                    output.progress("connection lost, trying again")
                case LogText() if not (output.json or output.quiet):
                    print(without_controls(news.text), flush=True)
    except KeyboardInterrupt:
        output.progress(f"the run goes on: `groundwork run cancel {run_id}` stops it")
        raise
    except ServerUnreachable:
        output.progress(f"the run goes on: `groundwork run logs {run_id} --follow`")
        raise
    found = api.get(f"{PATH}/{run_id}")
    if output.json or output.quiet:
        output.noun(found, "")
    elif found["error_message"]:
        output.progress(without_controls(found["error_message"]))
    return 0 if state in SUCCEEDED else 1
