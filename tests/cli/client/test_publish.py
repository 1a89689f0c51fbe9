"""Publishing from the command line."""

import asyncio
import hashlib
import json
import os
import pty
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from domain.registry.names import Platform
from tests.cli.client.commands import Commands
from tests.factories.organizations import Caller
from tests.factories.registry import LINUX, Release, new_namespace
from tests.fixtures.archives import a_provider_zip
from tests.fixtures.signing import Signer

pytestmark = pytest.mark.servers
Words = tuple[str | Path, ...]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    directory = tmp_path / "network"
    directory.mkdir()
    (directory / "main.tf").write_text('output "answer" {\n  value = 42\n}\n')
    return directory


@pytest.fixture
async def namespace(administrator: Commands) -> str:
    name = new_namespace()
    await administrator("namespaces", "claim", name)
    return name


@pytest.fixture
def words(source: Path, namespace: str) -> Callable[..., Words]:
    def of(version: str = "1.0.0", *, file: Path = source) -> Words:
        address = ("--namespace", namespace, "--name", "network", "--system", "aws")
        return ("publish", "module", file, *address, "--version", version)

    return of


@pytest.fixture
async def signer(administrator: Commands, namespace: str) -> Signer:
    made = Signer()
    await administrator("gpg-keys", "add", "-", "--namespace", namespace, stdin=made.public)
    return made


class TestPublishModule:
    async def test_warns_of_what_can_not_be_read(
        self, administrator: Commands, words: Callable[..., Words], source: Path
    ) -> None:
        (source / "main.tf").write_text('output "answer" {\n  value = 42\n')
        (source / "nested").mkdir()
        (source / "nested" / "other.tf").write_text("}\n")
        done = await administrator(*words())
        assert done.code == 0
        warning = "warning: nobody will be able to use it: main.tf:1: Unclosed configuration block (and 1 more)"
        assert done.err.splitlines()[0] == warning

    async def test_publishes_a_folder(
        self, administrator: Commands, words: Callable[..., Words], namespace: str
    ) -> None:
        done = await administrator(*words())
        assert (done.code, done.out) == (0, f"published {namespace}/network/aws 1.0.0\n")

    async def test_publishes_an_archive_byte_for_byte(
        self, administrator: Commands, words: Callable[..., Words], source: Path
    ) -> None:
        archive = source.parent / "network.tar.gz"
        with tarfile.open(archive, "w:gz", format=tarfile.USTAR_FORMAT) as target:
            target.add(source / "main.tf", "main.tf")
        made = json.loads((await administrator(*words(file=archive), "--json")).out)
        assert made["sha256"] == hashlib.sha256(archive.read_bytes()).hexdigest()

    async def test_says_so_when_the_same_bytes_were_published_before(
        self, administrator: Commands, words: Callable[..., Words]
    ) -> None:
        await administrator(*words())
        done = await administrator(*words())
        assert done.code == 0
        assert "was published before with the same bytes" in done.out

    async def test_refuses_other_bytes_for_a_published_version(
        self, administrator: Commands, words: Callable[..., Words], source: Path
    ) -> None:
        await administrator(*words())
        (source / "main.tf").write_text("# other\n")
        done = await administrator(*words())
        assert done.code == 1
        assert "was published with other bytes; publish the next version" in done.err

    async def test_leaves_no_archive_behind(
        self,
        administrator: Commands,
        words: Callable[..., Words],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        scratch = tmp_path / "scratch"
        scratch.mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(scratch))
        await administrator(*words())
        await administrator(*words("not a version"))
        assert list(scratch.iterdir()) == []

    async def test_is_refused_in_an_unclaimed_namespace(self, administrator: Commands, source: Path) -> None:
        address = ("--namespace", "nobodys", "--name", "network", "--system", "aws", "--version", "1.0.0")
        done = await administrator("publish", "module", source, *address)
        assert done.code == 1
        assert "has not claimed this namespace" in done.err
        assert done.err.endswith(", or `groundwork namespaces claim nobodys`\n")

    async def test_hears_the_refusal_of_a_large_archive_that_the_server_did_not_read(
        self, administrator: Commands, source: Path
    ) -> None:
        (source / "large.bin").write_bytes(os.urandom(8 << 20))
        address = ("--namespace", "nobodys", "--name", "network", "--system", "aws", "--version", "1.0.0")
        done = await administrator("publish", "module", source, *address)
        assert (done.code, done.out) == (1, "")
        assert "has not claimed this namespace" in done.err

    async def test_says_how_much_it_is_and_what_was_left_out(
        self, administrator: Commands, words: Callable[..., Words], source: Path, namespace: str
    ) -> None:
        (source / "terraform.rc").write_text("")
        (source / ".git").mkdir()
        (source / ".terraformignore").write_text("draft*\n")
        for number in range(10):
            (source / f"draft{number}").write_text("")
        done = await administrator(*words())
        assert done.code == 0
        left_out, no_part, packing, sending = done.err.splitlines()
        assert left_out.startswith("left out: terraform.rc (")
        assert no_part.startswith("no part of the module: .git/, .terraformignore, draft0, ")
        assert no_part.endswith(", draft7 and 2 more")
        assert packing == "packing 1 file(s), 33 bytes"
        assert sending.startswith(f"sending {namespace}/network/aws 1.0.0, ")

    async def test_refuses_an_archive_with_an_api_key_in_it(
        self, administrator: Commands, words: Callable[..., Words], source: Path, caller: Caller
    ) -> None:
        (source / "terraform.rc").write_text(f'token = "{caller.key}"\n')
        archive = source.parent / "network.tar.gz"
        with tarfile.open(archive, "w:gz", format=tarfile.USTAR_FORMAT) as target:
            target.add(source / "main.tf", "main.tf")
            target.add(source / "terraform.rc", "terraform.rc")
        done = await administrator(*words(file=archive))
        assert done.code == 1
        assert f"{archive}: terraform.rc contains the API key" in done.err
        assert caller.key not in done.err

    async def test_says_which_folder_does_not_exist(
        self, administrator: Commands, words: Callable[..., Words], tmp_path: Path
    ) -> None:
        done = await administrator(*words(file=tmp_path / "nothing"))
        assert done.code == 1
        assert f"{tmp_path / 'nothing'} does not exist" in done.err

    @pytest.mark.parametrize("version", ["v1.0.0", "1.0", "1.0.0+build"])
    async def test_says_what_a_version_looks_like(
        self, administrator: Commands, words: Callable[..., Words], version: str
    ) -> None:
        done = await administrator(*words(version))
        assert done.code == 1
        packing, sending, refusal = done.err.splitlines()
        assert (packing.partition(" ")[0], sending.partition(" ")[0]) == ("packing", "sending")
        assert "version is" in refusal

    async def test_shows_a_bar_of_the_bytes_on_a_terminal(
        self, administrator: Commands, words: Callable[..., Words], source: Path, repository: Path
    ) -> None:
        (source / "large.bin").write_bytes(os.urandom(1 << 20))
        reader, writer = pty.openpty()
        command = [sys.executable, "-P", "-m", "cli", *map(str, words())]
        administrator.environment(COLUMNS="160")
        process = await asyncio.create_subprocess_exec(*command, cwd=repository, stdout=writer, stderr=writer)
        assert await process.wait() == 0
        os.close(writer)
        shown = os.read(reader, 1 << 16).decode()
        os.close(reader)
        assert "the registry checks it" in shown
        assert "1.0/1.0 MB" in shown


