"""What each tool does when an answer is not what the registry gives: why its answers are as they are.

What makes a tool stop or crash can't be published, each with a code of its own (TestAttack… in tests/api/registry,
tests/domain/registry/test_files.py). Here is what would come of it.
"""

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from tests.e2e.conformance import bends
from tests.e2e.conformance.cases import INIT, Case, Command, Module, Provider, Words, fails
from tests.e2e.conformance.watching import Bend
from tests.fixtures.archives import a_zip
from tests.fixtures.workspaces import Door

A_MODULE: Final = (Module("packed", "0.1.0", gets="0.1.0"),)
NO_MODULE: Final = (Module("packed", "0.1.0"),)
A_CLOCK: Final = (Provider("clock", gets="1.10.0"),)
NO_CLOCK: Final = (Provider("clock"),)
EXECUTABLE: Final = "terraform-provider-clock_v1.10.0"
ON_HOST_BLOCK: Final = (Door.HOST_BLOCK,)
ON_DISCOVERY: Final = (Door.DISCOVERY,)
IMPATIENT: Final = {"TF_REGISTRY_CLIENT_TIMEOUT": "1"}
"""Seconds; by itself a tool waits for ten."""
NO_HASH: Final = "checksum list has no SHA-256 hash for"
NO_ISSUER: Final = "authentication signature from unknown issuer"


def _works(
    name: str, uses: Sequence[Module | Provider], *bent: Bend, doors: Sequence[Door] = ON_HOST_BLOCK
) -> Case:
    return Case(name, uses, [INIT], doors=doors, bends=bent)


def _stops(name: str, uses: Sequence[Module | Provider], says: Words, *bent: Bend) -> Case:
    return Case(name, uses, [fails("init", says)], doors=ON_HOST_BLOCK, bends=bent)


def _stops_one(
    name: str, uses: Sequence[Module | Provider], statuses: tuple[int, int], says: Words, *bent: Bend
) -> Case:
    return Case(name, uses, [Command("init", statuses, says)], doors=ON_HOST_BLOCK, bends=bent)


