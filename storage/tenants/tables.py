"""Tables of organizations. `organization` has no row-level security: roles are held to columns instead."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from storage.database import Base


class OrganizationRow(Base):
    """See domain.tenants.organizations.Organization."""

    __tablename__ = "organization"
    __table_args__ = (
        CheckConstraint("status IN ('trial', 'active', 'frozen', 'deleted')", name="status"),
        CheckConstraint("status <> 'trial' OR trial_ends_at IS NOT NULL", name="trial_ends"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    display_name: Mapped[str]
    status: Mapped[str]
    trial_ends_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())
