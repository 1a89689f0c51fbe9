"""Downloads, that is who was told where a version is: the nouns."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from pydantic import BaseModel, Field

KEPT: Final = timedelta(days=400)
"""How long it is known which key downloaded what in which hour: a year can be held against the one before."""


BATCH_KEPT: Final = timedelta(days=1)
"""How long it is known that a batch of counts was written: who did not hear of it asks again within seconds."""


RUNS: Final = UUID(int=0)
"""What downloads of runs are counted by: each step has a key of its own, which nobody would know again."""


class DownloadKind(StrEnum):
    """What a downloaded version is of."""

    MODULE = "module"
    PROVIDER = "provider"


class DownloadInterval(StrEnum):
    """What downloads are counted by; days are UTC's."""

    HOUR = "hour"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class Given:
    """A version that an answer told the place of, as its route says; whoever gives the answer counts it."""

    organization_id: UUID
    kind: DownloadKind
    version_id: UUID


class DownloadsInTime(BaseModel, frozen=True):
    """How much was downloaded in an hour or a day."""

    at: datetime = Field(description="When it began, in UTC.")
    downloads: int


class MostDownloaded(BaseModel, frozen=True):
    """A module or provider, and how often it was downloaded."""

    address: str = Field(description="`namespace/name/system` of a module, `namespace/type` of a provider.")
    downloads: int
    api_keys: int = Field(description="By how many keys; all runs together are one.")
    last_at: datetime


class Consumer(BaseModel, frozen=True):
    """A key that has downloaded something, or all runs of the organization together."""

    api_key_id: UUID | None = Field(description="Null for runs: each of their steps has a key of its own.")
    name: str | None = Field(description="Of the key, or `runs`; null once the key is no longer kept.")
    tools: tuple[str, ...] = Field(
        description="What it came with, as in `Terraform/1.11`; what is not known is `other`."
    )
    downloads: int
    last_at: datetime

    @property
    def id(self) -> UUID:
        """What lists of consumers are ordered by."""
        return self.api_key_id or RUNS
