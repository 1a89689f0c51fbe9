"""Tables of deployments. What must always hold is a constraint here, not a hope elsewhere."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from domain.deployments.locks import LockHolder
from domain.deployments.sources import EngineName, SourceKind
from domain.deployments.states import Misfit
from storage.database import Base, one_of

WRITTEN_BY: Final = (
    "(run_id IS NULL) = (step_id IS NULL)"
    " AND (written_by ->> 'kind') IS NOT NULL AND (step_id IS NOT NULL) = ((written_by ->> 'kind') = 'run')"
)
"""Who wrote a state: a step, and then its run, or somebody else."""


class DeploymentRow(Base):
    """See domain.deployments.deployments.Deployment.

    `step_id` is the token of the step that may write the deployment's state: every fenced write compares it
    under FOR SHARE, so no key points from it to a step (recovery takes a token that is no step's).
    `applied_run_id` is the run that was applied last: ids say in which order runs were asked for, and no more.
    """

    __tablename__ = "deployment"
    __table_args__ = (
        UniqueConstraint("organization_id", "name"),
        ForeignKeyConstraint(["organization_id", "tier_id"], ["tier.organization_id", "tier.id"]),
        # Runs point to their deployment too, so this one can only be added once both tables are there.
        ForeignKeyConstraint(
            ["organization_id", "applied_run_id"],
            ["run.organization_id", "run.id"],
            name="fk_deployment_organization_id_applied_run_id",
            use_alter=True,
        ),
        CheckConstraint(one_of("engine", EngineName), name="engine"),
        CheckConstraint(one_of("source_kind", SourceKind), name="source_kind"),
        CheckConstraint("source_kind <> 'module' OR num_nulls(module_source, module_version) = 0", name="module"),
        Index(
            "ix_deployment_blocked",
            "organization_id",
            "blocked_by_run_id",
            postgresql_where=text("blocked_by_run_id IS NOT NULL"),
        ),
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    environment: Mapped[str]
    tags: Mapped[dict[str, str]] = mapped_column(JSONB)
    engine: Mapped[str]
    source_kind: Mapped[str]
    module_source: Mapped[str | None]
    module_version: Mapped[str | None]
    tier_id: Mapped[UUID | None]
    latest_run_id: Mapped[UUID | None]
    applied_run_id: Mapped[UUID | None]
    step_id: Mapped[UUID | None]
    blocked_by_run_id: Mapped[UUID | None]
    destroyed_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())


class DeploymentLockRow(Base):
    """The one lock of a deployment; a deployment is free when it has none."""

    __tablename__ = "deployment_lock"
    __table_args__ = (
        ForeignKeyConstraint(
            ["organization_id", "deployment_id"], ["deployment.organization_id", "deployment.id"]
        ),
        ForeignKeyConstraint(["organization_id", "run_id"], ["run.organization_id", "run.id"]),
        CheckConstraint(one_of("holder_kind", LockHolder), name="holder_kind"),
        CheckConstraint("(holder_kind = 'run') = (run_id IS NOT NULL)", name="run"),
        Index("ix_deployment_lock_run", "organization_id", "run_id"),
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    deployment_id: Mapped[UUID] = mapped_column(primary_key=True)
    holder_kind: Mapped[str]
    run_id: Mapped[UUID | None]
    holder: Mapped[dict[str, Any]] = mapped_column(JSONB)
    acquired_at: Mapped[datetime] = mapped_column(server_default=func.now())


class StateVersionRow(Base):
    """See domain.deployments.states.StateVersion. `blob` names the encrypted bytes."""

    __tablename__ = "state_version"
    __table_args__ = (
        UniqueConstraint("organization_id", "deployment_id", "serial"),
        CheckConstraint(WRITTEN_BY, name="written_by"),
        ForeignKeyConstraint(
            ["organization_id", "deployment_id"], ["deployment.organization_id", "deployment.id"]
        ),
        ForeignKeyConstraint(["organization_id", "run_id"], ["run.organization_id", "run.id"]),
        ForeignKeyConstraint(["organization_id", "step_id"], ["run_step.organization_id", "run_step.id"]),
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    deployment_id: Mapped[UUID]
    run_id: Mapped[UUID | None]
    step_id: Mapped[UUID | None]
    written_by: Mapped[dict[str, str]] = mapped_column(JSONB)
    serial: Mapped[int] = mapped_column(BigInteger)
    lineage: Mapped[str]
    sha256: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    blob: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class StateQuarantineRow(Base):
    """A state that did not fit, see domain.deployments.states.Misfit: kept, and not used."""

    __tablename__ = "state_quarantine"
    __table_args__ = (
        UniqueConstraint(
            "organization_id",
            "deployment_id",
            "step_id",
            "sha256",
            name="uq_state_quarantine_bytes",
            postgresql_nulls_not_distinct=True,
        ),
        CheckConstraint(WRITTEN_BY, name="written_by"),
        ForeignKeyConstraint(
            ["organization_id", "deployment_id"], ["deployment.organization_id", "deployment.id"]
        ),
        ForeignKeyConstraint(["organization_id", "run_id"], ["run.organization_id", "run.id"]),
        ForeignKeyConstraint(["organization_id", "step_id"], ["run_step.organization_id", "run_step.id"]),
        CheckConstraint(one_of("reason", Misfit), name="reason"),
        CheckConstraint(
            "(reason = 'unreadable') = (serial IS NULL) AND (serial IS NULL) = (lineage IS NULL)", name="head"
        ),
        Index("ix_state_quarantine_deployment", "organization_id", "deployment_id", "id"),
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    deployment_id: Mapped[UUID]
    run_id: Mapped[UUID | None]
    step_id: Mapped[UUID | None]
    written_by: Mapped[dict[str, str]] = mapped_column(JSONB)
    reason: Mapped[str]
    serial: Mapped[int | None] = mapped_column(BigInteger)
    lineage: Mapped[str | None]
    sha256: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    blob: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    resolved_at: Mapped[datetime | None]
