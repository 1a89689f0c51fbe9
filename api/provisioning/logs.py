"""Routes of logs: as they come, and whole."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import StreamingResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent

from api.dependencies import Requires, RunLogService, RunService
from domain.identity.permissions import Permission
from domain.provisioning.events import human_line
from domain.provisioning.logs import LineReader, LogPiece, LogPosition
from domain.provisioning.run_states import FINAL, RunState
from domain.scope import Scope

router = APIRouter(prefix="/api/v1", tags=["provisioning"])

READERS = Requires(Permission.RUN_READ)
MayRead = Annotated[Scope, Depends(READERS)]


async def _begin(
    run_id: UUID,
    scope: MayRead,
    runs: RunService,
    last_event_id: Annotated[
        str | None, Header(alias="Last-Event-ID", description="`id` of the last event that arrived.")
    ] = None,
) -> LogPosition:
    # Before the first byte of the answer: afterwards there is no status to say no with.
    await runs.get(scope, run_id)
    return LogPosition() if last_event_id is None else LogPosition.read(last_event_id)


@router.get("/runs/{run_id}/logs", response_class=EventSourceResponse, operation_id="follow_run_log")
async def follow_run_log(
    run_id: UUID,
    request: Request,
    scope: MayRead,
    logs: RunLogService,
    begin: Annotated[LogPosition, Depends(_begin)],
) -> AsyncIterator[ServerSentEvent]:
    """Follow a run: `log` events with lines as people read them, its `state` events, one `end` with the last.

    Who was cut off sends the id of the last event as Last-Event-ID and misses nothing. Without an `end` the answer
    ends when the server stops, and within a minute of when the key does.
    """
    reader = LineReader()
    async for news in logs.follow(scope, run_id, begin, partial(READERS.again, request)):
        if isinstance(news, RunState) and news not in FINAL:
            yield ServerSentEvent(event="state", data={"state": news.value})
        elif isinstance(news, RunState):
            if rest := _shown(reader.finish()):
                yield ServerSentEvent(event="log", id=str(reader.position), raw_data=rest)
            yield ServerSentEvent(event="end", id=str(reader.position), data={"state": news.value})
            return
        elif text := _shown([line for piece in news for line in reader.add(piece)]):
            yield ServerSentEvent(event="log", id=str(reader.position), raw_data=text)


@router.get("/runs/{run_id}/logs.txt", response_class=StreamingResponse, operation_id="download_run_log")
async def download_run_log(
    run_id: UUID, scope: MayRead, runs: RunService, logs: RunLogService
) -> StreamingResponse:
    """Download a run's log so far, as plain text."""
    await runs.get(scope, run_id)

    async def lines() -> AsyncIterator[str]:
        reader, position = LineReader(), LogPosition()
        pieces: list[LogPiece] = await logs.read(scope, run_id, position)
        while pieces:
            if text := _shown([line for piece in pieces for line in reader.add(piece)]):
                yield text + "\n"
            pieces = await logs.read(scope, run_id, pieces[-1].end)
        if rest := _shown(reader.finish()):
            yield rest + "\n"

    headers = {"Content-Disposition": f'attachment; filename="run-{run_id}.txt"'}
    return StreamingResponse(lines(), media_type="text/plain; charset=utf-8", headers=headers)


def _shown(lines: list[bytes]) -> str:
    return "\n".join(text for line in lines if (text := human_line(line)) is not None)
