"""Provisioning: tiers, deployments and their locks, runs and their steps, workers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from storage.migrations.policies import grant, protect

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Change the schema."""
    op.create_table(
        "permit",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("environment", sa.String(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=True),
        sa.CheckConstraint("capacity > 0", name=op.f("ck_permit_capacity")),
        sa.PrimaryKeyConstraint("organization_id", "environment", name=op.f("pk_permit")),
    )
    op.create_table(
        "tier",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("engine", sa.String(), nullable=False),
        sa.Column("module_source", sa.String(), nullable=False),
        sa.Column("module_version", sa.String(), nullable=False),
        sa.Column("inputs", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("environment", sa.String(), nullable=False),
        sa.Column("estimated_duration", sa.Interval(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("engine IN ('opentofu', 'pulumi', 'terraform')", name=op.f("ck_tier_engine")),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_tier")),
        sa.UniqueConstraint("organization_id", "name", name=op.f("uq_tier_organization_id_name")),
    )
    op.create_table(
        "worker",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("queues", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_worker")),
    )
    op.create_index("ix_worker_seen", "worker", ["seen_at"], unique=False)
    op.create_table(
        "deployment",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("environment", sa.String(), nullable=False),
        sa.Column("tags", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("engine", sa.String(), nullable=False),
        sa.Column("source_kind", sa.String(), nullable=False),
        sa.Column("module_source", sa.String(), nullable=True),
        sa.Column("module_version", sa.String(), nullable=True),
        sa.Column("tier_id", sa.Uuid(), nullable=True),
        sa.Column("latest_run_id", sa.Uuid(), nullable=True),
        sa.Column("applied_run_id", sa.Uuid(), nullable=True),
        sa.Column("step_id", sa.Uuid(), nullable=True),
        sa.Column("blocked_by_run_id", sa.Uuid(), nullable=True),
        sa.Column("destroyed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("engine IN ('opentofu', 'pulumi', 'terraform')", name=op.f("ck_deployment_engine")),
        sa.CheckConstraint(
            "source_kind <> 'module' OR num_nulls(module_source, module_version) = 0",
            name=op.f("ck_deployment_module"),
        ),
        sa.CheckConstraint(
            "source_kind IN ('module', 'plugin', 'repository')", name=op.f("ck_deployment_source_kind")
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "tier_id"],
            ["tier.organization_id", "tier.id"],
            name=op.f("fk_deployment_organization_id_tier_id"),
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_deployment")),
        sa.UniqueConstraint("organization_id", "name", name=op.f("uq_deployment_organization_id_name")),
    )
    op.create_table(
        "run",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("deployment_id", sa.Uuid(), nullable=False),
        sa.Column("deployment_name", sa.String(), nullable=False),
        sa.Column("environment", sa.String(), nullable=False),
        sa.Column("operation", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("engine", sa.String(), nullable=False),
        sa.Column("source_kind", sa.String(), nullable=False),
        sa.Column("module_source", sa.String(), nullable=True),
        sa.Column("module_version", sa.String(), nullable=True),
        sa.Column("module_digest", sa.String(), nullable=True),
        sa.Column("inputs", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("secret_input_names", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("basis_run_id", sa.Uuid(), nullable=True),
        sa.Column("secrets_run_id", sa.Uuid(), nullable=True),
        sa.Column("tags", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("priority", sa.String(), nullable=False),
        sa.Column("auto_apply", sa.Boolean(), nullable=False),
        sa.Column("tier_id", sa.Uuid(), nullable=True),
        sa.Column("stage", sa.String(), nullable=True),
        sa.Column("progress_done", sa.Integer(), nullable=False),
        sa.Column("progress_total", sa.Integer(), nullable=True),
        sa.Column("progress_message", sa.String(), nullable=False),
        sa.Column("changes_add", sa.Integer(), nullable=True),
        sa.Column("changes_change", sa.Integer(), nullable=True),
        sa.Column("changes_remove", sa.Integer(), nullable=True),
        sa.Column("changes_import", sa.Integer(), nullable=True),
        sa.Column("plan_step_id", sa.Uuid(), nullable=True),
        sa.Column("plan_sha256", sa.String(), nullable=True),
        sa.Column("plan_fingerprint", sa.String(), nullable=True),
        sa.Column("plan_voided_round", sa.Integer(), nullable=True),
        sa.Column("requested_by", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("request_id", sa.String(), nullable=True),
        sa.Column("cancel_requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "cancel_requested_by", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.Column("decision", sa.String(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("decision_reason", sa.String(), nullable=True),
        sa.Column("decision_step_id", sa.Uuid(), nullable=True),
        sa.Column("approval_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error_class", sa.String(), nullable=True),
        sa.Column("error_message", sa.String(), nullable=True),
        sa.Column("retry_of", sa.Uuid(), nullable=True),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("secrets_shown_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("admitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            (
                "(state IN ('applied', 'canceled', 'failed', 'needs_attention', 'planned', "
                "'rejected', 'timed_out')) = (finished_at IS NOT NULL)"
            ),
            name=op.f("ck_run_finished"),
        ),
        sa.CheckConstraint("decision IN ('approved', 'rejected')", name=op.f("ck_run_decision")),
        sa.CheckConstraint("engine IN ('opentofu', 'pulumi', 'terraform')", name=op.f("ck_run_engine")),
        sa.CheckConstraint(
            "source_kind <> 'module' OR num_nulls(module_source, module_version, module_digest) = 0",
            name=op.f("ck_run_module"),
        ),
        sa.CheckConstraint("source_kind IN ('module', 'plugin', 'repository')", name=op.f("ck_run_source_kind")),
        sa.CheckConstraint(
            (
                "error_class IN ('auth', 'config', 'lock_held', 'plan_stale', 'policy_denied', "
                "'provider_crash', 'provider_throttle', 'quota', 'timeout', 'transient_infra', "
                "'unknown', 'user_cancel')"
            ),
            name=op.f("ck_run_error_class"),
        ),
        sa.CheckConstraint(
            "operation IN ('apply', 'destroy', 'import', 'plan', 'refresh')", name=op.f("ck_run_operation")
        ),
        sa.CheckConstraint("priority IN ('critical', 'high', 'low', 'standard')", name=op.f("ck_run_priority")),
        sa.CheckConstraint(
            "stage IN ('applying', 'initializing', 'planning', 'preparing', 'storing')", name=op.f("ck_run_stage")
        ),
        sa.CheckConstraint(
            (
                "state IN ('accepted', 'applied', 'applying', 'awaiting_approval', 'canceled', "
                "'failed', 'needs_attention', 'planned', 'planning', 'queued', 'recovering', "
                "'rejected', 'timed_out')"
            ),
            name=op.f("ck_run_state"),
        ),
        sa.CheckConstraint("(decision IS NULL) = (decided_at IS NULL)", name=op.f("ck_run_decided")),
        sa.CheckConstraint(
            "decision IS NULL OR coalesce(decision_step_id = plan_step_id, false)",
            name=op.f("ck_run_decided_plan"),
        ),
        sa.CheckConstraint("(finished_at IS NULL) = (due_at IS NOT NULL)", name=op.f("ck_run_due")),
        sa.ForeignKeyConstraint(
            ["organization_id", "basis_run_id"],
            ["run.organization_id", "run.id"],
            name=op.f("fk_run_organization_id_basis_run_id"),
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "deployment_id"],
            ["deployment.organization_id", "deployment.id"],
            name=op.f("fk_run_organization_id_deployment_id"),
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "retry_of"],
            ["run.organization_id", "run.id"],
            name=op.f("fk_run_organization_id_retry_of"),
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "secrets_run_id"],
            ["run.organization_id", "run.id"],
            name=op.f("fk_run_organization_id_secrets_run_id"),
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "tier_id"],
            ["tier.organization_id", "tier.id"],
            name=op.f("fk_run_organization_id_tier_id"),
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_run")),
    )
    op.create_foreign_key(
        "fk_deployment_organization_id_applied_run_id",
        "deployment",
        "run",
        ["organization_id", "applied_run_id"],
        ["organization_id", "id"],
    )
    op.create_index("ix_run_deployment", "run", ["organization_id", "deployment_id", "id"], unique=False)
    op.create_index("ix_run_due", "run", ["due_at"], unique=False, postgresql_where=sa.text("due_at IS NOT NULL"))
    op.create_index(
        "ix_run_finished",
        "run",
        ["finished_at"],
        unique=False,
        postgresql_where=sa.text("finished_at IS NOT NULL"),
    )
    op.create_index(
        "ix_deployment_blocked",
        "deployment",
        ["organization_id", "blocked_by_run_id"],
        unique=False,
        postgresql_where=sa.text("blocked_by_run_id IS NOT NULL"),
    )
    op.create_index("ix_run_state", "run", ["organization_id", "state", "id"], unique=False)
    op.create_index("ix_run_tags", "run", ["tags"], unique=False, postgresql_using="gin")
    op.create_index(
        "ix_run_waiting",
        "run",
        ["organization_id", "id"],
        unique=False,
        postgresql_where=sa.text("admitted_at IS NULL AND finished_at IS NULL"),
    )
    op.create_table(
        "deployment_lock",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("deployment_id", sa.Uuid(), nullable=False),
        sa.Column("holder_kind", sa.String(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=True),
        sa.Column("holder", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("acquired_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("(holder_kind = 'run') = (run_id IS NOT NULL)", name=op.f("ck_deployment_lock_run")),
        sa.CheckConstraint(
            "holder_kind IN ('person', 'run', 'state_client')", name=op.f("ck_deployment_lock_holder_kind")
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "deployment_id"],
            ["deployment.organization_id", "deployment.id"],
            name=op.f("fk_deployment_lock_organization_id_deployment_id"),
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "run_id"],
            ["run.organization_id", "run.id"],
            name=op.f("fk_deployment_lock_organization_id_run_id"),
        ),
        sa.PrimaryKeyConstraint("organization_id", "deployment_id", name=op.f("pk_deployment_lock")),
    )
    op.create_index("ix_deployment_lock_run", "deployment_lock", ["organization_id", "run_id"], unique=False)
    op.create_table(
        "run_step",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("deployment_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("phase", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("fenced", sa.Boolean(), nullable=False),
        sa.Column("worker", sa.String(), nullable=False),
        sa.Column("admitted_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cli_started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("excused", sa.Boolean(), nullable=False),
        sa.Column("exit_class", sa.String(), nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("interrupt_reason", sa.String(), nullable=True),
        sa.Column("changes", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("error_class", sa.String(), nullable=True),
        sa.Column("error_message", sa.String(), nullable=True),
        sa.Column("error_address", sa.String(), nullable=True),
        sa.Column("in_flight", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("last_serial", sa.BigInteger(), nullable=True),
        sa.Column("log_end", sa.BigInteger(), nullable=True),
        sa.Column("log_blob", sa.String(), nullable=True),
        sa.Column("engine_version", sa.String(), nullable=True),
        sa.Column("plan_sha256", sa.String(), nullable=True),
        sa.Column("plan_blob", sa.String(), nullable=True),
        sa.Column("lock_file_blob", sa.String(), nullable=True),
        sa.Column("plan_text_blob", sa.String(), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            (
                "error_class IN ('auth', 'config', 'lock_held', 'plan_stale', 'policy_denied', "
                "'provider_crash', 'provider_throttle', 'quota', 'timeout', 'transient_infra', "
                "'unknown', 'user_cancel')"
            ),
            name=op.f("ck_run_step_error_class"),
        ),
        sa.CheckConstraint(
            (
                "exit_class IN ('failed', 'interrupted', 'killed', 'lost_lease', 'no_changes', "
                "'succeeded', 'timed_out')"
            ),
            name=op.f("ck_run_step_exit_class"),
        ),
        sa.CheckConstraint("phase IN ('apply', 'plan')", name=op.f("ck_run_step_phase")),
        sa.CheckConstraint("(exit_class IS NULL) = (finished_at IS NULL)", name=op.f("ck_run_step_finished")),
        sa.ForeignKeyConstraint(
            ["organization_id", "run_id"],
            ["run.organization_id", "run.id"],
            name=op.f("fk_run_step_organization_id_run_id"),
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_run_step")),
        sa.UniqueConstraint(
            "organization_id", "run_id", "number", name=op.f("uq_run_step_organization_id_run_id_number")
        ),
        sa.UniqueConstraint(
            "organization_id",
            "run_id",
            "round",
            "phase",
            "attempt",
            name=op.f("uq_run_step_organization_id_run_id_round_phase_attempt"),
        ),
    )
    op.create_index("ix_run_step_id", "run_step", ["id"], unique=False)
    op.create_index(
        "ix_run_step_live",
        "run_step",
        ["organization_id", "deployment_id"],
        unique=False,
        postgresql_where=sa.text("finished_at IS NULL"),
    )
    _secure()


def downgrade() -> None:
    """Take the change back, for the round trip in the tests."""
    op.drop_constraint("fk_deployment_organization_id_applied_run_id", "deployment", type_="foreignkey")
    for table in ("run_step", "deployment_lock", "run", "deployment", "worker", "tier", "permit"):
        op.drop_table(table)


def _secure() -> None:
    protect("tier", app="SELECT, INSERT", platform="SELECT")
    protect("deployment", app="SELECT, INSERT, UPDATE", platform="SELECT")
    protect("permit", app="SELECT, INSERT, UPDATE")
    protect("run", app="SELECT, INSERT, UPDATE", platform="SELECT")
    protect("deployment_lock", app="SELECT, INSERT, DELETE", platform="SELECT")
    protect("run_step", app="SELECT, INSERT, UPDATE", platform="SELECT")
    # No row-level security: a worker process belongs to no organization.
    grant("worker", app="SELECT", platform="SELECT, INSERT, UPDATE, DELETE")
