"""multipart/form-data as it streams: part after part, each read only as far as somebody asks for it.

The framework's own forms read the whole body to disk before any dependency runs; here a wrong key, name or
first file ends the request before the next byte is asked for.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Final

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import ClientDisconnect, Request

from domain.registry.errors import UploadInvalid, UploadStalled, UploadTooLarge

MOST_PARTS: Final = 500
LONGEST_FIELD: Final = 16 * 1024
MULTIPART: Final = b"multipart/form-data"
STALLED_SECONDS: Final = 60.0


async def body_of(request: Request) -> AsyncIterator[bytes]:
    """Give the body of a request as it comes, for as long as it comes: a network may die and tell nobody.

    Raises:
        UploadInvalid: it ends in the middle.
        UploadStalled: nothing of it came for STALLED_SECONDS.
    """
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout(STALLED_SECONDS):
                piece = await anext(stream, b"")
        except ClientDisconnect:
            raise UploadInvalid("the upload ends in the middle; was it sent whole?") from None
        except TimeoutError:
            raise UploadStalled("nothing came for too long; look at the network, and send it again") from None
        if not piece:
            return  # the stream ends with an empty one
        yield piece


class Part:
    """A field, or a file where it has a file name. Its data is there until the next part is asked for."""

    def __init__(self, body: "MultipartBody", disposition: bytes) -> None:
        """Read the part's headers.

        Raises:
            UploadInvalid: it has no name.
        """
        kind, options = parse_options_header(disposition)
        name, filename = options.get(b"name"), options.get(b"filename")
        if kind != b"form-data" or name is None:
            raise UploadInvalid('each part of the form has Content-Disposition: form-data; name="..."')
        self.name = _text(name)
        self.filename = None if filename is None else _text(filename)
        self._body = body

    async def data(self) -> AsyncIterator[bytes]:
        """Give the content, piece by piece."""
        while (piece := await self._body.next_piece()) is not None:
            yield piece

    async def text(self) -> str:
        """Give the content of a field.

        Raises:
            UploadInvalid: it is longer than a field may be, or no UTF-8.
        """
        content = b""
        async for piece in self.data():
            content += piece
            if len(content) > LONGEST_FIELD:
                raise UploadInvalid(
                    f"the field {self.name[:64]!a} is longer than {LONGEST_FIELD} bytes; shorten it"
                )
        return _text(content)


class MultipartBody:
    """The body of a request, read as parts."""

    def __init__(self, request: Request) -> None:
        """Take a request whose body nobody has read.

        Raises:
            UploadInvalid: it is no multipart/form-data with a boundary.
        """
        kind, options = parse_options_header(request.headers.get("content-type"))
        boundary = options.get(b"boundary")
        if kind != MULTIPART or not boundary:
            raise UploadInvalid("send multipart/form-data with a boundary")
        self._stream = body_of(request)
        self._events: deque[tuple[str, bytes]] = deque()
        self._header = [b"", b""]
        self._disposition = b""
        self._ended = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._part_begins,
                    "on_header_field": lambda data, start, end: self._header_grows(0, data[start:end]),
                    "on_header_value": lambda data, start, end: self._header_grows(1, data[start:end]),
                    "on_header_end": self._header_ends,
                    "on_headers_finished": lambda: self._events.append(("part", self._disposition)),
                    "on_part_data": lambda data, start, end: self._events.append(("data", data[start:end])),
                    "on_part_end": lambda: self._events.append(("end", b"")),
                    "on_end": self._body_ends,
                },
            )
        except FormParserError as error:
            raise UploadInvalid(f"the form can't be read: {error}") from None

    async def parts(self) -> AsyncIterator[Part]:
        """Give the parts in their order; what was not read of one is skipped.

        Raises:
            UploadInvalid: the form is damaged or cut off.
            UploadTooLarge: it has too many parts.
        """
        count = 0
        while True:
            event = await self._next_event()
            if event is None:
                return
            kind, content = event
            if kind == "part":
                count += 1
                if count > MOST_PARTS:
                    raise UploadTooLarge(f"the form has more than {MOST_PARTS} parts; send fewer files")
                yield Part(self, content)

    async def next_piece(self) -> bytes | None:
        """Give more of the part that is being read; None at its end."""
        event = await self._next_event()
        return event[1] if event is not None and event[0] == "data" else None

    async def _next_event(self) -> tuple[str, bytes] | None:
        while not self._events:
            if self._ended:
                return None
            await self._feed()
        return self._events.popleft()

    async def _feed(self) -> None:
        content = await anext(self._stream, None)
        if content is None:
            raise UploadInvalid("the form ends in the middle; was it sent whole?")
        try:
            self._parser.write(content)
        except FormParserError as error:
            raise UploadInvalid(f"the form can't be read: {error}") from None

    def _part_begins(self) -> None:
        self._disposition = b""

    def _header_grows(self, at: int, content: bytes) -> None:
        self._header[at] += content

    def _header_ends(self) -> None:
        if self._header[0].lower() == b"content-disposition":
            self._disposition = self._header[1]
        self._header = [b"", b""]

    def _body_ends(self) -> None:
        self._ended = True


def _text(content: bytes) -> str:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise UploadInvalid("a name or field of the form is no UTF-8; write it so") from None
    if "\0" in text:
        raise UploadInvalid("a name or field of the form has a NUL; leave it out")
    return text
