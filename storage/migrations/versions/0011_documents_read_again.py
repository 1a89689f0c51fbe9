"""Registry: documents stay while they are read again, new versions get a row for them, what waits has an age."""

import sqlalchemy as sa
from alembic import op

from storage.migrations.checks import replace_check

revision = "0011"
down_revision = "0010"
_TABLE = "module_documents"
_DOCUMENTS, _REASON = "ck_module_documents_documents", "ck_module_documents_reason"
# Servers of releases before publish beside those of this one. They know of no such row, or add it themselves.
_ADD_ROW = """
CREATE FUNCTION await_documents() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO module_documents (organization_id, module_version_id, state, due_at)
    VALUES (NEW.organization_id, NEW.id, 'pending', now())
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$
"""


def upgrade() -> None:
    """Change the schema."""
    replace_check(_TABLE, _DOCUMENTS, "state = 'pending' OR (state = 'ready') = (documents IS NOT NULL)")
    replace_check(_TABLE, _REASON, "state <> 'unreadable' OR reason IS NOT NULL")
    for table in (_TABLE, "verification_request"):
        op.add_column(
            table,
            sa.Column("asked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        )
    op.execute(_ADD_ROW)
    op.execute(
        "CREATE CONSTRAINT TRIGGER await_documents AFTER INSERT ON module_version "
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION await_documents()"
    )


def downgrade() -> None:
    """Change it back; only development goes this way."""
    op.execute("DROP TRIGGER await_documents ON module_version")
    op.execute("DROP FUNCTION await_documents()")
    op.drop_column("verification_request", "asked_at")
    op.drop_column(_TABLE, "asked_at")
    # What is read again has no documents there, and what could not be, no reason.
    op.execute("UPDATE module_documents SET documents = NULL, reason = NULL WHERE state = 'pending'")
    op.execute("UPDATE module_documents SET reason = NULL WHERE state = 'ready'")
    replace_check(_TABLE, _DOCUMENTS, "(state = 'ready') = (documents IS NOT NULL)")
    replace_check(_TABLE, _REASON, "(state = 'unreadable') = (reason IS NOT NULL)")
