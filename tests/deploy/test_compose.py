"""docker-compose.yml: held against the compose specification and against what the product reads."""

import json
import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema

from cli.servers import checks
from config.loading import load_settings
from config.secrets import Secrets
from config.settings import Settings
from domain.long_work import CONTROL_QUEUE, TERRAFORM_QUEUE
from domain.provisioning.steps import StepLimits
from integrations.temporal_configuration import temporal_configuration
from tools.temporal_dynamic import render
from workers.terraform import stop_time

HOSTNAME = "registry.example.com"
ONE_SHOT = {"temporal-schema", "migrate"}
DEPRECATED = ("temporalio/auto-setup", "minio/", "bitnami/")


@pytest.fixture(scope="module")
def compose(repository: Path) -> dict[str, Any]:
    text = repository.joinpath("docker-compose.yml").read_text()
    text = re.sub(r"\$\{REGISTRY_HOSTNAME(:\?[^}]*)?\}", HOSTNAME, text)
    read: dict[str, Any] = yaml.safe_load(text)
    return read


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    named: dict[str, dict[str, Any]] = compose["services"]
    return named


@pytest.fixture(scope="module")
def prepared(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run deploy/compose/prepare in a folder of its own; give the folder of the secrets."""
    there = tmp_path_factory.mktemp("installation") / "deploy" / "compose"
    there.mkdir(parents=True)
    shutil.copy(repository / "deploy" / "compose" / "prepare", there)
    subprocess.run([there / "prepare", HOSTNAME], check=True, capture_output=True)
    return there / "secrets"


@pytest.fixture(scope="module")
def bucket(repository: Path) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(repository.joinpath("deploy", "compose", "s3.yaml").read_text())
    return read


class TestFile:
    def test_it_is_a_compose_file_by_the_specification(self, compose: dict[str, Any]) -> None:
        schema = get_builtin_schema("vendor.compose-spec")

        mistakes = [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(compose)]

        assert mistakes == []

    def test_the_specification_would_notice_a_mistake(self, compose: dict[str, Any]) -> None:
        schema = get_builtin_schema("vendor.compose-spec")
        wrong = compose | {"services": {"api": {"imagee": "x"}}}

        assert list(jsonschema.Draft202012Validator(schema).iter_errors(wrong))

    def test_it_has_no_version_which_compose_no_longer_reads(self, compose: dict[str, Any]) -> None:
        assert "version" not in compose

    def test_every_image_is_pinned_and_none_is_deprecated(self, services: dict[str, dict[str, Any]]) -> None:
        images = [service["image"] for service in services.values()]

        assert [image for image in images if not re.fullmatch(r"[a-z/-]+:\d+\.\d+(\.\d+)?(-[a-z]+)?", image)] == []
        assert [image for image in images if image.startswith(DEPRECATED)] == []

    def test_every_container_is_confined(self, services: dict[str, dict[str, Any]]) -> None:
        for name, service in services.items():
            assert service["read_only"] is True, name
            assert service["cap_drop"] == ["ALL"], name
            assert service["security_opt"] == ["no-new-privileges:true"], name
            assert service.get("user") not in {"root", "0", "0:0"}, name
            assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}, name

    def test_only_the_registry_is_reachable_from_elsewhere(self, services: dict[str, dict[str, Any]]) -> None:
        public = {
            name: service["ports"]
            for name, service in services.items()
            if any(not port.startswith("127.0.0.1:") for port in service.get("ports", ()))
        }

        assert public == {"api": ["443:443"]}

    def test_no_secret_stands_in_it(self, services: dict[str, dict[str, Any]]) -> None:
        named = [
            (name, variable, value)
            for name, service in services.items()
            for variable, value in service.get("environment", {}).items()
            if re.search(r"PASSWORD|PWD|SECRET|_URL|KEY", variable) and not str(value).startswith("/run/secrets/")
        ]

        assert {variable for _, variable, _ in named} <= {
            "GROUNDWORK_TEMPORAL__WEB_URL",
            "GROUNDWORK_REGISTRY__PUBLIC_URL",
        }


class TestOrder:
    def test_a_server_waits_until_what_it_needs_is_healthy_or_done(
        self, services: dict[str, dict[str, Any]]
    ) -> None:
        for name, service in services.items():
            for needed, how in service.get("depends_on", {}).items():
                expected = "service_completed_successfully" if needed in ONE_SHOT else "service_healthy"
                assert how == {"condition": expected}, f"{name} on {needed}"
                assert needed in ONE_SHOT or "healthcheck" in services[needed], needed

    def test_jobs_end_and_servers_come_back(self, services: dict[str, dict[str, Any]]) -> None:
        restarts = {name: service["restart"] for name, service in services.items()}

        assert {restarts[name] for name in ONE_SHOT} == {"no", "on-failure:5"}
        assert {restart for name, restart in restarts.items() if name not in ONE_SHOT} == {"unless-stopped"}

    def test_the_schema_is_there_before_any_server_of_ours(self, services: dict[str, dict[str, Any]]) -> None:
        ours = {name for name, service in services.items() if service["image"].startswith("groundwork-")}

        assert ours == {"migrate", "api", "worker-control", "worker-terraform"}
        assert all("migrate" in services[name]["depends_on"] for name in ours - {"migrate"})

    def test_each_image_of_ours_is_built_once(self, services: dict[str, dict[str, Any]]) -> None:
        built = [
            (service["image"], service["build"]["target"]) for service in services.values() if "build" in service
        ]

        assert sorted(built) == [("groundwork-api:0.1.0", "api"), ("groundwork-worker:0.1.0", "worker")]

    def test_every_queue_has_a_worker(self, services: dict[str, dict[str, Any]]) -> None:
        commands = [service["command"] for name, service in services.items() if name.startswith("worker-")]

        queues = [command[command.index("--queue") + 1] for command in commands]
        assert sorted(queues) == sorted((CONTROL_QUEUE, TERRAFORM_QUEUE))

    def test_each_server_tells_whether_it_is_well(self, services: dict[str, dict[str, Any]]) -> None:
        assert {name for name, service in services.items() if "healthcheck" not in service} == ONE_SHOT

    def test_a_worker_touches_the_file_that_its_health_is_told_by(
        self, services: dict[str, dict[str, Any]]
    ) -> None:
        workers = {name: service for name, service in services.items() if name.startswith("worker-")}

        for name, service in workers.items():
            file = service["command"][service["command"].index("--alive-file") + 1]
            assert service["healthcheck"]["test"][-1] == file, name
            assert str(Path(file).parent) in service["tmpfs"], name

    def test_no_log_fills_the_disk(self, services: dict[str, dict[str, Any]]) -> None:
        for name, service in services.items():
            assert set(service["logging"]["options"]) == {"max-size", "max-file"}, name

    def test_a_worker_may_take_longer_to_stop_than_the_tools_it_interrupts(
        self, services: dict[str, dict[str, Any]]
    ) -> None:
        longest = stop_time(StepLimits(grace=Settings.model_fields["runner"].default.grace))

        period = services["worker-terraform"]["stop_grace_period"]

        assert timedelta(seconds=int(period.removesuffix("s"))) > longest


class TestSecrets:
    def test_each_that_is_named_is_made_by_prepare(self, compose: dict[str, Any], prepared: Path) -> None:
        for name, secret in compose["secrets"].items():
            assert secret == {"file": f"deploy/compose/secrets/{name}"}
            assert prepared.joinpath(name).read_text().strip(), name

    def test_each_service_declares_those_it_reads(
        self, compose: dict[str, Any], services: dict[str, dict[str, Any]], repository: Path
    ) -> None:
        for name, service in services.items():
            scripts = [volume.split(":")[0] for volume in service.get("volumes", ()) if volume.startswith("./")]
            text = str(service) + "".join((repository / script).read_text() for script in scripts)
            read = set(re.findall(r"/run/secrets/([\w.]+)", text))
            assert read == set(service.get("secrets", ())), name
            assert read <= set(compose["secrets"]), name

    def test_only_the_migration_gets_the_owner(self, services: dict[str, dict[str, Any]]) -> None:
        assert [name for name, service in services.items() if "owner_url" in service.get("secrets", ())] == [
            "migrate"
        ]

    def test_prepare_again_changes_nothing(self, prepared: Path) -> None:
        before = {path.name: path.read_bytes() for path in prepared.iterdir()}

        subprocess.run([prepared.parent / "prepare", HOSTNAME], check=True, capture_output=True)

        assert {path.name: path.read_bytes() for path in prepared.iterdir()} == before

    @pytest.mark.parametrize(("days", "renewed"), [(29, True), (31, False)])
    def test_prepare_again_renews_a_certificate_near_its_end_by_the_same_authority(
        self, repository: Path, tmp_path: Path, days: int, *, renewed: bool
    ) -> None:
        script = tmp_path / "prepare"
        text = repository.joinpath("deploy", "compose", "prepare").read_text()
        read = ("tls.crt", "tls.key", "ca.crt")
        files = []
        for each in (text.replace("-days 825", f"-days {days}"), text):
            script.write_text(each.replace('"$here/../../.env"', '"$here/.env"'))
            subprocess.run(["/bin/sh", script, HOSTNAME], check=True, capture_output=True)
            files.append([tmp_path.joinpath("secrets", name).read_bytes() for name in read])
        same = [first == second for first, second in zip(*files, strict=True)]

        assert same == ([False, False, True] if renewed else [True, True, True])
        subprocess.run(
            ["openssl", "verify", "-verify_hostname", HOSTNAME, "-CAfile", "ca.crt", "tls.crt"],
            check=True,
            cwd=tmp_path / "secrets",
        )

    def test_prepare_refuses_to_renew_a_certificate_that_it_did_not_make(
        self, repository: Path, tmp_path: Path
    ) -> None:
        script = tmp_path / "prepare"
        text = repository.joinpath("deploy", "compose", "prepare").read_text()
        script.write_text(text.replace("-days 825", "-days 9").replace('"$here/../../.env"', '"$here/.env"'))
        subprocess.run(["/bin/sh", script, HOSTNAME], check=True, capture_output=True)
        tmp_path.joinpath("secrets", "ca.key").unlink()

        done = subprocess.run(["/bin/sh", script, HOSTNAME], check=False, capture_output=True, text=True)

        assert (done.returncode, "was not made here: replace it" in done.stderr) == (1, True)

    def test_prepare_keeps_others_out(self, prepared: Path) -> None:
        assert prepared.stat().st_mode & 0o777 == 0o700
        assert prepared.joinpath("ca.key").stat().st_mode & 0o777 == 0o600

    @pytest.mark.parametrize("name", ["", "localhost"])
    def test_prepare_refuses_a_name_that_no_registry_can_have(self, prepared: Path, name: str) -> None:
        done = subprocess.run([prepared.parent / "prepare", name], check=False, capture_output=True, text=True)

        assert done.returncode == 2
        assert "with a dot in it" in done.stderr

    def test_prepare_refuses_to_rename_a_registry(self, prepared: Path) -> None:
        done = subprocess.run(
            [prepared.parent / "prepare", "other.example.com"], check=False, capture_output=True, text=True
        )

        assert done.returncode == 1
        assert "a registry keeps its name" in done.stderr

    def test_the_certificate_is_for_the_registry_and_signed_by_the_authority(self, prepared: Path) -> None:
        done = subprocess.run(
            ["openssl", "verify", "-verify_hostname", HOSTNAME, "-CAfile", "ca.crt", "tls.crt"],
            check=False,
            capture_output=True,
            text=True,
            cwd=prepared,
        )

        assert done.stdout.strip() == "tls.crt: OK"


class TestSettings:
    @pytest.mark.parametrize("name", ["migrate", "api", "worker-control", "worker-terraform"])
    def test_the_product_reads_them(
        self, services: dict[str, dict[str, Any]], prepared: Path, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for variable, value in services[name]["environment"].items():
            monkeypatch.setenv(variable, value.replace("/run/secrets", str(prepared)))

        settings = load_settings()

        assert settings.registry.hostname == HOSTNAME
        assert settings.database.app_url.get_secret_value().startswith("postgresql+psycopg://groundwork_app:")
        assert (settings.database.owner_url is not None) == (name == "migrate")
        assert len(Secrets.read(settings).key_encryption_key) == 32
        assert (settings.api.tls_certificate is not None) == (name == "api")
        monkeypatch.setattr(checks, "MOUNTED", prepared)
        files = [finding for finding in checks.secrets(settings) if finding.name.startswith("secret")]
        assert [finding.advice for finding in files if not finding.ok] == []


class TestDocumentedCommands:
    def test_what_is_run_in_a_container_of_its_own_writes_only_to_what_that_mounts(
        self, services: dict[str, dict[str, Any]], repository: Path
    ) -> None:
        texts = [page.read_text() for page in (repository / "docs").rglob("*.md")]
        found = {
            match.groups()
            for text in texts
            for match in re.finditer(r"docker compose run (?:--?\S+ )*([\w-]+) ([\w-]+)", text)
        }

        # `bootstrap` opens no blob store and no folder of runs: tests/cli/servers/test_bootstrap.py gives it none.
        assert found == {("migrate", "bootstrap"), ("api", "--extract")}
        assert "volumes" not in services["migrate"]
        assert services["api"]["volumes"] == ["blobs:/var/lib/groundwork/blobs"]


class TestBlobsInABucket:
    def test_it_is_a_compose_file_by_the_specification(self, bucket: dict[str, Any]) -> None:
        schema = get_builtin_schema("vendor.compose-spec")

        assert [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(bucket)] == []

    def test_every_server_that_has_the_folder_has_the_bucket(
        self, bucket: dict[str, Any], services: dict[str, dict[str, Any]]
    ) -> None:
        folder = "blobs:/var/lib/groundwork/blobs"
        with_folder = {name for name, service in services.items() if folder in service.get("volumes", ())}

        assert set(bucket["services"]) == with_folder

    @pytest.mark.parametrize("name", ["api", "worker-control", "worker-terraform"])
    def test_the_product_reads_it(
        self,
        bucket: dict[str, Any],
        services: dict[str, dict[str, Any]],
        prepared: Path,
        name: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        for variable, value in (services[name]["environment"] | bucket["services"][name]["environment"]).items():
            monkeypatch.setenv(variable, value.replace("/run/secrets", str(prepared)))

        s3 = load_settings().blobs.s3

        assert s3 is not None
        assert s3.bucket == "groundwork"
        assert s3.endpoint == f"http://seaweedfs:{services['seaweedfs']['healthcheck']['test'][-1]}"

    def test_the_key_is_the_one_that_the_server_takes(self, prepared: Path) -> None:
        [identity] = json.loads(prepared.joinpath("s3_identities").read_text())["identities"]

        assert identity["credentials"] == [
            {"accessKey": "groundwork", "secretKey": prepared.joinpath("s3_secret_key").read_text().strip()}
        ]


class TestTemporal:
    def test_its_dynamic_configuration_is_the_one_list(self, repository: Path) -> None:
        file = repository / "deploy" / "compose" / "temporal-dynamic.yaml"

        assert file.read_text() == render(temporal_configuration())
