"""A bucket of an S3 server as a store of blobs."""

import asyncio
import hashlib
import io
import os
import signal
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
import structlog

from domain.errors import BlobDamaged, BlobNotFound, Unavailable
from integrations.embedded.ports import LOOPBACK, free_port
from storage.blobs.s3 import PART, Bucket, S3BlobStore
from storage.blobs.store import BlobStore, key_of
from storage.blobs.verified import VerifiedFile
from tests.fixtures.s3 import S3Server
from tests.storage.blobs.contract import NOWHERE, BlobStoreContract, Replace, all_of, pieces

MEGABYTE = 1024 * 1024


@pytest.fixture
async def bucket(s3: S3Server) -> Bucket:
    return await s3.make_bucket()


@pytest.fixture
def store(bucket: Bucket, tmp_path: Path) -> BlobStore:
    return S3BlobStore(tmp_path, bucket, gives_addresses=False)


@pytest.fixture
def replace(s3: S3Server, bucket: Bucket) -> Replace:
    def put(name: str, data: bytes) -> None:
        s3.client.put_object(bucket.name, key_of(name), io.BytesIO(data), len(data))

    return put


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def megabytes(number: int) -> AsyncIterator[bytes]:
    for each in range(number):
        yield each.to_bytes(2, "big") * (MEGABYTE // 2)


def name_of(size: int) -> str:
    """Name the blob of so many bytes of `megabytes`."""
    data = b"".join(each.to_bytes(2, "big") * (MEGABYTE // 2) for each in range(size // MEGABYTE))
    return hashlib.sha256(data).hexdigest()


async def refusals_of(store: BlobStore) -> list[Unavailable]:
    """Do all that waits for the server; give what each says."""
    said = await asyncio.gather(
        store.put(pieces(b"x"), limit=1),
        all_of(store, NOWHERE),
        store.size(NOWHERE),
        store.delete(NOWHERE),
        return_exceptions=True,
    )
    refusals = [each for each in said if isinstance(each, Unavailable)]
    assert len(refusals) == len(said), said
    return refusals


class TestS3BlobStore(BlobStoreContract):
    async def test_what_is_larger_than_a_part_goes_up_in_parts(
        self, store: BlobStore, s3: S3Server, bucket: Bucket, tmp_path: Path
    ) -> None:
        name, size = await store.put(megabytes(20), limit=20 * MEGABYTE)
        assert size == 20 * MEGABYTE > 2 * PART
        found = s3.client.stat_object(bucket.name, key_of(name))
        assert (found.size, (found.etag or "").rpartition("-")[2]) == (size, "3")
        position = 0
        async for piece in store.open(name):
            for offset in range(0, len(piece), MEGABYTE):
                assert piece[offset : offset + 2] == ((position + offset) // MEGABYTE).to_bytes(2, "big")
            position += len(piece)
        assert position == size
        assert files_in(tmp_path) == []

    async def test_holds_a_few_pieces_in_memory_however_large_a_blob_is(self, store: BlobStore) -> None:
        tracemalloc.start()
        try:
            name, _ = await store.put(megabytes(48), limit=48 * MEGABYTE)
            up = tracemalloc.get_traced_memory()[1]
            tracemalloc.reset_peak()
            async for _ in store.open(name):
                pass
            down = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert up < 3 * PART
        assert down < 8 * MEGABYTE

    @pytest.mark.parametrize("size", [1000, PART + 1])
    async def test_bytes_that_change_while_they_wait_never_go_up(
        self, store: BlobStore, s3: S3Server, bucket: Bucket, size: int
    ) -> None:
        async with store.receive(pieces(bytes(size)), limit=size) as received:
            received.path.write_bytes(b"1" * size)
            with pytest.raises(BlobDamaged, match="send them again"):
                await store.keep(received)
        assert await store.size(received.sha256) is None
        assert s3.client._list_multipart_uploads(bucket.name).uploads == []

    async def test_a_file_that_is_gone_while_it_waits_is_unavailable(self, store: BlobStore) -> None:
        async with store.receive(pieces(b"x"), limit=1) as received:
            received.path.unlink()
            with pytest.raises(Unavailable, match=r"No such file.*blobs\.path"):
                await store.keep(received)

    async def test_a_bucket_that_is_not_there_is_unavailable_and_no_missing_blob(
        self, s3: S3Server, tmp_path: Path
    ) -> None:
        store = S3BlobStore(tmp_path, s3.bucket("not-there"), gives_addresses=False)
        with pytest.raises(Unavailable):
            await store.size(NOWHERE)
        with pytest.raises(Unavailable, match="NoSuchBucket"):
            await all_of(store, NOWHERE)
        with pytest.raises(Unavailable, match=r"NoSuchBucket.*blobs\.s3\.bucket"):
            await store.put(pieces(b"x"), limit=1)

    async def test_a_key_that_is_not_taken_is_unavailable(
        self, s3: S3Server, bucket: Bucket, tmp_path: Path
    ) -> None:
        wrong = s3.bucket(bucket.name, secret_key="another")
        store = S3BlobStore(tmp_path, wrong, gives_addresses=False)
        for refusal in await refusals_of(store):
            assert "another" not in refusal.detail + refusal.reason


class TestAddress:
    async def test_opens_the_blob_without_a_key_as_a_file_and_in_parts(
        self, bucket: Bucket, tmp_path: Path
    ) -> None:
        store = S3BlobStore(tmp_path, bucket, gives_addresses=True)
        name, _ = await store.put(pieces(b"0123456789"), limit=10)
        address = await store.address(name, valid=timedelta(minutes=1))
        assert address is not None
        assert address.startswith(f"{bucket.endpoint}/{bucket.name}/{key_of(name)}?")
        async with httpx2.AsyncClient() as client:
            whole = await client.get(address)
            part = await client.get(address, headers={"Range": "bytes=2-4"})
            bare = await client.get(address.partition("?")[0])
        assert (whole.status_code, whole.content) == (200, b"0123456789")
        assert whole.headers["content-disposition"] == "attachment"
        assert (part.status_code, part.content) == (206, b"234")
        assert bare.status_code == 403

    async def test_is_not_given_where_bytes_go_through_this_server(self, tmp_path: Path) -> None:
        store = S3BlobStore(tmp_path, a_bucket_at(1), gives_addresses=False)
        assert await store.address(NOWHERE, valid=timedelta(minutes=1)) is None

    @pytest.mark.parametrize("gives", [True, False])
    async def test_no_name_gets_one_for_something_else(
        self, bucket: Bucket, tmp_path: Path, *, gives: bool
    ) -> None:
        store = S3BlobStore(tmp_path, bucket, gives_addresses=gives)
        with pytest.raises(BlobNotFound):
            await store.address("../" * 16, valid=timedelta(minutes=1))


def a_bucket_at(port: int) -> Bucket:
    return Bucket(
        endpoint=f"http://{LOOPBACK}:{port}",
        name="blobs",
        region="us-east-1",
        access_key="key",
        secret_key="secret",
    )


class TestServerThatIsAway:
    async def test_is_unavailable_said_once_and_leaves_nothing_here(self, tmp_path: Path) -> None:
        store = S3BlobStore(tmp_path, a_bucket_at(free_port()), gives_addresses=False)
        with structlog.testing.capture_logs() as lines:
            for _ in range(2):
                for refusal in await refusals_of(store):
                    assert "blobs.s3.bucket" in refusal.detail
                    assert LOOPBACK not in refusal.detail
        # One for reading, one for writing, whatever was tried.
        assert [line["event"] for line in lines] == ["server_away"] * 2
        assert files_in(tmp_path) == []

    async def test_in_the_middle_of_an_upload_keeps_nothing_and_takes_it_when_it_is_back(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        size, read = 3 * PART, VerifiedFile.read
        async with S3Server(tmp_path) as server:
            store = S3BlobStore(tmp_path / "blobs", await server.make_bucket(), gives_addresses=False)

            def and_then_gone(file: VerifiedFile, wanted: int | None = -1) -> bytes:
                piece = read(file, wanted)
                if file.tell() == 2 * PART:
                    os.kill(server.pid, signal.SIGKILL)
                return piece

            with monkeypatch.context() as patch:
                patch.setattr(VerifiedFile, "read", and_then_gone)
                with pytest.raises(Unavailable):
                    await store.put(megabytes(size // MEGABYTE), limit=size)
            assert files_in(tmp_path / "blobs") == []
            await server.stop()
            await server.start()
            assert await store.size(name_of(size)) is None
            assert await store.put(megabytes(size // MEGABYTE), limit=size) == (name_of(size), size)

    async def test_that_breaks_off_in_the_middle_has_sent_no_blob(self, tmp_path: Path) -> None:
        async with a_server_that_sends(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf") as port:
            store = S3BlobStore(tmp_path, a_bucket_at(port), gives_addresses=False)
            with pytest.raises(Unavailable):
                await all_of(store, NOWHERE)

    @pytest.mark.parametrize(
        "answer",
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhtml",
            b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\nhtml",
            b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/xml\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 1\r\n\r\n\xff",
            b"HTTP/1.1 404 Not Found\r\nContent-Type: application/xml\r\nContent-Length: 1\r\n\r\n<",
            b"HTTP/1.1 404 Not Found\r\nContent-Type: application/xml\r\nContent-Length: 8\r\n\r\n<Error/>",
            b"nonsense\r\n\r\n",
        ],
    )
    async def test_that_is_no_s3_server_is_unavailable(self, tmp_path: Path, answer: bytes) -> None:
        async with a_server_that_sends(answer) as port:
            store = S3BlobStore(tmp_path, a_bucket_at(port), gives_addresses=False)
            with pytest.raises(Unavailable):
                await all_of(store, NOWHERE)


@asynccontextmanager
async def a_server_that_sends(answer: bytes) -> AsyncIterator[int]:
    """Answer every request with the same bytes, and hang up; give the port."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(handle, LOOPBACK, 0) as server:
        yield server.sockets[0].getsockname()[1]
