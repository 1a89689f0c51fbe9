"""Where a state stands in the history of its deployment."""

import json

import pytest

from domain.deployments.errors import StateUnreadable
from domain.deployments.states import HIGHEST_SERIAL, Misfit, StateHead


class TestRead:
    def test_takes_serial_and_lineage_from_the_file(self) -> None:
        data = json.dumps({"version": 4, "serial": 7, "lineage": "a", "resources": []}).encode()
        assert StateHead.read(data) == StateHead(7, "a")

    @pytest.mark.parametrize("serial", [-1, HIGHEST_SERIAL + 1, 10**4000, "1", 1.5, True, None])
    def test_refuses_a_serial_that_no_column_holds(self, serial: object) -> None:
        with pytest.raises(StateUnreadable):
            StateHead.read(json.dumps({"serial": serial, "lineage": "a"}).encode())

    def test_takes_a_state_with_a_number_of_any_length_in_it(self) -> None:
        data = b'{"serial": 7, "lineage": "a", "outputs": {"long": {"value": 1%s}}}' % (b"0" * 5000)
        assert StateHead.read(data) == StateHead(7, "a")

    @pytest.mark.parametrize("data", [b"", b"[]", b'"text"', b"\xff", b'{"serial": 1}'])
    def test_refuses_what_is_no_state(self, data: bytes) -> None:
        with pytest.raises(StateUnreadable):
            StateHead.read(data)


class TestMisfitAfter:
    @pytest.mark.parametrize(
        ("newest", "misfit"),
        [
            (None, None),
            (StateHead(4, "a"), None),
            (StateHead(5, "a"), Misfit.SERIAL),
            (StateHead(6, "a"), Misfit.SERIAL),
            (StateHead(4, "b"), Misfit.LINEAGE),
        ],
    )
    def test_a_state_follows_its_own_lineage_with_a_higher_serial(
        self, newest: StateHead | None, misfit: Misfit | None
    ) -> None:
        assert StateHead(5, "a").misfit_after(newest) is misfit
