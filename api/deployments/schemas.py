"""What deployments accept; what they answer are the nouns of domain.deployments."""

from typing import Annotated

from fastapi import Query
from pydantic import Field

from domain.text import Spelled, Text


def _pairs(tags: list[str]) -> dict[str, str] | None:
    return dict(tag.split("=", 1) for tag in tags) if tags else None


class TagFilter:
    """Tags that things in a list must have."""

    def __init__(
        self,
        tag: Annotated[
            list[Annotated[Text, Field(pattern=r"^[^=]{1,63}=.{0,255}$"), Spelled("is written key=value")]],
            Query(description="`key=value`; all of several.", max_length=20),
        ] = [],  # noqa: B006  FastAPI copies it
    ) -> None:
        """Take the query parameters; FastAPI calls this."""
        self.wanted = _pairs(tag)
