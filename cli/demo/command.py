"""`groundwork demo`: everything once, for real, in a folder that is gone afterwards."""

import json
import shutil
import signal
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from pydantic import SecretStr

import cli
from cli.client.api import Api
from cli.client.profile import Profile
from cli.demo import registry_story, run_story
from cli.demo.installation import Installation, end_processes_in, processes_in, running_installation
from cli.demo.member import Member
from cli.demo.telling import Teller, check
from cli.errors import NoCheckout

STEPS: Final = 9
FILES: Final = Path("deploy", "demo")


def demo(
    *,
    keep: Annotated[bool, Parameter(negative="", help="Leave the demo's folder behind, to look into.")] = False,
) -> None:
    """See the product do its main job on this machine: real servers, real tools, every step checked."""
    files = Path(cli.__file__).resolve().parent.parent / FILES
    if not files.is_dir():
        raise NoCheckout(f"{files} does not exist: run the demo from a checkout of the project")
    began = time.monotonic()
    teller = Teller(STEPS)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: everything is stopped in order
    directory = Path(tempfile.mkdtemp(prefix="groundwork-demo-"))
    try:
        with ExitStack() as servers:
            _tell(teller, directory, files, servers)
            with teller.step("Stop everything"):
                servers.close()
                left = processes_in(directory)
                check(holds=not left, otherwise=f"processes were left behind: {left}")
    finally:
        end_processes_in(directory)
        if keep:
            print(f"\nkept {directory}", flush=True)
        else:
            shutil.rmtree(directory)
    print(f"\nEverything was checked ({time.monotonic() - began:.0f} s).", flush=True)


def _tell(teller: Teller, directory: Path, files: Path, servers: ExitStack) -> None:
    with teller.step("Start PostgreSQL, Temporal, the API and a worker in an empty folder"):
        installation = servers.enter_context(running_installation(directory / "home", teller))
        operator = servers.enter_context(_operator(installation))
        operator.get("/readyz")
        hostname = operator.get("/version")["registry_hostname"]
        teller.say(f"API {installation.url}, Temporal Web UI {installation.web_url}")
    with teller.step("Make an organization and its first key"):
        organization, key = registry_story.create_organization(operator)
        member = Member(teller, installation, key, directory / "acme", checkout=files.parent.parent)
        servers.enter_context(member.api)
        teller.say(f"organization {organization}, key {key[:18]}...")
    with teller.step("Claim a namespace and publish a module"):
        registry_story.claim_namespace(member)
        registry_story.publish_module(member, files / "modules" / "environment")
    with teller.step("Publish a provider, built from source and signed; one that a stranger signed is refused"):
        registry_story.publish_provider(member)
    with teller.step(f"Install both with the real {member.tool_name}, over TLS, with a lock file"):
        registry_story.install(member, hostname)
    with teller.step("Submit a run by REST, approve its plan, follow its log, read its outputs"):
        run = run_story.run_to_outputs(member)
        run_story.show_in_temporal(member, run, installation.web_url)
    with teller.step("Cancel a run of ten minutes while it applies: its state survives"):
        run_story.cancel_half_way(member)
    with teller.step("Provision a tier with the provisioning engine's own request"):
        run_story.provision_a_tier(member, organization, json.loads((files / "provision.json").read_text()))


def _operator(installation: Installation) -> Api:
    key = SecretStr(installation.administrator_key)
    return Api(Profile(url=installation.url, key=key, ca=installation.ca))
