"""The one lock of a deployment."""

from enum import StrEnum


class LockHolder(StrEnum):
    """What may hold it: a run, a CLI that keeps its state here, or a person."""

    RUN = "run"
    STATE_CLIENT = "state_client"
    PERSON = "person"
