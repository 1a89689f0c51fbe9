"""API keys in what is about to be published: a version can't be taken back, so a key in it is known for good."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from cli.client.errors import FileUnusable
from domain.identity.keys import CHECKSUM_LENGTH, KID_LENGTH, PREFIX, SECRET_LENGTH, read_token
from integrations.archives.members import ArchiveLimits
from integrations.archives.module import iterate_module

KEY: Final = re.compile(
    rf"{PREFIX}_[a-z]{{3}}_[0-9A-Za-z]{{{KID_LENGTH}}}_[0-9A-Za-z]{{{SECRET_LENGTH + CHECKSUM_LENGTH}}}".encode()
)
LONGEST: Final = len(PREFIX) + 3 + KID_LENGTH + SECRET_LENGTH + CHECKSUM_LENGTH + 3


class KeySearch:
    """Looks through one file, piece by piece, for something that is an API key by its checksum."""

    def __init__(self, name: str) -> None:
        """Take what the file is called where it is refused."""
        self._name = name
        self._end = b""

    def look(self, piece: bytes) -> None:
        """Look through the next piece.

        Raises:
            FileUnusable: a key ends in it; of the key only the public part is said.
        """
        seen = self._end + piece
        for match in KEY.finditer(seen):
            token = read_token(match[0].decode())
            if token is not None:
                raise FileUnusable(
                    f"{self._name} contains the API key {PREFIX}_{token.kind}_{token.kid}_..., which everybody "
                    "who installs the module could use: take it out (and revoke it, if others have the file)"
                )
        self._end = seen[-(LONGEST - 1) :]


def search_archive(archive: Path) -> None:
    """Look through every file of a module's archive.

    Raises:
        FileUnusable: there is a key in one.
        ArchiveUnreadable, ArchivePathRefused, ArchiveMemberRefused, ArchiveTooLarge: the registry would refuse it.
    """
    for member in iterate_module(archive, ArchiveLimits()):
        _search(f"{archive}: {member.path}", member.content)


def _search(name: str, pieces: Iterable[bytes]) -> None:
    search = KeySearch(name)
    for piece in pieces:
        search.look(piece)
