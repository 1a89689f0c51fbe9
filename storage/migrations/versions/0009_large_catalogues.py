"""Registry: what lists of a large catalogue are read from."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from storage.migrations.indexes import build_index

revision = "0009"
down_revision = "0008"
_UNIQUE = "uq_provider_version_organization_id_provider_id_version"
_KEY = "organization_id, provider_id, version"
_LISTED = "protocols, platforms, gpg_key_id, deprecated_at, yanked_at, refused_at"


def upgrade() -> None:
    """Change the schema; a server of the release before writes no platforms."""
    op.add_column(
        "provider_version",
        sa.Column("platforms", postgresql.ARRAY(sa.TEXT()), server_default="{}", nullable=False),
        if_not_exists=True,
    )
    build_index("ix_module_namespace", "module", "(organization_id, namespace, id)")
    build_index(f"{_UNIQUE}_new", "provider_version", f"({_KEY}) INCLUDE ({_LISTED})", unique=True)
    op.execute(
        f"ALTER TABLE provider_version DROP CONSTRAINT {_UNIQUE}, "
        f"ADD CONSTRAINT {_UNIQUE} UNIQUE USING INDEX {_UNIQUE}_new"
    )


def downgrade() -> None:
    """Change it back; only development goes this way."""
    op.drop_constraint(op.f(_UNIQUE), "provider_version")
    op.execute(f"ALTER TABLE provider_version ADD CONSTRAINT {_UNIQUE} UNIQUE ({_KEY})")
    op.drop_column("provider_version", "platforms")
    op.drop_index("ix_module_namespace", table_name="module")
