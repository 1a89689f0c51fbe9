"""Registry: blobs, namespaces, signing keys, modules, providers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from storage.migrations.policies import grant, protect

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Change the schema."""
    op.create_table(
        "blob",
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_blob")),
    )
    op.create_table(
        "namespace",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("skeleton", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_namespace_organization_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_namespace")),
        sa.UniqueConstraint("id", name=op.f("uq_namespace_id")),
        sa.UniqueConstraint("organization_id", "name", name=op.f("uq_namespace_organization_id_name")),
        sa.UniqueConstraint("skeleton", name=op.f("uq_namespace_skeleton")),
    )
    op.create_table(
        "gpg_key",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("namespace", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("subkeys", postgresql.ARRAY(sa.TEXT()), nullable=False),
        sa.Column("user_ids", postgresql.ARRAY(sa.TEXT()), nullable=False),
        sa.Column("ascii_armor", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id", "namespace"],
            ["namespace.organization_id", "namespace.name"],
            name=op.f("fk_gpg_key_organization_id_namespace"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_gpg_key")),
        sa.UniqueConstraint(
            "organization_id",
            "namespace",
            "fingerprint",
            name=op.f("uq_gpg_key_organization_id_namespace_fingerprint"),
        ),
    )
    op.create_table(
        "module",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("namespace", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("system", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("latest_version", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id", "namespace"],
            ["namespace.organization_id", "namespace.name"],
            name=op.f("fk_module_organization_id_namespace"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_module")),
        sa.UniqueConstraint(
            "organization_id",
            "namespace",
            "name",
            "system",
            name=op.f("uq_module_organization_id_namespace_name_system"),
        ),
    )
    op.create_table(
        "provider",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("namespace", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("latest_version", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id", "namespace"],
            ["namespace.organization_id", "namespace.name"],
            name=op.f("fk_provider_organization_id_namespace"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_provider")),
        sa.UniqueConstraint(
            "organization_id", "namespace", "type", name=op.f("uq_provider_organization_id_namespace_type")
        ),
    )
    op.create_table(
        "module_version",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("module_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("format", sa.String(), nullable=False),
        sa.Column("published_by", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("deprecated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deprecation", sa.String(), nullable=True),
        sa.Column("yanked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("yank_reason", sa.String(), nullable=True),
        sa.CheckConstraint("format IN ('tar.gz', 'zip')", name=op.f("ck_module_version_format")),
        sa.ForeignKeyConstraint(
            ["organization_id", "module_id"],
            ["module.organization_id", "module.id"],
            name=op.f("fk_module_version_organization_id_module_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["sha256"], ["blob.sha256"], name=op.f("fk_module_version_sha256")),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_module_version")),
        sa.UniqueConstraint(
            "organization_id",
            "module_id",
            "version",
            name=op.f("uq_module_version_organization_id_module_id_version"),
        ),
    )
    op.create_table(
        "provider_version",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("protocols", postgresql.ARRAY(sa.TEXT()), nullable=False),
        sa.Column("gpg_key_id", sa.Uuid(), nullable=False),
        sa.Column("checksums_sha256", sa.String(), nullable=False),
        sa.Column("signature_sha256", sa.String(), nullable=False),
        sa.Column("evidence", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("published_by", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("deprecated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deprecation", sa.String(), nullable=True),
        sa.Column("yanked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("yank_reason", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["checksums_sha256"], ["blob.sha256"], name=op.f("fk_provider_version_checksums_sha256")
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "gpg_key_id"],
            ["gpg_key.organization_id", "gpg_key.id"],
            name=op.f("fk_provider_version_organization_id_gpg_key_id"),
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "provider_id"],
            ["provider.organization_id", "provider.id"],
            name=op.f("fk_provider_version_organization_id_provider_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["signature_sha256"], ["blob.sha256"], name=op.f("fk_provider_version_signature_sha256")
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_provider_version")),
        sa.UniqueConstraint(
            "organization_id",
            "provider_id",
            "version",
            name=op.f("uq_provider_version_organization_id_provider_id_version"),
        ),
    )
    op.create_index(
        "ix_provider_version_gpg_key", "provider_version", ["organization_id", "gpg_key_id"], unique=False
    )
    op.create_table(
        "provider_platform",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("provider_version_id", sa.Uuid(), nullable=False),
        sa.Column("os", sa.String(), nullable=False),
        sa.Column("arch", sa.String(), nullable=False),
        sa.Column("filename", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("h1", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id", "provider_version_id"],
            ["provider_version.organization_id", "provider_version.id"],
            name=op.f("fk_provider_platform_organization_id_provider_version_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["sha256"], ["blob.sha256"], name=op.f("fk_provider_platform_sha256")),
        sa.PrimaryKeyConstraint(
            "organization_id", "provider_version_id", "os", "arch", name=op.f("pk_provider_platform")
        ),
    )
    grant("blob", app="SELECT, INSERT", platform="SELECT, INSERT, DELETE")
    # Names are unique over all organizations by their constraints, which row-level security does not narrow.
    protect("namespace", app="SELECT, INSERT")
    protect("gpg_key", app="SELECT, INSERT, UPDATE, DELETE")
    protect("module", app="SELECT, INSERT, UPDATE")
    protect("module_version", app="SELECT, INSERT, UPDATE")
    protect("provider", app="SELECT, INSERT, UPDATE")
    protect("provider_version", app="SELECT, INSERT, UPDATE")
    protect("provider_platform", app="SELECT, INSERT")


def downgrade() -> None:
    """Take the change back, for the round trip in the tests."""
    op.drop_table("provider_platform")
    op.drop_index("ix_provider_version_gpg_key", table_name="provider_version")
    op.drop_table("provider_version")
    op.drop_table("module_version")
    op.drop_table("provider")
    op.drop_table("module")
    op.drop_table("gpg_key")
    op.drop_table("namespace")
    op.drop_table("blob")
