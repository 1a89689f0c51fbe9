"""Registry: what lists of a large catalogue are read from."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
_UNIQUE = "uq_provider_version_organization_id_provider_id_version"
_KEY = "organization_id, provider_id, version"
_LISTED = "protocols, platforms, gpg_key_id, deprecated_at, yanked_at, refused_at"
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
    op.create_index("ix_module_namespace", "module", ["organization_id", "namespace", "id"], unique=False)
    op.add_column("provider_version", sa.Column("platforms", postgresql.ARRAY(sa.TEXT()), nullable=True))
    op.execute(_OF_PACKAGES)
    op.alter_column("provider_version", "platforms", nullable=False)
    op.drop_constraint(op.f(_UNIQUE), "provider_version")
    # Alembic's own operation knows no columns but the key's.
    op.execute(f"ALTER TABLE provider_version ADD CONSTRAINT {_UNIQUE} UNIQUE ({_KEY}) INCLUDE ({_LISTED})")


def downgrade() -> None:
    """Change it back; only development goes this way."""
    op.drop_constraint(op.f(_UNIQUE), "provider_version")
    op.execute(f"ALTER TABLE provider_version ADD CONSTRAINT {_UNIQUE} UNIQUE ({_KEY})")
    op.drop_column("provider_version", "platforms")
    op.drop_index("ix_module_namespace", table_name="module")
