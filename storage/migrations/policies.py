"""Row-level security and rights, as migrations write them.

Every table with an `organization_id` gets `protect`; a table without one gets column rights by hand. The
owner has a policy of its own, since under FORCE a data migration would otherwise change no row and say nothing.
"""

from typing import Final

from alembic import op

from storage.database import APP_ROLE, PLATFORM_ROLE

OWN_ROWS: Final = "organization_id = NULLIF(current_setting('app.organization_id', true), '')::uuid"


def protect(table: str, *, app: str, platform: str = "", own_rows: str = OWN_ROWS) -> None:
    """Enable and force row-level security on a table, and grant what its two roles need.

    Args:
        table: its name.
        app: what the application's role may do, as in `SELECT, INSERT`, on its organization's rows.
        platform: what the platform's role may do on all rows; empty for nothing.
        own_rows: which rows an organization sees, where that is not simply its own.
    """
    op.execute(f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY')
    op.execute(f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY')
    op.execute(f'CREATE POLICY own_rows ON "{table}" TO {APP_ROLE} USING ({own_rows}) WITH CHECK ({OWN_ROWS})')
    op.execute(f'CREATE POLICY owner ON "{table}" TO CURRENT_USER USING (true) WITH CHECK (true)')
    op.execute(f'GRANT {app} ON "{table}" TO {APP_ROLE}')
    if platform:
        op.execute(f'CREATE POLICY platform ON "{table}" TO {PLATFORM_ROLE} USING (true) WITH CHECK (true)')
        op.execute(f'GRANT {platform} ON "{table}" TO {PLATFORM_ROLE}')


def grant(table: str, *, app: str = "", platform: str = "") -> None:
    """Grant rights on a table that has no organization; name columns, as in `SELECT (id, slug)`."""
    if app:
        op.execute(f'GRANT {app} ON "{table}" TO {APP_ROLE}')
    if platform:
        op.execute(f'GRANT {platform} ON "{table}" TO {PLATFORM_ROLE}')
