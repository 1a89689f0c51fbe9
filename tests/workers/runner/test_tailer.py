"""Following files that somebody else writes, by pieces of any size."""

import asyncio
import json
import os
from functools import partial
from pathlib import Path

import pytest

from domain.redaction import Redactor
from tests.workers.runner.waiting import until
from workers.runner.files import LARGEST, TooLarge
from workers.runner.tailer import FLUSH_BYTES, LogTail, StateTail


class Kept:
    """Takes what is to be kept."""

    def __init__(self) -> None:
        self.log = b""
        self.pieces: list[int] = []
        self.states: list[bytes] = []
        self.lines: list[bytes] = []

    async def keep_log(self, offset: int, data: bytes) -> None:
        assert offset == len(self.log)
        self.log += data
        self.pieces.append(len(data))

    async def keep_state(self, content: bytes) -> None:
        self.states.append(content)

    def has_lines(self, count: int) -> bool:
        return len(self.lines) == count

    def has_states(self, count: int) -> bool:
        return len(self.states) == count


def a_state(serial: int, filler: str = "") -> bytes:
    return json.dumps({"version": 4, "serial": serial, "lineage": "a", "filler": filler}).encode()


async def ended() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


class TestLogTail:
    async def test_gives_all_bytes_and_whole_lines(self, tmp_path: Path) -> None:
        path, kept = tmp_path / "log", Kept()
        path.write_bytes(b"one\ntwo secret-value\nno end")
        tail = LogTail(path, Redactor(["secret-value"]), kept.keep_log, kept.lines.append)
        await tail.follow(await ended())
        assert kept.log == b"one\ntwo [redacted]\nno end"
        assert kept.lines == [b"one", b"two [redacted]", b"no end"]
        assert tail.end == len(kept.log)

    async def test_gives_what_is_written_while_it_is_written(self, tmp_path: Path) -> None:
        path, kept, event = tmp_path / "log", Kept(), asyncio.Event()
        tail = LogTail(path, Redactor([]), kept.keep_log, kept.lines.append)
        following = asyncio.create_task(tail.follow(event))
        with path.open("wb", buffering=0) as file:
            for number in range(3):
                file.write(b"line\n")
                await until(partial(kept.has_lines, number + 1))
        event.set()
        await following

    async def test_gives_pieces_of_bounded_size(self, tmp_path: Path) -> None:
        path, kept = tmp_path / "log", Kept()
        path.write_bytes(bytes(3 * FLUSH_BYTES + 1))
        await LogTail(path, Redactor([]), kept.keep_log, kept.lines.append).follow(await ended())
        assert kept.pieces == [FLUSH_BYTES, FLUSH_BYTES, FLUSH_BYTES, 1]

    async def test_of_a_file_that_never_was_is_empty(self, tmp_path: Path) -> None:
        kept = Kept()
        await LogTail(tmp_path / "none", Redactor([]), kept.keep_log, kept.lines.append).follow(await ended())
        assert (kept.log, kept.lines) == (b"", [])


class TestStateTail:
    async def test_keeps_every_serial_and_no_half_one(self, tmp_path: Path) -> None:
        path, kept, event = tmp_path / "state", Kept(), asyncio.Event()
        tail = StateTail(path, kept.keep_state)
        following = asyncio.create_task(tail.follow(event))
        for serial in range(3):
            whole = a_state(serial)
            path.write_bytes(whole[:10])
            path.write_bytes(whole)
            await until(partial(kept.has_states, serial + 1))
        path.write_bytes(b"")  # as at the beginning of another write
        event.set()
        await following
        assert kept.states == [a_state(0), a_state(1), a_state(2)]
        assert tail.serial == 2

    async def test_takes_the_state_that_was_given_for_no_news(self, tmp_path: Path) -> None:
        path, kept = tmp_path / "state", Kept()
        path.write_bytes(a_state(7))
        tail = StateTail(path, kept.keep_state)
        path.write_bytes(a_state(7))
        await tail.follow(await ended())
        assert (kept.states, tail.serial) == ([], 7)

    async def test_sees_a_change_that_the_clock_of_the_file_system_hides(self, tmp_path: Path) -> None:
        path, kept = tmp_path / "state", Kept()
        path.write_bytes(a_state(1, "a"))
        tail = StateTail(path, kept.keep_state)
        before = path.stat()
        path.write_bytes(a_state(1, "b"))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        await tail.follow(await ended())
        assert kept.states == [a_state(1, "b")]

    @pytest.mark.parametrize("content", [b"{", b"[]", b"7", b'{"serial":"x"}', b'{"serial":true}', b"\xff"])
    async def test_gives_what_is_no_state_at_the_end_alone(self, tmp_path: Path, content: bytes) -> None:
        path, kept, event = tmp_path / "state", Kept(), asyncio.Event()
        tail = StateTail(path, kept.keep_state)
        following = asyncio.create_task(tail.follow(event))
        for whole, states in ((a_state(1), 1), (content, 1), (a_state(2), 2)):
            path.write_bytes(whole)
            await until(partial(kept.has_states, states))
        path.write_bytes(content)
        event.set()
        await following
        assert kept.states == [a_state(1), a_state(2), content]
        assert tail.serial == 2

    async def test_says_at_the_end_alone_what_can_not_be_read(self, tmp_path: Path) -> None:
        path, kept = tmp_path / "state", Kept()
        tail = StateTail(path, kept.keep_state)
        with path.open("wb") as file:
            file.truncate(LARGEST + 1)
        await tail._look(is_last=False)
        with pytest.raises(TooLarge):
            await tail.follow(await ended())
        assert kept.states == []

    async def test_gives_nothing_of_a_file_that_was_never_filled(self, tmp_path: Path) -> None:
        path, kept = tmp_path / "state", Kept()
        tail = StateTail(path, kept.keep_state)
        path.touch()
        await tail.follow(await ended())
        assert (kept.states, tail.serial) == ([], None)
