"""What is kept of answers, and how much."""

from uuid import UUID

import pytest

import api.protocols.cache
from api.operations.metrics import count_of
from api.protocols.cache import (
    LARGEST_ANSWER,
    MOST_BYTES,
    OVERHEAD,
    TTL_SECONDS,
    Answer,
    ByteCache,
    Key,
)
from domain.ids import new_id
from services.changes import Changes

OF_ADDRESS = len("/v1/files/000") + len(b"content-length") + 1
"""Bytes of an answer's path and headers here."""


def an_answer(body: bytes = b"x") -> Answer:
    return Answer(((b"content-length", b"1"),), body, None, "/v1/files", count_of("GET", "/v1/files", 200))


class TestByteCache:
    @pytest.fixture(autouse=True)
    def a_window_without_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(api.protocols.cache, "seconds_left", lambda _: 900.0)

    def key(self, organization_id: UUID | None = None) -> Key:
        return (organization_id or new_id()).int, "GET", "/v1/modules/a/b/c/versions"

    def test_drops_what_changed_and_nothing_else(self) -> None:
        changes = Changes()
        cache, mine, theirs = ByteCache(changes), self.key(), self.key()
        for key in (mine, theirs, (None, "GET", "/v1/files/x")):
            cache.keep(key, an_answer(), since=cache.begin(key))
        changes.tell(UUID(int=mine[0]))
        assert cache.find(mine) is None
        assert cache.find(theirs) is not None
        assert cache.find((None, "GET", "/v1/files/x")) is not None

    def test_keeps_nothing_that_was_built_while_something_changed(self) -> None:
        changes = Changes()
        cache, key = ByteCache(changes), self.key()
        since = cache.begin(key)
        changes.tell(UUID(int=key[0]))
        cache.keep(key, an_answer(b"old"), since=since)
        assert cache.find(key) is None

    def test_keeps_what_was_built_while_something_of_another_changed(self) -> None:
        changes = Changes()
        cache, key = ByteCache(changes), self.key()
        since = cache.begin(key)
        changes.tell(new_id())
        cache.keep(key, an_answer(), since=since)
        assert cache.find(key) is not None
        since = cache.begin(key)
        changes.tell(None)
        cache.keep(key, an_answer(), since=since)
        assert cache.find(key) is None

    def test_uses_nothing_while_changes_cannot_be_heard(self) -> None:
        changes = Changes()
        cache, key = ByteCache(changes), self.key()
        changes.hears(False)
        cache.keep(key, an_answer(), since=cache.begin(key))
        assert cache.find(key) is None
        changes.hears(True)
        assert cache.find(key) is None

    def test_forgets_after_a_while_even_if_nobody_tells(self) -> None:
        now = 0.0
        cache, key = ByteCache(Changes(), clock=lambda: now), self.key()
        cache.keep(key, an_answer(), since=cache.begin(key))
        now = TTL_SECONDS - 1
        assert cache.find(key) is not None
        now = TTL_SECONDS
        assert cache.find(key) is None

    def test_gives_up_what_was_not_asked_for_longest(self) -> None:
        cache, body = ByteCache(Changes()), bytes(256 * 1024)
        size = len(body) + OVERHEAD + OF_ADDRESS
        keys: list[Key] = [(None, "GET", f"/v1/files/{number:03}") for number in range(MOST_BYTES // size + 1)]
        for key in keys[:-1]:
            cache.keep(key, an_answer(body), since=cache.begin(key))
        assert cache.find(keys[0]) is not None
        cache.keep(keys[-1], an_answer(body), since=cache.begin(keys[-1]))
        assert cache.find(keys[1]) is None
        assert cache.find(keys[0]) is not None

    def test_bounds_how_many_empty_answers_it_keeps(self) -> None:
        cache = ByteCache(Changes())
        keys: list[Key] = [(None, "HEAD", f"/v1/files/{number}") for number in range(MOST_BYTES // OVERHEAD + 10)]
        for key in keys:
            cache.keep(key, an_answer(b""), since=cache.begin(key))
        kept = [key for key in keys if cache.find(key) is not None]
        assert kept == keys[-len(kept) :]
        assert len(kept) <= MOST_BYTES // OVERHEAD

    def test_counts_the_address_too(self) -> None:
        cache = ByteCache(Changes())
        keys: list[Key] = [(None, "HEAD", f"/v1/files/{number}/{'x' * 60_000}") for number in range(1_200)]
        for key in keys:
            cache.keep(key, an_answer(b""), since=cache.begin(key))
        assert sum(len(key[2]) for key in keys if cache.find(key) is not None) <= MOST_BYTES

    def test_takes_nothing_from_organizations_for_what_everybody_gets(self) -> None:
        cache, mine, body = ByteCache(Changes()), self.key(), bytes(1024 * 1024)
        cache.keep(mine, an_answer(), since=cache.begin(mine))
        for number in range(2 * MOST_BYTES // len(body)):
            key: Key = (None, "GET", f"/v1/files/{number}")
            cache.keep(key, an_answer(body), since=cache.begin(key))
        assert cache.find(mine) is not None

    def test_keeps_nothing_large(self) -> None:
        cache, key = ByteCache(Changes()), self.key()
        cache.keep(key, an_answer(bytes(LARGEST_ANSWER + 1)), since=cache.begin(key))
        assert cache.find(key) is None
