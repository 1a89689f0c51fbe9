"""Which server the commands talk to, and by which key: what `groundwork login` stored, or the environment."""

import json
import os
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BaseModel, Field, SecretStr, ValidationError

from cli.client.errors import FileUnusable, NotLoggedIn
from cli.client.file_errors import because
from cli.private_files import write_private

URL: Final = "GROUNDWORK_URL"
KEY: Final = "GROUNDWORK_KEY"
CA: Final = "GROUNDWORK_CA"


def checked_url(url: str) -> str:
    """Return the address of a server as it is stored: no slash at its end, and no key is sent there in the clear.

    Raises:
        ValueError: with the rule.
    """
    parts = urlsplit(url)
    if (
        not _is_plain(url)
        or parts.scheme not in {"http", "https"}
        or not parts.hostname
        or not _has_good_port(parts)
    ):
        raise ValueError("is an address like https://registry.example.com")
    if parts.query or parts.fragment:
        raise ValueError("is the address of a server, without anything behind ? or #")
    if parts.username or parts.password:
        raise ValueError("holds no user or password; the key is asked for")
    root = f"https://{parts.netloc}"
    if parts.scheme == "http":
        raise ValueError(f"begins with https://, because the key is sent there: write {root}")
    if parts.path.strip("/"):
        raise ValueError(f"is not the API's address, which has no path: write {root}")
    return root


def is_loopback(url: str) -> bool:
    """Tell whether an address is this machine's own."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_plain(text: str) -> bool:
    """Tell whether a text is what can stand in a request's first line or a header."""
    return text.isascii() and text.isprintable() and " " not in text


def _has_good_port(parts: SplitResult) -> bool:
    try:
        return parts.port is None or parts.port > 0
    except ValueError:
        return False


class Profile(BaseModel, frozen=True):
    """A server and how to talk to it."""

    url: Annotated[str, AfterValidator(checked_url)]
    key: SecretStr
    ca: Path | None = None
    """Authority that signed the server's certificate, where the system does not know it."""
    when_refused: str = Field(default="`groundwork login` stores another key", exclude=True)
    """What to say of the key when the server does not take it: where it came from."""


def profile_file() -> Path:
    """Name the file of the stored profile, by the XDG base directory rules."""
    base = os.environ.get("XDG_CONFIG_HOME")
    directory = Path(base) if base and Path(base).is_absolute() else Path.home() / ".config"
    return directory / "groundwork" / "profile.json"


def store(profile: Profile) -> Path:
    """Keep a profile for later commands; it replaces the one before."""
    file = profile_file()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    content = profile.model_dump(mode="json") | {"key": profile.key.get_secret_value()}
    write_private(file, json.dumps(content, indent=2).encode() + b"\n")
    return file


def stored() -> Profile | None:
    """Give the stored profile; None when nobody has logged in.

    Raises:
        FileUnusable: the file is there and can't be used.
    """
    file = profile_file()
    try:
        return Profile.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FileUnusable(f"{file} can't be read {because(error)}") from error
    except ValidationError:
        raise FileUnusable(f"{file} is damaged: run `groundwork login` again") from None


def current_profile() -> Profile:
    """Give the profile to use: variables of the environment first, then what was stored.

    A stored key goes to the server that it was stored for and to no other.

    Raises:
        NotLoggedIn: no server, or no key for it, is known.
        FileUnusable: the stored profile, or a variable's value, can't be used.
    """
    kept = stored()
    url = os.environ.get(URL) or (kept.url if kept else None)
    if url is None:
        raise NotLoggedIn(f"no server is known: run `groundwork login ADDRESS`, or set {URL} and {KEY}")
    try:
        url = checked_url(url)
    except ValueError as error:
        raise FileUnusable(f"{URL} {error}") from None
    same = kept if kept is not None and kept.url == url else None
    given = os.environ.get(KEY, "").strip()
    key = given or (same.key.get_secret_value() if same else None)
    if key is None:
        raise NotLoggedIn(f"no key for {url} is known: run `groundwork login {url}`, or set {KEY}")
    if not _is_plain(key):
        raise FileUnusable(f"{KEY} is no API key (gwk_...)")
    ca = os.environ.get(CA)
    return Profile(
        url=url,
        key=SecretStr(key),
        ca=Path(ca) if ca else (same.ca if same else None),
        when_refused=(
            f"the key is that of {KEY} in the environment"
            if given
            else f"the key is that of {profile_file()}; `groundwork login {url}` stores another"
        ),
    )
