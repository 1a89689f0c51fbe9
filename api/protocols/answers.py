"""Answers as the protocols' clients read them: JSON with an ETag, and lists in the public registry's form."""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import Depends, Query, Request, Response

MOST: Final = 100
"""Entries of one answer: who asks for more gets so many, as there, and is told so."""


def json_answer(answer: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    """Answer with a document that a proxy may keep, if it asks each time whether it still holds."""
    return text_answer(written(answer), headers)


def written(answer: object) -> str:
    """Write a document, or a part of one."""
    return json.dumps(answer, separators=(",", ":"))


def text_answer(answer: str, headers: dict[str, str] | None = None) -> Response:
    """Answer as json_answer does, with a document that is written already."""
    body = answer.encode()
    # Whoever asks has to show a key.
    kept = {"ETag": f'"{hashlib.sha256(body).hexdigest()}"', "Cache-Control": "private, no-cache"}
    return Response(body, media_type="application/json", headers={**kept, **(headers or {})})


def moment(time: datetime) -> str:
    """Write a time as the public registry does, in UTC with a Z."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class Offsets:
    """Which part of a list is asked for, by the public registry's parameters."""

    def __init__(
        self,
        request: Request,
        limit: Annotated[int, Query(ge=1, description=f"How many at most; {MOST} where it is more.")] = 15,
        offset: Annotated[int, Query(ge=0, le=2**31 - 1, description="How many are left out first.")] = 0,
    ) -> None:
        """Take the query parameters; FastAPI calls this."""
        self._request = request
        self.offset = offset
        self._limit = min(limit, MOST)

    @property
    def to_find(self) -> int:
        """How many to look for: one more than is shown, which tells whether there are more."""
        return self._limit + 1

    def answer(self, noun: str, found: Sequence[dict[str, Any]]) -> Response:
        """Answer with what was found, under its noun, and where the list goes on."""
        meta: dict[str, Any] = {"limit": self._limit, "current_offset": self.offset}
        if len(found) > self._limit:
            meta |= self._at("next", self.offset + self._limit)
        if self.offset > 0:
            meta |= self._at("prev", max(self.offset - self._limit, 0))
        return json_answer({"meta": meta, noun: found[: self._limit]})

    def _at(self, which: str, offset: int) -> dict[str, Any]:
        asked = {**self._request.query_params, "limit": str(self._limit), "offset": str(offset)}
        return {
            f"{which}_offset": offset,
            f"{which}_url": f"{self._request.url.path}?{urlencode(sorted(asked.items()))}",
        }


CallerOffsets = Annotated[Offsets, Depends()]
