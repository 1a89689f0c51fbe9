"""Versions: one spelling each, ordered as Semantic Versioning says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.registry.errors import VersionInvalid
from domain.registry.versions import LARGEST_NUMBER, LONGEST, Version, canonical, latest

NUMBERS = st.integers(min_value=0, max_value=LARGEST_NUMBER)
WORDS = st.from_regex(r"[0-9]*[A-Za-z-][0-9A-Za-z-]{0,8}", fullmatch=True)
VERSIONS = st.builds(Version, NUMBERS, NUMBERS, NUMBERS, st.lists(NUMBERS | WORDS, max_size=4).map(tuple))


# Pieces of versions, and what is written between and around them.
PIECES = st.sampled_from(
    [
        *("0", "1", "10", "01", "00", "1.2.3", "1.0.0-", "a", "rc", "Z"),
        *(".", ".", "-", "+", "~", "v", " ", "\n", "\0", "\u0661"),
        *(str(LARGEST_NUMBER), str(LARGEST_NUMBER + 1), "9" * 300, "a" * 250),
    ]
)
WRITTEN = st.lists(PIECES, max_size=8).map("".join)
# Few parts of few kinds, so that two versions have most in common.
FEW = st.sampled_from([0, 1, 2, 10, "0a", "a", "B", "a-", "-", "rc"])
NEIGHBOURS = st.builds(
    Version, st.integers(0, 1), st.integers(0, 1), st.integers(9, 10), st.lists(FEW, max_size=3).map(tuple)
).map(str)
DIGITS = "0123456789"
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-"


def slowly_parsed(written: str) -> tuple[list[int], list[int | str]] | None:
    """Read a version letter by letter, as the specification tells it; None where it is none that is published."""
    core, dash, rest = written.partition("-")
    numbers = [slow_number(each) for each in core.split(".")]
    identifiers: list[int | str] = []
    for each in rest.split(".") if dash else []:
        if not each or any(letter not in DIGITS + LETTERS for letter in each):
            return None
        found = slow_number(each) if all(letter in DIGITS for letter in each) else each
        if found is None:
            return None
        identifiers.append(found)
    if len(written) > LONGEST or len(numbers) != 3 or None in numbers:
        return None
    return [number for number in numbers if number is not None], identifiers


def slow_number(written: str) -> int | None:
    if not written or any(letter not in DIGITS for letter in written) or (written[0] == "0" and written != "0"):
        return None
    number = 0
    for digit in written:
        number = 10 * number + DIGITS.index(digit)
    return number if number < 2**63 else None


def slow_order(one: str, other: str) -> int:
    """Compare by section 11 of the specification, rule by rule: -1, 0 or 1."""
    left, right = slowly_parsed(one), slowly_parsed(other)
    assert left is not None
    assert right is not None
    for mine, yours in zip(left[0], right[0], strict=True):  # 11.2
        if mine != yours:
            return -1 if mine < yours else 1
    if bool(left[1]) != bool(right[1]):  # 11.3
        return -1 if left[1] else 1
    for first, second in zip(left[1], right[1], strict=False):  # 11.4
        if first == second:
            continue
        if isinstance(first, int) and isinstance(second, int):  # 11.4.1
            return -1 if first < second else 1
        if isinstance(first, str) and isinstance(second, str):  # 11.4.2
            return -1 if first.encode("ascii") < second.encode("ascii") else 1
        return -1 if isinstance(first, int) else 1  # 11.4.3
    return (len(left[1]) > len(right[1])) - (len(left[1]) < len(right[1]))  # 11.4.4


class TestParse:
    @given(VERSIONS)
    def test_reads_what_it_writes(self, version: Version) -> None:
        assert Version.parse(str(version)) == version

    @given(st.text(max_size=30) | WRITTEN | VERSIONS.map(str))
    def test_takes_exactly_what_the_specification_does_without_build_metadata(self, written: str) -> None:
        expected = slowly_parsed(written)
        try:
            found = Version.parse(written)
        except VersionInvalid:
            assert expected is None
            return
        assert ([found.major, found.minor, found.patch], list(found.prerelease)) == expected
        assert str(found) == written

    @pytest.mark.parametrize(
        "written",
        [
            "",
            "1",
            "1.0",
            "1.0.0.0",
            "v1.0.0",
            "1.0.0+meta",
            "1.0.0-rc+meta",
            "01.0.0",
            "1.00.0",
            "1.0.0-",
            "1.0.0-01",
            "1.0.0-a..b",
            "1.0.0-a_b",
            "1.0.0\n",
            " 1.0.0",
            "1.0.0 ",
            "-1.0.0",
            "1.0.\u0661",
            "1.0.0-\u00e4",
            f"{2**63}.0.0",
            f"1.0.0-{2**63}",
            "1" * 1000 + ".0.0",
            "1.0.0-" + "a" * 250,
            "latest",
        ],
    )
    def test_refuses_every_other_form(self, written: str) -> None:
        with pytest.raises(VersionInvalid):
            Version.parse(written)

    @pytest.mark.parametrize(("written", "advice"), [("v1.0.0", "without `v`"), ("1.0.0+x", "build metadata")])
    def test_says_what_to_leave_out(self, written: str, advice: str) -> None:
        with pytest.raises(VersionInvalid, match=advice):
            Version.parse(written)


class TestOrder:
    def test_is_the_one_of_the_specification(self) -> None:
        ascending = [
            "0.9.10",
            "1.0.0-1",
            "1.0.0-10",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.1-0",
            "1.0.1",
            "1.2.0",
            "1.10.0",
            "2.0.0",
        ]
        assert [str(version) for version in sorted(map(Version.parse, reversed(ascending)))] == ascending

    @given(NEIGHBOURS, NEIGHBOURS)
    def test_is_that_of_the_specifications_rules(self, one: str, other: str) -> None:
        first, second = Version.parse(one), Version.parse(other)
        assert (first > second) - (first < second) == slow_order(one, other)
        assert (first == second) == (one == other)


class TestLatest:
    @pytest.mark.parametrize(
        ("installable", "expected"),
        [
            (["1.9.0", "1.10.0", "1.2.0"], "1.10.0"),
            (["1.0.0", "2.0.0-rc.1"], "1.0.0"),
            (["2.0.0-rc.1", "2.0.0-rc.2"], "2.0.0-rc.2"),
            ([], None),
        ],
    )
    def test_is_a_release_where_there_is_one(self, installable: list[str], expected: str | None) -> None:
        assert latest(installable) == expected


class TestCanonical:
    @given(VERSIONS)
    def test_of_a_version_is_itself(self, version: Version) -> None:
        assert canonical(str(version)) == canonical(f"v{version}") == str(version)

    @pytest.mark.parametrize(
        ("asked", "means"),
        [("1", "1.0.0"), ("v1.2", "1.2.0"), ("1.2-rc.1", "1.2.0-rc.1"), ("v1-a-b", "1.0.0-a-b")],
    )
    def test_reads_the_short_forms_of_the_tools(self, asked: str, means: str) -> None:
        assert canonical(asked) == means

    @pytest.mark.parametrize(
        "asked", ["", "v", "vv1.0.0", "V1.0.0", "1.0.0.0", "1..0", "01.0.0", "1.0.0+meta", "-1"]
    )
    def test_knows_what_no_published_version_is(self, asked: str) -> None:
        assert canonical(asked) is None
