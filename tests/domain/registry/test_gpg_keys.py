"""Signing keys: when people are warned of their end."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.ids import new_id
from domain.registry.gpg_keys import GpgKey

END = datetime(2026, 12, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def a_key(expires_at: datetime | None, revoked_at: datetime | None = None) -> GpgKey:
    return GpgKey(
        id=new_id(),
        namespace="acme",
        fingerprint="0" * 24 + "0123456789abcdef",
        key_id="0123456789ABCDEF",
        user_ids=[],
        ascii_armor="",
        created_at=END - 100 * DAY,
        expires_at=expires_at,
        revoked_at=revoked_at,
    )


class TestSeenAt:
    @pytest.mark.parametrize(
        ("before", "said"),
        [
            (30 * DAY + timedelta(seconds=1), None),
            (30 * DAY, "0123456789ABCDEF expires on 2026-12-01"),
            (timedelta(seconds=1), "0123456789ABCDEF expires on 2026-12-01"),
            (timedelta(), "0123456789ABCDEF expired on 2026-12-01"),
            (-1000 * DAY, "0123456789ABCDEF expired on 2026-12-01"),
        ],
    )
    def test_warns_from_thirty_days_before_the_end(self, before: timedelta, said: str | None) -> None:
        warning = a_key(END).seen_at(END - before).warning
        assert (said is None) == (warning is None)
        assert said is None or said in (warning or "")

    def test_never_of_a_key_without_end_or_out_of_use(self) -> None:
        assert a_key(None).seen_at(END).warning is None
        assert a_key(END, revoked_at=END).seen_at(END).warning is None
