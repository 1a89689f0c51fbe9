"""Registry: releases that are mended while they are verified, and verifications that could not be made whole."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
_REASON = "AND (code IS NULL) = (reason IS NULL)"


def upgrade() -> None:
    """Change the schema."""
    op.add_column("verification_request", sa.Column("sent_again_at", sa.DateTime(timezone=True), nullable=True))
    _check(
        result="result IN ('incomplete', 'refused', 'verified')",
        reason=f"(result = 'verified') = (code IS NULL) {_REASON}",
        evidence="result <> 'verified' OR evidence IS NOT NULL",
    )


def downgrade() -> None:
    """Change it back; only development goes this way."""
    _check(
        result="result IN ('refused', 'verified')",
        reason=f"(result = 'refused') = (code IS NOT NULL) {_REASON}",
        evidence="result = 'refused' OR evidence IS NOT NULL",
    )
    op.drop_column("verification_request", "sent_again_at")


def _check(**conditions: str) -> None:
    for name, condition in conditions.items():
        op.drop_constraint(op.f(f"ck_verification_{name}"), "verification")
        op.create_check_constraint(op.f(f"ck_verification_{name}"), "verification", condition)
