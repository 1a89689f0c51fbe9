"""What was done, by whom: written in the transaction that did it, so that none exists alone."""

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, func
from sqlalchemy.dialects.postgresql import INET, JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.ids import new_id
from domain.scope import Scope
from storage.database import Base


class AuditRow(Base):
    """One deed. The application's role may add and read, never change or delete.

    No foreign key to the organization: what was done in one outlives it. `canonical` is the deed as bytes: what
    a hash chain seals, so that no later change of a column's type can break it.
    """

    __tablename__ = "audit_event"
    __table_args__ = (
        CheckConstraint("outcome IN ('success', 'denied', 'failure')", name="outcome"),
        Index("ix_audit_event_newest", "organization_id", "occurred_at", "id"),
        {"postgresql_partition_by": "RANGE (occurred_at)"},
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    occurred_at: Mapped[datetime] = mapped_column(primary_key=True, server_default=func.now())
    id: Mapped[UUID] = mapped_column(primary_key=True)
    actor: Mapped[dict[str, str]] = mapped_column(JSONB)
    action: Mapped[str]
    target: Mapped[dict[str, str]] = mapped_column(JSONB)
    outcome: Mapped[str]
    changes: Mapped[dict[str, Any]] = mapped_column(JSONB)
    request_id: Mapped[str | None]
    source_address: Mapped[str | None] = mapped_column(INET)
    matched_grant_id: Mapped[UUID | None]
    canonical: Mapped[bytes] = mapped_column(LargeBinary)


def record(
    session: AsyncSession,
    scope: Scope,
    action: str,
    target: tuple[str, object],
    *,
    outcome: str = "success",
    **changes: object,
) -> None:
    """Add a deed to the session's transaction.

    Args:
        session: the transaction that does the deed.
        scope: who does it, and in which organization.
        action: `<area>.<past tense>`, as in `registry.module_published`.
        target: kind and id of what it was done to.
        outcome: `success`, `denied` or `failure`.
        changes: each field and what it became; never a secret.
    """
    deed = {
        "id": str(new_id()),
        "organization_id": str(scope.organization_id),
        "actor": scope.actor.as_json(),
        "action": action,
        "target": {"kind": target[0], "id": str(target[1])},
        "outcome": outcome,
        "changes": {field: None if value is None else str(value) for field, value in changes.items()},
        "request_id": scope.request_id,
        "source_address": scope.source_address,
    }
    canonical = json.dumps(deed, sort_keys=True, separators=(",", ":")).encode()
    session.add(
        AuditRow(
            organization_id=scope.organization_id,
            id=UUID(str(deed["id"])),
            actor=deed["actor"],
            action=action,
            target=deed["target"],
            outcome=outcome,
            changes=deed["changes"],
            request_id=scope.request_id,
            source_address=scope.source_address,
            canonical=canonical,
        )
    )
