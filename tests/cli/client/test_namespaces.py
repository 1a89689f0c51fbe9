"""Namespaces and the keys that sign in them, from the command line."""

import json
from pathlib import Path

import pytest

from tests.cli.client.commands import Commands
from tests.factories.registry import new_namespace
from tests.fixtures.signing import Signer, a_gpg

pytestmark = pytest.mark.servers


class TestNamespaces:
    async def test_are_claimed_and_listed(self, administrator: Commands) -> None:
        name = new_namespace()
        assert (await administrator("namespaces", "claim", name)).out.startswith(f"claimed {name}")
        [line] = (await administrator("namespaces", "list")).lines
        assert line.split("\t")[0] == name

    async def test_may_be_claimed_twice_by_their_owner(self, administrator: Commands) -> None:
        name = new_namespace()
        for _ in range(2):
            assert (await administrator("namespaces", "claim", name, "--quiet")).lines == [name]

    async def test_say_what_to_do_when_there_are_none(self, administrator: Commands) -> None:
        done = await administrator("namespaces", "list")
        assert (done.code, done.out) == (0, "")
        assert "`groundwork namespaces claim NAME`" in done.err

    async def test_give_the_api_s_documents_as_json(self, administrator: Commands) -> None:
        name = new_namespace()
        made = json.loads((await administrator("namespaces", "claim", name, "--json")).out)
        assert json.loads((await administrator("namespaces", "list", "--json")).out) == [made]

    async def test_are_refused_in_one_line(self, administrator: Commands) -> None:
        done = await administrator("namespaces", "claim", "terraform")
        assert done.code == 1
        assert done.err == "groundwork: this namespace is reserved; choose another (namespace: terraform)\n"


class TestGpgKeys:
    async def test_are_added_listed_and_removed(self, administrator: Commands, tmp_path: Path) -> None:
        namespace = new_namespace()
        await administrator("namespaces", "claim", namespace)
        (tmp_path / "key.asc").write_text(Signer("Releases <r@example.com>").public)
        added = await administrator("gpg-keys", "add", tmp_path / "key.asc", "--namespace", namespace)
        assert "(Releases <r@example.com>)" in added.out
        [listed] = (await administrator("gpg-keys", "list", "--namespace", namespace, "--quiet")).lines
        unasked = await administrator("gpg-keys", "remove", listed, "--namespace", namespace)
        assert unasked.code != 0
        assert "say --yes" in unasked.err
        key_id = added.out.split()[1]
        removed = await administrator("gpg-keys", "remove", key_id, "--namespace", namespace, "--yes")
        assert removed.out == f"{key_id} (Releases <r@example.com>) is out of use in {namespace}\n"
        again = await administrator("gpg-keys", "remove", listed, "--namespace", namespace, "--yes")
        assert (again.code, "no such key" in again.err) == (1, True), again.err
        assert (await administrator("gpg-keys", "list", "--namespace", namespace)).out == ""

    async def test_that_are_private_are_not_sent(self, administrator: Commands) -> None:
        namespace = new_namespace()
        await administrator("namespaces", "claim", namespace)
        private = "-----BEGIN PGP PRIVATE KEY BLOCK-----\n"
        done = await administrator("gpg-keys", "add", "-", "--namespace", namespace, stdin=private)
        assert done.code == 1
        assert "was not sent" in done.err

    async def test_that_expire_soon_say_so_when_they_are_added_and_listed(self, administrator: Commands) -> None:
        namespace = new_namespace()
        await administrator("namespaces", "claim", namespace)
        with a_gpg() as gpg:
            public = gpg.public(gpg.make_key("ed25519", "10d"))
        added = await administrator("gpg-keys", "add", "-", "--namespace", namespace, stdin=public)
        assert "warning: the signing key " in added.err
        assert added.code == 0
        [listed] = (await administrator("gpg-keys", "list", "--namespace", namespace)).lines
        assert listed.split("\t")[2] == "expires soon"
        assert listed.endswith("or sign with another")

    async def test_are_read_from_standard_input(self, administrator: Commands) -> None:
        namespace = new_namespace()
        await administrator("namespaces", "claim", namespace)
        done = await administrator("gpg-keys", "add", "-", "--namespace", namespace, stdin=Signer().public)
        assert done.code == 0

    async def test_say_what_to_do_when_there_are_none(self, administrator: Commands) -> None:
        namespace = new_namespace()
        await administrator("namespaces", "claim", namespace)
        done = await administrator("gpg-keys", "list", "--namespace", namespace)
        assert f"`groundwork gpg-keys add key.asc --namespace {namespace}`" in done.err

    @pytest.mark.parametrize("namespace", ["unclaimed-ns", "..", "a/b?c#d"])
    async def test_of_a_namespace_that_is_not_ours_are_refused(
        self, administrator: Commands, namespace: str
    ) -> None:
        done = await administrator("gpg-keys", "list", "--namespace", namespace)
        assert done.code == 1
        assert len(done.err.splitlines()) == 1

    async def test_need_a_file_of_text(self, administrator: Commands, tmp_path: Path) -> None:
        binary = tmp_path / "key.gpg"
        binary.write_bytes(b"\x99\x01\xff")
        for file, said in (
            ("/nowhere", "can't be read (No such file or directory): is the path right?"),
            (tmp_path, "can't be read (Is a directory): name a file in it"),
            (binary, "is not text: name what `gpg --armor --export KEY` prints"),
        ):
            done = await administrator("gpg-keys", "add", file, "--namespace", "any")
            assert (done.code, done.err) == (1, f"groundwork: {file} {said}\n")

    async def test_are_refused_as_they_come_without_armor_by_a_pipe(self, administrator: Commands) -> None:
        done = await administrator("gpg-keys", "add", "-", "--namespace", "any", stdin=b"\x99\x01\xff")
        assert done.err == "groundwork: - is not text: name what `gpg --armor --export KEY` prints\n"
        none = await administrator("gpg-keys", "add", "-", "--namespace", "any")
        assert none.err.startswith("groundwork: - is empty: name what `gpg --armor --export KEY` prints; ")
