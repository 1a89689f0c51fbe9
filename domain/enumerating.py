"""Sentences that name some of many things."""

from collections.abc import Sequence


def first_of(names: Sequence[str], most: int) -> str:
    """Name the first, up to so many, and show whether there are more."""
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


def first_of_counted(names: Sequence[str], most: int) -> str:
    """Name the first, up to so many, and say how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
