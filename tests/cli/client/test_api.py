"""What the client does when an answer gets lost on its way."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from pydantic import SecretStr

from cli.client.api import Api, Document
from cli.client.errors import AnswerLost, RequestRefused
from cli.client.profile import Profile

MADE = b'{"id": "the-one"}'
HTML = b"<!doctype html><title>Welcome</title>"
UPLOADED = ("file", ("a.zip", io.BytesIO(b"PK")))
REFUSED = b'{"detail": "no", "code": "platform.no"}'


class Server:
    """Takes requests; gives an answer to each, or none and closes the connection."""

    def __init__(self, answers: list[tuple[int, bytes] | None]) -> None:
        self._answers = answers
        self.asked: list[tuple[str, str]] = []

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Api]:
        """Listen, and give a client."""
        async with await asyncio.start_server(self._serve, "127.0.0.1", 0) as listening:
            port = listening.sockets[0].getsockname()[1]
            plain = Profile.model_construct(url=f"http://127.0.0.1:{port}", key=SecretStr("k"), ca=None)
            with Api(plain) as api:
                yield api

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = dict(line.lower().split(": ", 1) for line in head.splitlines()[1:] if line)
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.asked.append((headers.get("idempotency-key", ""), body.decode()))
        answer = self._answers.pop(0)
        if answer is not None:
            status, document = answer
            head = f"HTTP/1.1 {status} Said\r\nContent-Length: {len(document)}\r\nConnection: close\r\n\r\n"
            writer.write(head.encode() + document)
            await writer.drain()
        writer.close()


async def post(api: Api) -> Document:
    return await asyncio.to_thread(api.post, "/api/v1/things", {"name": "one"})


class TestPost:
    async def test_a_lost_answer_is_asked_for_again_as_the_same_request(self) -> None:
        server = Server([None, (200, MADE)])
        async with server.running() as api:
            assert await post(api) == {"id": "the-one"}
        [(key, body), again] = server.asked
        assert key
        assert (key, body) == again

    async def test_two_requests_are_two_things(self) -> None:
        server = Server([(200, MADE), (200, MADE)])
        async with server.running() as api:
            await post(api)
            await post(api)
        assert len({key for key, _ in server.asked}) == 2

    async def test_gives_up_after_the_second_time(self) -> None:
        server = Server([None, None])
        async with server.running() as api:
            with pytest.raises(AnswerLost, match="broke"):
                await post(api)
        assert len(server.asked) == 2

    async def test_a_refusal_is_an_answer(self) -> None:
        server = Server([(409, REFUSED)])
        async with server.running() as api:
            with pytest.raises(RequestRefused, match="no"):
                await post(api)
        assert len(server.asked) == 1


class TestAnotherServer:
    """One that answers 200 to anything, since the address is wrong."""

    @pytest.mark.parametrize(
        ("answer", "ask"),
        [
            (HTML, lambda api: api.get("/version")),
            (b'["one"]', lambda api: api.get("/version")),
            (b'{"version": {}}', lambda api: api.get("/version")["version"]["module_bytes"]),
            (HTML, lambda api: api.listed("/api/v1/things")),
            (b"{}", lambda api: api.listed("/api/v1/things")),
            (b"[1]", lambda api: api.listed("/api/v1/things")),
            (b"{}", lambda api: list(api.items("/api/v1/things"))),
            (b'{"items": 7}', lambda api: list(api.items("/api/v1/things"))),
            (b'{"items": [{}]}', lambda api: next(api.items("/api/v1/things"))["id"]),
            (HTML, lambda api: api.upload("/api/v1/modules", {}, [UPLOADED])),
            (HTML, lambda api: api.post("/api/v1/things", {})),
            (HTML, lambda api: api.text("/api/v1/runs/1/logs.txt")),
            (HTML, lambda api: api.delete("/api/v1/things/1")),
        ],
    )
    async def test_is_told_of_in_one_sentence(self, answer: bytes, ask: Callable[[Api], object]) -> None:
        async with Server([(200, answer)]).running() as api:
            with pytest.raises(
                RequestRefused, match=r"/.+ answered, and not as Groundwork does: is the address right"
            ):
                await asyncio.to_thread(ask, api)
