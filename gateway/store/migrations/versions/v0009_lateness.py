"""第九版库表 Holiday notices, what a referral says of its household, needs handed to another office."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_ROW = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Adds four tables. What older referrals say of their households the worker reads from their bytes."""
    op.create_table(
        "holiday_notices",
        sa.Column("row", _ROW, autoincrement=True, nullable=False),
        sa.Column("notice_year", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("loaded_at", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.String(length=100), nullable=False),
        sa.Column("decision_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_holiday_notices")),
        sa.UniqueConstraint("decision_id", name=op.f("uq_holiday_notices_decision_id")),
    )
    op.create_table(
        "circumstances",
        sa.Column("row", _ROW, autoincrement=True, nullable=False),
        sa.Column("referral_id", sa.String(length=64), nullable=False),
        sa.Column("message_id", sa.String(length=64), nullable=False),
        sa.Column("has_authorisation", sa.Boolean(), nullable=False),
        sa.Column("adult_from", sa.String(length=7), nullable=True),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_circumstances")),
        sa.UniqueConstraint("referral_id", name=op.f("uq_circumstances_referral_id")),
    )
    op.create_index("ix_circumstances_adult_from", "circumstances", ["adult_from"], unique=False)
    op.create_table(
        "household_members",
        sa.Column("row", _ROW, autoincrement=True, nullable=False),
        sa.Column("referral_id", sa.String(length=64), nullable=False),
        sa.Column("message_id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("is_minor", sa.Boolean(), nullable=False),
        sa.Column("is_elder", sa.Boolean(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_household_members")),
    )
    op.create_index(op.f("ix_household_members_referral_id"), "household_members", ["referral_id"], unique=False)
    op.create_index("ix_household_members_key", "household_members", ["key"], unique=False)
    op.create_index(op.f("ix_circumstances_message_id"), "circumstances", ["message_id"], unique=False)
    op.create_index(op.f("ix_household_members_message_id"), "household_members", ["message_id"], unique=False)
    op.create_table(
        "reroutes",
        sa.Column("row", _ROW, autoincrement=True, nullable=False),
        sa.Column("need_id", sa.String(length=64), nullable=False),
        sa.Column("from_need", sa.String(length=64), nullable=False),
        sa.Column("referral_id", sa.String(length=64), nullable=False),
        sa.Column("office_id", sa.String(length=100), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("reply_id", sa.String(length=64), nullable=True),
        sa.Column("decision_id", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_reroutes")),
        sa.UniqueConstraint("from_need", name=op.f("uq_reroutes_from_need")),
        sa.UniqueConstraint("need_id", name=op.f("uq_reroutes_need_id")),
    )
    op.create_index(op.f("ix_reroutes_referral_id"), "reroutes", ["referral_id"], unique=False)
