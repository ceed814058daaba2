"""第十一版库表 Matches, dispositions, and what people do with findings."""

from typing import Any, cast

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds five tables, and to findings what people do with them."""
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "matches",
        sa.Column("row", big, autoincrement=True, nullable=False),
        sa.Column("match_id", sa.String(length=64), nullable=False),
        sa.Column("cause", sa.String(length=420), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("finding_key", sa.String(length=400), nullable=True),
        sa.Column("referral_id", sa.String(length=64), nullable=False),
        sa.Column("other_referral_id", sa.String(length=64), nullable=True),
        sa.Column("state", sa.String(length=30), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("resolution", sa.String(length=40), nullable=True),
        sa.Column("decision_id", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_matches")),
        sa.UniqueConstraint("match_id", name=op.f("uq_matches_match_id")),
        sa.UniqueConstraint("cause", name=op.f("uq_matches_cause")),
    )
    for column in ("finding_key", "referral_id", "other_referral_id", "state"):
        op.create_index(op.f(f"ix_matches_{column}"), "matches", [column], unique=False)
    op.create_table(
        "match_sides",
        sa.Column("row", big, autoincrement=True, nullable=False),
        sa.Column("match_id", sa.String(length=64), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("side", sa.String(length=1), nullable=False),
        sa.Column("party", sa.String(length=100), nullable=False),
        sa.Column("office_id", sa.String(length=100), nullable=True),
        sa.Column("referral_id", sa.String(length=64), nullable=False),
        sa.Column("need_id", sa.String(length=64), nullable=True),
        sa.Column("programme", sa.String(length=20), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("notice_id", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_match_sides")),
        sa.UniqueConstraint("match_id", "round", "side", name=op.f("uq_match_sides_match_id")),
    )
    op.create_index(op.f("ix_match_sides_party"), "match_sides", ["party"], unique=False)
    op.create_index(op.f("ix_match_sides_due_at"), "match_sides", ["due_at"], unique=False)
    op.create_table(
        "dispositions",
        sa.Column("row", big, autoincrement=True, nullable=False),
        sa.Column("message_id", sa.String(length=64), nullable=True),
        sa.Column("decision_id", sa.String(length=64), nullable=True),
        sa.Column("match_id", sa.String(length=64), nullable=False),
        sa.Column("side", sa.String(length=1), nullable=False),
        sa.Column("party", sa.String(length=100), nullable=False),
        sa.Column("code", sa.String(length=30), nullable=False),
        sa.Column("stops_by", sa.String(length=20), nullable=True),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_dispositions")),
        sa.UniqueConstraint("decision_id", name=op.f("uq_dispositions_decision_id")),
    )
    op.create_index(op.f("ix_dispositions_message_id"), "dispositions", ["message_id"], unique=False)
    op.create_index("ix_dispositions_match", "dispositions", ["match_id", "round"], unique=False)
    op.create_table(
        "match_moves",
        sa.Column("row", big, autoincrement=True, nullable=False),
        sa.Column("match_id", sa.String(length=64), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("from_state", sa.String(length=30), nullable=False),
        sa.Column("to_state", sa.String(length=30), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("cause", sa.String(length=100), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_match_moves")),
    )
    op.create_index(op.f("ix_match_moves_match_id"), "match_moves", ["match_id"], unique=False)
    op.create_table(
        "finding_changes",
        sa.Column("row", big, autoincrement=True, nullable=False),
        sa.Column("finding_key", sa.String(length=400), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("what", sa.String(length=20), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("evidence_digest", sa.String(length=64), nullable=False),
        sa.Column("stake_fen", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("decided_as", sa.String(length=20), nullable=True),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_finding_changes")),
    )
    op.create_index(op.f("ix_finding_changes_finding_key"), "finding_changes", ["finding_key"], unique=False)
    for added in (
        sa.Column("evidence_digest", sa.String(length=64), nullable=True),
        sa.Column("assigned_to", sa.String(length=100), nullable=True),
        sa.Column("assigned_due_at", sa.BigInteger(), nullable=True),
        sa.Column("decided_as", sa.String(length=20), nullable=True),
        sa.Column("decision_id", sa.String(length=64), nullable=True),
        sa.Column("recovered_fen", sa.BigInteger(), nullable=True),
    ):
        op.add_column("findings", cast("sa.Column[Any]", added))
