"""Modules of the registry, as far as other commands name them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from cli.client.api import Api, Document
from cli.client.errors import FORBIDDEN, NothingFound, RequestRefused
from cli.client.files import segment
from cli.client.finding import find_named

MODULES: Final = "/api/v1/modules/search"
NAMED: Final = 5


def address(module: Document) -> str:
    """Give the address of a module."""
    return f"{module['namespace']}/{module['name']}/{module['system']}"


def find_module(api: Api, words: str) -> Document:
    """Find a module by its address.

    Raises:
        NothingFound: says which address is near.
    """
    return find_named(api, MODULES, words, named=address, noun="module", q=words.replace("/", " "))


def versions_of(api: Api, module: str) -> list[str]:
    """List the versions of a module that is there, the highest first."""
    protocol = api.get(f"/v1/modules/{'/'.join(map(segment, module.split('/')))}/versions")
    return [version["version"] for version in protocol["modules"][0]["versions"]]


@contextmanager
def names_module(api: Api, module: str | None, version: str | None) -> Iterator[None]:
    """Say of a request with an unknown module in it what there is instead, as far as its key may know.

    Raises:
        NothingFound.
    """
    try:
        yield
    except RequestRefused as error:
        if error.problem != "provisioning.module_unknown" or module is None:
            raise
        try:
            find_module(api, module)
            there = versions_of(api, module)
        except RequestRefused as second:
            raise error from (None if second.status == FORBIDDEN else second)
        named = ", ".join(there[:NAMED]) + (", ..." if len(there) > NAMED else "")
        raise NothingFound(f"{module} has no version {version}; it has {named or 'none'}") from None
