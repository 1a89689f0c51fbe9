"""The runner's end of the pipe that its worker reads.

A worker that is dead closes its end; one that is only stopped, by a debugger or a host under pressure, reads
nothing for as long as it likes. Neither may keep the runner from renewing its lease and keeping what is made.
"""

import asyncio
import os
from typing import Self

from pydantic import BaseModel


class Answers(asyncio.BaseProtocol):
    """Writes answers and never waits for who reads them."""

    def __init__(self) -> None:
        """Begin unconnected; see open."""
        self._pipe: asyncio.WriteTransport | None = None
        self._gone = asyncio.Event()

    @classmethod
    async def open(cls, descriptor: int) -> Self:
        """Take over a pipe's file descriptor, which is closed at the end."""
        loop = asyncio.get_running_loop()
        _, answers = await loop.connect_write_pipe(cls, os.fdopen(descriptor, "wb", buffering=0))
        return answers

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the open pipe."""
        if isinstance(transport, asyncio.WriteTransport):
            self._pipe = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio's name for it
        """Know that all is written, or that nobody reads any more: then the database has it."""
        self._gone.set()

    def pause_writing(self) -> None:
        """Nothing: what must be told is kept in memory, and it is little."""

    def resume_writing(self) -> None:
        """Nothing, as above."""

    def send(self, answer: BaseModel) -> None:
        """Send what the worker has to know, as soon as it reads."""
        if self._pipe is not None and not self._pipe.is_closing():
            self._pipe.write(answer.model_dump_json().encode() + b"\n")

    def send_if_read(self, news: BaseModel) -> None:
        """Send what is soon out of date anyway, or drop it if what was sent before is not yet read."""
        if self._pipe is not None and not self._pipe.get_write_buffer_size():
            self.send(news)

    async def close(self) -> None:
        """Close the pipe when all is read, or nobody is there to read it."""
        if self._pipe is not None:
            self._pipe.close()
            await self._gone.wait()
