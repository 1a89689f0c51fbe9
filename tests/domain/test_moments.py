"""Times that come in."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import TypeAdapter, ValidationError

from domain.moments import Moment

MOMENT: TypeAdapter[datetime] = TypeAdapter(Moment)


class TestMoment:
    @pytest.mark.parametrize(
        ("written", "utc"),
        [
            ("2026-11-24T01:00:00+02:00", "2026-11-23T23:00:00+00:00"),
            ("2000-01-01T00:00:00Z", "2000-01-01T00:00:00+00:00"),
            ("8999-12-31T23:59:59.999999Z", "8999-12-31T23:59:59.999999+00:00"),
        ],
    )
    def test_is_in_utc(self, written: str, utc: str) -> None:
        read = MOMENT.validate_python(written)
        assert (read.isoformat(), read.utcoffset(), read.tzinfo) == (utc, timedelta(), UTC)

    @pytest.mark.parametrize(
        "written",
        [
            "0001-01-01T00:00:00+14:00",
            "0001-01-01T00:00:00Z",
            "2000-01-01T00:00:00+00:01",
            "8999-12-31T23:59:59-00:01",
            "9000-01-01T00:00:00Z",
            "9999-12-31T23:59:59-14:00",
        ],
    )
    def test_of_other_years_is_refused(self, written: str) -> None:
        with pytest.raises(ValidationError, match="is a time in the years 2000 to 8999"):
            MOMENT.validate_python(written)
