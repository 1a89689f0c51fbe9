"""The installation's settings: one tree, read once by an entry point and passed down.

Sources, the first wins: environment (`GROUNDWORK_DATABASE__POOL_SIZE`), names of the provisioning engine's own
documentation (`DATABASE_URL`), the TOML file that `GROUNDWORK_CONFIG_FILE` names. Every secret `x` may be given as
`x_file`, the path of a file that holds it. The reference page docs/reference/settings.md is generated from here.
"""

import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, Field, SecretStr, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from config.values import Duration, Hostname, PostgresUrl, password_of, read_secret_files

PREFIX: Final = "GROUNDWORK_"
CONFIG_FILE: Final = f"{PREFIX}CONFIG_FILE"
DEVELOPMENT_SECRETS: Final = "development-secrets"
"""Name of the folder where `groundwork dev` keeps the secrets it makes; nothing in it serves elsewhere."""
WELL_KNOWN_PASSWORDS: Final = frozenset({"", "postgres", "password", "groundwork", "secret", "changeme", "admin"})

ALIASES: Final = {
    "DATABASE_URL": ("database", "app_url"),
    "MAX_CONCURRENT_PROVISIONS": ("runner", "slots"),
    "PROVISIONING_TIMEOUT": ("runner", "timeout"),
    "LOG_LEVEL": ("logging", "level"),
}
"""Environment names of the provisioning engine's documentation, and the setting that each one is."""

Port = Annotated[int, Field(ge=1, le=65535)]


def is_secret(field: FieldInfo) -> bool:
    """Tell whether a setting's value must never be shown."""
    return "SecretStr" in str(field.annotation)


class Group(BaseModel, frozen=True, extra="forbid"):
    """A part of the settings; a secret in it may come from a file."""

    @model_validator(mode="before")
    @classmethod
    def _from_files(cls, given: Any) -> Any:  # noqa: ANN401  pydantic gives whatever was written
        return read_secret_files(given, {name for name, field in cls.model_fields.items() if is_secret(field)})


class DatabaseSettings(Group):
    """PostgreSQL 15 or newer, with a role for each kind of work."""

    owner_url: PostgresUrl | None = Field(
        default=None,
        description="Role that owns the tables. Only `groundwork migrate` needs it; give it to no server.",
    )
    app_url: PostgresUrl = Field(description="Role `groundwork_app`, which serves one organization at a time.")
    platform_url: PostgresUrl = Field(description="Role `groundwork_platform`, for the installation's own work.")
    pool_size: int = Field(
        default=10, ge=1, le=500, description="Connections that a process keeps for each role; it may double."
    )


class TemporalSettings(Group):
    """The Temporal server or cloud that runs what takes time."""

    address: str = Field(default="127.0.0.1:7233", description="Host and port of the frontend.")
    namespace: str = Field(default="default", description="Temporal namespace of this installation.")
    tls: bool = Field(default=False, description="Whether to connect with TLS.")
    tls_ca: Path | None = Field(default=None, description="CA that signed the server's certificate.")
    tls_certificate: Path | None = Field(default=None, description="Client certificate, for mutual TLS.")
    tls_key: Path | None = Field(default=None, description="Key of the client certificate.")
    api_key: SecretStr | None = Field(default=None, description="API key, for Temporal Cloud.")
    web_url: str | None = Field(
        default=None, description="Address of the Web UI, which `groundwork doctor` shows, and `run status`."
    )

    @property
    def workflow_pages(self) -> str | None:
        """Address that the Web UI's pages of workflows are below."""
        return self.web_url and f"{self.web_url.rstrip('/')}/namespaces/{self.namespace}/workflows"


class RegistrySettings(Group):
    """The registry's name, as modules, lock files and states contain it."""

    hostname: Hostname = Field(
        description="Host name of the registry in published HCL, with a dot in it. It can't change later."
    )
    public_url: str = Field(
        description="Address that clients reach the API at, without a slash at the end.",
        pattern=r"^https?://.*[^/]$",
    )
    module_bytes: int = Field(
        default=100 * 1024 * 1024, ge=1024, description="Bytes of the largest module archive that is taken."
    )
    package_bytes: int = Field(
        default=500 * 1024 * 1024, ge=1024, description="Bytes of the largest provider package that is taken."
    )


class S3Settings(Group):
    """The bucket of an S3 server that blobs are kept in, where any of these is set."""

    endpoint: str = Field(
        description="Address of the S3 server, such as https://s3.eu-central-1.amazonaws.com.",
        pattern=r"^https?://[A-Za-z0-9.-]+(:\d{1,5})?$",
    )
    region: str = Field(default="us-east-1", description="Region of the bucket; many servers have only this.")
    bucket: str = Field(
        description="Bucket, which has to be there; nothing else belongs in it.",
        pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
    )
    access_key: str = Field(description="Name of the key to the bucket.")
    secret_key: SecretStr = Field(description="The key to the bucket.")


class BlobSettings(Group):
    """Where the bytes of archives, states, plans and logs are: in a folder, or in a bucket of an S3 server."""

    path: Path = Field(
        default=Path("/var/lib/groundwork/blobs"),
        description=(
            "Folder that the API and all workers share. With a bucket each server has one of its own, where "
            "uploads wait until they are known to be good."
        ),
    )
    delivery: Literal["proxied", "presigned"] = Field(
        default="proxied",
        description=(
            "How files of the registry reach clients: through the API, or from the bucket, by an address that the "
            "API redirects to and that is valid for 15 minutes. Clients have to reach `blobs.s3.endpoint` then."
        ),
    )
    s3: S3Settings | None = Field(default=None, description="The bucket; without one, blobs are in the folder.")

    @model_validator(mode="after")
    def _fits_the_store(self) -> Self:
        if self.s3 is None and self.delivery == "presigned":
            raise ValueError(
                "delivery is presigned, which only a bucket can do: set blobs.s3, or delivery to proxied"
            )
        return self


