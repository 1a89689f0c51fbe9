"""Reads a module's documents: its code laid out, and OpenTofu asked about each folder.

OpenTofu is the one tool that describes a module without installing anything (about 25 ms a folder). Since 1.8 it
evaluates where modules come from, functions such as `file` included, so what somebody sent would read whatever
this process may: it is confined to the code itself (confined.py), with an empty home, little time and memory.
"""

import asyncio
import contextlib
import functools
import json
import os
import re
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from pydantic import ValidationError

from domain.errors import ToolMissing
from domain.registry.documents import Documents, ModulePart
from domain.registry.errors import DocumentsUnreadable
from integrations.archives.members import MEGABYTE, ArchiveLimits
from integrations.documents import confined
from integrations.documents.description import read_description
from integrations.documents.layout import Layout, lay_out
from integrations.scratch import scratch
from integrations.tools import TOOLS, find_tool, is_new_enough, version_of

PROCESSOR_SECONDS: Final = 10
"""For one folder."""
SECONDS: Final = 120.0
"""On the clock, for all folders of a module together."""
MEMORY: Final = 512 * MEGABYTE
LARGEST_ANSWER: Final = 4 * MEGABYTE
"""For all folders of a module together: who asks for its documents gets them in one answer."""
LONGEST_REASON: Final = 500
_NO_CONFIGURATION: Final = {"TF_CLI_CONFIG_FILE": os.devnull, "GOMEMLIMIT": str(MEMORY // 2)}
_LIMITS: Final = {
    "RLIMIT_CPU": PROCESSOR_SECONDS,
    "RLIMIT_DATA": MEMORY,
    "RLIMIT_FSIZE": LARGEST_ANSWER,
    "RLIMIT_CORE": 0,
}
_CONFINED: Final = (sys.executable, "-I", "-S", confined.__file__, json.dumps(_LIMITS))
_FOLDERS: Final = ("code", "home")
_READABLE: Final = (os.devnull,)
"""Beside the code and tofu, which is one file: a module's code would read libraries' folders as well."""
_LAST_WORDS: Final = (b"fatal error: ", b"runtime: ", b"panic: ")
"""How Go ends a program that it can't give memory."""
_COLOURS: Final = re.compile(rb"\x1b\[[0-9;]*m")
_FRAME: Final = re.compile(r"^[╷│╵ ]+", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Reader:
    """What documents are read with."""

    path: Path
    name: str
    """With its version, as it is noted beside the documents."""


@functools.cache
def find_reader(chosen: Path | None = None) -> Reader:
    """Find OpenTofu. A process looks once.

    Args:
        chosen: where it is, for who does not want the one on PATH.

    Raises:
        ToolMissing: it is not there, or too old to describe a module.
    """
    path = chosen or find_tool("tofu")
    version = version_of(path, TOOLS["tofu"])
    if not is_new_enough(version, TOOLS["tofu"]):
        told = "no version it tells" if version is None else ".".join(map(str, version))
        raise ToolMissing(f"{path} has {told}; documents need {TOOLS['tofu'].minimum} or newer", tool="tofu")
    return Reader(path, f"OpenTofu {'.'.join(map(str, version or ()))}")


async def try_reader(reader: Reader) -> None:
    """Have nothing read, to see whether something could be.

    Raises:
        ToolMissing: OpenTofu can't be started, or can't be confined.
        OSError: the system's folder of temporary files takes nothing.
    """
    with scratch("documents") as place:
        for folder in _FOLDERS:
            (place / folder).mkdir()
        await _Reader(reader.path, Layout(place / "code"), place).read("")


async def read_documents(archive: Path, tofu: Path, limits: ArchiveLimits) -> Documents:
    """Give what the archive's root module, submodules and examples declare.

    Args:
        archive: on this machine's disk.
        tofu: OpenTofu's path, 1.11 or later.
        limits: of what the archive unpacks to.

    Raises:
        DocumentsUnreadable: the root module can't be read; of another part its own `unreadable` says so.
        ToolMissing: OpenTofu can't be started, or can't be confined.
        ArchiveUnreadable, ArchivePathRefused, ArchiveMemberRefused, ArchiveTooLarge: see lay_out.
    """
    with scratch("documents") as place:
        for folder in _FOLDERS:
            (place / folder).mkdir()
        laid_out = await asyncio.to_thread(lay_out, archive, place / "code", limits)
        reader = _Reader(tofu, laid_out, place)
        root = await reader.read("")
        if root.unreadable is not None:
            raise DocumentsUnreadable(root.unreadable)
        submodules = [await reader.read(part) for part in laid_out.submodules]
        examples = [await reader.read(part) for part in laid_out.examples]
    return Documents(root=root, submodules=tuple(submodules), examples=tuple(examples))


class _Reader:
    """Asks about one folder after the other, as long as there is time, and room for the answers."""

    def __init__(self, tofu: Path, laid_out: Layout, room: Path) -> None:
        self._tofu = tofu
        self._laid_out = laid_out
        self._room = room
        self._left = LARGEST_ANSWER
        self._until = asyncio.get_running_loop().time() + SECONDS

    async def read(self, part: str) -> ModulePart:
        """Give what a folder declares, or why that can't be told."""
        readme = self._laid_out.readmes.get(part, "")
        try:
            said = await self._describe(self._laid_out.folder / part)
            return read_description(said, path=part, readme=readme)
        except ValidationError as error:
            reason = f"OpenTofu's description is of an unknown form: {error.errors(include_input=False)[0]['msg']}"
        except DocumentsUnreadable as error:
            reason = error.detail
        return ModulePart(path=part, name=part.rpartition("/")[2], readme=readme, empty=False, unreadable=reason)

    async def _describe(self, folder: Path) -> bytes:
        # In memory: a full disk would make its answer an empty one, and nobody would tell.
        with _file_in_memory("said") as output, _file_in_memory("complained") as errors:
            status = await self._run(folder, output, errors)
            said, words = _content(output), _content(errors)
        size = len(said)
        if status in {confined.CANNOT_CONFINE, confined.CANNOT_START}:
            raise ToolMissing(f"OpenTofu can't be asked on this worker: {_reason(words)}", tool="tofu")
        if size >= self._left:
            raise DocumentsUnreadable("the module declares more than can be shown")
        if status < 0 or any(words.startswith(last) for last in _LAST_WORDS):
            raise DocumentsUnreadable(
                f"OpenTofu was ended: the code took more than {PROCESSOR_SECONDS} seconds or {MEMORY} bytes"
            )
        if status != 0:
            raise DocumentsUnreadable(_reason(words))
        self._left -= size
        return said

    async def _run(self, folder: Path, output: BinaryIO, errors: BinaryIO) -> int:
        home = self._room / "home"
        # In a folder of its own: code that lies in the working folder is read too, and its mistakes count.
        process = await asyncio.create_subprocess_exec(
            *_CONFINED,
            *map(str, (*_READABLE, self._tofu, home, self._laid_out.folder)),
            *("--", str(self._tofu), "show", "-json", f"-module={folder}"),
            cwd=home,
            env={"HOME": str(home), "GOMAXPROCS": "1"} | _NO_CONFIGURATION,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout_at(self._until):
                return await process.wait()
        except TimeoutError:
            raise DocumentsUnreadable(f"OpenTofu did not read the code within {SECONDS:.0f} seconds") from None
        finally:
            with contextlib.suppress(ProcessLookupError):  # nothing of its group is left
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


def _file_in_memory(name: str) -> BinaryIO:
    return os.fdopen(os.memfd_create(name), "w+b")


def _content(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read()


def _reason(complained: bytes) -> str:
    """Give what the tool complained of, without its frame, and with paths as they are in the archive."""
    text = _FRAME.sub("", _COLOURS.sub(b"", complained).decode(errors="replace"))
    lines = [line.strip() for line in text.replace("../code/", "").splitlines()]
    return " ".join(line for line in lines if line)[:LONGEST_REASON] or "OpenTofu could not read the code"
