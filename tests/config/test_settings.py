"""The settings tree: where values come from, and what is refused with which sentence."""

import ast
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

import pytest
import structlog

from config.loading import load_settings
from config.settings import Settings
from config.start import begin_process
from domain.errors import SettingsInvalid
from storage.blobs.local import LocalBlobStore
from storage.blobs.s3 import S3BlobStore
from storage.blobs.store import BlobStore
from workers.composition import open_blobs

Given = Callable[..., None]
REQUIRED = {
    "GROUNDWORK_DATABASE__APP_URL": "postgresql://app:long-and-secret@db/groundwork",
    "GROUNDWORK_DATABASE__PLATFORM_URL": "postgresql://platform:long-and-secret@db/groundwork",
    "GROUNDWORK_REGISTRY__HOSTNAME": "registry.acme.example",
    "GROUNDWORK_REGISTRY__PUBLIC_URL": "https://registry.acme.example",
    "GROUNDWORK_SECRETS__KEY_ENCRYPTION_KEY_FILE": "/run/secrets/kek",
    "GROUNDWORK_SECRETS__PEPPER_FILE": "/run/secrets/pepper",
    "GROUNDWORK_SECRETS__SIGNING_KEY_FILE": "/run/secrets/signing",
}


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Given:
    """Set the environment: what is required, and what the test adds or takes away (None)."""

    def _given(**changes: str | None) -> None:
        for name, value in (REQUIRED | changes).items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)

    for name in ("DATABASE_URL", "LOG_LEVEL", "MAX_CONCURRENT_PROVISIONS"):
        monkeypatch.delenv(name, raising=False)
    return _given


def refusal() -> str:
    with pytest.raises(SettingsInvalid) as caught:
        load_settings()
    return caught.value.detail


