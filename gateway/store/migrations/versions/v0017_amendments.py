"""第十七版库表 Amendments of referrals."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds one table."""
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "referral_amendments",
        sa.Column("row", big, autoincrement=True, nullable=False),
        sa.Column("message_id", sa.String(length=64), nullable=False),
        sa.Column("court", sa.String(length=100), nullable=False),
        sa.Column("referral_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("amends", sa.String(length=64), nullable=False),
        sa.Column("has_custody", sa.Boolean(), nullable=False),
        sa.Column("has_authorisation", sa.Boolean(), nullable=False),
        sa.Column("accepted_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_referral_amendments")),
        sa.UniqueConstraint("referral_id", "version", name=op.f("uq_referral_amendments_referral_id")),
    )
    op.create_index(op.f("ix_referral_amendments_message_id"), "referral_amendments", ["message_id"], unique=False)
