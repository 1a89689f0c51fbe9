"""Provider releases as people read them: what is in one, who signed it, and what its checks found."""

from collections.abc import Callable
from textwrap import indent
from time import sleep
from typing import Final

from cli.client.api import Api, Document
from cli.client.files import segment
from cli.client.showing import Column, labelled, moment, shown
from cli.client.upload import in_bytes

PAUSE: Final = 1.0
"""Seconds between two looks at a check that is under way."""
REFUSED: Final = "refused"


def _tools(verification: Document) -> str:
    return ", ".join(f"{tool} {version}" for tool, version in sorted(verification["checked_by"].items()))


def _key(verification: Document) -> str | None:
    evidence = verification["evidence"]
    return None if evidence is None else str(evidence["key_fingerprint"])[-16:].upper()


CHECKS: Final = (
    Column("CHECKED", moment("checked_at")),
    Column("RESULT", "result"),
    Column("KEY", _key),
    Column("REASON", "reason"),
    Column("BY", _tools, extra=1),
    Column("ID", "id", extra=2),
)


def checks_path(path: str, version: str) -> str:
    """Give where the checks of a version are of the provider at a path."""
    return f"{path}/{segment(version)}/verifications"


def awaited(api: Api, path: str, wanted: str) -> Document:
    """Wait for a check that was asked for, for as long as it takes; give what it found."""
    while True:
        for found in api.items(path):
            if found["id"] == wanted:
                return found
        sleep(PAUSE)


def verdict(of: str, version: str, verification: Document) -> str:
    """Say what a check found."""
    if verification["result"] == REFUSED:
        return shown(f"{of} {version} is refused, and is not served: {verification['reason']}")
    files = len(verification["files"])
    return (
        f"{of} {version} is verified: {files} file(s) are as they were published, and {_key(verification)} signed"
    )


def described(release: Document, keys: list[Document], checks: list[Document]) -> str:
    """Write what is in a release, under a heading of its own.

    Args:
        release: as the API lists it.
        keys: those of its namespace.
        checks: all there were of it.
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
        **_last(checks),
    }
    return f"\n\nRelease {release['version']}\n" + indent(labelled(lines), "  ")


def _owner(signer: Document | None) -> str:
    if signer is None:
        return ""
    owners = [*signer["user_ids"], *(["out of use"] if signer["revoked_at"] is not None else [])]
    return f" ({', '.join(owners)})" if owners else ""


def _last(checks: list[Document]) -> dict[str, str]:
    if not checks:
        return {}
    when: Callable[[Document], str | None] = moment("checked_at")
    last = checks[-1]
    said = f": {last['reason']}" if last["result"] == REFUSED else f" by {_tools(last)}"
    return {last["result"]: f"{when(last)}{said}"}
