"""What people search modules for, and the words that a module is found by."""

import re
from dataclasses import dataclass
from typing import Final

LONGEST_WORD: Final = 64
_WORD: Final = re.compile(r"[^\W_]+")


def words_in(*texts: str) -> frozenset[str]:
    """Give the words of some texts: runs of letters and digits, in small letters, cut at 64 characters.

    Whatever else there is divides them, so `web-server_v2` is found by each of its three.
    """
    return frozenset(word[:LONGEST_WORD] for text in texts for word in _WORD.findall(text.lower()))


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleSearch:
    """Which modules are meant: each word is the beginning of one in the address or the description."""

    q: str = ""
    namespace: str | None = None
    system: str | None = None
    deprecated: bool | None = None

    @property
    def words(self) -> frozenset[str]:
        """Give the beginnings that are looked for."""
        return words_in(self.q)

    @property
    def finds_nothing(self) -> bool:
        """Tell whether something is looked for that is in no word."""
        return bool(self.q.strip()) and not self.words


ALL: Final = ModuleSearch()
"""A search that every module is found by."""
