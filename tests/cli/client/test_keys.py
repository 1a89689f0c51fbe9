"""API keys from the command line."""

import json

import pytest

from domain.identity.keys import read_token
from tests.cli.client.commands import Commands

pytestmark = pytest.mark.servers


class TestCreate:
    async def test_prints_the_key_alone_so_that_it_can_go_into_a_file(self, administrator: Commands) -> None:
        done = await administrator("keys", "create", "laptop")
        [line] = done.lines
        assert read_token(line) is not None
        assert done.err == "it may all that you may, until it is revoked; this is the only time it is shown\n"

    async def test_prints_the_key_and_not_its_id_when_quiet(self, administrator: Commands) -> None:
        done = await administrator("keys", "create", "laptop", "--quiet")
        assert read_token(done.out.strip()) is not None
        assert done.err == ""

    async def test_makes_a_key_with_fewer_rights_and_an_end(self, administrator: Commands) -> None:
        words = ("keys", "create", "ci", "--kind", "service", "--scope", "registry:read", "--days", "1")
        made = json.loads((await administrator(*words, "--json")).out)
        assert (made["kind"], made["scopes"]) == ("svc", ["registry:read"])
        assert made["expires_at"] is not None
        said = (await administrator(*words, "--scope", "run:read")).err
        assert said.startswith(f"it may registry:read, run:read, until {made['expires_at'][:10]}")

    async def test_names_the_field_that_the_server_refuses(self, administrator: Commands) -> None:
        done = await administrator("keys", "create", "x", "--scope", "registry:eat")
        assert done.code == 1
        assert "scopes.0: no such permission" in done.err
        assert len(done.err.splitlines()) == 1

    @pytest.mark.parametrize(
        "words", [("keys", "create"), ("keys", "create", "x", "--days", "0"), ("keys", "creat")]
    )
    async def test_ends_with_the_code_of_wrong_usage_on_a_wrong_command_line(
        self, commands: Commands, words: tuple[str, ...]
    ) -> None:
        done = await commands(*words)
        assert done.code == 2
        assert len(done.err.splitlines()) == 1


class TestList:
    async def test_gives_tab_separated_lines_to_a_pipe(self, administrator: Commands) -> None:
        await administrator("keys", "create", "laptop")
        rows = [line.split("\t") for line in (await administrator("keys", "list")).lines]
        assert [row[2] for row in rows][-1] == "laptop"
        assert all(row[1].startswith("gwk_") and row[1].endswith("...") for row in rows)

    async def test_follows_pages_until_the_limit(
        self, administrator: Commands, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("cli.client.api.PAGE", 2)
        for number in range(4):
            await administrator("keys", "create", f"key-{number}")
        everything = (await administrator("keys", "list", "--quiet")).lines
        assert len(everything) == len(set(everything)) == 5
        assert (await administrator("keys", "list", "--quiet", "--limit", "3")).lines == everything[:3]


class TestRevoke:
    async def test_shows_in_the_list(self, administrator: Commands) -> None:
        made = json.loads((await administrator("keys", "create", "lost", "--json")).out)
        assert (await administrator("keys", "revoke", made["id"])).code == 0
        listed = json.loads((await administrator("keys", "list", "--json")).out)
        assert [key["revoked_at"] is not None for key in listed if key["id"] == made["id"]] == [True]

    async def test_takes_the_beginning_of_an_id(self, administrator: Commands) -> None:
        made = json.loads((await administrator("keys", "create", "lost", "--json")).out)
        assert (await administrator("keys", "revoke", made["id"][:-1])).out == f"revoked {made['id']}\n"

    async def test_of_a_beginning_that_no_id_has_is_refused(self, administrator: Commands) -> None:
        done = await administrator("keys", "revoke", "ffff")
        assert done.code == 1
        assert "no id begins with ffff among the organization's API keys: `groundwork keys list` shows" in done.err

    async def test_of_an_unknown_key_is_refused(self, administrator: Commands) -> None:
        done = await administrator("keys", "revoke", "01932b0c-0000-7000-8000-000000000000")
        assert done.code == 1
        assert len(done.err.splitlines()) == 1