class TestSources:
    def test_the_environment_names_groups_with_two_underscores(self, given: Given) -> None:
        given(GROUNDWORK_RUNNER__SLOTS="7")
        assert load_settings().runner.slots == 7

    def test_the_file_gives_what_the_environment_does_not(self, given: Given, tmp_path: Path) -> None:
        file = tmp_path / "groundwork.toml"
        file.write_text("[runner]\nslots = 2\ntimeout = '9m'\n")
        given(GROUNDWORK_CONFIG_FILE=str(file), GROUNDWORK_RUNNER__SLOTS="7")
        runner = load_settings().runner
        assert (runner.slots, runner.timeout) == (7, timedelta(minutes=9))

    def test_a_secret_is_read_from_a_file_without_its_newline(self, given: Given, tmp_path: Path) -> None:
        file = tmp_path / "url"
        file.write_text("postgresql://app:from-a-file@db/groundwork\n")
        given(GROUNDWORK_DATABASE__APP_URL=None, GROUNDWORK_DATABASE__APP_URL_FILE=str(file))
        url = load_settings().database.app_url
        assert url.get_secret_value() == "postgresql+psycopg://app:from-a-file@db/groundwork"

    def test_a_secret_file_may_be_named_in_the_settings_file(self, given: Given, tmp_path: Path) -> None:
        secret, file = tmp_path / "url", tmp_path / "groundwork.toml"
        secret.write_text("postgresql://app:from-a-file@db/groundwork")
        file.write_text(f'[database]\napp_url_file = "{secret}"\n')
        given(GROUNDWORK_DATABASE__APP_URL=None, GROUNDWORK_CONFIG_FILE=str(file))
        assert "from-a-file" in load_settings().database.app_url.get_secret_value()

    @pytest.mark.parametrize(
        ("name", "value", "read"),
        [
            ("MAX_CONCURRENT_PROVISIONS", "4", lambda settings: settings.runner.slots == 4),
            ("PROVISIONING_TIMEOUT", "90m", lambda settings: settings.runner.timeout == timedelta(minutes=90)),
            ("LOG_LEVEL", "DEBUG", lambda settings: settings.logging.level == "debug"),
        ],
    )
    def test_names_of_the_engines_own_documentation_are_read(
        self,
        given: Given,
        monkeypatch: pytest.MonkeyPatch,
        name: str,
        value: str,
        read: Callable[[Settings], bool],
    ) -> None:
        given()
        monkeypatch.setenv(name, value)
        assert read(load_settings())

    def test_our_own_name_wins_over_the_documentations(
        self, given: Given, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        given(GROUNDWORK_RUNNER__SLOTS="7")
        monkeypatch.setenv("MAX_CONCURRENT_PROVISIONS", "4")
        assert load_settings().runner.slots == 7


class TestRefusals:
    def test_an_unknown_variable_is_named_with_the_nearest_setting(self, given: Given) -> None:
        given(GROUNDWORK_RUNER__SLOTS="7")
        assert refusal() == "GROUNDWORK_RUNER__SLOTS is no setting; is it GROUNDWORK_RUNNER__SLOTS?"

    def test_an_unknown_key_of_the_file_is_named(self, given: Given, tmp_path: Path) -> None:
        file = tmp_path / "groundwork.toml"
        file.write_text("[runner]\nslot = 2\n[unheard]\nof = 1\n")
        given(GROUNDWORK_CONFIG_FILE=str(file))
        assert "runner.slot (GROUNDWORK_RUNNER__SLOT) is no setting; is it runner.slots?" in refusal()
        assert "unheard (GROUNDWORK_UNHEARD) is no setting" in refusal()

    def test_a_tool_that_could_outlive_its_lease_is_refused(self, given: Given) -> None:
        given(GROUNDWORK_RUNNER__GRACE="30s")
        assert "deadline and grace together are shorter than lease" in refusal()

    def test_a_missing_setting_says_which_variable_to_set(self, given: Given) -> None:
        given(GROUNDWORK_DATABASE__APP_URL=None)
        assert "database.app_url is not set: set GROUNDWORK_DATABASE__APP_URL" in refusal()

    def test_a_missing_settings_file_is_an_error(self, given: Given) -> None:
        given(GROUNDWORK_CONFIG_FILE="/nowhere/groundwork.toml")
        assert refusal() == (
            "GROUNDWORK_CONFIG_FILE: /nowhere/groundwork.toml can't be read (No such file or directory)"
        )

    def test_a_settings_file_that_is_not_toml_is_an_error(self, given: Given, tmp_path: Path) -> None:
        file = tmp_path / "groundwork.toml"
        file.write_text("slots: 2")
        given(GROUNDWORK_CONFIG_FILE=str(file))
        assert "is not TOML" in refusal()

    def test_a_secret_given_twice_is_an_error(self, given: Given, tmp_path: Path) -> None:
        given(GROUNDWORK_DATABASE__APP_URL_FILE=str(tmp_path / "url"))
        assert refusal() == "database: app_url and app_url_file are both given; keep one"

    def test_a_secret_file_that_is_missing_is_named(self, given: Given) -> None:
        given(GROUNDWORK_DATABASE__APP_URL=None, GROUNDWORK_DATABASE__APP_URL_FILE="/nowhere/url")
        assert refusal().startswith("database: app_url_file: /nowhere/url can't be read")

    @pytest.mark.parametrize(
        "name", ["GROUNDWORK_DATABASE__APP_URL", "GROUNDWORK_RUNNER__TIMEOUT", "GROUNDWORK_API__PORT"]
    )
    def test_no_value_is_ever_shown(self, given: Given, name: str) -> None:
        given(**{name: "canary-value"})
        assert "canary" not in refusal()

    @pytest.mark.parametrize(
        "hostname",
        [
            *(
                "localhost",
                "Registry.acme.example",
                "https://acme.example",
                "a..b",
                "",
                "acme.example.",
                "-a.example",
            ),
            *(
                "user@acme.example",
                "b\u00fccher.example",
                "\u0430cme.example",
                "\uff41cme.example",
                "acme_.example",
            ),
            *(
                "xn--bcher-kva.example",
                "xn--80ak6aa92e.example",
                "ab--cd.example",
                "[::1]:8443",
                "[fe80::1%25eth0]",
            ),
            *("acme.example:443", "acme.example:08443", "acme.example:0", "acme.example:65536", "acme.example:"),
            *("acme.example:\u0661", f"{'a' * 63}.{'a' * 64}", "a." * 126 + "aa"),
        ],
    )
    def test_attack_08_a_host_name_is_one_that_every_tool_spells_alike(self, given: Given, hostname: str) -> None:
        given(GROUNDWORK_REGISTRY__HOSTNAME=hostname)
        assert "registry.hostname: is a host name in lower case with a dot in it" in refusal()

    @pytest.mark.parametrize("hostname", ["registry.acme.example:8443", "127.0.0.1:65535", "a--b.example", "a.b"])
    def test_attack_08_a_host_name_that_tools_keep_is_taken(self, given: Given, hostname: str) -> None:
        given(GROUNDWORK_REGISTRY__HOSTNAME=hostname)
        assert load_settings().registry.hostname == hostname

    @pytest.mark.parametrize("value", ["45", "m", "45 m", "-1s", "1h30"])
    def test_a_duration_has_a_unit(self, given: Given, value: str) -> None:
        given(GROUNDWORK_RUNNER__TIMEOUT=value)
        assert refusal() == "runner.timeout: is a duration like 45m, 30s or 1h30m"

    def test_a_certificate_needs_its_key(self, given: Given) -> None:
        given(GROUNDWORK_API__TLS_CERTIFICATE="/cert.pem")
        assert refusal() == "api: tls_certificate and tls_key are given together"


class TestBlobs:
    S3 = MappingProxyType({
        "GROUNDWORK_BLOBS__S3__ENDPOINT": "https://s3.acme.example",
        "GROUNDWORK_BLOBS__S3__BUCKET": "groundwork",
        "GROUNDWORK_BLOBS__S3__ACCESS_KEY": "groundwork",
        "GROUNDWORK_BLOBS__S3__SECRET_KEY": "long-and-secret",
    })  # fmt: skip

    @pytest.fixture
    def opened(self, given: Given, tmp_path: Path) -> Callable[..., BlobStore]:
        """Open the store that the settings name."""

        def _opened(**changes: str) -> BlobStore:
            given(GROUNDWORK_BLOBS__PATH=str(tmp_path), **changes)
            return open_blobs(load_settings())

        return _opened

    def test_are_in_the_folder_unless_a_bucket_is_chosen(self, opened: Callable[..., BlobStore]) -> None:
        assert isinstance(opened(), LocalBlobStore)
        assert isinstance(opened(**self.S3), S3BlobStore)

    @pytest.mark.parametrize("delivery", ["proxied", "presigned"])
    async def test_are_fetched_from_the_bucket_where_that_is_chosen(
        self, opened: Callable[..., BlobStore], delivery: str
    ) -> None:
        store = opened(**self.S3, GROUNDWORK_BLOBS__DELIVERY=delivery)
        address = await store.address("0" * 64, valid=timedelta(minutes=1))
        expected = "https://s3.acme.example/groundwork/sha256/00/" if delivery == "presigned" else "None"
        assert str(address).startswith(expected)

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            (
                {"GROUNDWORK_BLOBS__S3__BUCKET": "groundwork"},
                "blobs.s3.secret_key is not set: set GROUNDWORK_BLOBS__S3__SECRET_KEY, or write it",
            ),
            ({"GROUNDWORK_BLOBS__DELIVERY": "presigned"}, "which only a bucket can do"),
            (dict(S3) | {"GROUNDWORK_BLOBS__S3__ENDPOINT": "s3.acme.example"}, "blobs.s3.endpoint: "),
            (dict(S3) | {"GROUNDWORK_BLOBS__S3__ENDPOINT": "https://s3.acme.example/path"}, "blobs.s3.endpoint: "),
            (dict(S3) | {"GROUNDWORK_BLOBS__S3__BUCKET": "A_Bucket"}, "blobs.s3.bucket: "),
        ],
    )
    def test_are_nowhere_that_half_is_said_of(self, given: Given, changes: dict[str, str], reason: str) -> None:
        given(**changes)
        assert reason in refusal()


