"""`groundwork gpg-keys`: the public keys that a namespace's provider releases are signed with."""

from pathlib import Path
from typing import Annotated, Final

from cyclopts import App, Parameter

from cli.client.api import Api, Document
from cli.client.asking import Yes, agrees
from cli.client.errors import FileUnusable
from cli.client.files import read_text
from cli.client.finding import find_gpg_key, gpg_keys_path
from cli.client.showing import EXPIRES_SOON, PEOPLE, ClientOutput, Column, key_state, moment, shown
from cli.output import examples


def _state(key: Document) -> str:
    state = key_state(key)
    return EXPIRES_SOON if state == "active" and key["warning"] else state


COLUMNS: Final = (
    Column("ID", "id", extra=1),
    Column("KEY", "key_id"),
    Column("STATE", _state),
    Column("FOR", "user_ids"),
    Column("ADDED", moment("created_at"), extra=2),
    Column("EXPIRES", moment("expires_at")),
    Column("WARNING", "warning"),
)
EXPORTED: Final = "name what `gpg --armor --export KEY` prints"
Namespace = Annotated[str, Parameter(help="Namespace that the key signs for.")]

gpg_keys = App(
    name="gpg-keys",
    help="Keys that provider releases are signed with.",
    help_format="plaintext",
    version_flags=[],
    help_epilogue=examples("groundwork gpg-keys add key.asc --namespace platform"),
)


@gpg_keys.command(name="list", help_epilogue=examples("groundwork gpg-keys list --namespace platform"))
def list_gpg_keys(*, namespace: Namespace, output: ClientOutput = PEOPLE) -> None:
    """List the keys of a namespace, revoked ones included."""
    with Api.of_caller() as api:
        output.listing(
            api.items(gpg_keys_path(namespace)),
            COLUMNS,
            empty="no key yet: `gpg --armor --export KEY > key.asc`, then "
            f"`groundwork gpg-keys add key.asc --namespace {namespace}`",
        )


@gpg_keys.command(
    help_epilogue=examples(
        "gpg --armor --export releases@example.com | groundwork gpg-keys add - --namespace platform"
    )
)
def add(
    file: Annotated[
        Path, Parameter(allow_leading_hyphen=True, help="The public key, armored; - is standard input.")
    ],
    /,
    *,
    namespace: Namespace,
    output: ClientOutput = PEOPLE,
) -> None:
    """Let a key sign the releases of a namespace."""
    armor = read_text(file, instead=EXPORTED)
    if not armor.strip():
        raise FileUnusable(f"{file} is empty: {EXPORTED}; `gpg --list-keys` shows which there are")
    if "PRIVATE KEY BLOCK" in armor:
        raise FileUnusable("that is a private key, and was not sent: add the output of `gpg --armor --export`")
    with Api.of_caller() as api:
        made = api.post(gpg_keys_path(namespace), {"ascii_armor": armor})
    if made["warning"]:
        output.progress(f"warning: {made['warning']}")
    output.noun(made, f"added {made['key_id']} ({shown(made['user_ids'])}) to {namespace}")


@gpg_keys.command(
    help_epilogue=examples("groundwork gpg-keys remove 01932b0c-0000-7000-8000-000000000000 --namespace platform")
)
def remove(
    key: Annotated[str, Parameter(help="Its id, or the beginning of it; or the KEY that the list shows.")],
    /,
    *,
    namespace: Namespace,
    yes: Yes = False,
    output: ClientOutput = PEOPLE,
) -> int:
    """Take a key out of use for good: releases that it signed can no longer be installed."""
    with Api.of_caller() as api:
        found = find_gpg_key(api, namespace, key)
        named = " ".join((found["key_id"], *(f"({user_id})" for user_id in found["user_ids"])))
        question = f"Take {named} out of use for good? No release that it signed can be installed any more."
        if not (yes or agrees(question, output)):
            output.progress("nothing was changed")
            return 1
        api.delete(f"{gpg_keys_path(namespace)}/{found['id']}")
    output.noun({"id": found["id"]}, f"{named} is out of use in {namespace}")
    return 0
