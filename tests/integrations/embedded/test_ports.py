"""Ports that stay the same, as long as nobody takes them."""

import socket
from pathlib import Path

from integrations.embedded.ports import LOOPBACK, RANGE, Ports, is_free


class TestPorts:
    def test_they_are_the_same_the_next_time(self, tmp_path: Path) -> None:
        first = Ports(tmp_path / "ports.json").choose(["api", "postgresql"])
        assert Ports(tmp_path / "ports.json").choose(["api", "postgresql"]) == first

    def test_each_name_has_another_one(self, tmp_path: Path) -> None:
        names = [f"server-{number}" for number in range(50)]
        chosen = Ports(tmp_path / "ports.json").choose(names)
        assert len(set(chosen.values())) == len(names)
        assert all(port in RANGE for port in chosen.values())

    def test_a_port_that_somebody_took_is_chosen_again_and_kept(self, tmp_path: Path) -> None:
        ports = Ports(tmp_path / "ports.json")
        first = ports.choose(["api", "postgresql"])
        with socket.create_server((LOOPBACK, first["api"])):
            assert not is_free(first["api"])
            second = ports.choose(["api", "postgresql"])
            assert second["api"] != first["api"]
            assert second["postgresql"] == first["postgresql"]
        assert ports.choose(["api", "postgresql"]) == second
