"""How a use case asks for work that outlives its request."""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import IntEnum
from typing import Final

from pydantic import BaseModel, Field

CONTROL_QUEUE: Final = "control"
TERRAFORM_QUEUE: Final = "terraform"
TRANSFER_QUEUE: Final = "transfer"
"""What reads or moves large files."""
TICK_EVERY: Final = timedelta(seconds=30)
"""How often every area is looked after."""


class Priority(IntEnum):
    """Which waiting work goes first; a lower number wins (design: cancel before apply before plan)."""

    CANCEL = 1
    APPLY = 2
    PLAN = 3
    EXPIRY = 4
    DRIFT = 5


@dataclass(frozen=True, slots=True)
class Wake:
    """See that a workflow runs, and tell it that there is news.

    It is started if it does not run, woken if it does, and left alone if it and its row have ended. What the news
    is stands in PostgreSQL: a woken workflow reads it there. So a wake may come twice, late, or in any order.

    `summary` and `attributes` are what operators see in the Temporal Web UI; they are not encrypted there, so
    they hold ids, names of states, environments, deployments and modules, and nothing secret or personal.
    """

    workflow: str
    workflow_id: str
    task_queue: str
    input: BaseModel
    area: str
    resource_id: str
    summary: str
    priority: Priority = Priority.PLAN
    attributes: dict[str, str] = field(default_factory=dict)


class AreaName(BaseModel, frozen=True):
    """Which area is to be looked after."""

    area: str


class AreaNames(BaseModel, frozen=True):
    """The areas that there are."""

    areas: tuple[str, ...]


class TickReport(BaseModel, frozen=True):
    """What looking after an area came to. It goes into a history, so it holds counts and no name of anybody."""

    done: dict[str, int] = Field(default_factory=dict)
    """How much of what, in the area's words."""
    succeeded: int = 0
    """Organizations that were looked after."""
    failed: int = 0
    """Organizations in which it did not succeed; the worker's log says which, and why."""
    left: int = 0
    """Organizations that it did not get to; the next tick goes on with them."""


@dataclass(frozen=True, slots=True)
class LastTick:
    """When an area was looked after last: how long ago, where it did not succeed, and what it did not get to."""

    area: str
    age: timedelta
    failed: int
    left: int
