"""What terraform and tofu say with -json, line by line."""

from pydantic import BaseModel


class ChangeSummary(BaseModel, frozen=True):
    """How many resources a plan would, or an apply did, add, change, take over and remove."""

    add: int = 0
    change: int = 0
    import_: int = 0
    remove: int = 0
