"""Provider releases as people read them: what is in one, who signed it, and what its verifications found."""

from collections.abc import Callable
from textwrap import indent
from time import sleep
from typing import Final

from cli.client.api import Api, Document
from cli.client.errors import FORBIDDEN, RequestRefused
from cli.client.files import segment
from cli.client.showing import Column, labelled, moment, shown
from cli.client.upload import in_bytes

PAUSE: Final = 1.0
"""Seconds between two looks at a verification that is under way."""
VERIFIED: Final = "verified"
REFUSED: Final = "refused"


def _tools(verification: Document) -> str:
    return ", ".join(f"{tool} {version}" for tool, version in sorted(verification["checked_by"].items()))


def _key(verification: Document) -> str | None:
    evidence = verification["evidence"]
    return None if evidence is None else str(evidence["key_fingerprint"])[-16:].upper()


VERIFICATIONS: Final = (
    Column("MADE", moment("checked_at")),
    Column("RESULT", "result"),
    Column("KEY", _key),
    Column("REASON", "reason"),
    Column("BY", _tools, extra=1),
    Column("ID", "id", extra=2),
)


def verifications_path(path: str, version: str) -> str:
    """Give where the verifications of a version are of the provider at a path."""
    return f"{path}/{segment(version)}/verifications"


def require_readable(api: Api, path: str) -> None:
    """Look whether the caller may read what a verification will find, before one is asked for.

    Raises:
        RequestRefused: they may not, or there is no such version.
    """
    try:
        list(api.items(path, limit=1))
    except RequestRefused as error:
        if error.status != FORBIDDEN:
            raise
        without = "with --no-wait the verification is asked for, and its result is read with another key"
        raise RequestRefused(f"{error}; {without}", status=error.status, problem=error.problem) from error


def awaited(api: Api, path: str, wanted: str) -> Document:
    """Wait for a verification that was asked for, for as long as it takes; give what it found."""
    while True:
        for found in api.items(path):
            if found["id"] == wanted:
                return found
        sleep(PAUSE)


def verdict(of: str, version: str, verification: Document) -> str:
    """Say what a verification found, and why, where that is not what was published."""
    result, reason = verification["result"], verification["reason"]
    if result == VERIFIED:
        files = len(verification["files"])
        return (
            f"{of} {version} is verified: {files} file(s) are as they were published, and "
            f"{_key(verification)} signed"
        )
    if result == REFUSED:
        return shown(f"{of} {version} is refused, and is not served: {reason}")
    return shown(f"the verification of {of} {version} is {result}: {reason}")


def described(release: Document, keys: list[Document], verifications: list[Document]) -> str:
    """Write what is in a release, under a heading of its own.

    Args:
        release: as the API lists it.
        keys: those of its namespace.
        verifications: all there were of it.
    """
    platforms = [f"{each['os']}_{each['arch']} ({in_bytes(each['size'])})" for each in release["platforms"]]
    evidence = release["evidence"]
    signer = next((key for key in keys if key["fingerprint"] == evidence["key_fingerprint"]), None)
    lines = {
        "protocols": release["protocols"],
        "platforms": platforms,
        "published": moment("published_at")(release),
        "signed by": evidence["key_fingerprint"] + _owner(signer),
        "signed": moment("signed_at")(evidence),
        **_last(verifications),
    }
    return f"\n\nRelease {release['version']}\n" + indent(labelled(lines), "  ")


def _owner(signer: Document | None) -> str:
    if signer is None:
        return ""
    owners = [*signer["user_ids"], *(["out of use"] if signer["revoked_at"] is not None else [])]
    return f" ({', '.join(owners)})" if owners else ""


def _last(verifications: list[Document]) -> dict[str, str]:
    if not verifications:
        return {}
    when: Callable[[Document], str | None] = moment("checked_at")
    last = verifications[-1]
    said = f" by {_tools(last)}" if last["result"] == VERIFIED else f": {last['reason']}"
    return {last["result"]: f"{when(last)}{said}"}
