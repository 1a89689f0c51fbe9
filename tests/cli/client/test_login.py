"""Who commands talk to."""

import asyncio
import json
import os
import pty
import stat
import sys
from pathlib import Path

import pytest

from domain.identity.keys import KeyKind, new_token
from tests.cli.client.commands import Commands, Done
from tests.factories.organizations import Caller
from tests.fixtures.https import HttpsServer

pytestmark = pytest.mark.servers


def profile_of(tmp_path: Path) -> Path:
    return tmp_path / "config" / "groundwork" / "profile.json"


class TestLogin:
    async def test_lets_later_commands_talk_to_the_server(
        self, commands: Commands, https: HttpsServer, caller: Caller
    ) -> None:
        done = await commands("login", https.url, "--ca", https.ca, stdin=f"{caller.key}\n")
        assert done.code == 0
        assert f"logged in to {https.url} ({caller.organization.slug})" in done.out
        assert (await commands("namespaces", "list")).code == 0

    async def test_stores_the_key_for_this_user_alone_and_prints_it_nowhere(
        self, commands: Commands, https: HttpsServer, caller: Caller, tmp_path: Path
    ) -> None:
        done = await commands("login", f"{https.url}/", "--ca", https.ca, stdin=caller.key)
        file = profile_of(tmp_path)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        assert json.loads(file.read_text()) == {"url": https.url, "key": caller.key, "ca": str(https.ca)}
        assert caller.key not in done.out + done.err

    async def test_asks_for_the_key_on_a_terminal_and_does_not_show_it(
        self, commands: Commands, https: HttpsServer, caller: Caller, repository: Path, tmp_path: Path
    ) -> None:
        commands.environment(XDG_CONFIG_HOME=tmp_path / "config")
        terminal, other_end = pty.openpty()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "cli", "login", https.url, "--ca", str(https.ca)),
            cwd=repository,
            stdin=other_end,
            stdout=other_end,
            stderr=other_end,
            preexec_fn=lambda: os.login_tty(other_end),
        )
        os.close(other_end)
        shown = await asyncio.to_thread(os.read, terminal, 1 << 16)
        assert shown.decode().endswith(f"API key for {https.url}: ")
        os.write(terminal, f"{caller.key}\n".encode())
        assert await process.wait() == 0
        shown = os.read(terminal, 1 << 16)
        os.close(terminal)
        assert b"logged in to" in shown
        assert caller.key.encode() not in shown
        assert profile_of(tmp_path).exists()

    async def test_stores_nothing_when_the_server_does_not_know_the_key(
        self, commands: Commands, https: HttpsServer, caller: Caller, tmp_path: Path
    ) -> None:
        made = json.loads((await _keys(commands, https, caller, "create", "short", "--json")).out)
        await _keys(commands, https, caller, "revoke", made["id"])
        commands.environment(GROUNDWORK_URL=None, GROUNDWORK_KEY=None, GROUNDWORK_CA=None)
        done = await commands("login", https.url, "--ca", https.ca, stdin=made["key"])
        assert done.code == 1
        assert "`groundwork login` stores another key" in done.err
        assert not profile_of(tmp_path).exists()

    async def test_takes_a_key_that_may_do_little(
        self, commands: Commands, https: HttpsServer, caller: Caller
    ) -> None:
        made = await _keys(commands, https, caller, "create", "reader", "--scope", "registry:read", "--quiet")
        commands.environment(GROUNDWORK_URL=None, GROUNDWORK_KEY=None, GROUNDWORK_CA=None)
        done = await commands("login", https.url, "--ca", https.ca, stdin=made.out)
        assert done.code == 0
        assert "a key that may not list organizations" in done.out

    async def test_says_so_when_a_paste_was_cut(
        self, commands: Commands, https: HttpsServer, caller: Caller
    ) -> None:
        done = await commands("login", https.url, "--ca", https.ca, stdin=caller.key[:-1])
        assert done.code == 2
        assert done.err == (
            "groundwork: that is not a whole API key (gwk_...): copy it again, "
            "from its first letter to its last (groundwork login --help says more)\n"
        )

    async def test_says_what_to_do_when_the_certificate_is_not_trusted(
        self, commands: Commands, https: HttpsServer, caller: Caller
    ) -> None:
        done = await commands("login", https.url, stdin=caller.key)
        assert done.code == 1
        assert f"the certificate of {https.url} is not trusted" in done.err
        assert "--ca FILE" in done.err
        assert len(done.err.splitlines()) == 1

    async def test_says_the_address_when_nobody_answers_there(self, commands: Commands, caller: Caller) -> None:
        done = await commands("login", "https://127.0.0.1:1", stdin=caller.key)
        assert done.code == 1
        assert done.err == (
            "groundwork: can't reach https://127.0.0.1:1 (Connection refused): "
            "is the address right, and does the server run?\n"
        )

    @pytest.mark.parametrize(
        ("url", "sentence"),
        [
            (
                "http://registry.example.com/",
                "because the key is sent there: write https://registry.example.com (",
            ),
            ("http://127.0.0.1:8443", "because the key is sent there: write https://127.0.0.1:8443 ("),
            ("https://[::1]:8443/docs", "is not the API's address, which has no path: write https://[::1]:8443 ("),
            ("registry.example.com", "is an address like https://registry.example.com"),
            ("https://me:secret@registry.example.com", "holds no user or password"),
            ("https://registry.example.com/?x=1", "without anything behind ?"),
            ("https://registry.example.com:99999", "is an address like"),
            ("https://registry example.com", "is an address like"),
            ("https://[::1", "URL"),
        ],
    )
    async def test_refuses_addresses_that_a_key_must_not_be_sent_to(
        self, commands: Commands, url: str, sentence: str
    ) -> None:
        done = await commands("login", url)
        assert done.code == 2
        assert sentence in done.err

    @pytest.mark.parametrize("content", [None, "no certificate"])
    async def test_names_an_authority_s_file_that_can_t_be_used(
        self, commands: Commands, https: HttpsServer, caller: Caller, tmp_path: Path, content: str | None
    ) -> None:
        file = tmp_path / "ca.pem"
        if content is not None:
            file.write_text(content)
        done = await commands("login", https.url, "--ca", file, stdin=caller.key)
        assert done.code == 1
        assert str(file) in done.err


