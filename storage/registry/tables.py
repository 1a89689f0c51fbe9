"""Tables of the registry. What is published never changes; what may change later stands in columns of its own."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    String,
    UniqueConstraint,
    false,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from domain.registry.documents import DocumentsState
from domain.registry.downloads import DownloadKind
from domain.registry.verifications import VerificationResult
from storage.blobs.tables import BlobRow
from storage.database import Base, one_of


class MayBeWithdrawn:
    """Columns of a published version that change later; see domain.registry.withdrawals."""

    deprecated_at: Mapped[datetime | None]
    deprecation: Mapped[str | None]
    replacement: Mapped[str | None]
    yanked_at: Mapped[datetime | None]
    yank_reason: Mapped[str | None]


def with_reasons() -> tuple[CheckConstraint, CheckConstraint]:
    """Make the rules of those columns; a table needs its own."""
    return (
        CheckConstraint(
            "(deprecated_at IS NULL) = (deprecation IS NULL)"
            " AND (replacement IS NULL OR deprecated_at IS NOT NULL)",
            name="deprecation",
        ),
        CheckConstraint("(yanked_at IS NULL) = (yank_reason IS NULL)", name="yank"),
    )


class NamespaceRow(Base):
    """See domain.registry.namespaces.Namespace. A name is one organization's, and so is whatever looks like it."""

    __tablename__ = "namespace"
    __table_args__ = (UniqueConstraint("organization_id", "name"),)

    name: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(unique=True)
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organization.id", ondelete="CASCADE"))
    skeleton: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class GpgKeyRow(Base):
    """See domain.registry.gpg_keys.GpgKey. `subkeys` are fingerprints that may have signed instead of it."""

    __tablename__ = "gpg_key"
    __table_args__ = (
        ForeignKeyConstraint(
            ["organization_id", "namespace"],
            ["namespace.organization_id", "namespace.name"],
            ondelete="CASCADE",
        ),
        UniqueConstraint("organization_id", "namespace", "fingerprint"),
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    namespace: Mapped[str]
    fingerprint: Mapped[str]
    key_id: Mapped[str]
    subkeys: Mapped[list[str]] = mapped_column(ARRAY(TEXT))
    user_ids: Mapped[list[str]] = mapped_column(ARRAY(TEXT))
    ascii_armor: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class ModuleRow(Base):
    """See domain.registry.modules.Module."""

    __tablename__ = "module"
    __table_args__ = (
        ForeignKeyConstraint(
            ["organization_id", "namespace"],
            ["namespace.organization_id", "namespace.name"],
            ondelete="CASCADE",
        ),
        UniqueConstraint("organization_id", "namespace", "name", "system"),
        # What is searched for in order of id: PostgreSQL reads a page and stops.
        Index("ix_module_namespace", "organization_id", "namespace", "id"),
        Index("ix_module_system", "organization_id", "system", "id"),
        Index("ix_module_deprecated", "organization_id", "deprecated", "id"),
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    namespace: Mapped[str]
    name: Mapped[str]
    system: Mapped[str]
    description: Mapped[str]
    latest_version: Mapped[str | None]
    deprecated: Mapped[bool] = mapped_column(server_default=false())
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ModuleWordRow(Base):
    """A word of a module's address or description, by whose beginning searches find it.

    PostgreSQL's own text search is no help: under row-level security no index serves an operator that is not
    leakproof, and neither `@@` nor LIKE is. Comparing text is, and the order of bytes makes a beginning a range.
    """

    __tablename__ = "module_word"
    __table_args__ = (
        ForeignKeyConstraint(
            ["organization_id", "module_id"], ["module.organization_id", "module.id"], ondelete="CASCADE"
        ),
        Index("ix_module_word_beginning", "organization_id", "word", "module_id"),
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    module_id: Mapped[UUID] = mapped_column(primary_key=True)
    word: Mapped[str] = mapped_column(String(collation="C"), primary_key=True)


class ModuleVersionRow(MayBeWithdrawn, Base):
    """See domain.registry.modules.ModuleVersion."""

    __tablename__ = "module_version"
    __table_args__ = (
        CheckConstraint("format IN ('tar.gz', 'zip')", name="format"),
        *with_reasons(),
        ForeignKeyConstraint(
            ["organization_id", "module_id"], ["module.organization_id", "module.id"], ondelete="CASCADE"
        ),
        UniqueConstraint("organization_id", "module_id", "version"),
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    module_id: Mapped[UUID]
    version: Mapped[str]
    description: Mapped[str]
    sha256: Mapped[str] = mapped_column(ForeignKey(BlobRow.sha256))
    size: Mapped[int] = mapped_column(BigInteger)
    format: Mapped[str]
    published_by: Mapped[dict[str, str]] = mapped_column(JSONB)
    published_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ProviderRow(Base):
    """See domain.registry.providers.Provider."""

    __tablename__ = "provider"
    __table_args__ = (
        ForeignKeyConstraint(
            ["organization_id", "namespace"],
            ["namespace.organization_id", "namespace.name"],
            ondelete="CASCADE",
        ),
        UniqueConstraint("organization_id", "namespace", "type"),
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    namespace: Mapped[str]
    type: Mapped[str]
    latest_version: Mapped[str | None]
    deprecated: Mapped[bool] = mapped_column(server_default=false())
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ProviderVersionRow(MayBeWithdrawn, Base):
    """See domain.registry.providers.ProviderVersion.

    `manifest_sha256` is missing of what was published before manifests were kept.
    `evidence` says who signed, and which tools checked: of the last verification that showed who did.

    A release that its last verification refused has `refused_at` and why, until another one verifies it.
    `platforms` are those of its packages, as in `linux_amd64` and in the packages' order: a list of versions tells
    them, and would otherwise read thousands of rows. They are none in a row that a server of the release before
    has written, until `groundwork migrate` fills them in.
    """

    __tablename__ = "provider_version"
    __table_args__ = (
        CheckConstraint("(refused_at IS NULL) = (refusal IS NULL)", name="refusal"),
        ForeignKeyConstraint(
            ["organization_id", "provider_id"], ["provider.organization_id", "provider.id"], ondelete="CASCADE"
        ),
        ForeignKeyConstraint(["organization_id", "gpg_key_id"], ["gpg_key.organization_id", "gpg_key.id"]),
        # A list of versions is read from this index alone: the rows of one provider lie far apart, a page each.
        # Texts that people write would make an entry too long.
        UniqueConstraint(
            *("organization_id", "provider_id", "version"),
            postgresql_include=[
                *("protocols", "platforms", "gpg_key_id"),
                *("deprecated_at", "yanked_at", "refused_at"),
            ],
        ),
        *with_reasons(),
        Index("ix_provider_version_gpg_key", "organization_id", "gpg_key_id"),
        # By which operators count them, of all organizations.
        Index("ix_provider_version_refused", "refused_at", postgresql_where=text("refused_at IS NOT NULL")),
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    provider_id: Mapped[UUID]
    version: Mapped[str]
    protocols: Mapped[list[str]] = mapped_column(ARRAY(TEXT))
    platforms: Mapped[list[str]] = mapped_column(ARRAY(TEXT), server_default="{}")
    gpg_key_id: Mapped[UUID]
    checksums_sha256: Mapped[str] = mapped_column(ForeignKey(BlobRow.sha256))
    signature_sha256: Mapped[str] = mapped_column(ForeignKey(BlobRow.sha256))
    manifest_sha256: Mapped[str | None] = mapped_column(ForeignKey(BlobRow.sha256))
    evidence: Mapped[dict[str, Any]] = mapped_column(JSONB)
    published_by: Mapped[dict[str, str]] = mapped_column(JSONB)
    published_at: Mapped[datetime] = mapped_column(server_default=func.now())
    refused_at: Mapped[datetime | None]
    refusal: Mapped[str | None]


class ProviderPlatformRow(Base):
    """See domain.registry.providers.ProviderPackage."""

    __tablename__ = "provider_platform"
    __table_args__ = (
        ForeignKeyConstraint(
            ["organization_id", "provider_version_id"],
            ["provider_version.organization_id", "provider_version.id"],
            ondelete="CASCADE",
        ),
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    provider_version_id: Mapped[UUID] = mapped_column(primary_key=True)
    os: Mapped[str] = mapped_column(primary_key=True)
    arch: Mapped[str] = mapped_column(primary_key=True)
    filename: Mapped[str]
    sha256: Mapped[str] = mapped_column(ForeignKey(BlobRow.sha256))
    size: Mapped[int] = mapped_column(BigInteger)
    h1: Mapped[str]


class DownloadCountRow(Base):
    """How often a key was told, in an hour, where a version is; no address and no whole User-Agent is kept."""

    __tablename__ = "download_count"
    __table_args__ = (
        CheckConstraint(one_of("kind", DownloadKind), name="kind"),
        CheckConstraint("downloads > 0", name="downloads"),
        ForeignKeyConstraint(["organization_id"], ["organization.id"], ondelete="CASCADE"),
        Index("ix_download_count_hour", "organization_id", "hour"),
        # By which the old ones are found, of all organizations.
        Index("ix_download_count_age", "hour"),
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    version_id: Mapped[UUID] = mapped_column(primary_key=True)
    hour: Mapped[datetime] = mapped_column(primary_key=True)
    api_key_id: Mapped[UUID] = mapped_column(primary_key=True)
    user_agent: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    downloads: Mapped[int] = mapped_column(BigInteger)
    last_at: Mapped[datetime] = mapped_column(server_default=func.now())


class DownloadBatchRow(Base):
    """Counts that were written together, kept for a day: whoever did not hear of it writes them again."""

    __tablename__ = "download_batch"
    __table_args__ = (ForeignKeyConstraint(["organization_id"], ["organization.id"], ondelete="CASCADE"),)

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    written_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)


class DownloadTotalRow(Base):
    """How often a module or provider, by its id, was downloaded in all its versions; it outlives the counts."""

    __tablename__ = "download_total"
    __table_args__ = (
        CheckConstraint("downloads > 0", name="downloads"),
        ForeignKeyConstraint(["organization_id"], ["organization.id"], ondelete="CASCADE"),
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    installed_id: Mapped[UUID] = mapped_column(primary_key=True)
    downloads: Mapped[int] = mapped_column(BigInteger)


class ModuleDocumentsRow(Base):
    """See domain.registry.documents.VersionDocuments; one for each version, which a trigger adds at the commit.

    They are to be read since `asked_at`. The tick looks after those that are past `due_at`.
    """

    __tablename__ = "module_documents"
    __table_args__ = (
        CheckConstraint(one_of("state", DocumentsState), name="state"),
        CheckConstraint("(state = 'pending') = (due_at IS NOT NULL)", name="due"),
        CheckConstraint("state = 'pending' OR (state = 'ready') = (documents IS NOT NULL)", name="documents"),
        CheckConstraint("state <> 'unreadable' OR reason IS NOT NULL", name="reason"),
        ForeignKeyConstraint(
            ["organization_id", "module_version_id"],
            ["module_version.organization_id", "module_version.id"],
            ondelete="CASCADE",
        ),
        Index("ix_module_documents_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    module_version_id: Mapped[UUID] = mapped_column(primary_key=True)
    state: Mapped[str]
    reason: Mapped[str | None]
    documents: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    reader: Mapped[str | None]
    read_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    asked_at: Mapped[datetime] = mapped_column(server_default=func.now())


class VerificationRow(Base):
    """See domain.registry.verifications.Verification. The application's role may add and read, nothing else."""

    __tablename__ = "verification"
    __table_args__ = (
        CheckConstraint(one_of("result", VerificationResult), name="result"),
        CheckConstraint(
            "(result = 'verified') = (code IS NULL) AND (code IS NULL) = (reason IS NULL)", name="reason"
        ),
        CheckConstraint("result <> 'verified' OR evidence IS NOT NULL", name="evidence"),
        ForeignKeyConstraint(
            ["organization_id", "provider_version_id"],
            ["provider_version.organization_id", "provider_version.id"],
            ondelete="CASCADE",
        ),
        Index("ix_verification_release", "organization_id", "provider_version_id", "id"),
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    provider_version_id: Mapped[UUID]
    result: Mapped[str]
    code: Mapped[str | None]
    reason: Mapped[str | None]
    checked_at: Mapped[datetime]
    checked_by: Mapped[dict[str, str]] = mapped_column(JSONB)
    evidence: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    files: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)


class VerificationRequestRow(Base):
    """A verification that was asked for and is not recorded yet: a release has one at most. Its id is the other's.

    The tick looks after those that are past `due_at`. At `sent_again_at` publication stored the
    files anew: what was read before tells nothing of them.
    """

    __tablename__ = "verification_request"
    __table_args__ = (
        ForeignKeyConstraint(
            ["organization_id", "provider_version_id"],
            ["provider_version.organization_id", "provider_version.id"],
            ondelete="CASCADE",
        ),
        UniqueConstraint("organization_id", "provider_version_id"),
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    provider_version_id: Mapped[UUID]
    asked_at: Mapped[datetime] = mapped_column(server_default=func.now())
    due_at: Mapped[datetime] = mapped_column(server_default=func.now())
    sent_again_at: Mapped[datetime | None]
