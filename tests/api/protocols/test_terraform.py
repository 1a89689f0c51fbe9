"""The registry protocols, to the letter: what the tools read and what makes them stop."""

import re
from typing import Any

import httpx2
import pytest
from asgi_lifespan import LifespanManager

from api.app import create_app
from api.protocols.answers import written
from domain.registry.names import Platform
from services.all import Services
from storage.database import Database
from tests.factories.organizations import Caller
from tests.factories.registry import (
    LINUX,
    MODULES,
    NAMESPACES,
    PROVIDERS,
    Release,
    a_module,
    a_provider,
    add_key,
    claim_namespace,
    publish,
)
from tests.fixtures.archives import a_provider_zip, a_tar_gz, a_zip
from tests.fixtures.queries import counted_queries
from tests.fixtures.signing import Signer, a_gpg

pytestmark = pytest.mark.servers

SIGNER = Signer()
WINDOWS = Platform("windows", "amd64")
RELEASE = Release(SIGNER, packages={LINUX: a_provider_zip(), WINDOWS: a_provider_zip(content=b"MZ")})


@pytest.fixture
async def namespace(client: httpx2.AsyncClient, caller: Caller) -> str:
    name = await claim_namespace(client, caller)
    await add_key(client, caller, name, SIGNER)
    await publish(client, caller, MODULES, a_module(name))
    await publish(client, caller, PROVIDERS, a_provider(name, RELEASE))
    return name


