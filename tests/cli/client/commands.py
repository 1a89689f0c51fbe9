"""Commands as people run them: words in, exit code and output back."""

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.main import run


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """What it printed, line by line."""
        return self.out.splitlines()


class Commands:
    """Runs the console script's function in a thread, so that a server in this event loop can answer it."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        """Take what catches output, and what changes the environment."""
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def environment(self, **variables: str | Path | None) -> None:
        """Set variables; None takes one away."""
        for name, value in variables.items():
            if value is None:
                self._monkeypatch.delenv(name, raising=False)
            else:
                self._monkeypatch.setenv(name, str(value))

    async def __call__(self, *words: str | Path, stdin: str | bytes = "", typed: str | None = None) -> Done:
        """Run a command; its standard input is a terminal if something is typed, else a file with `stdin`."""
        self._capsys.readouterr()
        if typed is None:
            reader, writer = os.pipe()
            os.write(writer, stdin.encode() if isinstance(stdin, str) else stdin)
            os.close(writer)
        else:
            writer, reader = os.openpty()
            os.write(writer, typed.encode())
        with os.fdopen(reader, errors="surrogateescape") as given:  # as Python has it in the locale C
            self._monkeypatch.setattr(sys, "stdin", given)
            code = await asyncio.to_thread(run, [str(word) for word in words])
        if typed is not None:
            os.close(writer)
        captured = self._capsys.readouterr()
        return Done(code, captured.out, captured.err)
