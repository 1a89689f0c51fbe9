"""PostgreSQL as a child: who it lets in, what it leaves alone, and what it recovers from by itself."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from domain.errors import ServerFailed
from integrations.embedded import postgresql as module
from integrations.embedded.postgresql import PostgreSQL

pytestmark = pytest.mark.servers
# Root runs it in a user namespace where the system allows that, and as nobody where not: both must work.
WAYS = sorted({module._wrapper(), "nobody"}) if os.geteuid() == 0 else ["none"]


def ask(url: str, query: str) -> object:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        row = connection.execute(query.encode()).fetchone()
        return None if row is None else row[0]


def left_in(directory: Path) -> list[str]:
    """Name the processes that work in a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(directory):
                found.append(process.name())
        except psutil.Error:
            continue
    return found


OWNER = """
import asyncio, pathlib, sys
from integrations.embedded import postgresql as module
module._wrapper = lambda: sys.argv[2]
async def main():
    async with module.PostgreSQL(pathlib.Path(sys.argv[1])) as server:
        print(server.pid, flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""


async def owned(home: Path, way: str) -> tuple[asyncio.subprocess.Process, psutil.Process]:
    """Let another process start a server; give both."""
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OWNER, str(home), way, stdout=subprocess.PIPE
    )
    assert owner.stdout is not None
    return owner, psutil.Process(int(await owner.stdout.readline()))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """Give a folder for a server; nothing may be left of it at the end."""
    yield tmp_path / "postgresql"
    assert left_in(tmp_path) == []


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run as the system allows, and as it would elsewhere."""
    monkeypatch.setattr(module, "_wrapper", lambda: request.param)
    return str(request.param)


class TestStart:
    @pytest.mark.usefixtures("way")
    async def test_it_answers_and_only_its_user_may_enter_its_folder(self, home: Path) -> None:
        async with PostgreSQL(home, durable=False) as server:
            assert ask(server.owner_url, "SELECT current_user") == "groundwork_owner"
            assert [stat.S_IMODE(path.stat().st_mode) for path in (home, home / "data")] == [0o700, 0o700]
            assert stat.S_IMODE((home / "passwords.json").stat().st_mode) == 0o600

    async def test_the_folders_above_keep_their_rights(self, tmp_path: Path) -> None:
        above = tmp_path / "closed"
        above.mkdir(mode=0o700)
        async with PostgreSQL(above / "postgresql", durable=False):
            assert stat.S_IMODE(above.stat().st_mode) == 0o700
        assert stat.S_IMODE(above.stat().st_mode) == 0o700

    async def test_the_roles_that_serve_own_nothing_and_the_owner_is_no_superuser(self, home: Path) -> None:
        async with PostgreSQL(home, durable=False) as server:
            query = "SELECT rolsuper OR rolbypassrls OR rolreplication FROM pg_roles WHERE rolname = current_user"
            assert [ask(url, query) for url in (server.owner_url, server.app_url, server.platform_url)] == [
                False
            ] * 3
            query = "SELECT rolcreaterole AND rolcreatedb FROM pg_roles WHERE rolname = current_user"
            assert ask(server.owner_url, query) is True

    async def test_a_wrong_password_does_not_let_in(self, home: Path) -> None:
        async with PostgreSQL(home, durable=False) as server:
            url = server.app_url.replace("+psycopg", "").replace("groundwork_app:", "groundwork_app:not-")
            with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                psycopg.connect(url)

    async def test_what_was_stored_is_there_after_a_restart(self, home: Path) -> None:
        async with PostgreSQL(home) as server:
            with psycopg.connect(server.owner_url.replace("+psycopg", "")) as connection:
                connection.execute("CREATE TABLE kept AS SELECT 42 AS value")
        async with PostgreSQL(home) as server:
            assert ask(server.owner_url, "SELECT value FROM kept") == 42

    async def test_a_taken_port_is_an_error_with_postgresqls_own_words(self, home: Path, tmp_path: Path) -> None:
        async with PostgreSQL(home, durable=False) as server:
            second = PostgreSQL(tmp_path / "second", port=server.port, durable=False)
            with pytest.raises(ServerFailed, match="Address already in use"):
                await second.start()


class TestRecovery:
    @pytest.mark.usefixtures("way")
    async def test_a_killed_server_starts_again_without_help(self, home: Path) -> None:
        async with PostgreSQL(home) as server:
            with psycopg.connect(server.owner_url.replace("+psycopg", "")) as connection:
                connection.execute("CREATE TABLE kept AS SELECT 42 AS value")
            os.kill(server.pid, signal.SIGKILL)
            assert await server.wait() == -signal.SIGKILL
            await server.start()
            assert ask(server.owner_url, "SELECT value FROM kept") == 42

    async def test_a_server_of_a_killed_owner_stops_by_itself(self, home: Path, way: str) -> None:
        owner, server = await owned(home, way)
        owner.kill()
        await owner.wait()
        await asyncio.to_thread(server.wait, 10)

    async def test_a_server_that_is_still_stopping_does_not_block_the_next(self, home: Path, way: str) -> None:
        owner, _ = await owned(home, way)
        owner.kill()
        await owner.wait()
        async with PostgreSQL(home) as server:
            assert ask(server.app_url, "SELECT 1") == 1

    async def test_a_process_id_that_came_again_does_not_block(self, home: Path) -> None:
        async with PostgreSQL(home):
            stale = (home / "data" / "postmaster.pid").read_text().splitlines()
        stale[0] = str(os.getpid())
        (home / "data" / "postmaster.pid").write_text("\n".join(stale) + "\n")
        async with PostgreSQL(home) as server:
            assert ask(server.app_url, "SELECT 1") == 1

    async def test_half_made_data_is_made_anew(self, home: Path) -> None:
        (home / "data.new" / "base").mkdir(parents=True)
        async with PostgreSQL(home, durable=False) as server:
            assert ask(server.app_url, "SELECT 1") == 1
        assert not (home / "data.new").exists()
