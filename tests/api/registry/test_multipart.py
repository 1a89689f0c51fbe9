"""Forms as they stream: the same parts however the body is cut, and an end to how many there are."""

import itertools
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message

from api.registry.multipart import MOST_PARTS, MultipartBody
from domain.registry.errors import UploadInvalid, UploadTooLarge

BOUNDARY = b"cut-here"
# What looks like the end of a part, up to its last letter.
ALMOST = [b"\r", b"\n", b"\r\n", b"\r\n--", b"\r\n--cut-her", b"--cut-here", b"\r\n\r\n", b"-", b"x" * 500, b"\0"]
CONTENTS = (
    st.lists(st.sampled_from(ALMOST), max_size=6).map(b"".join).filter(lambda content: _end() not in content)
)
NAMES = st.sampled_from(["file", "a name", "\u00e4", "SHA256SUMS.sig"])
PARTS = st.lists(st.tuples(NAMES, st.none() | NAMES, CONTENTS), min_size=1, max_size=4)

Parts = list[tuple[str, str | None, bytes]]


def _end() -> bytes:
    return b"\r\n--" + BOUNDARY


def written(parts: Parts) -> bytes:
    body = b""
    for name, filename, content in parts:
        file = "" if filename is None else f'; filename="{filename}"'
        header = f'Content-Disposition: form-data; name="{name}"{file}\r\nX-More: y\r\n\r\n'
        body += b"--" + BOUNDARY + b"\r\n" + header.encode() + content + b"\r\n"
    return body + b"--" + BOUNDARY + b"--\r\n"


def body_of(pieces: Iterable[bytes]) -> MultipartBody:
    left = iter([*pieces])

    async def receive() -> Message:
        piece = next(left, None)
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

    headers = [(b"content-type", b"multipart/form-data; boundary=" + BOUNDARY)]
    return MultipartBody(Request({"type": "http", "method": "POST", "headers": headers}, receive))


async def read(pieces: Iterable[bytes]) -> Parts:
    return [
        (part.name, part.filename, b"".join([piece async for piece in part.data()]))
        async for part in body_of(pieces).parts()
    ]


class TestParts:
    @given(parts=PARTS, cuts=st.lists(st.integers(0, 2_000), max_size=6))
    async def test_are_what_was_sent_wherever_it_was_cut(self, parts: Parts, cuts: list[int]) -> None:
        body = written(parts)
        ends = sorted({min(cut, len(body)) for cut in cuts} | {0, len(body)})
        pieces = [body[start:end] for start, end in itertools.pairwise(ends)]
        assert await read(pieces) == parts

    @given(parts=PARTS, end=st.integers(0, 2_000))
    async def test_of_a_form_that_breaks_off_are_refused(self, parts: Parts, end: int) -> None:
        whole = written(parts)
        with pytest.raises(UploadInvalid, match="sent whole"):
            await read([whole[: min(end, len(whole) - len(b"--\r\n"))]])

    async def test_that_nobody_reads_are_passed_over(self) -> None:
        parts: Parts = [("a", None, b"x" * 5_000), ("b", "c", b"y")]
        assert [part.name async for part in body_of([written(parts)]).parts()] == ["a", "b"]

    async def test_are_at_most_so_many(self) -> None:
        parts: Parts = [("a", "b", b"")] * MOST_PARTS
        assert len(await read([written(parts)])) == MOST_PARTS
        with pytest.raises(UploadTooLarge, match="send fewer"):
            await read([written([*parts, ("a", "b", b"")])])