async def get(client: httpx2.AsyncClient, caller: Caller, path: str) -> Any:  # noqa: ANN401  JSON
    answer = await client.get(path, headers=caller.headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


class TestDiscovery:
    async def test_is_exactly_json_and_every_address_ends_with_a_slash(self, client: httpx2.AsyncClient) -> None:
        for headers in ({}, {"Authorization": "Bearer nonsense"}):
            answer = await client.get("/.well-known/terraform.json", headers=headers)
            assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
            assert all(address.endswith("/") for address in answer.json().values())


class TestModuleVersions:
    async def test_lists_the_highest_first(
        self, client: httpx2.AsyncClient, caller: Caller, namespace: str
    ) -> None:
        for version in ("0.10.0", "0.2.0", "0.2.0-rc.1"):
            await publish(client, caller, MODULES, a_module(namespace, version=version))
        found = await get(client, caller, f"/v1/modules/{namespace}/network/aws/versions")
        versions = [{"version": version} for version in ("0.10.0", "0.2.0", "0.2.0-rc.1", "0.1.0")]
        assert found == {"modules": [{"versions": versions}]}

    @pytest.mark.parametrize("path", ["network/gcp", "Network/aws", "%2e%2e/aws", "network/aws%00", "\u0430/aws"])
    async def test_what_is_not_there_is_not_found_in_the_protocols_form(
        self, client: httpx2.AsyncClient, caller: Caller, namespace: str, path: str
    ) -> None:
        answer = await client.get(f"/v1/modules/{namespace}/{path}/versions", headers=caller.headers)
        assert answer.status_code == 404
        assert list(answer.json()) == ["errors"]

    async def test_needs_a_key(self, client: httpx2.AsyncClient, namespace: str) -> None:
        answer = await client.get(f"/v1/modules/{namespace}/network/aws/versions")
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert list(answer.json()) == ["errors"]

    @pytest.mark.parametrize("path", ["modules/{}/network/aws/versions", "providers/{}/time/versions"])
    async def test_the_end_of_a_line_behind_a_path_makes_it_another(
        self, client: httpx2.AsyncClient, caller: Caller, namespace: str, path: str
    ) -> None:
        answer = await client.get(f"/v1/{path.format(namespace)}%0a", headers=caller.headers)
        assert (answer.status_code, answer.json()) == (404, {"errors": ["there is nothing at this path"]})


class TestModuleDownload:
    @pytest.mark.parametrize(("archive", "ending"), [(a_tar_gz(), ".tar.gz"), (a_zip(), ".zip")])
    async def test_says_the_same_in_body_and_header_and_the_name_tells_the_kind(
        self, client: httpx2.AsyncClient, caller: Caller, namespace: str, archive: bytes, ending: str
    ) -> None:
        await publish(client, caller, MODULES, a_module(namespace, name="other", archive=archive))
        path = f"/v1/modules/{namespace}/other/aws/0.1.0/download"
        answer = await client.get(path, headers=caller.headers)
        assert answer.status_code == 200
        location = answer.json()["location"]
        assert answer.json() == {"location": location, "use_registry_credentials": False}
        assert answer.headers["x-terraform-get"] == location
        assert location.startswith("/")
        assert location.endswith(ending)
        assert "//" not in location
        fetched = await client.get(location)
        assert (fetched.status_code, fetched.content) == (200, archive)

    async def test_names_nobody(
        self, client: httpx2.AsyncClient, caller: Caller, namespace: str, stranger: Caller
    ) -> None:
        other = await claim_namespace(client, stranger)
        await publish(client, stranger, MODULES, a_module(other))
        locations = set()
        for who, where in ((caller, namespace), (stranger, other)):
            found = await get(client, who, f"/v1/modules/{where}/network/aws/0.1.0/download")
            locations.add(re.sub(r"/\d+\.", "/", found["location"]))
        assert len({re.sub(r"[0-9a-f]{64}/[0-9a-f]{64}", "", location) for location in locations}) == 1

    async def test_unknown_versions_are_not_found(
        self, client: httpx2.AsyncClient, caller: Caller, namespace: str
    ) -> None:
        for version in ("9.9.9", "vv0.1.0", "00.1.0", "0.1.0+meta", "..", "%00"):
            path = f"/v1/modules/{namespace}/network/aws/{version}/download"
            assert (await client.get(path, headers=caller.headers)).status_code == 404

    @pytest.mark.parametrize("version", ["v0.1.0", "0.1", "v0.1"])
    async def test_a_version_is_what_the_tools_take_it_for(
        self, client: httpx2.AsyncClient, caller: Caller, namespace: str, version: str
    ) -> None:
        modules, providers = f"/v1/modules/{namespace}/network/aws", f"/v1/providers/{namespace}/time"
        for path in (f"{modules}/{{}}/download", f"{providers}/{{}}/download/linux/amd64"):
            assert await get(client, caller, path.format(version)) == await get(
                client, caller, path.format("0.1.0")
            )


class TestProviderVersions:
    async def test_lists_platforms_and_protocols(
        self, client: httpx2.AsyncClient, caller: Caller, namespace: str
    ) -> None:
        found = await get(client, caller, f"/v1/providers/{namespace}/time/versions")
        platforms = [{"os": "linux", "arch": "amd64"}, {"os": "windows", "arch": "amd64"}]
        assert found == {"versions": [{"version": "0.1.0", "protocols": ["5.0"], "platforms": platforms}]}

    async def test_is_written_as_other_answers_are(
        self, client: httpx2.AsyncClient, caller: Caller, namespace: str
    ) -> None:
        packages = {LINUX: a_provider_zip(version="0.2.0")}
        release = Release(SIGNER, version="0.2.0", packages=packages, protocols=("5.0", "6.1"))
        form = a_provider(namespace, release)
        assert (await publish(client, caller, PROVIDERS, form)).status_code == 201
        reason = {"message": 'says "move on" \\ \u00fc'}
        path = f"{PROVIDERS}/{namespace}/time/0.1.0/deprecation"
        assert (await client.put(path, json=reason, headers=caller.headers)).status_code == 200
        answer = await client.get(f"/v1/providers/{namespace}/time/versions", headers=caller.headers)
        assert answer.content == written(answer.json()).encode()
        assert [each["protocols"] for each in answer.json()["versions"]] == [["5.0", "6.1"], ["5.0"]]

    async def test_asks_as_much_for_many_versions_as_for_one(
        self, client: httpx2.AsyncClient, caller: Caller, namespace: str, database: Database
    ) -> None:
        asked = []
        for version in ("0.2.0", "0.3.0"):
            release = Release(SIGNER, version=version, packages={LINUX: a_provider_zip(version=version)})
            await publish(client, caller, PROVIDERS, a_provider(namespace, release))
            with counted_queries(database) as statements:
                await get(client, caller, f"/v1/providers/{namespace}/time/versions")
            asked.append(len(statements))
        assert asked == [4, 4]  # for whom it is, the provider, its versions, the key of the highest

    async def test_warns_while_the_key_of_the_highest_version_is_near_its_end(
        self, client: httpx2.AsyncClient, caller: Caller
    ) -> None:
        namespace = await claim_namespace(client, caller)
        release = Release(SIGNER)
        with a_gpg() as gpg:
            key = gpg.make_key("ed25519", "20d")
            path = f"{NAMESPACES}/{namespace}/gpg-keys"
            await client.post(path, json={"ascii_armor": gpg.public(key)}, headers=caller.headers)
            form = a_provider(namespace, release, release.files(signature=gpg.sign(release.checksums)))
        assert (await publish(client, caller, PROVIDERS, form)).status_code == 201
        await add_key(client, caller, namespace, SIGNER)
        found = await get(client, caller, f"/v1/providers/{namespace}/time/versions")
        [warning] = found["warnings"]
        assert f"the signing key {key[-16:]} expires on " in warning
        listed = (await get(client, caller, path))["items"]
        assert [each["warning"] for each in listed] == [warning, None]

        newer = Release(SIGNER, version="0.2.0", packages={LINUX: a_provider_zip(version="0.2.0")})
        await publish(client, caller, PROVIDERS, a_provider(namespace, newer))
        found = await get(client, caller, f"/v1/providers/{namespace}/time/versions")
        assert "warnings" not in found


class TestAddressesOfFiles:
    async def test_are_whole_and_begin_as_the_settings_say_whatever_host_the_caller_names(
        self, services: Services, caller: Caller, namespace: str
    ) -> None:
        """Renovate asks for the files of a release at the addresses as they stand, and trivy for a module's."""
        public_url = "https://registry.acme.example:8443"
        async with (
            LifespanManager(create_app(services, public_url=public_url)) as running,
            httpx2.AsyncClient(
                transport=httpx2.ASGITransport(app=running.app), base_url="https://elsewhere.example"
            ) as made,
        ):
            for _ in ("built", "kept"):
                module = await get(made, caller, f"/v1/modules/{namespace}/network/aws/0.1.0/download")
                package = await get(made, caller, f"/v1/providers/{namespace}/time/0.1.0/download/linux/amd64")
                told = [module["location"], *(each for name, each in package.items() if name.endswith("_url"))]
                assert len(told) == len(["archive", "checksums", "signature", "package"])
                for address in told:
                    assert address.startswith(f"{public_url}/v1/files/")
                    assert (await made.get(address)).status_code == 200


class TestProviderDownload:
    async def test_gives_all_that_both_tools_check(
        self, client: httpx2.AsyncClient, caller: Caller, namespace: str
    ) -> None:
        found = await get(client, caller, f"/v1/providers/{namespace}/time/0.1.0/download/linux/amd64")
        assert (found["os"], found["arch"], found["protocols"]) == ("linux", "amd64", ["5.0"])
        assert found["filename"] == "terraform-provider-time_0.1.0_linux_amd64.zip"
        [key] = found["signing_keys"]["gpg_public_keys"]
        assert key["ascii_armor"].startswith("-----BEGIN PGP PUBLIC KEY BLOCK-----\n")
        assert (await client.get(found["shasums_url"])).content == RELEASE.checksums
        assert (await client.get(found["shasums_signature_url"])).content[0] & 0x80
        package = await client.get(found["download_url"])
        assert package.content == RELEASE.packages[LINUX]
        packages = found["packages"]
        assert set(packages) == {"linux_amd64", "windows_amd64"}
        assert packages["linux_amd64"]["package_size"] == len(package.content)
        assert packages["linux_amd64"]["hashes"][0] == f"zh:{found['shasum']}"
        assert all(each["hashes"][1].startswith("h1:") for each in packages.values())

    async def test_gives_no_hash_to_two_platforms_which_tofu_does_not_survive(
        self, client: httpx2.AsyncClient, caller: Caller, namespace: str
    ) -> None:
        same = a_provider_zip(version="0.2.0")
        release = Release(SIGNER, version="0.2.0", packages={LINUX: same, WINDOWS: same})
        await publish(client, caller, PROVIDERS, a_provider(namespace, release))
        path = f"/v1/providers/{namespace}/time/0.2.0/download"
        for platform, other in ((LINUX, WINDOWS), (WINDOWS, LINUX)):
            found = await get(client, caller, f"{path}/{platform.os}/{platform.arch}")
            assert len(found["packages"][str(platform)]["hashes"]) == 2
            assert found["packages"][str(other)]["hashes"] == []

    async def test_says_which_platforms_there_are(
        self, client: httpx2.AsyncClient, caller: Caller, namespace: str
    ) -> None:
        path = f"/v1/providers/{namespace}/time/0.1.0/download/plan9/amd64"
        answer = await client.get(path, headers=caller.headers)
        assert answer.status_code == 404
        assert "linux_amd64, windows_amd64" in answer.json()["errors"][0]
