"""Versions: one spelling each, ordered as Semantic Versioning says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.registry.errors import VersionInvalid
from domain.registry.versions import LARGEST_NUMBER, Version, canonical, latest

NUMBERS = st.integers(min_value=0, max_value=LARGEST_NUMBER)
WORDS = st.from_regex(r"[0-9]*[A-Za-z-][0-9A-Za-z-]{0,8}", fullmatch=True)
VERSIONS = st.builds(Version, NUMBERS, NUMBERS, NUMBERS, st.lists(NUMBERS | WORDS, max_size=4).map(tuple))


class TestParse:
    @given(VERSIONS)
    def test_reads_what_it_writes(self, version: Version) -> None:
        assert Version.parse(str(version)) == version

    @given(st.text(max_size=30) | st.from_regex(r"[0-9.]{1,8}[-+][0-9a-z.-]{0,8}", fullmatch=True))
    def test_of_anything_it_takes_only_its_own_spelling(self, written: str) -> None:
        try:
            assert str(Version.parse(written)) == written
        except VersionInvalid:
            return

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

    @given(st.lists(VERSIONS, min_size=3, max_size=3))
    def test_is_total(self, versions: list[Version]) -> None:
        low, middle, high = sorted(versions)
        assert low <= middle <= high
        assert (low < high) or (low == high)


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
