"""The ways in which answers are bent."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from tests.e2e.conformance.catalogue import Catalogue
from tests.e2e.conformance.watching import Answer, Bend
from tests.factories.registry import Release
from tests.fixtures.signing import Signer
from tests.fixtures.workspaces import HERE

DISCOVERY: Final = "/terraform.json"
MODULE_VERSIONS: Final = "/v1/modules/.*/versions"
MODULE_DOWNLOAD: Final = "/v1/modules/.*/download"
ARCHIVE: Final = r"\.tar\.gz"
PROVIDER_VERSIONS: Final = "/v1/providers/.*/versions"
PROVIDER_DOWNLOAD: Final = "/v1/providers/.*/download/.*"
CHECKSUMS: Final = "SHA256SUMS"
SIGNATURE: Final = r"SHA256SUMS\.sig"
PACKAGE: Final = r"\.zip"
ANOTHER: Final = {"ascii_armor": Signer().public}
MALFORMED: Final = {"ascii_armor": "nonsense"}
Json = dict[str, Any]


def document(path: str, change: Callable[[Json], object]) -> Bend:
    """Change the document of an answer."""
    return Bend(path, lambda answer, _: answer.with_json(change))


def headers(path: str, **named: str) -> Bend:
    """Change headers of an answer."""
    return Bend(path, lambda answer, _: answer.with_headers(**named))


def status(path: str, number: int, *, method: str = "GET") -> Bend:
    """Change the status of an answer."""
    return Bend(path, lambda answer, _: replace(answer, status=number), method=method)


def one_more_version(version: str) -> Bend:
    """Give one version more of a provider."""
    return document(
        PROVIDER_VERSIONS, lambda found: found["versions"].append({"version": version, "protocols": ["5.0"]})
    )


def package_of(change: Callable[[Json], object]) -> Bend:
    """Change what is said of the package for this machine."""
    return document(PROVIDER_DOWNLOAD, lambda found: change(found["packages"][str(HERE)]))


def keys(change: Callable[[list[Json]], list[Json]]) -> Bend:
    """Give other signing keys."""

    def bend(found: Json) -> None:
        found["signing_keys"]["gpg_public_keys"] = change(found["signing_keys"]["gpg_public_keys"])

    return document(PROVIDER_DOWNLOAD, bend)


def archive_at(change: Callable[[str], str]) -> Bend:
    """Give another address of a module's archive, in body and header."""

    def bend(answer: Answer, _: Catalogue) -> Answer:
        location = change(answer.headers["x-terraform-get"])
        return answer.with_json(lambda found: found.update(location=location)).with_headers(
            x_terraform_get=location
        )

    return Bend(MODULE_DOWNLOAD, bend)


def nothing_but_a_header(answer: Answer, _: Catalogue) -> Answer:
    """Answer as the protocol was at first."""
    return replace(answer.with_body(b"").without_header("content-length"), status=204)


def once_unavailable(path: str) -> Bend:
    """Say once that it can't be served now, as the registry does when a server of its own is away."""

    def bend(answer: Answer, _: Catalogue) -> Answer:
        return replace(answer.with_body(b""), status=503).with_headers(retry_after="1")

    return Bend(path, bend, times=1)


def once_elsewhere(path: str) -> Bend:
    """Send on once to the same path at another host name; the same server has it."""

    def bend(answer: Answer, _: Catalogue) -> Answer:
        there = f"https://localhost:{answer.port}{answer.path}"
        return replace(answer.with_body(b""), status=302).with_headers(location=there)

    return Bend(path, bend, times=1)


def late(path: str, *, times: int = 10**9) -> Bend:
    """Answer after more than a second."""
    return Bend(path, lambda answer, _: answer, times=times, after_seconds=1.3)


def checksums(change: Callable[[bytes], bytes]) -> tuple[Bend, ...]:
    """Give other SHA256SUMS of the clock, signed as they are."""
    return (
        Bend(CHECKSUMS, lambda answer, has: answer.with_body(change(has.clock.checksums))),
        Bend(SIGNATURE, lambda answer, has: answer.with_body(has.signer.sign(change(has.clock.checksums)))),
    )


def signature(make: Callable[[Catalogue], bytes]) -> Bend:
    """Give another signature."""
    return Bend(SIGNATURE, lambda answer, has: answer.with_body(make(has)))


def package(content: bytes) -> tuple[Bend, ...]:
    """Give another package of the clock, and all that is said of it, signed as it is."""

    def release(has: Catalogue) -> Release:
        return replace(has.clock, packages={HERE: content})

    sha256 = hashlib.sha256(content).hexdigest()
    return (
        document(PROVIDER_DOWNLOAD, lambda found: found.update(shasum=sha256, packages=None)),
        Bend(CHECKSUMS, lambda answer, has: answer.with_body(release(has).checksums)),
        Bend(SIGNATURE, lambda answer, has: answer.with_body(has.signer.sign(release(has).checksums))),
        Bend(PACKAGE, lambda answer, _: answer.with_body(content)),
    )
