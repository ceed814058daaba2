"""第六版库表 What persons are compared by."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds three tables."""
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "persons",
        sa.Column("row", big, autoincrement=True, nullable=False),
        sa.Column("referral_id", sa.String(length=64), nullable=False),
        sa.Column("secret_name", sa.String(length=8), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_persons")),
        sa.UniqueConstraint("referral_id", name=op.f("uq_persons_referral_id")),
    )
    op.create_table(
        "match_keys",
        sa.Column("row", big, autoincrement=True, nullable=False),
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=4), nullable=False),
        sa.Column("referral_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_match_keys")),
    )
    op.create_index(op.f("ix_match_keys_referral_id"), "match_keys", ["referral_id"], unique=False)
    op.create_index("ix_match_keys_key", "match_keys", ["key"], unique=False)
    op.create_table(
        "possible_matches",
        sa.Column("row", big, autoincrement=True, nullable=False),
        sa.Column("match_id", sa.String(length=64), nullable=False),
        sa.Column("referral_id", sa.String(length=64), nullable=False),
        sa.Column("other_referral_id", sa.String(length=64), nullable=False),
        sa.Column("verdict", sa.String(length=10), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("waterfall", sa.Text(), nullable=False),
        sa.Column("version", sa.String(length=20), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_possible_matches")),
        sa.UniqueConstraint("match_id", name=op.f("uq_possible_matches_match_id")),
    )
    op.create_index(op.f("ix_possible_matches_referral_id"), "possible_matches", ["referral_id"], unique=False)
    op.create_index(
        op.f("ix_possible_matches_other_referral_id"), "possible_matches", ["other_referral_id"], unique=False
    )
