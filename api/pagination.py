"""Pages of lists: as many as asked for, and a cursor to what follows."""

from collections.abc import Sequence
from typing import Annotated, Generic, Protocol, TypeVar, cast
from uuid import UUID

from fastapi import Depends, Query, Request
from pydantic import BaseModel, Field

from api.dependencies import principal_of, services_of


class _Listed(Protocol):
    @property
    def id(self) -> UUID: ...


N = TypeVar("N", bound=BaseModel)


class Page(BaseModel, Generic[N]):
    """Some of a list, and where it goes on."""

    items: list[N]
    next_cursor: str | None = Field(description="Give it as `cursor` for what follows; null at the end.")


class Paging:
    """What a caller asked for of a list. Cursors are bound to the organization, the list and its filters."""

    def __init__(
        self,
        request: Request,
        cursor: Annotated[
            str | None, Query(max_length=200, description="`next_cursor` of the page before.")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=200, description="How many at most.")] = 50,
    ) -> None:
        """Take the query parameters; FastAPI calls this."""
        self._signer = services_of(request).cursors
        self._bound = {"organization": str(principal_of(request).organization_id)}
        self._cursor = cursor
        self._limit = limit

    @property
    def fetch(self) -> int:
        """How many to ask the service for: one more than is shown tells whether there is a next page."""
        return self._limit + 1

    def after(self, listing: str, **filters: object) -> UUID | None:
        """Tell behind which id the page begins.

        Raises:
            CursorInvalid: of another list, or of other filters.
        """
        if self._cursor is None:
            return None
        return self._signer.read(listing, {**filters, **self._bound}, self._cursor)

    def page(self, found: Sequence[N], listing: str, **filters: object) -> Page[N]:
        """Make the page of what was found, which is up to `fetch` items."""
        items = list(found[: self._limit])
        more = len(found) > self._limit
        cursor = (
            self._signer.sign(listing, {**filters, **self._bound}, cast("_Listed", items[-1]).id) if more else None
        )
        return Page(items=items, next_cursor=cursor)


CallerPaging = Annotated[Paging, Depends()]
