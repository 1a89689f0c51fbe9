"""What every store of blobs must do. A new kind joins by a class that inherits this, and two fixtures.

`store` is the store, `replace(name, data)` puts other bytes in a blob's place behind its back.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable

import pytest
import structlog

from domain.errors import BlobDamaged, BlobNotFound, BlobTooLarge
from storage.blobs.store import BlobStore

NOWHERE = "0" * 64
SIZE = 2_500_000
Replace = Callable[[str, bytes], None]
HOSTILE_NAMES = ["", ".", "..", "../" * 32, "/etc/passwd", "A" * 64, "a" * 63, "a" * 65, "\0" * 64, "\uff41" * 64]


async def pieces(*data: bytes) -> AsyncIterator[bytes]:
    for piece in data:
        yield piece


async def read(store: BlobStore, name: str, stop: int | None, *, into: bytearray) -> None:
    async for piece in store.open(name, stop=stop):
        into.extend(piece)


async def all_of(store: BlobStore, sha256: str, *, start: int = 0, stop: int | None = None) -> bytes:
    return b"".join([piece async for piece in store.open(sha256, start=start, stop=stop)])


class BlobStoreContract:
    async def test_gives_back_what_was_put_in_under_its_hash(self, store: BlobStore) -> None:
        for data in (b"", b"hello", bytes(3_000_001)):
            name, size = await store.put(pieces(data[:7], b"", data[7:]), limit=10_000_000)
            assert (name, size) == (hashlib.sha256(data).hexdigest(), len(data))
            assert await store.size(name) == len(data)
            assert await all_of(store, name) == data

    async def test_gives_parts(self, store: BlobStore) -> None:
        data = bytes(range(256)) * 10_000
        name, _ = await store.put(pieces(data), limit=len(data))
        for start, stop in (
            (0, 1),
            (5, 5),
            (1000, 2_000_000),
            (len(data) - 1, None),
            (len(data), None),
            (3, 10**9),
        ):
            assert await all_of(store, name, start=start, stop=stop) == data[start:stop]

    @pytest.mark.parametrize("other", [b"", b"x", bytes(SIZE - 1), bytes(SIZE), bytes(SIZE + 1)])
    async def test_other_bytes_under_a_blobs_name_are_never_given_whole(
        self, store: BlobStore, replace: Replace, other: bytes
    ) -> None:
        name, _ = await store.put(pieces(b"1" * SIZE), limit=SIZE)
        assert await all_of(store, name) == b"1" * SIZE
        await asyncio.to_thread(replace, name, other)
        for stop in (None, len(other)):
            given = bytearray()
            with (
                structlog.testing.capture_logs() as lines,
                pytest.raises(BlobDamaged, match="has to restore") as no,
            ):
                await read(store, name, stop, into=given)
            assert len(given) < max(1, len(other))
            assert no.value.found_sha256 == hashlib.sha256(other).hexdigest()
            assert [line["sha256"] for line in lines if line["event"] == "blob_damaged"] == [name]

    async def test_says_that_a_blob_was_checked_only_if_it_was(self, store: BlobStore, replace: Replace) -> None:
        name, _ = await store.put(pieces(b"good"), limit=4)
        checked = await store.check(name)
        await asyncio.to_thread(replace, name, b"evil")
        if checked:
            with pytest.raises(BlobDamaged, match="has to restore"):
                await store.check(name)
            with pytest.raises(BlobNotFound):
                await store.check(NOWHERE)

    async def test_the_same_bytes_again_mend_a_blob(self, store: BlobStore, replace: Replace) -> None:
        name, _ = await store.put(pieces(b"good"), limit=4)
        await asyncio.to_thread(replace, name, b"evil")
        await store.put(pieces(b"good"), limit=4)
        assert await all_of(store, name) == b"good"

    async def test_the_same_bytes_twenty_times_at_once_are_one_blob(self, store: BlobStore) -> None:
        names = await asyncio.gather(*(store.put(pieces(b"same"), limit=10) for _ in range(20)))
        assert len(set(names)) == 1
        assert await all_of(store, names[0][0]) == b"same"

    async def test_keeps_nothing_that_is_too_large(self, store: BlobStore) -> None:
        await store.put(pieces(b"12345"), limit=5)
        with pytest.raises(BlobTooLarge):
            await store.put(pieces(b"123", b"456"), limit=5)
        assert await store.size(hashlib.sha256(b"123456").hexdigest()) is None

    async def test_asks_for_no_more_once_it_is_too_large(self, store: BlobStore) -> None:
        asked = 0

        async def endless() -> AsyncIterator[bytes]:
            nonlocal asked
            while True:
                asked += 1
                yield b"1234"

        with pytest.raises(BlobTooLarge):
            await store.put(endless(), limit=10)
        assert asked == 3

    async def test_keeps_nothing_that_was_only_received(self, store: BlobStore) -> None:
        async with store.receive(pieces(b"looked at"), limit=10) as received:
            assert received.path.read_bytes() == b"looked at"
            assert await store.size(received.sha256) is None
        assert await store.size(received.sha256) is None
        assert not received.path.exists()

    async def test_keeps_nothing_of_what_broke_off(self, store: BlobStore) -> None:
        async def broken() -> AsyncIterator[bytes]:
            yield b"half"
            raise ConnectionResetError

        with pytest.raises(ConnectionResetError):
            await store.put(broken(), limit=10)
        assert await store.size(hashlib.sha256(b"half").hexdigest()) is None

    async def test_forgets_what_is_deleted_and_deletes_twice(self, store: BlobStore) -> None:
        name, _ = await store.put(pieces(b"short life"), limit=100)
        await store.delete(name)
        await store.delete(name)
        assert await store.size(name) is None
        with pytest.raises(BlobNotFound):
            await all_of(store, name)

    async def test_what_is_not_there_is_not_found(self, store: BlobStore) -> None:
        assert await store.size(NOWHERE) is None
        with pytest.raises(BlobNotFound):
            await all_of(store, NOWHERE)

    @pytest.mark.parametrize("name", HOSTILE_NAMES)
    async def test_no_name_reaches_outside(self, store: BlobStore, name: str) -> None:
        with pytest.raises(BlobNotFound):
            await all_of(store, name)
        with pytest.raises(BlobNotFound):
            await store.delete(name)
