"""The local folder as a store of blobs."""

import errno
import fcntl
import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import structlog

import storage.blobs.local
from domain.errors import BlobDamaged, Unavailable
from storage.blobs.local import LocalBlobStore
from storage.blobs.store import BlobStore, key_of
from storage.blobs.verified import VerifiedBody
from tests.storage.blobs.contract import BlobStoreContract, Replace, all_of, pieces


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return LocalBlobStore(tmp_path / "blobs")


@pytest.fixture
def replace(tmp_path: Path) -> Replace:
    def write(name: str, data: bytes) -> None:
        (tmp_path / "blobs" / key_of(name)).write_bytes(data)

    return write


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Let the system refuse what is written behind so many bytes of a file, as a full disk does."""
    before, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, most))


class TestLocalBlobStore(BlobStoreContract):
    async def test_nobody_else_on_the_machine_reads_it(self, store: BlobStore, tmp_path: Path) -> None:
        await store.put(pieces(b"x"), limit=1)
        for path in (tmp_path / "blobs", *(tmp_path / "blobs").rglob("*")):
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path

    async def test_leaves_no_file_but_the_blobs(self, store: BlobStore, tmp_path: Path) -> None:
        name, _ = await store.put(pieces(b"x"), limit=1)
        await store.put(pieces(b"x"), limit=1)
        assert [path.name for path in files_in(tmp_path)] == [name]

    async def test_hashes_a_file_again_only_after_somebody_wrote_to_it(
        self, store: BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hashed = []

        def body(give: Callable[[int], bytes], sha256: str, *, is_whole: bool) -> VerifiedBody:
            hashed.append(is_whole)
            return VerifiedBody(give, sha256, is_whole=is_whole)

        monkeypatch.setattr(storage.blobs.local, "VerifiedBody", body)
        name, _ = await store.put(pieces(b"x"), limit=1)
        for _ in range(2):
            await all_of(store, name)
        assert hashed == [True, True], "it was written to a moment ago, and may be again in the same moment"
        monkeypatch.setattr(storage.blobs.local, "SETTLES_NS", -1)
        for _ in range(3):
            await all_of(store, name)
        (tmp_path / "another").write_bytes(b"x")
        (tmp_path / "another").replace(tmp_path / "blobs" / key_of(name))
        await all_of(store, name)
        assert hashed[2:] == [True, False, False, True]

    @pytest.mark.parametrize("broken", ["to open", "to read"])
    async def test_a_blob_that_can_not_be_read_is_damaged_and_the_store_goes_on(
        self, store: BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
    ) -> None:
        bad, _ = await store.put(pieces(b"x"), limit=1)
        good, _ = await store.put(pieces(b"y"), limit=1)

        def failing(*_: object) -> bytes:
            raise OSError(errno.EIO, "Input/output error")

        with structlog.testing.capture_logs() as lines, monkeypatch.context() as patch:
            if broken == "to open":
                path = tmp_path / "blobs" / key_of(bad)
                path.unlink()
                path.symlink_to(path)  # no permission keeps root from a file, and a loop does
                with pytest.raises(BlobDamaged):
                    await store.size(bad)
            else:
                patch.setattr(VerifiedBody, "read", failing)
            for asked in (all_of(store, bad), store.check(bad)):
                with pytest.raises(BlobDamaged, match="can't read this blob") as no:
                    await asked
                assert no.value.found_sha256 is None
        assert {(line["event"], line["sha256"]) for line in lines} == {("blob_damaged", bad)}
        assert await all_of(store, good) == b"y"

    @pytest.mark.parametrize("call", ["fsync", "replace"])
    async def test_a_full_disk_is_unavailable_and_leaves_nothing(
        self, store: BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
    ) -> None:
        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        owner: object = os if call == "fsync" else Path
        monkeypatch.setattr(owner, call, full)
        with pytest.raises(Unavailable, match=r"No space left on device.*made room"):
            await store.put(pieces(b"x"), limit=1)
        assert files_in(tmp_path) == []

    @pytest.mark.parametrize("piece", [3_000, 100_000])
    async def test_a_file_that_can_not_grow_is_unavailable_and_leaves_nothing(
        self, store: BlobStore, tmp_path: Path, piece: int
    ) -> None:
        with files_of_at_most(10_000), pytest.raises(Unavailable, match="made room"):
            await store.put(pieces(*[bytes(piece)] * 5), limit=10**6)
        assert files_in(tmp_path) == []
        await store.put(pieces(bytes(100_000)), limit=10**6)

    async def test_a_folder_that_is_gone_is_unavailable_until_it_is_back(
        self, store: BlobStore, tmp_path: Path
    ) -> None:
        name, _ = await store.put(pieces(b"x"), limit=1)
        (tmp_path / "blobs").rename(tmp_path / "unmounted")
        with structlog.testing.capture_logs() as lines:
            for _ in range(3):
                with pytest.raises(Unavailable, match=r"No such file or directory.*blobs\.path"):
                    await store.put(pieces(b"y"), limit=1)
        [line] = lines
        assert (line["event"], line["server"]) == ("server_away", f"blob store, writing {tmp_path / 'blobs'}")
        for work in (anext(store.open(name)), store.size(name), store.delete(name)):
            with pytest.raises(Unavailable):
                await work
        (tmp_path / "unmounted").rename(tmp_path / "blobs")
        assert await anext(store.open(name)) == b"x"


class TestStartBesideWriters:
    def test_is_not_disturbed_by_what_is_kept_or_given_up_meanwhile(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        LocalBlobStore(tmp_path)
        file = tmp_path / "incoming" / "received"
        listed = Path.iterdir

        def and_then_gone(folder: Path) -> Iterator[Path]:
            for path in list(listed(folder)):
                path.unlink()
                yield path

        file.write_bytes(b"")
        monkeypatch.setattr(Path, "iterdir", and_then_gone)
        LocalBlobStore(tmp_path)
        assert not file.exists()

    async def test_takes_no_file_from_a_writer_that_has_not_locked_it_yet(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = LocalBlobStore(tmp_path)
        lock = fcntl.flock

        def after_another_start(descriptor: int, how: int) -> None:
            with monkeypatch.context() as patch:
                patch.setattr(fcntl, "flock", lock)
                LocalBlobStore(tmp_path)
            monkeypatch.undo()
            lock(descriptor, how)

        monkeypatch.setattr(fcntl, "flock", after_another_start)
        name, _ = await store.put(pieces(b"x"), limit=1)
        assert [path.name for path in files_in(tmp_path)] == [name]

    def test_is_not_kept_by_what_can_not_be_cleared(self, tmp_path: Path) -> None:
        LocalBlobStore(tmp_path)
        (tmp_path / "incoming" / "odd").mkdir()
        left = tmp_path / "incoming" / "left"
        left.touch()
        with structlog.testing.capture_logs() as lines:
            LocalBlobStore(tmp_path)
        [line] = lines
        assert (line["event"], line["path"]) == ("incoming_not_cleared", str(tmp_path / "incoming" / "odd"))
        assert not left.exists()


class TestAWriterThatWasKilled:
    def test_leaves_nothing_that_the_next_start_does_not_clear(self, tmp_path: Path) -> None:
        program = (
            "import asyncio, pathlib, sys\n"
            "from storage.blobs.local import LocalBlobStore\n"
            "async def endless():\n"
            "    yield b'half'\n"
            "    print('writing', flush=True)\n"
            "    await asyncio.Event().wait()\n"
            "    yield b''\n"
            "asyncio.run(LocalBlobStore(pathlib.Path(sys.argv[1])).put(endless(), limit=10))\n"
        )
        with subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "blobs")], stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"writing\n"
            [half] = files_in(tmp_path)
            LocalBlobStore(tmp_path / "blobs")
            assert files_in(tmp_path) == [half], "a living writer's file was taken"
            writer.send_signal(signal.SIGKILL)
        LocalBlobStore(tmp_path / "blobs")
        assert files_in(tmp_path) == []
