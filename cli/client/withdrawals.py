"""Versions that should no longer be used, as commands say it to the API and show it to people."""

from collections.abc import Iterable
from typing import Annotated

from cyclopts import Parameter

from cli.client.api import Api, Document
from cli.client.errors import FORBIDDEN, NOT_FOUND, RequestRefused
from cli.client.files import segment
from cli.client.showing import ClientOutput, shown
from domain.registry.versions import canonical

Version = Annotated[str, Parameter(name="VERSION", help="The version, as in 1.0.0.")]
Message = Annotated[str, Parameter(help="What its users are told: why, and what to do.")]
Replacement = Annotated[str | None, Parameter(help="What to use instead: another version or address.")]
Reason = Annotated[str, Parameter(help="Why it is not offered any more.")]


def deprecate(
    output: ClientOutput, path: str, version: str, message: str, replacement: str | None, *, of: str
) -> None:
    """Deprecate a version of what is at a path, and say so."""
    with Api.of_caller() as api:
        said = api.put(f"{_at(path, version)}/deprecation", {"message": message, "replacement": replacement})
    _tell(output, said, of, version, f"is deprecated: {_words(said)}")


def undeprecate(output: ClientOutput, path: str, version: str, *, of: str) -> None:
    """Take the deprecation of a version back, and say so."""
    with Api.of_caller() as api:
        api.delete(f"{_at(path, version)}/deprecation")
    _tell(output, {}, of, version, "is not deprecated")


def yank(output: ClientOutput, path: str, version: str, reason: str, *, of: str, locked: str = "") -> None:
    """Yank a version of what is at a path, and say so; `locked` is what becomes of lock files with it."""
    with Api.of_caller() as api:
        said = api.put(f"{_at(path, version)}/yank", {"reason": reason})
    _tell(output, said, of, version, f"is yanked: no `init` chooses it{locked}")


def unyank(output: ClientOutput, path: str, version: str, *, of: str) -> None:
    """Take a yank back, and say what that came to: what is refused besides is not offered all the same."""
    with Api.of_caller() as api:
        before = seen(api, path, version)
        api.delete(f"{_at(path, version)}/yank")
    _tell(output, {}, of, version, _unyanked(before))


def seen(api: Api, path: str, version: str) -> Document | None:
    """Read what is known of a version of what is at a path; None where the key may not look, or there is none."""
    wanted = canonical(version)
    try:
        return next((each for each in api.items(f"{path}/versions") if each["version"] == wanted), None)
    except RequestRefused as error:
        if error.status not in {FORBIDDEN, NOT_FOUND}:
            raise
        return None


def warning_of(version: Document) -> str | None:
    """Say of a version what speaks against using it on; None where nothing does."""
    if version["yank"] is not None:
        return f"yanked: {shown(version['yank']['reason'])}"
    return None if version["deprecation"] is None else f"deprecated: {_words(version['deprecation'])}"


def withdrawn(published: Iterable[Document]) -> list[Document]:
    """Give those of some versions that are deprecated, yanked or refused."""
    told_of = ("deprecation", "yank", "refusal")
    return [each for each in published if any(map(each.get, told_of))]


def lines_of(versions: Iterable[Document]) -> dict[str, object]:
    """Say of withdrawn versions what people are to know of them."""
    versions = withdrawn(versions)
    deprecated = [f"{each['version']} ({_words(each['deprecation'])})" for each in versions if each["deprecation"]]
    yanked = [f"{each['version']} ({each['yank']['reason']})" for each in versions if each["yank"]]
    refused = {
        f"refused {shown(each['version'])}": each["refusal"]["reason"] for each in versions if each.get("refusal")
    }
    return {"deprecated": "; ".join(deprecated) or None, "yanked": "; ".join(yanked) or None, **refused}


def _unyanked(before: Document | None) -> str:
    if before is None:
        return "is not yanked"
    done = "was not yanked" if before["yank"] is None else "is not yanked any more"
    refusal = before.get("refusal")
    return done if refusal is None else f"{done}, but still refused: {shown(refusal['reason'])}"


def _words(deprecation: Document) -> str:
    instead = deprecation["replacement"]
    return shown(deprecation["message"] if instead is None else f"{deprecation['message']} (use {instead})")


def _at(path: str, version: str) -> str:
    return f"{path}/{segment(version)}"


def _tell(output: ClientOutput, said: Document, of: str, version: str, sentence: str) -> None:
    output.noun({"of": of, "version": version, **said}, f"{of} {version} {sentence}", id_field="version")
