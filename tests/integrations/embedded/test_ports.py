"""Ports that stay the same, as long as nobody takes them."""

import socket
import subprocess
import sys
from pathlib import Path

from integrations.embedded.ports import LOOPBACK, RANGE, Ports, free_port, is_free


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

    def test_a_port_of_last_time_that_another_process_was_given_is_chosen_again(self, tmp_path: Path) -> None:
        program = (
            "import pathlib, sys; from integrations.embedded.ports import Ports;"
            "print(Ports(pathlib.Path(sys.argv[1])).choose(['api'])['api'], flush=True); sys.stdin.read()"
        )
        with subprocess.Popen(
            [sys.executable, "-c", program, tmp_path / "ports.json"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as other:
            assert other.stdout is not None
            theirs = int(other.stdout.readline())
            assert is_free(theirs)  # its server does not listen yet
            assert Ports(tmp_path / "ports.json").choose(["api"])["api"] != theirs
            other.communicate()


class TestFreePort:
    def test_gives_none_twice(self) -> None:
        ports = [free_port() for _ in range(200)]
        assert len(set(ports)) == len(ports)
