"""Registry: the platforms of a release stand in its own row too, for lists of versions."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
_OF_PACKAGES = """
UPDATE provider_version v
SET platforms = ARRAY(
    SELECT p.os || '_' || p.arch FROM provider_platform p
    WHERE p.organization_id = v.organization_id AND p.provider_version_id = v.id
    ORDER BY p.os, p.arch
)
"""


def upgrade() -> None:
    """Change the schema."""
    op.add_column("provider_version", sa.Column("platforms", postgresql.ARRAY(sa.TEXT()), nullable=True))
    op.execute(_OF_PACKAGES)
    op.alter_column("provider_version", "platforms", nullable=False)


def downgrade() -> None:
    """Change it back; only development goes this way."""
    op.drop_column("provider_version", "platforms")