class TestDevelopmentValues:
    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            (
                {"GROUNDWORK_SECRETS__PEPPER_FILE": "/home/a/development-secrets/pepper"},
                "make keys of your own",
            ),
            ({"GROUNDWORK_DATABASE__APP_URL": "postgresql://app:changeme@db/groundwork"}, "well known"),
            ({"GROUNDWORK_RUNNER__SANDBOX": "none"}, "needs a sandbox"),
        ],
    )
    def test_they_are_refused_in_production_and_taken_in_development(
        self, given: Given, change: dict[str, str], reason: str
    ) -> None:
        given(**change)
        assert reason in refusal()
        given(**change, GROUNDWORK_ENVIRONMENT="development")
        assert load_settings().environment == "development"


class TestBeginProcess:
    @pytest.fixture
    def own_logging(self) -> Iterator[None]:
        """Give the test run its logging back."""
        root = logging.getLogger()
        handlers, level, config = root.handlers, root.level, structlog.get_config()
        yield
        root.handlers = handlers
        root.setLevel(level)
        structlog.configure(**config)

    @pytest.mark.usefixtures("own_logging")
    def test_logs_as_the_settings_say(self, given: Given) -> None:
        given(GROUNDWORK_LOGGING__LEVEL="error")
        assert begin_process().logging.level == "error"
        assert logging.getLogger().level == logging.ERROR

    def test_is_how_entry_points_read_their_settings(self, repository: Path) -> None:
        readers = {
            str(file.relative_to(repository))
            for package in ("cli", "workers")
            for file in (repository / package).rglob("*.py")
            for node in ast.walk(ast.parse(file.read_text()))
            if isinstance(node, ast.Name) and node.id == "load_settings"
        }
        assert readers == {"cli/servers/settings.py"}  # which only prints them
