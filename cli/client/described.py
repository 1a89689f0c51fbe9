"""What a module's code declares, as people read it: one line for each input, output, provider and resource."""

from collections.abc import Iterable
from typing import Final

from cli.client.api import Document
from cli.client.showing import without_controls

PENDING: Final = "its code is not read yet: in a few seconds it is"
INDENT: Final = "  "


def not_described(known: Document) -> str | None:
    """Say why nobody can see what a version declares, though it can be installed; None where that is seen."""
    return None if known["documents"] is not None else known["reason"] or PENDING


def declared(known: Document, *, of: str) -> str:
    """Write what a version declares, in sections; those that nothing is in are left out.

    Args:
        known: the version's documents as the API gives them.
        of: the version.
    """
    documents = known["documents"]
    if documents is None:
        return ""
    root = documents["root"]
    inputs = sorted(root["inputs"], key=lambda each: not each["required"])
    sections = {
        f"Inputs of {of}": map(_input, inputs),
        "Outputs": map(_output, root["outputs"]),
        "Providers": (_needed(each, each["source"]) for each in root["provider_dependencies"]),
        "Resources": map(_resource, root["resources"]),
        "Calls": (_needed(each, f"{each['name']}: {each['source']}") for each in root["dependencies"]),
        "Submodules": map(_part, documents["submodules"]),
        "Examples": map(_part, documents["examples"]),
    }
    return "".join(_section(title, lines) for title, lines in sections.items())


def to_give(known: Document) -> str:
    """Write the options by which a run is given what the version has to be given."""
    documents = known["documents"]
    if documents is None:
        return "--input VARIABLE=VALUE"
    needed = [each for each in documents["root"]["inputs"] if each["required"]]
    return " ".join(
        f"--secret-input {each['name']}" if each["sensitive"] else f"--input {each['name']}=VALUE"
        for each in needed
    )


def _section(title: str, lines: Iterable[str]) -> str:
    written = [INDENT + " ".join(without_controls(line).split()) for line in lines]
    return "\n".join(("\n", title, *written)) if written else ""


def _input(each: Document) -> str:
    if each["required"]:
        value = "required"
    else:
        value = "optional" if each["default"] is None else f"default {each['default']}"
    return _told(each, each["type"], value)


def _output(each: Document) -> str:
    return _told(each)


def _told(each: Document, *facts: str) -> str:
    facts = (*facts, *(fact for fact in ("sensitive", "ephemeral") if each[fact]))
    if each["deprecated"] is not None:
        facts = (*facts, f"deprecated: {each['deprecated']}")
    of = f" ({', '.join(facts)})" if facts else ""
    return f"{each['name']}{of}" + (f": {each['description']}" if each["description"] else "")


def _needed(each: Document, what: str) -> str:
    return f"{what} {each['version']}"


def _resource(each: Document) -> str:
    return f"{'data.' if each['mode'] == 'data' else ''}{each['type']}.{each['name']}"


def _part(each: Document) -> str:
    if each["unreadable"] is not None:
        return f"{each['path']}: can't be read: {each['unreadable']}"
    inputs = ", ".join(one["name"] for one in each["inputs"])
    return f"{each['path']} (takes {inputs})" if inputs else str(each["path"])