DISCOVERY: Final = (
    Case(
        "discovery as text",
        NO_CLOCK,
        [fails("init", 'unsupported Content-Type "text/plain"')],
        doors=ON_DISCOVERY,
        bends=[bends.headers(bends.DISCOVERY, content_type="text/plain")],
    ),
    Case(
        "providers at an address without a slash behind",
        NO_CLOCK,
        [fails("init", "does not have a provider named")],
        doors=ON_DISCOVERY,
        bends=[bends.document(bends.DISCOVERY, lambda found: found.update({"providers.v1": "/v1/providers"}))],
    ),
    Case(
        "no discovery",
        NO_CLOCK,
        [fails("init", "does not offer a (Terraform|OpenTofu) provider registry")],
        doors=ON_DISCOVERY,
        bends=[bends.status(bends.DISCOVERY, 404)],
    ),
    _works(
        "services that nobody knows, and a parameter of the content type",
        A_CLOCK,
        Bend(
            bends.DISCOVERY,
            lambda answer, _: answer.with_json(lambda found: found.update({"clouds.v7": "/v7/"})).with_headers(
                content_type="application/json; charset=utf-8"
            ),
        ),
        doors=ON_DISCOVERY,
    ),
)
MODULES: Final = (
    _stops_one(
        "a module's address in the body alone",
        A_MODULE,
        (1, 0),
        ("failed to get download URL", "initialized"),
        Bend(bends.MODULE_DOWNLOAD, lambda answer, _: answer.without_header("x-terraform-get")),
    ),
    _stops_one(
        "a module's address in the header, and a body that is no JSON",
        A_MODULE,
        (0, 1),
        ("initialized", "failed to deserialize response body"),
        Bend(bends.MODULE_DOWNLOAD, lambda answer, _: answer.with_body(b"hello")),
    ),
    _works(
        "a module's address in the header, and no body",
        A_MODULE,
        Bend(bends.MODULE_DOWNLOAD, bends.nothing_but_a_header),
    ),
    _stops(
        "a module's address that begins with a name",
        NO_MODULE,
        ("cannot detect a supported external module source type", "Could not download module"),
        bends.archive_at(lambda location: urlsplit(location).path[1:]),
    ),
    _stops(
        "a module's address with two slashes in a row",
        NO_MODULE,
        "Could not download module",
        bends.archive_at(lambda location: location.replace("/files/", "/files//")),
    ),
    _stops_one(
        "a module's address that does not end like an archive",
        A_MODULE,
        (1, 0),
        ("Could not download module", "initialized"),
        bends.archive_at(lambda location: location.removesuffix(".tar.gz")),
    ),
    _stops(
        "no module among the versions",
        NO_MODULE,
        "returned an invalid response",
        bends.document(bends.MODULE_VERSIONS, lambda found: found.update(modules=[])),
    ),
    Case(
        "a module's version that is none is passed over",
        A_MODULE,
        [Command("init", says='invalid version string "latest"')],
        doors=ON_HOST_BLOCK,
        bends=[
            bends.document(
                bends.MODULE_VERSIONS, lambda found: found["modules"][0]["versions"].append({"version": "latest"})
            )
        ],
    ),
    _works(
        "a module's version in short is asked for in full",
        A_MODULE,
        bends.document(
            bends.MODULE_VERSIONS, lambda found: found["modules"][0].update(versions=[{"version": "v0.1"}])
        ),
    ),
    _works("no HEAD of archives", A_MODULE, bends.status(bends.ARCHIVE, 405, method="HEAD")),
    _stops_one(
        "an archive that is away for a second",
        A_MODULE,
        (1, 0),
        ("bad response code: 503", "initialized"),
        bends.once_unavailable(bends.ARCHIVE),
    ),
    _stops(
        "a module's versions at another host, where no key is sent",
        NO_MODULE,
        "401 Unauthorized",
        bends.once_elsewhere(bends.MODULE_VERSIONS),
    ),
)
PROVIDERS: Final = (
    *(
        _stops(
            f"a provider's version {version}",
            NO_CLOCK,
            f'invalid version string "{version}"',
            bends.one_more_version(version),
        )
        for version in ("latest", "v1.0.0")
    ),
    _stops(
        "a provider's versions at another host, where no key is sent",
        NO_CLOCK,
        "rejected the given authentication credentials",
        bends.once_elsewhere(bends.PROVIDER_VERSIONS),
    ),
    _stops("no signing key", NO_CLOCK, NO_ISSUER, bends.keys(lambda _: [])),
    _stops(
        "a malformed key before the right one",
        NO_CLOCK,
        "error decoding signing key",
        bends.keys(lambda keys: [bends.MALFORMED, *keys]),
    ),
    _works("another key before the right one", A_CLOCK, bends.keys(lambda keys: [bends.ANOTHER, *keys])),
    _stops("another key alone", NO_CLOCK, NO_ISSUER, bends.keys(lambda _: [bends.ANOTHER])),
    Case(
        "a blank line in SHA256SUMS",
        NO_CLOCK,
        [Command("init", (11, 2), "index out of range")],
        doors=ON_HOST_BLOCK,
        bends=bends.checksums(lambda sums: sums + b"\n"),
    ),
    _stops(
        "a star before a name in SHA256SUMS",
        NO_CLOCK,
        NO_HASH,
        *bends.checksums(lambda sums: sums.replace(b"  ", b" *")),
    ),
    _stops(
        "SHA256SUMS without the package",
        NO_CLOCK,
        NO_HASH,
        *bends.checksums(lambda sums: sums.splitlines(keepends=True)[-1]),
    ),
    _stops(
        "another hash in SHA256SUMS",
        NO_CLOCK,
        "checksum list has unexpected SHA-256 hash",
        *bends.checksums(lambda sums: b"0" * 64 + sums[64:]),
    ),
    _stops(
        "an armored signature",
        NO_CLOCK,
        "tag byte does not have MSB set",
        bends.signature(lambda has: has.signer.sign(has.clock.checksums, armor=True)),
    ),
    _stops("an empty signature", NO_CLOCK, NO_ISSUER, bends.signature(lambda _: b"")),
    _stops(
        "a signature of other bytes",
        NO_CLOCK,
        "error checking signature",
        bends.signature(lambda has: has.signer.sign(has.real.checksums)),
    ),
    _stops(
        "a package for another system",
        NO_CLOCK,
        "has incorrect target plan9",
        bends.document(bends.PROVIDER_DOWNLOAD, lambda found: found.update(os="plan9")),
    ),
    _stops(
        "a file name in capitals",
        NO_CLOCK,
        NO_HASH,
        bends.document(bends.PROVIDER_DOWNLOAD, lambda found: found.update(filename=found["filename"].upper())),
    ),
    _stops_one(
        "a hash in capitals",
        A_CLOCK,
        (0, 1),
        ("initialized", "does not match the platform's value"),
        bends.document(bends.PROVIDER_DOWNLOAD, lambda found: found.update(shasum=found["shasum"].upper())),
    ),
    _works(
        "neither protocols nor packages",
        A_CLOCK,
        bends.document(bends.PROVIDER_DOWNLOAD, lambda found: (found.pop("protocols"), found.pop("packages"))),
    ),
    _stops_one(
        "packages of other platforms alone",
        A_CLOCK,
        (0, 1),
        ("initialized", "missing package with platform"),
        bends.document(
            bends.PROVIDER_DOWNLOAD,
            lambda found: found.update(packages={"plan9_386": {"hashes": [], "package_size": 1}}),
        ),
    ),
    _stops_one(
        "another size of the package",
        A_CLOCK,
        (0, 1),
        ("initialized", "indicates a package of size 1, but"),
        bends.package_of(lambda found: found.update(package_size=1)),
    ),
    _stops(
        "another package",
        NO_CLOCK,
        ("archive has incorrect checksum", "indicates a package of size"),
        Bend(bends.PACKAGE, lambda answer, _: answer.with_body(a_zip({EXECUTABLE: "x"}, mode=0o100755))),
    ),
    _stops(
        "a package without the executable",
        NO_CLOCK,
        "could not find executable file starting with terraform-provider-clock",
        *bends.package(a_zip({"README.md": "x"})),
    ),
    Case(
        "an executable that may not be executed",
        A_CLOCK,
        [INIT, fails("validate", "permission denied")],
        doors=ON_HOST_BLOCK,
        bends=bends.package(a_zip({EXECUTABLE: "x"}, mode=0o100644)),
    ),
    _stops_one(
        "a package that is away for a second",
        A_CLOCK,
        (1, 0),
        ("bad response code: 503", "initialized"),
        bends.once_unavailable(bends.PACKAGE),
    ),
    _works(
        "files at another host, where no key is needed",
        [*A_MODULE, *A_CLOCK],
        *(bends.once_elsewhere(path) for path in (bends.ARCHIVE, bends.CHECKSUMS, bends.SIGNATURE, bends.PACKAGE)),
    ),
)
ANSWERS_THAT_ARE_LATE: Final = (
    _works(
        "answers that are away for a second are asked for again",
        [*A_MODULE, *A_CLOCK],
        *(
            bends.once_unavailable(path)
            for path in (bends.MODULE_VERSIONS, bends.PROVIDER_DOWNLOAD, bends.CHECKSUMS)
        ),
    ),
    Case(
        "an answer that is late once is asked for again",
        A_CLOCK,
        [INIT],
        doors=ON_HOST_BLOCK,
        bends=[bends.late(bends.PROVIDER_VERSIONS, times=1)],
        environment=IMPATIENT,
    ),
    Case(
        "an answer that is late twice is not waited for",
        NO_MODULE,
        [fails("init", "request failed after 2 attempts")],
        doors=ON_HOST_BLOCK,
        bends=[bends.late(bends.MODULE_VERSIONS)],
        environment=IMPATIENT,
    ),
)
BENT: Final = DISCOVERY + MODULES + PROVIDERS + ANSWERS_THAT_ARE_LATE
