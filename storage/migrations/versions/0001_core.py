"""Core: organizations, identity, audit, outbox, idempotency keys, data keys."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from storage.database import APP_ROLE, PLATFORM_ROLE
from storage.migrations.policies import OWN_ROWS, grant, protect

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Change the schema."""
    op.create_table(
        "audit_event",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("actor", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("target", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("changes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("request_id", sa.String(), nullable=True),
        sa.Column("source_address", postgresql.INET(), nullable=True),
        sa.Column("matched_grant_id", sa.Uuid(), nullable=True),
        sa.Column("canonical", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("outcome IN ('success', 'denied', 'failure')", name=op.f("ck_audit_event_outcome")),
        sa.PrimaryKeyConstraint("organization_id", "occurred_at", "id", name=op.f("pk_audit_event")),
        postgresql_partition_by="RANGE (occurred_at)",
    )
    op.create_index("ix_audit_event_newest", "audit_event", ["organization_id", "occurred_at", "id"], unique=False)
    op.create_table(
        "idempotency_key",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("operation", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("resource_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "operation", "key", name=op.f("pk_idempotency_key")),
    )
    op.create_index(op.f("ix_idempotency_key_created_at"), "idempotency_key", ["created_at"], unique=False)
    op.create_table(
        "organization",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("display_name", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("trial_ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "status <> 'trial' OR trial_ends_at IS NOT NULL", name=op.f("ck_organization_trial_ends")
        ),
        sa.CheckConstraint(
            "status IN ('trial', 'active', 'frozen', 'deleted')", name=op.f("ck_organization_status")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organization")),
        sa.UniqueConstraint("slug", name=op.f("uq_organization_slug")),
    )
    op.create_table(
        "outbox",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("workflow_id", sa.String(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workflow", sa.String(), nullable=False),
        sa.Column("task_queue", sa.String(), nullable=False),
        sa.Column("input", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("area", sa.String(), nullable=False),
        sa.Column("resource_id", sa.String(), nullable=False),
        sa.Column("summary", sa.String(), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("attributes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("organization_id", "workflow_id", name=op.f("pk_outbox")),
    )
    op.create_index("ix_outbox_due", "outbox", ["next_attempt_at", "id"], unique=False)
    op.create_table(
        "tick",
        sa.Column("area", sa.String(), nullable=False),
        sa.Column("looked_after_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("failed", sa.Integer(), server_default="0", nullable=False),
        sa.Column("not_reached", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("area", name=op.f("pk_tick")),
    )
    op.create_table(
        "user",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("status", sa.String(), server_default="active", nullable=False),
        sa.Column("oidc_issuer", sa.String(), nullable=True),
        sa.Column("oidc_subject", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("status IN ('active', 'disabled')", name=op.f("ck_user_status")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user")),
    )
    op.create_index("uq_user_email", "user", [sa.text("lower(email)")], unique=True)
    op.create_table(
        "data_key",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organization.id"],
            name=op.f("fk_data_key_organization_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_data_key")),
    )
    op.create_index("uq_data_key_version", "data_key", ["organization_id", "version"], unique=True)
    op.create_table(
        "membership",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organization.id"],
            name=op.f("fk_membership_organization_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_membership_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("organization_id", "user_id", name=op.f("pk_membership")),
    )
    op.create_index(op.f("ix_membership_user_id"), "membership", ["user_id"], unique=False)
    op.create_table(
        "role",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), server_default="", nullable=False),
        sa.Column("permissions", postgresql.ARRAY(sa.TEXT()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_role_organization_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role")),
    )
    op.create_index(
        "uq_role_name", "role", ["organization_id", "name"], unique=True, postgresql_nulls_not_distinct=True
    )
    op.create_table(
        "api_key",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kid", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.TEXT()), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rotation_deadline", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('pat', 'svc', 'run', 'pub', 'tfl')", name=op.f("ck_api_key_kind")),
        sa.ForeignKeyConstraint(
            ["organization_id", "owner_id"],
            ["membership.organization_id", "membership.user_id"],
            name=op.f("fk_api_key_organization_id_owner_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_api_key")),
        sa.UniqueConstraint("kid", name=op.f("uq_api_key_kid")),
    )
    op.create_table(
        "role_grant",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subject_type", sa.String(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("role_id", sa.Uuid(), nullable=False),
        sa.Column("scope_type", sa.String(), nullable=False),
        sa.Column("scope_id", sa.Uuid(), nullable=True),
        sa.Column("environments", postgresql.ARRAY(sa.TEXT()), nullable=True),
        sa.Column("not_after", sa.DateTime(timezone=True), nullable=True),
        sa.Column("granted_by", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "(scope_type IN ('platform', 'organization')) = (scope_id IS NULL)",
            name=op.f("ck_role_grant_scope_id"),
        ),
        sa.CheckConstraint(
            "scope_type IN ('platform', 'organization', 'business_unit', 'resource')",
            name=op.f("ck_role_grant_scope_type"),
        ),
        sa.CheckConstraint(
            "subject_type IN ('user', 'group', 'service')", name=op.f("ck_role_grant_subject_type")
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organization.id"],
            name=op.f("fk_role_grant_organization_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["role_id"], ["role.id"], name=op.f("fk_role_grant_role_id")),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_role_grant")),
    )
    op.create_index(
        "ix_role_grant_subject", "role_grant", ["organization_id", "subject_type", "subject_id"], unique=False
    )
    _secure()
    _make_functions()


def downgrade() -> None:
    """Take the change back, for the round trip in the tests."""
    for function in (
        "find_api_key(text)",
        "make_audit_partitions()",
        "authorization_changed() CASCADE",
    ):
        op.execute(f"DROP FUNCTION {function}")
    op.drop_index("ix_role_grant_subject", table_name="role_grant")
    op.drop_table("role_grant")
    op.drop_table("api_key")
    op.drop_index("uq_role_name", table_name="role", postgresql_nulls_not_distinct=True)
    op.drop_table("role")
    op.drop_index(op.f("ix_membership_user_id"), table_name="membership")
    op.drop_table("membership")
    op.drop_index("uq_data_key_version", table_name="data_key")
    op.drop_table("data_key")
    op.drop_index("uq_user_email", table_name="user")
    op.drop_table("user")
    op.drop_table("tick")
    op.drop_index("ix_outbox_due", table_name="outbox")
    op.drop_table("outbox")
    op.drop_table("organization")
    op.drop_index(op.f("ix_idempotency_key_created_at"), table_name="idempotency_key")
    op.drop_table("idempotency_key")
    op.drop_index("ix_audit_event_newest", table_name="audit_event")
    op.drop_table("audit_event")


def _secure() -> None:
    op.execute(f"GRANT USAGE ON SCHEMA public TO {APP_ROLE}, {PLATFORM_ROLE}")
    op.execute(f"GRANT SELECT ON alembic_version TO {APP_ROLE}, {PLATFORM_ROLE}")  # readyz compares it
    # These belong to no organization: the platform makes them, the app reads some columns.
    grant(
        "organization",
        app="SELECT (id, slug, display_name, status, trial_ends_at, created_at, updated_at)",
        platform="SELECT, INSERT, UPDATE",
    )
    grant("tick", platform="SELECT, INSERT, UPDATE, DELETE")
    grant("user", app="SELECT (id, name, status)", platform="SELECT, INSERT, UPDATE")

    protect("membership", app="SELECT, INSERT, DELETE", platform="SELECT, INSERT")
    protect(
        "role",
        app="SELECT, INSERT, UPDATE, DELETE",
        platform="SELECT",
        own_rows=f"organization_id IS NULL OR {OWN_ROWS}",
    )
    protect("role_grant", app="SELECT, INSERT, UPDATE, DELETE", platform="SELECT, INSERT")
    # A grant over the installation is the platform's to give: no organization can write one for itself.
    op.execute(
        f"CREATE POLICY no_platform_scope ON role_grant AS RESTRICTIVE TO {APP_ROLE} "
        "USING (true) WITH CHECK (scope_type <> 'platform')"
    )
    protect("api_key", app="SELECT, INSERT, UPDATE", platform="SELECT, INSERT, UPDATE")
    protect("data_key", app="SELECT, INSERT", platform="SELECT, INSERT, UPDATE")
    protect("idempotency_key", app="SELECT, INSERT", platform="SELECT, INSERT, DELETE")
    protect("outbox", app="SELECT, INSERT, UPDATE", platform="SELECT, INSERT, UPDATE, DELETE")
    protect("audit_event", app="SELECT, INSERT", platform="SELECT, INSERT")

    # "*" is every permission, those of later versions included.
    op.execute(
        "INSERT INTO role (id, organization_id, name, description, permissions) VALUES "
        "(gen_random_uuid(), NULL, 'administrator', 'Everything in one organization.', '{*}')"
    )


def _make_functions() -> None:
    # A key is looked up before its organization is known, so this one question passes row-level security.
    op.execute("""
        CREATE FUNCTION find_api_key(wanted text)
        RETURNS TABLE (organization_id uuid, id uuid, hash text, owner_id uuid, scopes text[],
                       valid_until timestamptz, status text, trial_ends_at timestamptz)
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
        AS $$
            SELECT k.organization_id, k.id, k.hash, k.owner_id, k.scopes,
                   LEAST(k.expires_at, k.rotation_deadline), o.status, o.trial_ends_at
            FROM api_key k
            JOIN organization o ON o.id = k.organization_id
            JOIN "user" u ON u.id = k.owner_id
            WHERE k.kid = wanted AND k.revoked_at IS NULL AND o.status <> 'deleted' AND u.status = 'active'
              AND COALESCE(LEAST(k.expires_at, k.rotation_deadline), 'infinity') > now()
        $$
    """)
    op.execute("REVOKE ALL ON FUNCTION find_api_key(text) FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION find_api_key(text) TO {PLATFORM_ROLE}")

    # Partitions are the owner's to make, and no server logs in as owner: the tick calls this every time.
    op.execute("""
        CREATE FUNCTION make_audit_partitions() RETURNS int
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
        AS $$
        DECLARE
            month timestamptz;
            name text;
            made int := 0;
        BEGIN
            FOR ahead IN 0..2 LOOP
                month := date_trunc('month', now(), 'UTC') + make_interval(months => ahead);
                name := 'audit_event_' || to_char(month AT TIME ZONE 'UTC', 'YYYY_MM');
                IF to_regclass(name) IS NULL THEN
                    EXECUTE format(
                        'CREATE TABLE %I PARTITION OF audit_event FOR VALUES FROM (%L) TO (%L)',
                        name, month, month + interval '1 month'
                    );
                    made := made + 1;
                END IF;
            END LOOP;
            RETURN made;
        END
        $$
    """)
    op.execute("REVOKE ALL ON FUNCTION make_audit_partitions() FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION make_audit_partitions() TO {PLATFORM_ROLE}")
    op.execute("CREATE TABLE audit_event_default PARTITION OF audit_event DEFAULT")
    op.execute("SELECT make_audit_partitions()")

    # API processes keep compiled rights for seconds; this is how they hear that some changed.
    op.execute("""
        CREATE FUNCTION authorization_changed() RETURNS trigger
        LANGUAGE plpgsql
        AS $$
        BEGIN
            IF TG_TABLE_NAME = 'organization' THEN
                PERFORM pg_notify('groundwork_authorization', COALESCE(NEW.id, OLD.id)::text);
            ELSE
                PERFORM pg_notify('groundwork_authorization',
                                  COALESCE(NEW.organization_id, OLD.organization_id)::text);
            END IF;
            RETURN NULL;
        END
        $$
    """)
    for table, events in (
        ("organization", "UPDATE"),
        ("membership", "DELETE"),
        ("role", "UPDATE OR DELETE"),
        ("role_grant", "INSERT OR UPDATE OR DELETE"),
        ("api_key", "UPDATE OF revoked_at, expires_at, rotation_deadline, scopes"),
    ):
        op.execute(
            f"CREATE TRIGGER authorization_changed AFTER {events} ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION authorization_changed()"
        )
