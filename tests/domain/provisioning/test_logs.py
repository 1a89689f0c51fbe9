"""Places in logs, and lines out of pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.provisioning.errors import LogPositionInvalid
from domain.provisioning.logs import LineReader, LogPiece, LogPosition, pieces_after

logs = st.lists(st.binary(max_size=60), min_size=1, max_size=3)


def cut(log: list[bytes], sizes: list[int]) -> list[LogPiece]:
    """Cut the logs of a run's steps into pieces of the given sizes, again and again."""
    pieces, turn = [], 0
    for number, data in enumerate(log, 1):
        offset = 0
        while offset < len(data):
            size = sizes[turn % len(sizes)]
            pieces.append(LogPiece(number, offset, data[offset : offset + size]))
            offset, turn = offset + size, turn + 1
    return pieces


class TestPiecesAfter:
    @given(logs, st.lists(st.integers(1, 9), min_size=1), st.data())
    def test_give_exactly_what_is_behind_a_position(
        self, log: list[bytes], sizes: list[int], data: st.DataObject
    ) -> None:
        step = data.draw(st.integers(1, len(log)))
        offset = data.draw(st.integers(0, len(log[step - 1])))
        left = pieces_after(cut(log, sizes), LogPosition(step, offset))
        assert b"".join(piece.data for piece in left) == log[step - 1][offset:] + b"".join(log[step:])


class TestLineReader:
    @given(logs, st.lists(st.integers(1, 9), min_size=1))
    def test_lines_are_those_of_the_whole_log_however_it_is_cut(self, log: list[bytes], sizes: list[int]) -> None:
        reader, lines = LineReader(), []
        for piece in cut(log, sizes):
            lines += reader.add(piece)
        lines += reader.finish()
        whole = [line for data in log for line in data.removesuffix(b"\n").split(b"\n") if data]
        assert lines == whole

    @given(st.binary(min_size=1, max_size=60), st.integers(1, 9))
    def test_reading_on_from_a_position_loses_and_repeats_nothing(self, data: bytes, size: int) -> None:
        pieces = cut([data], [size])
        for stop in range(len(pieces) + 1):
            first, second = LineReader(), LineReader()
            lines = [line for piece in pieces[:stop] for line in first.add(piece)]
            for piece in pieces_after(pieces, first.position):
                lines += second.add(piece)
            assert lines + second.finish() == data.removesuffix(b"\n").split(b"\n")


class TestPosition:
    def test_reads_what_it_writes(self) -> None:
        assert LogPosition.read(str(LogPosition(2, 4096))) == LogPosition(2, 4096)

    @pytest.mark.parametrize("text", ["", "2", "2:", ":1", "-1:0", "1:1:1", "1:x", "1:" + "9" * 40])
    def test_refuses_anything_else(self, text: str) -> None:
        with pytest.raises(LogPositionInvalid):
            LogPosition.read(text)
