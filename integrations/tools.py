"""Where the command line tools are that this product runs but does not contain."""

import functools
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from domain.errors import ToolMissing

VERSION: Final = re.compile(r"(\d+)\.(\d+)\.(\d+)")
ASK_SECONDS: Final = 20


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that can be built from tools/<folder>/go.mod or, without a package, comes with the system."""

    name: str
    version: str
    """The version that is built, or the oldest that works where none is built."""
    minimum: str | None
    """The oldest version on PATH that works; None for what is never looked for there."""
    folder: str = ""
    package: str = ""
    linker_flags: str = ""
    build_minutes: float = 0
    """How long a build takes with cold caches on two cores, to be said before it starts."""
    ask: tuple[str, ...] = ("version",)
    """Arguments that make it print its version."""

    @property
    def cached(self) -> Path:
        """Where `tools/ensure.py` puts it."""
        return cache_folder() / "tools" / f"{self.name}-{self.version}"


TOOLS: Final = {
    tool.name: tool
    for tool in (
        Tool("terraform", version="1.5.0", minimum="1.5.0"),
        Tool(
            "tofu",
            version="1.12.6",
            minimum="1.11.0",
            folder="opentofu",
            package="github.com/opentofu/opentofu/cmd/tofu",
            linker_flags="-s -w -X github.com/opentofu/opentofu/version.dev=no",
            build_minutes=3.5,
        ),
        Tool(
            "temporal",
            version="1.5.1",
            minimum="1.5.1",
            folder="temporal",
            package="github.com/temporalio/cli/cmd/temporal",
            linker_flags="-s -w -X github.com/temporalio/cli/temporalcli.Version=1.5.1",
            build_minutes=4.5,
            ask=("--version",),
        ),
        Tool(
            "terraform-provider-time",
            version="0.14.2",
            minimum=None,
            folder="terraform-provider-time",
            package="github.com/hashicorp/terraform-provider-time",
            build_minutes=0.5,
        ),
        Tool(  # an S3 server, for the tests of the blob store
            "versitygw",
            version="1.8.0",
            minimum="1.8.0",
            folder="versitygw",
            package="github.com/versity/versitygw/cmd/versitygw",
            linker_flags="-s -w -X main.Version=v1.8.0",
            build_minutes=1.5,
            ask=("--version",),
        ),
    )
}


def cache_folder() -> Path:
    """Give the folder of what is downloaded or built once: `$GROUNDWORK_CACHE`, by default below the home."""
    chosen = os.environ.get("GROUNDWORK_CACHE")
    return Path(chosen) if chosen else Path.home() / ".cache" / "groundwork"


@functools.cache
def find_tool(name: str) -> Path:
    """Find a tool on PATH in a version that works, else in the cache. A process looks once.

    Raises:
        ToolMissing: it is at neither place.
    """
    tool = TOOLS[name]
    path = shutil.which(name) if tool.minimum else None
    seen = ""
    if path is not None and tool.minimum is not None:
        version = version_of(Path(path), tool)
        if is_new_enough(version, tool):
            return Path(path)
        shown = "no version it tells" if version is None else ".".join(map(str, version))
        seen = f" ({path} has {shown}; {tool.minimum} or newer is needed)"
    if tool.package and tool.cached.exists():
        return tool.cached
    advice = f"run `make tools NAMES={name}`" if tool.package else f"put {name} on PATH"
    raise ToolMissing(f"{name} was not found{seen}: {advice}", tool=name)


def is_new_enough(version: tuple[int, ...] | None, tool: Tool) -> bool:
    """Tell whether a version is one that works; none that was told is not."""
    return version is not None and tool.minimum is not None and version >= _numbers(tool.minimum)


def version_of(path: Path, tool: Tool) -> tuple[int, ...] | None:
    """Ask a tool for its version; None when it does not answer with one."""
    try:
        said = subprocess.run(
            [path, *tool.ask],
            check=False,
            capture_output=True,
            text=True,
            timeout=ASK_SECONDS,
            env={
                "PATH": os.environ.get("PATH", os.defpath),
                "CHECKPOINT_DISABLE": "1",
                "HOME": "/nonexistent",
            },
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = VERSION.search(said)
    return None if found is None else _numbers(found.group())


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
