"""The count of proofs at the end of a test run."""

import re
from pathlib import Path

import pytest

from tests.fixtures.proofs import count, proofs_of

DEFINED = re.compile(r"^ *(?:class|(?:async )?def) (\w+)", re.MULTILINE)
TABLE = "tests/integrations/test_signatures.py::TestTheTable::test_attack_13_is_decided_as_it_says[SHA-1]"


class TestProofsOf:
    @pytest.mark.parametrize(
        ("nodeid", "refuses", "proofs"),
        [
            ("tests/api/test_attacks.py::TestAttack05Archives::test_as_a_module[1]", True, [["attack", "05"]]),
            ("tests/api/test_providers.py::TestRefused::test_attack_14_checksums", False, [["attack", "14"]]),
            (TABLE, True, [["attack", "13"], ["signature"]]),
            (
                "tests/integrations/archives/test_modules.py::TestPaths::test_of_a_zip[attack_99]",
                True,
                [["archive"]],
            ),
            ("tests/integrations/archives/test_modules.py::TestPaths::test_takes_a_zip", False, []),
        ],
    )
    def test_goes_by_place_and_name_and_not_by_parameters(
        self, nodeid: str, refuses: bool, proofs: list[list[str]]
    ) -> None:
        assert list(proofs_of(nodeid, refuses=refuses)) == proofs


class TestAttacks:
    def test_each_that_concerns_the_registry_has_a_test_with_its_number(self, repository: Path) -> None:
        files = (repository / "tests").rglob("test_*.py")
        names = [name for file in files for name in DEFINED.findall(file.read_text())]
        found = {number for name in names for _, number in proofs_of(name, refuses=False)}
        assert found >= {f"{number:02}" for number in (*range(1, 10), *range(12, 16))}


class TestCount:
    def test_has_a_line_for_each_kind_that_ran(self) -> None:
        proofs = [["attack", "13"], ("conformance", "tofu", "discovery"), ["attack", "02"], ["attack", "13"]]
        assert list(count(proofs)) == [
            "1 conformance cases (tofu, discovery: 1)",
            "3 tests of attacks, by number (02: 1; 13: 2)",
        ]

    def test_is_silent_where_nothing_ran(self) -> None:
        assert list(count([])) == []
