"""Pages of lists: as many as asked for, and a cursor to what follows."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Final, Generic, Protocol, TypeVar, cast
from uuid import UUID

from fastapi import Depends, Query, Request
from pydantic import BaseModel, Field

from api.dependencies import principal_of, services_of

OF_PAGING: Final = frozenset({"cursor", "limit"})


class _Listed(Protocol):
    @property
    def id(self) -> UUID: ...


N = TypeVar("N", bound=BaseModel)


class Page(BaseModel, Generic[N]):
    """Some of a list, and where it goes on."""

    items: list[N]
    next_cursor: str | None = Field(description="Give it as `cursor` for what follows; null at the end.")


class Paging:
    """What a caller asked for of a list.

    A cursor is bound to the organization, the path and every other query parameter, so none is good for another
    list, and a route has nothing to say of it.
    """

    def __init__(
        self,
        request: Request,
        cursor: Annotated[
            str | None, Query(max_length=200, description="`next_cursor` of the page before.")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=200, description="How many at most.")] = 50,
    ) -> None:
        """Take the query parameters; FastAPI calls this."""
        asked_for = [item for item in sorted(request.query_params.multi_items()) if item[0] not in OF_PAGING]
        self._signer = services_of(request).cursors
        self._listing = request.url.path
        self._filters = {"organization": principal_of(request).organization_id, "asked_for": asked_for}
        self._cursor = cursor
        self._limit = limit

    async def of(self, found: Callable[[UUID | None, int], Awaitable[Sequence[N]]]) -> Page[N]:
        """Make the page that was asked for.

        Args:
            found: gives up to so many items behind an id (from the beginning for None), in order of id. It is
                asked for one more than is shown, which tells whether there is a next page.

        Raises:
            CursorInvalid: the cursor is of another list, other filters, or another organization.
        """
        cursor = self._cursor
        after = None if cursor is None else self._signer.read(self._listing, self._filters, cursor)
        items = list(await found(after, self._limit + 1))
        if len(items) <= self._limit:
            return Page(items=items, next_cursor=None)
        last = cast("_Listed", items[self._limit - 1])
        return Page(
            items=items[: self._limit], next_cursor=self._signer.sign(self._listing, self._filters, last.id)
        )


CallerPaging = Annotated[Paging, Depends()]