class SecretSettings(Group):
    """Keys of the installation: files of 32 random bytes in base64, which only the servers' user can read."""

    key_encryption_key_file: Path = Field(description="Wraps the data keys. Losing it loses every state.")
    pepper_file: Path = Field(description="Keys the hashes of API keys in memory.")
    signing_key_file: Path = Field(description="Signs download addresses and page cursors.")
    previous_signing_key_file: Path | None = Field(
        default=None,
        description=(
            "A second key whose download addresses and cursors are taken too, while the signing key is changed."
        ),
    )

    @property
    def key_files(self) -> tuple[Path, ...]:
        """All files of keys that are set."""
        files = (self.key_encryption_key_file, self.pepper_file, self.signing_key_file)
        return files if self.previous_signing_key_file is None else (*files, self.previous_signing_key_file)


class ApiSettings(Group):
    """The HTTP server."""

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: Port = Field(default=8080, description="Port to listen on.")
    tls_certificate: Path | None = Field(
        default=None, description="Certificate chain (PEM); without one, TLS is a proxy's business."
    )
    tls_key: Path | None = Field(default=None, description="Key of the certificate (PEM).")
    processes: int = Field(default=1, ge=1, le=64, description="Number of processes that serve.")

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key are given together")
        return self


class RunnerSettings(Group):
    """How runs execute the command line tools."""

    slots: int = Field(default=5, ge=1, le=100, description="Runs that a worker executes at once.")
    sandbox: Literal["none", "bubblewrap"] = Field(
        default="bubblewrap",
        description=(
            "What keeps a module's code in. `none` is for development only. "
            "This release has no bubblewrap sandbox yet: with it, runs are refused and say so."
        ),
    )
    lease: Duration = Field(
        default=timedelta(seconds=60), description="How long a step is a runner's without a word from it."
    )
    renewal: Duration = Field(default=timedelta(seconds=5), description="How often a runner renews its lease.")
    deadline: Duration = Field(
        default=timedelta(seconds=30), description="After how long without renewal the tool is interrupted."
    )
    grace: Duration = Field(
        default=timedelta(seconds=20), description="Time between the interrupt and the kill of a tool."
    )
    work_path: Path = Field(default=Path("/var/lib/groundwork/runs"), description="Folder of the runs' folders.")
    terraform_path: Path | None = Field(
        default=None, description="The terraform to run; by default the one on PATH."
    )
    tofu_path: Path | None = Field(default=None, description="The tofu to run; by default the one on PATH.")
    timeout: Duration = Field(default=timedelta(minutes=45), description="Longest time of one run.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.renewal < self.deadline < self.lease:
            raise ValueError("renewal is shorter than deadline, and deadline shorter than lease")
        if self.deadline + self.grace >= self.lease:
            raise ValueError("deadline and grace together are shorter than lease, or a tool may outlive its lease")
        return self


class TlsSettings(Group):
    """Trust in certificates."""

    ca_certificate: Path | None = Field(
        default=None, description="CA (PEM) that signed the registry's certificate, where systems don't know it."
    )


class LoggingSettings(Group):
    """What servers write to standard error."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"],
        BeforeValidator(lambda value: value.lower() if isinstance(value, str) else value),
    ] = Field(default="info", description="The least important level that is written.")
    format: Literal["auto", "json", "human"] = Field(
        default="auto", description="`auto` is `human` on a terminal and `json` elsewhere."
    )


class Settings(BaseSettings):
    """Everything an installation can set."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, validate_default=True
    )

    environment: Literal["development", "staging", "production"] = Field(
        default="production", description="Outside development, what is only good for development is refused."
    )
    database: DatabaseSettings
    temporal: TemporalSettings = TemporalSettings()
    registry: RegistrySettings
    blobs: BlobSettings = BlobSettings()
    secrets: SecretSettings
    api: ApiSettings = ApiSettings()
    runner: RunnerSettings = RunnerSettings()
    tls: TlsSettings = TlsSettings()
    logging: LoggingSettings = LoggingSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  pydantic's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  pydantic's signature
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Name the sources, the first wins."""
        aliased: dict[str, Any] = {}
        for name, (group, setting) in ALIASES.items():
            if name in os.environ:
                aliased.setdefault(group, {})[setting] = os.environ[name]
        return (
            init_settings,
            env_settings,
            InitSettingsSource(settings_cls, init_kwargs=aliased),
            TomlConfigSettingsSource(settings_cls, toml_file=os.environ.get(CONFIG_FILE)),
        )

    @model_validator(mode="after")
    def _nothing_of_development_elsewhere(self) -> Self:
        if self.environment == "development":
            return self
        if any(DEVELOPMENT_SECRETS in path.parts for path in self.secrets.key_files):
            raise ValueError(
                f"secrets: what {DEVELOPMENT_SECRETS} holds is for development; make keys of your own"
            )
        for name in ("owner_url", "app_url", "platform_url"):
            url: SecretStr | None = getattr(self.database, name)
            if url is not None and password_of(url) in WELL_KNOWN_PASSWORDS:
                raise ValueError(f"database.{name}: the password is well known; choose one of your own")
        if self.runner.sandbox == "none":
            raise ValueError("runner.sandbox: none is for development; a module's code needs a sandbox")
        return self
