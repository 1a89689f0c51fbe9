"""`groundwork login`: which server the other commands talk to, and by which key."""

import getpass
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from pydantic import SecretStr

from cli.client.api import Api
from cli.client.errors import FORBIDDEN, RequestRefused
from cli.client.profile import Profile, checked_url, store
from cli.client.showing import PEOPLE, ClientOutput, without_controls
from cli.errors import usage
from domain.identity.keys import read_token


def login(
    url: Annotated[str, Parameter(help="Address of the server, as in https://registry.example.com.")],
    /,
    *,
    ca: Annotated[
        Path | None, Parameter(help="Authority of its certificate (PEM), if systems don't know it.")
    ] = None,
    output: ClientOutput = PEOPLE,
) -> None:
    """Store a server and an API key for the other commands, after one request has shown that both are right.

    The key is asked for, or read from standard input: never given as an argument, which other users could see.
    GROUNDWORK_URL, GROUNDWORK_KEY and GROUNDWORK_CA of the environment win over what is stored.
    """
    try:
        address = checked_url(url)
    except ValueError as error:
        raise usage(f"URL {error}") from None
    key = getpass.getpass(f"API key for {address}: ") if sys.stdin.isatty() else sys.stdin.readline()
    token = read_token(key.strip())
    if token is None:
        raise usage("that is not a whole API key (gwk_...): copy it again, from its first letter to its last")
    profile = Profile(url=address, key=SecretStr(token.text), ca=ca.expanduser().resolve() if ca else None)
    organizations = _organizations(profile)
    file = store(profile)
    names = ", ".join(organizations) or "a key that may not list organizations"
    result = {"url": profile.url, "kid": token.kid, "organizations": organizations, "stored_in": str(file)}
    human = f"logged in to {profile.url} ({without_controls(names)}); stored in {file}"
    output.noun(result, human, id_field="kid")


def _organizations(profile: Profile) -> list[str]:
    """Ask something small; a key without the right to ask it is a good key all the same."""
    try:
        with Api(profile) as api:
            return [found["slug"] for found in api.items("/api/v1/organizations", limit=3)]
    except RequestRefused as error:
        if error.status != FORBIDDEN:
            raise
        return []
