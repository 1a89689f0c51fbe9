"""Registry: releases that are mended while they are verified."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Change the schema."""
    op.add_column("verification_request", sa.Column("sent_again_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Change it back; only development goes this way."""
    op.drop_column("verification_request", "sent_again_at")
