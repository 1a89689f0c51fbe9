"""Tables of tiers, runs and their steps. What must always hold is a constraint here, not a hope elsewhere."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from domain.deployments.sources import EngineName, SourceKind
from domain.provisioning.failures import ErrorClass
from domain.provisioning.run_states import FINAL, Decision, RunPriority, RunState
from domain.provisioning.steps import ExitClass, StepOperation, StepPhase, StepStage
from storage.database import Base, one_of


class TierRow(Base):
    """See domain.provisioning.runs.Tier."""

    __tablename__ = "tier"
    __table_args__ = (
        UniqueConstraint("organization_id", "name"),
        CheckConstraint(one_of("engine", EngineName), name="engine"),
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    description: Mapped[str]
    engine: Mapped[str]
    module_source: Mapped[str]
    module_version: Mapped[str]
    inputs: Mapped[dict[str, Any]] = mapped_column(JSONB)
    environment: Mapped[str]
    estimated_duration: Mapped[timedelta]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class PermitRow(Base):
    """How many runs may work at once in an organization (`environment` empty) or in one of its environments.

    Also what admission locks first, so that two never count the same free place.
    """

    __tablename__ = "permit"
    __table_args__ = (CheckConstraint("capacity > 0", name="capacity"),)

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    environment: Mapped[str] = mapped_column(primary_key=True)
    capacity: Mapped[int | None]


class RunRow(Base):
    """See domain.provisioning.runs.Run. A run that is not final always has a time when it is looked at again.

    A decision is about the plan of one step, and about none that comes later: whoever gives the run another plan
    takes the decision away. No plan of a round up to `plan_voided_round` may be applied, made already or not.
    """

    __tablename__ = "run"
    __table_args__ = (
        ForeignKeyConstraint(
            ["organization_id", "deployment_id"], ["deployment.organization_id", "deployment.id"]
        ),
        ForeignKeyConstraint(["organization_id", "tier_id"], ["tier.organization_id", "tier.id"]),
        ForeignKeyConstraint(["organization_id", "retry_of"], ["run.organization_id", "run.id"]),
        ForeignKeyConstraint(["organization_id", "basis_run_id"], ["run.organization_id", "run.id"]),
        ForeignKeyConstraint(["organization_id", "secrets_run_id"], ["run.organization_id", "run.id"]),
        CheckConstraint(one_of("state", RunState), name="state"),
        CheckConstraint(one_of("operation", StepOperation), name="operation"),
        CheckConstraint(one_of("engine", EngineName), name="engine"),
        CheckConstraint(one_of("source_kind", SourceKind), name="source_kind"),
        CheckConstraint(
            "source_kind <> 'module' OR num_nulls(module_source, module_version, module_digest) = 0", name="module"
        ),
        CheckConstraint(one_of("priority", RunPriority), name="priority"),
        CheckConstraint(one_of("decision", Decision), name="decision"),
        CheckConstraint(one_of("stage", StepStage), name="stage"),
        CheckConstraint(one_of("error_class", ErrorClass), name="error_class"),
        CheckConstraint("(finished_at IS NULL) = (due_at IS NOT NULL)", name="due"),
        CheckConstraint(f"({one_of('state', FINAL)}) = (finished_at IS NOT NULL)", name="finished"),
        CheckConstraint("(decision IS NULL) = (decided_at IS NULL)", name="decided"),
        CheckConstraint(
            "decision IS NULL OR coalesce(decision_step_id = plan_step_id, false)",
            name="decided_plan",
        ),
        Index("ix_run_deployment", "organization_id", "deployment_id", "id"),
        Index("ix_run_state", "organization_id", "state", "id"),
        Index("ix_run_tags", "tags", postgresql_using="gin"),
        Index(
            "ix_run_waiting",
            "organization_id",
            "id",
            postgresql_where=text("admitted_at IS NULL AND finished_at IS NULL"),
        ),
        Index("ix_run_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
        Index("ix_run_finished", "finished_at", postgresql_where=text("finished_at IS NOT NULL")),
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    deployment_id: Mapped[UUID]
    deployment_name: Mapped[str]
    environment: Mapped[str]
    operation: Mapped[str]
    state: Mapped[str]
    engine: Mapped[str]
    source_kind: Mapped[str]
    module_source: Mapped[str | None]
    module_version: Mapped[str | None]
    module_digest: Mapped[str | None]
    inputs: Mapped[dict[str, Any]] = mapped_column(JSONB)
    secret_input_names: Mapped[list[str]] = mapped_column(ARRAY(String))
    basis_run_id: Mapped[UUID | None]
    secrets_run_id: Mapped[UUID | None]
    tags: Mapped[dict[str, str]] = mapped_column(JSONB)
    priority: Mapped[str]
    auto_apply: Mapped[bool]
    tier_id: Mapped[UUID | None]
    stage: Mapped[str | None]
    progress_done: Mapped[int] = mapped_column(default=0)
    progress_total: Mapped[int | None]
    progress_message: Mapped[str] = mapped_column(default="")
    changes_add: Mapped[int | None]
    changes_change: Mapped[int | None]
    changes_remove: Mapped[int | None]
    changes_import: Mapped[int | None]
    plan_step_id: Mapped[UUID | None]
    plan_sha256: Mapped[str | None]
    plan_fingerprint: Mapped[str | None]
    plan_voided_round: Mapped[int | None]
    requested_by: Mapped[dict[str, str]] = mapped_column(JSONB)
    request_id: Mapped[str | None]
    cancel_requested_at: Mapped[datetime | None]
    cancel_requested_by: Mapped[dict[str, str] | None] = mapped_column(JSONB(none_as_null=True))
    decision: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[dict[str, str] | None] = mapped_column(JSONB(none_as_null=True))
    decision_reason: Mapped[str | None]
    decision_step_id: Mapped[UUID | None]
    approval_until: Mapped[datetime | None]
    error_class: Mapped[str | None]
    error_message: Mapped[str | None]
    retry_of: Mapped[UUID | None]
    acknowledged_at: Mapped[datetime | None]
    secrets_shown_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    admitted_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class RunStepRow(Base):
    """See domain.provisioning.runs.RunStep. Its id is the token that fences its writes; `number` only orders.

    In a `round` each phase has one outcome at most; whoever plans anew begins the next one.
    """

    __tablename__ = "run_step"
    __table_args__ = (
        UniqueConstraint("organization_id", "run_id", "number"),
        UniqueConstraint("organization_id", "run_id", "round", "phase", "attempt"),
        ForeignKeyConstraint(["organization_id", "run_id"], ["run.organization_id", "run.id"]),
        CheckConstraint(one_of("phase", StepPhase), name="phase"),
        CheckConstraint(one_of("exit_class", ExitClass), name="exit_class"),
        CheckConstraint(one_of("error_class", ErrorClass), name="error_class"),
        CheckConstraint("(exit_class IS NULL) = (finished_at IS NULL)", name="finished"),
        Index("ix_run_step_id", "id"),
        Index(
            "ix_run_step_live",
            "organization_id",
            "deployment_id",
            postgresql_where=text("finished_at IS NULL"),
        ),
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    run_id: Mapped[UUID]
    deployment_id: Mapped[UUID]
    number: Mapped[int]
    round: Mapped[int]
    phase: Mapped[str]
    attempt: Mapped[int]
    fenced: Mapped[bool]
    worker: Mapped[str]
    admitted_at: Mapped[datetime] = mapped_column(server_default=func.now())
    lease_expires_at: Mapped[datetime]
    cli_started_at: Mapped[datetime | None]
    retry_at: Mapped[datetime | None]
    excused: Mapped[bool] = mapped_column(default=False)
    exit_class: Mapped[str | None]
    exit_code: Mapped[int | None]
    interrupt_reason: Mapped[str | None]
    changes: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    error_class: Mapped[str | None]
    error_message: Mapped[str | None]
    error_address: Mapped[str | None]
    in_flight: Mapped[list[str]] = mapped_column(ARRAY(String), default=list)
    last_serial: Mapped[int | None] = mapped_column(BigInteger)
    log_end: Mapped[int | None] = mapped_column(BigInteger)
    log_blob: Mapped[str | None]
    engine_version: Mapped[str | None]
    plan_sha256: Mapped[str | None]
    plan_blob: Mapped[str | None]
    lock_file_blob: Mapped[str | None]
    plan_text_blob: Mapped[str | None]
    finished_at: Mapped[datetime | None]


class LogChunkRow(Base):
    """A piece of a step's log, redacted, as the CLI wrote it."""

    __tablename__ = "log_chunk"
    __table_args__ = (
        ForeignKeyConstraint(
            ["organization_id", "run_id", "step_number"],
            ["run_step.organization_id", "run_step.run_id", "run_step.number"],
        ),
        CheckConstraint('"offset" >= 0', name="offset"),
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    step_number: Mapped[int] = mapped_column(primary_key=True)
    offset: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)
    stored_at: Mapped[datetime] = mapped_column(server_default=func.now())


