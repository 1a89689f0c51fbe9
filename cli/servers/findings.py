"""What `groundwork doctor` tells: one thing that was looked at."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: how it is, and what to do, which says that it is not good."""

    name: str
    state: str
    advice: str = ""
    ok: bool = field(init=False)

    def __post_init__(self) -> None:
        """Follow from the advice."""
        object.__setattr__(self, "ok", not self.advice)
