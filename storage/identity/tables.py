"""Tables of who may do what, and of the keys that data is encrypted with."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, Integer, LargeBinary, func, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from storage.database import Base


class UserRow(Base):
    """A person. They belong to organizations by membership; the row itself has no row-level security."""

    __tablename__ = "user"
    __table_args__ = (
        CheckConstraint("status IN ('active', 'disabled')", name="status"),
        Index("uq_user_email", text("lower(email)"), unique=True),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str]
    name: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="active")
    oidc_issuer: Mapped[str | None]
    oidc_subject: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())


class MembershipRow(Base):
    """A user is in an organization."""

    __tablename__ = "membership"

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organization.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), primary_key=True, index=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class RoleRow(Base):
    """A named set of permissions: an organization's own, or everybody's where organization_id is null."""

    __tablename__ = "role"
    __table_args__ = (
        Index("uq_role_name", "organization_id", "name", unique=True, postgresql_nulls_not_distinct=True),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organization_id: Mapped[UUID | None] = mapped_column(ForeignKey("organization.id", ondelete="CASCADE"))
    name: Mapped[str]
    description: Mapped[str] = mapped_column(server_default="")
    permissions: Mapped[list[str]] = mapped_column(ARRAY(TEXT))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class RoleGrantRow(Base):
    """A subject has a role in a scope, in all environments or some, for ever or until a time."""

    __tablename__ = "role_grant"
    __table_args__ = (
        CheckConstraint("subject_type IN ('user', 'group', 'service')", name="subject_type"),
        CheckConstraint(
            "scope_type IN ('platform', 'organization', 'business_unit', 'resource')", name="scope_type"
        ),
        CheckConstraint("(scope_type IN ('platform', 'organization')) = (scope_id IS NULL)", name="scope_id"),
        Index("ix_role_grant_subject", "organization_id", "subject_type", "subject_id"),
    )

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organization.id", ondelete="CASCADE"), primary_key=True
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    subject_type: Mapped[str]
    subject_id: Mapped[UUID]
    role_id: Mapped[UUID] = mapped_column(ForeignKey("role.id"))
    scope_type: Mapped[str]
    scope_id: Mapped[UUID | None]
    environments: Mapped[list[str] | None] = mapped_column(ARRAY(TEXT))
    not_after: Mapped[datetime | None]
    granted_by: Mapped[UUID | None]
    reason: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ApiKeyRow(Base):
    """See domain.identity.keys.ApiKey. `hash` names its own algorithm and parameters."""

    __tablename__ = "api_key"
    __table_args__ = (
        CheckConstraint("kind IN ('pat', 'svc', 'run', 'pub', 'tfl')", name="kind"),
        ForeignKeyConstraint(
            ["organization_id", "owner_id"],
            ["membership.organization_id", "membership.user_id"],
            ondelete="CASCADE",
        ),
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    kid: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    name: Mapped[str]
    hash: Mapped[str]
    owner_id: Mapped[UUID]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(TEXT))
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]
    rotation_deadline: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class DataKeyRow(Base):
    """A key that an organization's data is encrypted with, itself wrapped by the key-encryption key."""

    __tablename__ = "data_key"
    __table_args__ = (Index("uq_data_key_version", "organization_id", "version", unique=True),)

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organization.id", ondelete="CASCADE"), primary_key=True
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(Integer)
    wrapped: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
