"""Logs over connections that break."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI, Header, Response
from fastapi.responses import StreamingResponse
from pydantic import SecretStr

from cli.client.api import Api
from cli.client.errors import RequestRefused, ServerUnreachable
from cli.client.profile import Profile
from cli.client.run_log import ConnectionLost, LogText, StateSeen, follow
from tests.fixtures.https import HttpsServer, serve

pytestmark = pytest.mark.servers

Answers = list[int | str]


class Script:
    """A server that gives one answer after the other: a status, or a stream that ends where it ends."""

    def __init__(self) -> None:
        self.answers: Answers = []
        self.asked_from: list[str | None] = []
        self.app = FastAPI()
        self.app.get("/api/v1/runs/{run_id}/logs")(self.logs)

    async def logs(self, last_event_id: str | None = Header(default=None)) -> Response:
        self.asked_from.append(last_event_id)
        answer = self.answers.pop(0)
        if isinstance(answer, int):
            return Response(status_code=answer)
        return StreamingResponse(iter([answer]), media_type="text/event-stream")


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    monkeypatch.setattr("cli.client.run_log.PAUSE", 0.01)
    return Script()


@pytest.fixture
async def server(script: Script, tmp_path: Path) -> AsyncIterator[HttpsServer]:
    async with serve(lambda _: script.app, tmp_path / "tls") as running:
        yield running


@pytest.fixture
def api(server: HttpsServer) -> Iterator[Api]:
    with Api(Profile(url=server.url, key=SecretStr("k"), ca=server.ca)) as made:
        yield made


async def followed(api: Api) -> list[LogText | StateSeen | ConnectionLost]:
    return await asyncio.to_thread(lambda: list(follow(api, "a-run")))


END = 'event: end\nid: 2:9\ndata: {"state": "applied"}\n\n'


class TestFollow:
    async def test_gives_lines_and_states_to_the_end(self, script: Script, api: Api) -> None:
        script.answers = [
            'event: state\ndata: {"state": "planning"}\n\nevent: log\nid: 1:8\ndata: one\ndata: two\n\n' + END
        ]
        assert await followed(api) == [
            StateSeen("planning", final=False),
            LogText("one\ntwo"),
            StateSeen("applied", final=True),
        ]

    async def test_goes_on_behind_the_last_event_when_the_stream_ends_early(
        self, script: Script, api: Api
    ) -> None:
        script.answers = ["event: log\nid: 1:4\ndata: one\n\n", "", END]
        assert await followed(api) == [LogText("one"), StateSeen("applied", final=True)]
        assert script.asked_from == [None, "1:4", "1:4"]

    async def test_says_a_state_once_however_often_the_connection_breaks(self, script: Script, api: Api) -> None:
        planning = 'event: state\ndata: {"state": "planning"}\n\n'
        script.answers = [planning, planning, planning + END]
        assert await followed(api) == [StateSeen("planning", final=False), StateSeen("applied", final=True)]

    async def test_waits_for_a_server_that_is_being_restarted(self, script: Script, api: Api) -> None:
        script.answers = [503, 502, END]
        assert await followed(api) == [StateSeen("applied", final=True)]

    async def test_says_once_that_the_server_is_away(
        self, script: Script, api: Api, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("cli.client.run_log.SAID_AFTER", 0)
        script.answers = [503, 503, "event: log\nid: 1:4\ndata: one\n\n", 503, END]
        assert await followed(api) == [
            ConnectionLost(),
            LogText("one"),
            ConnectionLost(),
            StateSeen("applied", final=True),
        ]

    async def test_gives_a_server_up_that_does_not_come_back(
        self, server: HttpsServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("cli.client.run_log.GIVEN_UP_AFTER", 0.05)
        nobody = Api(Profile(url="https://127.0.0.1:1", key=SecretStr("k"), ca=server.ca))
        with nobody, pytest.raises(ServerUnreachable, match="can't reach"):
            await followed(nobody)

    async def test_ends_at_once_when_it_is_refused(self, script: Script, api: Api) -> None:
        script.answers = [404, END]
        with pytest.raises(RequestRefused):
            await followed(api)
        assert script.answers == [END]