class TestCurrentProfile:
    async def test_is_nobody_s_before_a_login(self, commands: Commands) -> None:
        done = await commands("keys", "list")
        assert done.code == 1
        assert done.err == (
            "groundwork: no server is known: run `groundwork login ADDRESS`, "
            "or set GROUNDWORK_URL and GROUNDWORK_KEY\n"
        )

    async def test_takes_the_environment_before_what_was_stored(
        self, commands: Commands, https: HttpsServer, caller: Caller, stranger: Caller
    ) -> None:
        await commands("login", https.url, "--ca", https.ca, stdin=caller.key)
        commands.environment(GROUNDWORK_KEY=stranger.key)
        listed = await commands("keys", "list", "--json")
        assert {key["owner_id"] for key in json.loads(listed.out)} == {str(stranger.principal.user_id)}

    async def test_sends_a_stored_key_to_no_other_server(
        self, commands: Commands, https: HttpsServer, caller: Caller
    ) -> None:
        await commands("login", https.url, "--ca", https.ca, stdin=caller.key)
        commands.environment(GROUNDWORK_URL="https://elsewhere.example.com")
        done = await commands("keys", "list")
        assert done.code == 1
        assert "no key for https://elsewhere.example.com is known" in done.err

    async def test_says_where_a_key_came_from_that_the_server_does_not_take(
        self, commands: Commands, https: HttpsServer, caller: Caller, tmp_path: Path
    ) -> None:
        unknown = new_token(KeyKind.PERSONAL).text
        await commands("login", https.url, "--ca", https.ca, stdin=caller.key)
        commands.environment(GROUNDWORK_KEY=unknown)
        assert "(the key is that of GROUNDWORK_KEY in the environment)" in (await commands("keys", "list")).err
        commands.environment(GROUNDWORK_KEY=None)
        file = profile_of(tmp_path)
        file.write_text(file.read_text().replace(caller.key, unknown))
        done = await commands("keys", "list")
        assert f"(the key is that of {file}; `groundwork login {https.url}` stores another)" in done.err

    @pytest.mark.parametrize("key", ["gwk_a b", "gwk_\u00fc", "gwk_a\nX-Other: b"])
    async def test_refuses_a_key_that_is_none_without_repeating_it(
        self, commands: Commands, https: HttpsServer, key: str
    ) -> None:
        commands.environment(GROUNDWORK_URL=https.url, GROUNDWORK_CA=https.ca, GROUNDWORK_KEY=key)
        done = await commands("keys", "list")
        assert (done.code, done.err) == (1, "groundwork: GROUNDWORK_KEY is no API key (gwk_...)\n")

    async def test_forgives_the_line_s_end_of_a_key_that_was_read_from_a_file(
        self, commands: Commands, https: HttpsServer, caller: Caller
    ) -> None:
        commands.environment(GROUNDWORK_URL=https.url, GROUNDWORK_CA=https.ca, GROUNDWORK_KEY=f"{caller.key}\n")
        assert (await commands("keys", "list")).code == 0

    async def test_says_so_when_what_was_stored_is_damaged(self, commands: Commands, tmp_path: Path) -> None:
        file = profile_of(tmp_path)
        file.parent.mkdir(parents=True)
        file.write_text("{")
        done = await commands("keys", "list")
        assert done.code == 1
        assert "is damaged: run `groundwork login` again" in done.err


async def _keys(commands: Commands, https: HttpsServer, caller: Caller, *words: str) -> Done:
    commands.environment(GROUNDWORK_URL=https.url, GROUNDWORK_KEY=caller.key, GROUNDWORK_CA=https.ca)
    return await commands("keys", *words)
