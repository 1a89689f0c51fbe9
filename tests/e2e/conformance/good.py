"""What has to work, and what has to be refused in words that help: the registry's own answers."""

from typing import Final

from tests.e2e.conformance.cases import INIT, Case, Command, Module, Outcome, Provider, fails
from tests.e2e.conformance.catalogue import ELSEWHERE, REAL
from tests.fixtures.https import HOSTNAME
from tests.fixtures.workspaces import HERE, Door

VALIDATE: Final = Command("validate", says="configuration is valid")
NOT_THE_CALLERS: Final = r"cannot be found in the module registry at"
NO_PROVIDER: Final = "does not have a provider named"
LOCK: Final = Command(f"providers lock -platform={HERE} -platform={ELSEWHERE}")
STARTED: Final = 'resource "time_static" "now" {}\noutput "name" {\n  value = module.packed-aws.name\n}\n'


def _asked_once_with_the_key_where_it_belongs(outcome: Outcome) -> None:
    """Files are fetched without a key, all else with one, each once; nothing is sent on to another place."""
    heads = [each for each in outcome.asked if each.method == "HEAD"]
    assert all(each.status == 200 and not each.has_key for each in heads)
    gets = [each for each in outcome.asked if each.method == "GET"]
    assert len({each.path for each in gets}) == len(gets)
    assert {each.status for each in gets} == {200}
    files = [each for each in gets if each.path.startswith("/v1/files/")]
    assert len(files) == len(["archive", "checksums", "signature", "package"])
    assert not any(each.has_key for each in files)
    assert all(each.has_key for each in gets if each not in files)


def _locked(outcome: Outcome, count: int) -> None:
    """See in the lock file the hashes that the registry counted: all of HERE's, `count` of another platform.

    The tool counts h1 from the files that it unpacked, the registry from the zip.
    """
    kept = outcome.packages
    assert set(kept[str(HERE)]) <= outcome.space.locked_hashes
    assert set(kept[str(ELSEWHERE)][:count]) <= outcome.space.locked_hashes


def _locked_under(outcome: Outcome, host: str) -> None:
    assert f'provider "{host}/' in outcome.space.lock_file