class RunOutputRow(Base):
    """See domain.provisioning.runs.Output. A sensitive value is in `sealed`, never in `value`."""

    __tablename__ = "run_output"
    __table_args__ = (
        ForeignKeyConstraint(["organization_id", "run_id"], ["run.organization_id", "run.id"]),
        CheckConstraint("sensitive = (sealed IS NOT NULL) AND sensitive = (value IS NULL)", name="sealed"),
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    step_id: Mapped[UUID]
    sensitive: Mapped[bool]
    # JSON as text: JSONB has no NUL, and what a module gives out is kept as it is.
    type: Mapped[Any] = mapped_column(JSON)
    # JSON's null is a value like others; SQL's NULL is for sensitive ones.
    value: Mapped[Any | None] = mapped_column(JSON)
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)


class RunSecretInputRow(Base):
    """A secret input of a run, encrypted."""

    __tablename__ = "run_secret_input"
    __table_args__ = (ForeignKeyConstraint(["organization_id", "run_id"], ["run.organization_id", "run.id"]),)

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)


class WorkerRow(Base):
    """A worker process, by its last sign of life. The installation's own: it belongs to no organization."""

    __tablename__ = "worker"
    __table_args__ = (Index("ix_worker_seen", "seen_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    host: Mapped[str]
    queues: Mapped[list[str]] = mapped_column(ARRAY(String))
    slots: Mapped[int]
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
