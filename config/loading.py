"""Reading the settings, with a sentence for everything that is wrong with them."""

import difflib
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsError

from config.settings import CONFIG_FILE, PREFIX, Settings, is_secret
from domain.errors import SettingsInvalid

OTHERS: Final = {
    CONFIG_FILE: "the TOML file of the settings",
    f"{PREFIX}CACHE": "folder of the tools that were built or downloaded once; by default `~/.cache/groundwork`",
    f"{PREFIX}URL": "the server that client commands talk to, in place of the one of `groundwork login`",
    f"{PREFIX}KEY": "the API key they send",
    f"{PREFIX}CA": "the CA (PEM) they trust",
}
"""Variables with our prefix that are no settings."""


def load_settings() -> Settings:
    """Read the settings of this process from its environment and its file.

    Raises:
        SettingsInvalid: with every mistake, and no value, since any may be secret.
    """
    _check_file()
    known = {environment_name(path) for path in setting_paths()}
    groups = {name.rsplit("__", 1)[0] for name in known if "__" in name}
    ours = {name.upper() for name in os.environ if name.upper().startswith(PREFIX)}
    unknown = [_unknown_name(name, known) for name in sorted(ours - known - groups - OTHERS.keys())]
    try:
        settings = Settings()
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        mistakes = [sentence for mistake in found for sentence in _sentences(mistake)]
        raise SettingsInvalid("; ".join(dict.fromkeys(unknown + mistakes))) from None
    except SettingsError as error:
        raise SettingsInvalid(f"the environment can't be read: {error}") from None
    if unknown:
        raise SettingsInvalid("; ".join(unknown))
    return settings


def setting_paths(model: type[BaseModel] = Settings, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Give the path of every setting, the `_file` of each secret included."""
    for name, field in model.model_fields.items():
        group = group_of(field)
        if group is not None:
            yield from setting_paths(group, (*above, name))
            continue
        yield (*above, name)
        if is_secret(field):
            yield (*above, f"{name}_file")


def environment_name(path: tuple[str, ...]) -> str:
    """Name the variable of a setting."""
    return PREFIX + "__".join(path).upper()


def group_of(field: FieldInfo) -> type[BaseModel] | None:
    """Give the group of settings that a field holds, or may hold; None for a single setting."""
    for kind in (field.annotation, *get_args(field.annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def _check_file() -> None:
    named = os.environ.get(CONFIG_FILE)
    if named is None:
        return
    try:
        tomllib.loads(Path(named).read_text())
    except OSError as error:
        raise SettingsInvalid(f"{CONFIG_FILE}: {named} can't be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"{CONFIG_FILE}: {named} is not TOML ({error})") from None


def _unknown_name(name: str, known: set[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"{name} is no setting" + (f"; is it {near[0]}?" if near else "")


def _sentences(mistake: ErrorDetails) -> Iterator[str]:
    path = tuple(str(part) for part in mistake["loc"])
    if mistake["type"] == "missing":
        for needed in _required_below(path):
            setting, variable = ".".join(needed), environment_name(needed)
            yield f"{setting} is not set: set {variable}, or write it in the settings' file"
    else:
        yield _sentence(mistake, ".".join(path), environment_name(path))


def _required_below(path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Give what must be set of a group that is missing as a whole; a single setting is itself."""
    group = Settings.model_fields[path[0]].annotation if len(path) == 1 else None
    if isinstance(group, type) and issubclass(group, BaseModel):
        yield from ((*path, name) for name, field in group.model_fields.items() if field.is_required())
    else:
        yield path


def _sentence(mistake: ErrorDetails, setting: str, variable: str) -> str:
    match mistake["type"]:
        case "extra_forbidden":
            known = {".".join(each) for each in setting_paths()}
            near = difflib.get_close_matches(setting, known, n=1)
            return f"{setting} ({variable}) is no setting" + (f"; is it {near[0]}?" if near else "")
        case "value_error":
            reason = mistake["msg"].removeprefix("Value error, ")
            return f"{setting}: {reason}" if setting else reason
        case _:
            return f"{setting}: {mistake['msg'][:1].lower()}{mistake['msg'][1:]}"
