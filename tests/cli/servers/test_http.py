"""What a connection takes before any application sees it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

import cli.servers.http
from cli.servers.http import LONGEST_HEAD
from tests.fixtures.https import HttpsServer, serve

PIECE = b"a" * 16_384
PIECES = range(8 * LONGEST_HEAD // len(PIECE))


async def _application(scope: Scope, receive: Receive, send: Send) -> None:
    """Say how long the body is, and how the headers."""
    if scope["type"] == "http":
        told = f"{len(await Request(scope, receive).body())} {sum(len(value) for _, value in scope['headers'])}"
        await PlainTextResponse(told)(scope, receive, send)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[HttpsServer]:
    async with serve(lambda _: _application, tmp_path) as running:
        yield running


class TestConnection:
    @pytest.mark.parametrize("begins", [b"GET /", b"GET / HTTP/1.1\r\nX-A: ", b"GET / HTTP/1.1\r\nX-A: 1\r\n"])
    async def test_a_head_without_an_end_is_refused(self, server: HttpsServer, begins: bytes) -> None:
        more = (b"X: " + b"a" * 1_000 + b"\r\n" if begins.endswith(b"\n") else b"a") * LONGEST_HEAD
        said = await _sent(server, begins + more[: LONGEST_HEAD - len(begins)], b"a")
        assert said.startswith(b"HTTP/1.1 400 ")
        assert said.endswith(b"\r\n\r\nThe head of a request may have 65536 bytes.")

    async def test_trailers_without_an_end_are_not_read_on(self, server: HttpsServer) -> None:
        begins = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-A: "
        assert await _sent(server, begins, *(PIECE for _ in PIECES)) == b""

    @pytest.mark.parametrize("begins", [b"", b"GET / HTTP/1.1\r\nX: "], ids=["silent", "slow"])
    async def test_a_head_that_does_not_come_is_not_waited_for(
        self, server: HttpsServer, monkeypatch: pytest.MonkeyPatch, begins: bytes
    ) -> None:
        monkeypatch.setattr(cli.servers.http, "HEAD_SECONDS", 0.1)
        assert await _sent(server, begins) == b""

    async def test_nor_is_that_of_a_later_request(
        self, server: HttpsServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cli.servers.http, "HEAD_SECONDS", 0.1)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=server.trust)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        async with asyncio.timeout(30):
            await reader.readuntil(b"0 0")
            writer.write(b"GET / HTTP/1.1\r\nX: ")
            with pytest.raises(asyncio.IncompleteReadError):
                await reader.readexactly(1)
        writer.transport.abort()

    async def test_a_request_may_take_longer_than_its_head(
        self, server: HttpsServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cli.servers.http, "HEAD_SECONDS", 0.1)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=server.trust)
        writer.write(b"POST / HTTP/1.1\r\nContent-Length: 1\r\nConnection: close\r\n\r\n")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.3)
        writer.write(b"a")
        async with asyncio.timeout(30):
            assert (await reader.read()).endswith(b"1 6")
        writer.transport.abort()

    async def test_long_heads_and_bodies_of_any_length_are_read_on_one_connection(
        self, server: HttpsServer
    ) -> None:
        head = b"POST / HTTP/1.1\r\nContent-Length: %d\r\nX: " % (len(PIECE) * len(PIECES))
        one = [head, *(PIECE for _ in range(3)), b"\r\n\r\n", *(PIECE for _ in PIECES)]
        said = await _sent(server, *one, *one, b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert said.count(b"524288 49158") == 2
        assert said.endswith(b"0 5")


async def _sent(server: HttpsServer, *pieces: bytes) -> bytes:
    """Send one piece after another, as far as they are taken, and give all that is answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=server.trust)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        async with asyncio.timeout(30):
            return await reader.read()
    except ConnectionError:
        return await reader.read() if not reader.exception() else b""
    finally:
        writer.transport.abort()
