"""Things found by what a person types of them: an id, its beginning, or the name of a deployment."""

from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import Final
from uuid import UUID

from cli.client.api import PAGE, Api, Document
from cli.client.errors import NothingFound, SeveralFound
from cli.client.files import segment
from domain.enumerating import first_of

RUNS: Final = "/api/v1/runs"
DEPLOYMENTS: Final = "/api/v1/deployments"
API_KEYS: Final = "/api/v1/api-keys"
NEWEST: Final = 1000
"""Runs or deployments that are looked through; an older one is named by its whole id."""
LONGEST_NAME: Final = 63
SHORTEST: Final = 4
NAMED: Final = 3


def find_run(api: Api, words: str) -> str:
    """Give the id of a run, by its id, the beginning of it, or the name of the deployment whose last run it is.

    Raises:
        NothingFound, SeveralFound.
    """
    return _find_run(api, words)[0]


def find_run_with_outputs(api: Api, words: str) -> str:
    """Give the id of a run as find_run does, but of a deployment the one that was applied last.

    Raises:
        NothingFound: nothing of the deployment has been applied, or nothing is meant at all.
        SeveralFound.
    """
    run_id, of_deployment = _find_run(api, words)
    if of_deployment is None:
        return run_id
    applied = last_applied(api, of_deployment)
    if applied is None:
        raise NothingFound(f"nothing of {words} has been applied yet: see `groundwork run status {words}`")
    return str(applied["id"])


def last_applied(api: Api, deployment_id: str) -> Document | None:
    """Give the run of a deployment that was applied last; None if there is none.

    Raises:
        RequestRefused: the key may not see runs.
    """
    # Two that are submitted at once may be applied in the other order.
    applied = api.items(RUNS, limit=PAGE, deployment_id=deployment_id, state="applied")
    return max(applied, key=lambda run: str(run["finished_at"]), default=None)


def _find_run(api: Api, words: str) -> tuple[str, str | None]:
    """Find a run, and the deployment by whose name it was found."""
    if (whole := _whole_id(words)) is not None:
        return whole, None
    runs = []
    for run in islice(api.items(RUNS), NEWEST):
        if run["deployment_name"] == words:  # the newest comes first
            return str(run["id"]), str(run["deployment_id"])
        runs.append(run)
    searched = f"the newest {NEWEST} runs, and none of them is of a deployment of this name"
    searched += meant(words, [run["deployment_name"] for run in runs])
    return _only(words, _ids(runs), searched, listed_by="groundwork run list"), None


def find_deployment(api: Api, words: str) -> str:
    """Give the id of a deployment, by its name, its id or the beginning of it.

    Raises:
        NothingFound, SeveralFound.
    """
    if (whole := _whole_id(words)) is not None:
        return whole
    for deployment in api.items(DEPLOYMENTS, limit=1, name=words[:LONGEST_NAME]):
        if deployment["name"] == words:
            return str(deployment["id"])
    deployments = list(islice(api.items(DEPLOYMENTS), NEWEST))
    searched = f"the newest {NEWEST} deployments, and none has this name"
    searched += meant(words, [known["name"] for known in deployments])
    return _only(words, _ids(deployments), searched, listed_by="groundwork deployments list")


def find_api_key(api: Api, words: str) -> str:
    """Give the id of an API key, by its id or the beginning of it.

    Raises:
        NothingFound, SeveralFound.
    """
    if (whole := _whole_id(words)) is not None:
        return whole
    return _only(words, _ids(api.items(API_KEYS)), "the organization's API keys", listed_by="groundwork keys list")


def find_gpg_key(api: Api, namespace: str, words: str) -> Document:
    """Give a signing key, by its id or the beginning of it, its key id or its fingerprint.

    Raises:
        NothingFound, SeveralFound.
    """
    keys = list(api.items(gpg_keys_path(namespace)))
    named = words.lower().removeprefix("0x")
    for key in keys:
        if named in {key["id"], key["key_id"].lower(), key["fingerprint"]}:
            return key
    whole = _whole_id(words)
    if whole is not None:  # of a key that is out of use already, or of none, which the API tells
        return {"id": whole, "key_id": whole, "user_ids": []}
    listed_by = f"groundwork gpg-keys list --namespace {namespace}"
    found = _only(words, _ids(keys), f"the keys of {namespace}", listed_by=listed_by)
    return next(key for key in keys if key["id"] == found)


def gpg_keys_path(namespace: str) -> str:
    """Give the path of the keys that releases of a namespace are signed with."""
    return f"/api/v1/namespaces/{segment(namespace)}/gpg-keys"


def find_named(
    api: Api, path: str, name: str, *, named: Callable[[Document], str], noun: str, q: str | None = None
) -> Document:
    """Give the one of a list that has a name.

    Args:
        api: where the list is.
        path: the list.
        name: what was typed.
        named: gives the name of one.
        noun: what they are, as the command that lists them is called without its plural's s.
        q: narrows the list, by words of the name, where it can be searched.

    Raises:
        NothingFound: says which name is near, and how to see them all.
    """
    found = next((item for item in api.items(path, q=q) if named(item) == name), None)
    if found is None:
        near = meant(name, [named(item) for item in api.items(path)])
        raise NothingFound(f"there is no {noun} {name}{near}: `groundwork {noun}s list` shows those that are")
    return found


def meant(words: str, known: Sequence[str]) -> str:
    """Ask whether a known name was meant that is spelt almost like what was typed; empty where none is."""
    near = get_close_matches(words, known, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def nothing_in(api: Api, path: str, environment: str | None) -> str:
    """Say which environments a list has something in; empty where the one that was typed is among them."""
    if environment is None:
        return ""
    known = sorted({str(item["environment"]) for item in islice(api.items(path), NEWEST)})
    if environment in known or not known:
        return ""
    return f"nothing is in an environment {environment}{meant(environment, known)}: there are {', '.join(known)}"


def _ids(items: Iterable[Document]) -> list[str]:
    return [str(item["id"]) for item in items]


def _whole_id(words: str) -> str | None:
    try:
        return str(UUID(words))
    except ValueError:
        return None


def _only(words: str, ids: list[str], searched: str, *, listed_by: str) -> str:
    beginning = words.lower()
    found = [known for known in ids if len(words) >= SHORTEST and known.startswith(beginning)]
    match found:
        case [one]:
            return one
        case []:
            raise NothingFound(f"no id begins with {words} among {searched}: `{listed_by}` shows them")
        case _:
            raise SeveralFound(f"{len(found)} ids begin with {words} ({first_of(found, NAMED)}): write more of it")
