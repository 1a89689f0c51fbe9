"""The blob store as operators look at it: is it the one that the database speaks of, and are its blobs whole?"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class BlobStoreState(StrEnum):
    """How the blob store is. It has a mark, which the database knows too: a path or bucket may be another's."""

    OK = "ok"
    UNMARKED = "unmarked"
    """It is the right one as far as anybody can tell, and its mark is still to be written."""
    AWAY = "away"
    EMPTY = "empty"
    """It has neither the mark nor any blob of those that were looked for."""
    ANOTHER = "another"
    """It has the mark of another installation's store."""

    @property
    def is_wrong(self) -> bool:
        """Whether what is written there would be lost to whoever brings the right one back."""
        return self in {BlobStoreState.EMPTY, BlobStoreState.ANOTHER}


ADVICE: Final = {
    BlobStoreState.AWAY: "the blob store does not answer: look for server_away in the log of the API",
    BlobStoreState.EMPTY: (
        "the blob store is empty, and the database knows blobs: mount the folder of the setting blobs.path, or "
        "name the bucket that has them, or restore the blob store from the backup"
    ),
    BlobStoreState.ANOTHER: (
        "the blob store is not the one that this database speaks of: look at the settings blobs.path and "
        "blobs.s3.bucket, and at what is mounted there"
    ),
}
"""What to do about a state, in a sentence."""


class BlobProblem(StrEnum):
    """What is wrong with a blob."""

    LOST = "lost"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class CheckedBlob:
    """A blob that was read, every byte of it."""

    sha256: str
    size: int
    problem: BlobProblem | None