class TestPublishProvider:
    async def test_publishes_a_dist_folder(
        self, administrator: Commands, namespace: str, signer: Signer, tmp_path: Path
    ) -> None:
        dist = Release(
            signer, packages={LINUX: a_provider_zip(), Platform("darwin", "arm64"): a_provider_zip()}
        ).write(tmp_path / "dist")
        done = await administrator("publish", "provider", dist, "--namespace", namespace, "--json")
        made = json.loads(done.out)
        assert (made["type"], made["version"]) == ("time", "0.1.0")
        assert [platform["os"] for platform in made["platforms"]] == ["darwin", "linux"]

    async def test_says_so_when_the_same_release_was_published_before(
        self, administrator: Commands, namespace: str, signer: Signer, tmp_path: Path
    ) -> None:
        dist = Release(signer).write(tmp_path / "dist")
        await administrator("publish", "provider", dist, "--namespace", namespace)
        done = await administrator("publish", "provider", dist, "--namespace", namespace)
        assert (done.code, done.out) == (
            0,
            f"{namespace}/time 0.1.0 was published before with the same bytes\n",
        )

    @pytest.mark.usefixtures("signer")
    async def test_is_refused_when_a_stranger_signed(
        self, administrator: Commands, namespace: str, tmp_path: Path
    ) -> None:
        dist = Release(Signer("Mallory <m@example.com>")).write(tmp_path / "dist")
        done = await administrator("publish", "provider", dist, "--namespace", namespace)
        assert done.code == 1
        sending, refusal = done.err.splitlines()
        assert sending.startswith(f"sending {namespace}/time 0.1.0, ")
        assert "sign" in refusal

    async def test_says_what_is_missing_before_anything_is_sent(
        self, administrator: Commands, tmp_path: Path
    ) -> None:
        done = await administrator("publish", "provider", tmp_path, "--namespace", "any")
        assert done.code == 1
        assert "name goreleaser's `dist`" in done.err
