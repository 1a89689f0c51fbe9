"""What a publishing request says before its first file, and the files behind it, as they stream."""

from collections.abc import AsyncIterator
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request

from api.registry.multipart import MultipartBody, Part, body_of
from domain.registry.errors import UploadInvalid
from services.registry.releases import ReleaseFile

MULTIPART: Final = "multipart/form-data"
LONGEST_VALUE: Final = 2_000
RAW: Final = frozenset({"application/gzip", "application/x-gzip", "application/zip", "application/octet-stream"})


class Upload:
    """A publishing request. Fields come as query parameters or as parts of the form, each once."""

    def __init__(self, request: Request, *, known: frozenset[str], required: frozenset[str]) -> None:
        """Take a request whose body nobody has read, and which fields it may and must have."""
        if request.headers.get("content-encoding", "identity") != "identity":
            raise HTTPException(415, "send the file as it is, without Content-Encoding")
        self._request = request
        self._known = known
        self._required = required
        self._parts: AsyncIterator[Part] | None = None
        self._given: dict[str, str] = {}
        self._first: Part | None = None

    async def fields(self) -> dict[str, str]:
        """Read up to the first file, or nothing if every field there is stands in the query.

        Raises:
            UploadInvalid: a field is missing, unknown or there twice.
        """
        given = self._given
        for name, value in self._request.query_params.multi_items():
            self._take(given, name, value)
        if self._kind() == MULTIPART:
            self._parts = MultipartBody(self._request).parts()
            while given.keys() != self._known and (part := await anext(self._parts, None)) is not None:
                if part.filename is not None:
                    self._first = part
                    break
                self._take(given, part.name, await part.text())
        missing = self._required - given.keys()
        if missing:
            raise UploadInvalid(f"fields are missing before the first file: {', '.join(sorted(missing))}")
        return given

    async def only_file(self) -> AsyncIterator[bytes]:
        """Give the one file of the request, piece by piece.

        Raises:
            UploadInvalid: there is none, or something follows it.
        """
        if self._kind() in RAW:
            async for piece in body_of(self._request):
                yield piece
            return
        file = await self._first_file()
        if file is None or self._parts is None:
            raise UploadInvalid("send the archive as the last part of a multipart/form-data form")
        async for piece in file.data():
            yield piece
        async for part in self._parts:
            raise UploadInvalid(f"the archive is the last part of the form, and {part.name[:64]!a} follows it")

    async def files(self) -> AsyncIterator[ReleaseFile]:
        """Give the files of the request in their order.

        Raises:
            UploadInvalid: a field stands among them.
        """
        file = await self._first_file()
        if file is None or self._parts is None:
            return
        yield _file(file)
        async for part in self._parts:
            yield _file(part)

    async def _first_file(self) -> Part | None:
        if self._first is None and self._parts is not None:
            self._first = await anext(self._parts, None)
            if self._first is not None and self._first.filename is None:
                self._take(self._given, self._first.name, "")  # which refuses it: all there are were given
        return self._first

    def _take(self, given: dict[str, str], name: str, value: str) -> None:
        if name not in self._known or name in given:
            raise UploadInvalid(
                f"the field {name[:64]!a} is unknown or there twice; send each once", known=sorted(self._known)
            )
        if not value.isprintable() or len(value) > LONGEST_VALUE:
            raise UploadInvalid(
                f"the field {name} is one line of at most {LONGEST_VALUE} characters, without control characters: "
                "terminals of others print it"
            )
        given[name] = value

    def _kind(self) -> str:
        return self._request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _file(part: Part) -> ReleaseFile:
    if part.filename is None:
        raise UploadInvalid(f"fields come before the first file, and {part.name[:64]!a} does not")
    return ReleaseFile(part.filename, part.data())
