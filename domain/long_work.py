"""How a use case asks for work that outlives its request."""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from pydantic import BaseModel

CONTROL_QUEUE: Final = "control"
TERRAFORM_QUEUE: Final = "terraform"


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
    they hold ids, names of states, environments and modules, and nothing secret or personal.
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
