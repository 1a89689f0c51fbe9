"""The demo's first half: modules and providers go in, and the real tools install them."""

import re
from pathlib import Path
from typing import Final

from cli.client.api import Api
from cli.demo.member import Member
from cli.demo.release import ReleaseKey, make_dist, sign_dist
from cli.demo.telling import check
from integrations.tools import TOOLS, find_tool

NAMESPACE: Final = "demo"
VERSION: Final = "1.0.0"
SOURCE: Final = f"{NAMESPACE}/environment/local"
PROVIDER: Final = "terraform-provider-time"
INSTALLED: Final = re.compile(r"^(Downloading|- .*registry|- Using|.*successfully|Success)")
REFUSAL: Final = "no key of this namespace made this signature; add the key that signs your releases first"
CONFIGURATION: Final = """\
module "environment" {{
  source  = "{host}/{source}"
  version = "{version}"

  name = "try"
}}
"""


def create_organization(operator: Api) -> tuple[str, str]:
    """Make an organization; give its id and its administrator's key."""
    wanted = {"slug": "acme", "display_name": "Acme", "administrator_email": "ada@acme.example"}
    made = operator.post("/api/v1/organizations", dict(wanted))
    return made["id"], made["administrator_key"]


def claim_namespace(member: Member) -> None:
    """Claim the namespace that everything is published in."""
    member.groundwork("namespaces", "claim", NAMESPACE)
    names = [namespace["name"] for namespace in member.api.items("/api/v1/namespaces")]
    check(holds=names == [NAMESPACE], otherwise=f"the organization's namespaces are {names}")


def publish_module(member: Member, module: Path) -> None:
    """Publish the module, twice: the same bytes again are no error."""
    namespace, name, system = SOURCE.split("/")
    address = ("--namespace", namespace, "--name", name, "--system", system, "--version", VERSION)
    member.groundwork("publish", "module", module, *address)
    again = member.groundwork("publish", "module", module, *address)
    check(holds="same bytes" in again, otherwise="publishing the same bytes again was not recognised")


def publish_provider(member: Member) -> None:
    """Sign the provider that was built from source and publish it; a forged signature is refused first."""
    executable, version = find_tool(PROVIDER), TOOLS[PROVIDER].version
    key, stranger = ReleaseKey("Acme releases <releases@acme.example>"), ReleaseKey("Mallory <m@example.com>")
    dist = make_dist(member.directory / "dist", executable, version, stranger)
    public = member.directory / "releases.asc"
    public.write_text(key.public)
    member.groundwork("gpg-keys", "add", public, "--namespace", NAMESPACE)
    member.teller.say("a stranger signs the release:")
    refusal = member.groundwork("publish", "provider", dist, "--namespace", NAMESPACE, fails=True)
    check(holds=REFUSAL in refusal, otherwise=f"the forged release was refused for another reason: {refusal}")
    member.teller.say("the organization's own key signs it:")
    sign_dist(dist, key)
    member.groundwork("publish", "provider", dist, "--namespace", NAMESPACE)


def install(member: Member, hostname: str) -> None:
    """Let the real tool install both over TLS, with a lock file that holds the second time."""
    member.configure_tools()
    configuration = member.directory / "main.tf"
    configuration.write_text(CONFIGURATION.format(host=hostname, source=SOURCE, version=VERSION))
    member.terraform("init", "-input=false", "-no-color", told=INSTALLED)
    locked = (member.directory / ".terraform.lock.hcl").read_text()
    for part in (f'provider "{hostname}/{NAMESPACE}/time"', "h1:", "zh:"):
        check(holds=part in locked, otherwise=f"the lock file has no {part}")
    said = member.terraform("init", "-input=false", "-no-color", "-lockfile=readonly", told=INSTALLED)
    check(holds="from the dependency lock file" in said, otherwise="the lock file was not used")
    member.terraform("validate", "-no-color", told=INSTALLED)
