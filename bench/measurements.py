"""What a benchmark says."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measurement:
    """One figure and its goal."""

    name: str
    figure: float
    unit: str
    goal: float
    at_most: bool = True
    note: str = ""

    @property
    def met(self) -> bool:
        """Whether the goal is met."""
        return self.figure <= self.goal if self.at_most else self.figure >= self.goal

    def __str__(self) -> str:
        """Write the line that is printed."""
        bound = "<=" if self.at_most else ">="
        verdict = "ok" if self.met else "short"
        line = f"{self.name:<44} {self.figure:>8.2f} {self.unit:<6} goal {bound} {self.goal:g}  {verdict}"
        return f"{line}  ({self.note})" if self.note else line


def percentile(values: Sequence[float], percent: int) -> float:
    """Give the value that so many percent of the values are not above, by the nearest rank."""
    ranked = sorted(values)
    return ranked[max(0, -(-percent * len(ranked) // 100) - 1)]


def median(values: Sequence[float]) -> float:
    """Give the middle value."""
    return statistics.median(values)