MODULES: Final = (
    Case("a tar.gz with a module inside it", [Module("packed", "0.1.0", gets="0.1.0")], [INIT, VALIDATE]),
    Case("a tar.gz with entries for its folders", [Module("with-folders", gets="0.1.0")], [INIT, VALIDATE]),
    Case(
        "a folder of a zip", [Module("zipped", "~> 0.1", gets="0.1.0", folder="modules/inner")], [INIT, VALIDATE]
    ),
    Case("a zip with sizes behind its members", [Module("streamed", gets="0.1.0")], [INIT, VALIDATE]),
    Case(
        "a name with an underscore, and one name for two systems",
        [
            Module("of_one-name2", gets="0.1.0"),
            Module("packed", gets="0.1.0"),
            Module("packed", system="gcp", gets="3.0.0"),
        ],
        [INIT],
    ),
    *(
        Case(
            f"a module that uses another of the registry, by the {door}",
            [Module(f"around-{door.replace(' ', '-')}", gets="0.1.0")],
            [INIT, VALIDATE],
            doors=[door],
        )
        for door in Door
    ),
    Case("the highest version of a module, by numbers", [Module("many", gets="0.10.0")], [INIT]),
    Case("the highest version of a module in a range", [Module("many", "< 0.10", gets="0.2.0")], [INIT]),
    Case("a version of a module, written shorter", [Module("many", "v0.10", gets="0.10.0")], [INIT]),
    Case("a prerelease of a module, named", [Module("many", "0.11.0-rc.1", gets="0.11.0-rc.1")], [INIT]),
    Case(
        "no prerelease of a module in a range",
        [Module("many", ">= 0.11.0-rc.1")],
        [fails("init", r"newest available version is 0\.10\.0")],
    ),
    Case(
        "modules alone, and once more",
        [Module("packed", gets="0.1.0"), Provider("clock")],
        [Command("get"), Command("get -update", says="Downloading")],
    ),
    Case(
        "no such folder of a module",
        [Module("packed", "0.1.0", gets="0.1.0", folder="nonsense")],
        [fails("init", ("submodule nonsense does not exist", 'Cannot find directory "nonsense"'))],
    ),
    Case("no such module", [Module("nonsense")], [fails("init", NOT_THE_CALLERS)]),
    Case(
        "no such version of a module",
        [Module("packed", "9.0.0")],
        [fails("init", r"newest available version is 0\.1\.0")],
    ),
    *(
        Case(f"no module with {key} key", [Module("packed")], [fails("get", "401 Unauthorized")], key=key)
        for key in ("a wrong", "no")
    ),
    Case(
        "no module with a stranger's key", [Module("packed")], [fails("get", NOT_THE_CALLERS)], key="a stranger's"
    ),
)
PROVIDERS: Final = (
    Case(
        "a provider that is started, and held to the lock file",
        [Provider("time", "~> 0.14.0", gets=REAL), Module("packed", "0.1.0", gets="0.1.0")],
        [
            Command("init -input=false", says=("self-signed, key ID", "signed, key ID")),
            VALIDATE,
            Command("apply -auto-approve -input=false", says='name = "inner"'),
            Command("init -input=false -lockfile=readonly", anew=True),
        ],
        more=STARTED,
    ),
    Case(
        "one init locks the packages of all platforms",
        [Provider("time", gets=REAL)],
        [INIT],
        check=lambda outcome: _locked(outcome, 1),
    ),
    Case(
        "both hashes of each platform that is asked for",
        [Provider("time", gets=REAL)],
        [LOCK],
        check=lambda outcome: _locked(outcome, 2),
    ),
    Case(
        "no lock for a platform without a package",
        [Provider("clock")],
        [
            fails(
                "providers lock -platform=plan9_amd64",
                "does not have a package available for plan9_amd64|plan9_amd64",
            )
        ],
    ),
    Case("packages for a folder", [Provider("clock")], [Command("providers mirror mirrored")]),
    Case(
        "each address asked once, with the key where it belongs",
        [Module("packed", gets="0.1.0"), Provider("clock", gets="1.10.0")],
        [INIT],
        check=_asked_once_with_the_key_where_it_belongs,
    ),
    Case(
        "a host in capitals, with the port of https",
        [Module("packed", gets="0.1.0"), Provider("clock", gets="1.10.0")],
        [INIT],
        doors=[Door.HOST_BLOCK],
        spelled=lambda host: f"{host.upper()}:443",
        check=lambda outcome: _locked_under(outcome, HOSTNAME),
    ),
    Case(
        "a key in the environment",
        [Module("packed", gets="0.1.0"), Provider("clock", gets="1.10.0")],
        [INIT],
        key_by_environment=True,
        doors=[Door.HOST_BLOCK],
    ),
    Case("the highest version of a provider, by numbers", [Provider("clock", gets="1.10.0")], [INIT]),
    Case("the highest version of a provider in a range", [Provider("clock", "~> 1.9.0", gets="1.9.0")], [INIT]),
    Case("a prerelease of a provider, named", [Provider("clock", "2.0.0-beta.1", gets="2.0.0-beta.1")], [INIT]),
    Case(
        "no prerelease of a provider in a range",
        [Provider("clock", ">= 2.0.0-beta.1")],
        [fails("init", "no available releases match the given constraints")],
    ),
    Case("files beside the executable", [Provider("of-one-name2", gets="1.0.0")], [INIT]),
    Case("a release by another key of the namespace", [Provider("by-another-key", gets="1.0.0")], [INIT]),
    Case(
        "a release by a key that ends soon, and its users are told",
        [Provider("by-a-key-that-ends", gets="1.0.0")],
        [Command("init", says="the signing key [0-9A-F]{16} expires on")],
    ),
    Case(
        "a release by a key that has ended since, and its users are told",
        [Provider("by-a-key-that-ended", gets="1.0.0")],
        [Command("init", says="the signing key [0-9A-F]{16} expired on 2024-06-01")],
    ),
    Case(
        "no release by a key that has ended since, where the user wants none",
        [Provider("by-a-key-that-ended", gets="1.0.0")],
        [Command("init", status=(0, 1), says=("expired on", "expired"))],
        environment={"OPENTOFU_ENFORCE_GPG_EXPIRATION": "true"},
    ),
    Case("a provider of two protocols", [Provider("of-two-protocols", gets="1.0.0")], [INIT]),
    Case(
        "no provider of a protocol that the tool does not speak",
        [Provider("of-tomorrow")],
        [fails("init", "No compatible versions of provider")],
    ),
    Case(
        "no provider without a package for this machine",
        [Provider("elsewhere")],
        [fails("init", "does not have a package available for your current platform")],
    ),
    Case("no such provider", [Provider("nonsense")], [fails("init", NO_PROVIDER)]),
    Case(
        "no such version of a provider",
        [Provider("clock", "9.0.0")],
        [fails("init", "no available releases match the given constraints 9.0.0")],
    ),
    Case(
        "no provider with a wrong key",
        [Provider("clock")],
        [fails("init", "rejected the given authentication credentials")],
        key="a wrong",
    ),
    Case(
        "no provider with no key",
        [Provider("clock")],
        [fails("init", "requires authentication credentials")],
        key="no",
    ),
    Case(
        "no provider with a stranger's key", [Provider("clock")], [fails("init", NO_PROVIDER)], key="a stranger's"
    ),
)
GOOD: Final = MODULES + PROVIDERS
