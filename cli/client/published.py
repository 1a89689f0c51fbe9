"""Modules and versions of the registry, found by what a person types of them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from cli.client.api import Api, Document
from cli.client.errors import FORBIDDEN, NothingFound, RequestRefused
from cli.client.files import segment
from cli.client.finding import find_named
from domain.enumerating import first_of
from domain.registry.versions import canonical, precedence

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


def find_version(published: Sequence[Document], version: str, *, of: str) -> Document:
    """Find a version among all that were published, yanked ones included; `v1.0` means 1.0.0, as to the tools.

    Raises:
        NothingFound: says which there are.
    """
    wanted = canonical(version)
    for each in published:
        if each["version"] == wanted:
            return each
    raise _no_version(of, version, sorted((each["version"] for each in published), key=precedence, reverse=True))


def _no_version(of: str, version: str, there: Sequence[str]) -> NothingFound:
    named = first_of(there, NAMED) or "none"
    return NothingFound(f"{of} has no version {version}; it has {named}")


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
        raise _no_version(module, version or "", there) from None
