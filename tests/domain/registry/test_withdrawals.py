"""What users of withdrawn versions are told."""

from dataclasses import dataclass
from datetime import UTC, datetime

from domain.registry.withdrawals import Deprecation, Refusal, Yank, warnings_of

NOW = datetime(2026, 11, 24, tzinfo=UTC)


@dataclass(frozen=True)
class AVersion:
    version: str
    deprecation: Deprecation | None = None
    yank: Yank | None = None
    refusal: Refusal | None = None


def deprecated(version: str, message: str = "Old.") -> AVersion:
    return AVersion(version, Deprecation(message=message, replacement=None, deprecated_at=NOW))


class TestWarnings:
    def test_are_none_where_nothing_is_withdrawn(self) -> None:
        assert warnings_of([AVersion("1.0.0")]) == []

    def test_are_one_sentence_for_each_reason(self) -> None:
        versions = [deprecated("3.0.0"), deprecated("2.0.0", "Slow."), AVersion("1.5.0"), deprecated("1.0.0")]
        assert warnings_of(versions) == ["3.0.0, 1.0.0 are deprecated: Old.", "2.0.0 is deprecated: Slow."]

    def test_name_no_more_versions_than_a_person_reads(self) -> None:
        [warning] = warnings_of(deprecated(f"{number}.0.0") for number in range(9, 0, -1))
        assert warning == "9.0.0, 8.0.0, 7.0.0, 6.0.0, 5.0.0 and 4 more are deprecated: Old."

    def test_of_a_version_that_is_both_say_that_it_is_yanked(self) -> None:
        both = AVersion("1.0.0", deprecated("1.0.0").deprecation, Yank(reason="Broken.", yanked_at=NOW))
        assert warnings_of([both]) == ["1.0.0 is yanked, so no longer offered: Broken."]

    def test_of_a_refused_one_only_that_is_said(self) -> None:
        yank = Yank(reason="Broken.", yanked_at=NOW)
        refused = AVersion("1.0.0", yank=yank, refusal=Refusal(reason="Changed.", refused_at=NOW))
        assert warnings_of([refused]) == ["1.0.0 is refused, so no longer offered: Changed."]
