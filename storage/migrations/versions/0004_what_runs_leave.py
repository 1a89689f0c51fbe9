"""Provisioning: what runs leave, which is logs, outputs and states, and what they were given in secret."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from storage.migrations.policies import protect

revision = "0004"
down_revision = "0003"
_WRITTEN_BY = (
    "(run_id IS NULL) = (step_id IS NULL)"
    " AND (written_by ->> 'kind') IS NOT NULL AND (step_id IS NOT NULL) = ((written_by ->> 'kind') = 'run')"
)


def upgrade() -> None:
    """Change the schema."""
    op.create_table(
        "run_output",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("step_id", sa.Uuid(), nullable=False),
        sa.Column("sensitive", sa.Boolean(), nullable=False),
        sa.Column("type", sa.JSON(), nullable=False),
        sa.Column("value", sa.JSON(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint(
            "sensitive = (sealed IS NOT NULL) AND sensitive = (value IS NULL)", name=op.f("ck_run_output_sealed")
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "run_id"],
            ["run.organization_id", "run.id"],
            name=op.f("fk_run_output_organization_id_run_id"),
        ),
        sa.PrimaryKeyConstraint("organization_id", "run_id", "name", name=op.f("pk_run_output")),
    )
    op.create_table(
        "run_secret_input",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id", "run_id"],
            ["run.organization_id", "run.id"],
            name=op.f("fk_run_secret_input_organization_id_run_id"),
        ),
        sa.PrimaryKeyConstraint("organization_id", "run_id", "name", name=op.f("pk_run_secret_input")),
    )
    op.create_table(
        "log_chunk",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("step_number", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("stored_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint('"offset" >= 0', name=op.f("ck_log_chunk_offset")),
        sa.ForeignKeyConstraint(
            ["organization_id", "run_id", "step_number"],
            ["run_step.organization_id", "run_step.run_id", "run_step.number"],
            name=op.f("fk_log_chunk_organization_id_run_id_step_number"),
        ),
        sa.PrimaryKeyConstraint("organization_id", "run_id", "step_number", "offset", name=op.f("pk_log_chunk")),
    )
    op.create_table(
        "state_quarantine",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("deployment_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=True),
        sa.Column("step_id", sa.Uuid(), nullable=True),
        sa.Column("written_by", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("serial", sa.BigInteger(), nullable=True),
        sa.Column("lineage", sa.String(), nullable=True),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("blob", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(reason = 'unreadable') = (serial IS NULL) AND (serial IS NULL) = (lineage IS NULL)",
            name=op.f("ck_state_quarantine_head"),
        ),
        sa.CheckConstraint(
            "reason IN ('lineage', 'serial', 'token', 'unreadable')", name=op.f("ck_state_quarantine_reason")
        ),
        sa.CheckConstraint(_WRITTEN_BY, name=op.f("ck_state_quarantine_written_by")),
        sa.ForeignKeyConstraint(
            ["organization_id", "deployment_id"],
            ["deployment.organization_id", "deployment.id"],
            name=op.f("fk_state_quarantine_organization_id_deployment_id"),
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "run_id"],
            ["run.organization_id", "run.id"],
            name=op.f("fk_state_quarantine_organization_id_run_id"),
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "step_id"],
            ["run_step.organization_id", "run_step.id"],
            name=op.f("fk_state_quarantine_organization_id_step_id"),
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_state_quarantine")),
        sa.UniqueConstraint(
            "organization_id",
            "deployment_id",
            "step_id",
            "sha256",
            name=op.f("uq_state_quarantine_bytes"),
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_index(
        "ix_state_quarantine_deployment",
        "state_quarantine",
        ["organization_id", "deployment_id", "id"],
        unique=False,
    )
    op.create_table(
        "state_version",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("deployment_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=True),
        sa.Column("step_id", sa.Uuid(), nullable=True),
        sa.Column("written_by", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("serial", sa.BigInteger(), nullable=False),
        sa.Column("lineage", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("blob", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(_WRITTEN_BY, name=op.f("ck_state_version_written_by")),
        sa.ForeignKeyConstraint(
            ["organization_id", "deployment_id"],
            ["deployment.organization_id", "deployment.id"],
            name=op.f("fk_state_version_organization_id_deployment_id"),
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "run_id"],
            ["run.organization_id", "run.id"],
            name=op.f("fk_state_version_organization_id_run_id"),
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "step_id"],
            ["run_step.organization_id", "run_step.id"],
            name=op.f("fk_state_version_organization_id_step_id"),
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_state_version")),
        sa.UniqueConstraint(
            "organization_id",
            "deployment_id",
            "serial",
            name=op.f("uq_state_version_organization_id_deployment_id_serial"),
        ),
    )
    _secure()


def downgrade() -> None:
    """Take the change back, for the round trip in the tests."""
    for table in ("state_version", "state_quarantine", "log_chunk", "run_secret_input", "run_output"):
        op.drop_table(table)


def _secure() -> None:
    protect("log_chunk", app="SELECT, INSERT", platform="SELECT")
    protect("state_version", app="SELECT, INSERT")
    protect("state_quarantine", app="SELECT, INSERT, UPDATE")
    protect("run_output", app="SELECT, INSERT")
    protect("run_secret_input", app="SELECT, INSERT")
