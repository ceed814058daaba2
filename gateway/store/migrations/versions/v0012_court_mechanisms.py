"""第十二版库表 Disbursement plans, reports of use, follow-up visits, standard amounts."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds four tables."""
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    own: dict[str, tuple[str, list[sa.Column[Any]]]] = {
        "disbursement_plans": (
            "plan_id",
            [
                sa.Column("mode", sa.String(length=20), nullable=False),
                sa.Column("purposes", sa.String(length=100), nullable=False),
                sa.Column("instalments", sa.Text(), nullable=False),
            ],
        ),
        "use_reports": (
            "report_id",
            [
                sa.Column("from_day", sa.String(length=10), nullable=False),
                sa.Column("to_day", sa.String(length=10), nullable=False),
                sa.Column("spent", sa.Text(), nullable=False),
                sa.Column("irregularity", sa.String(length=30), nullable=True),
                sa.Column("irregular_fen", sa.BigInteger(), nullable=True),
            ],
        ),
        "visits": (
            "visit_id",
            [
                sa.Column("visited_on", sa.String(length=10), nullable=False),
                sa.Column("mode", sa.String(length=20), nullable=False),
                sa.Column("situation", sa.String(length=20), nullable=False),
                sa.Column("circumstances", sa.String(length=100), nullable=False),
                sa.Column("recovered_fen", sa.BigInteger(), nullable=True),
                sa.Column("next_visit_on", sa.String(length=10), nullable=True),
            ],
        ),
        "quantifications": (
            "quantification_id",
            [
                sa.Column("standard", sa.String(length=100), nullable=False),
                sa.Column("loss_fen", sa.BigInteger(), nullable=False),
                sa.Column("recovered_fen", sa.BigInteger(), nullable=False),
                sa.Column("hardship", sa.String(length=20), nullable=False),
                sa.Column("dependants", sa.Integer(), nullable=False),
                sa.Column("has_reason", sa.Boolean(), nullable=False),
            ],
        ),
    }
    for name, (key, columns) in own.items():
        op.create_table(
            name,
            sa.Column("row", big, autoincrement=True, nullable=False),
            sa.Column("message_id", sa.String(length=64), nullable=False),
            sa.Column("court", sa.String(length=100), nullable=False),
            sa.Column("referral_id", sa.String(length=64), nullable=False),
            sa.Column(key, sa.String(length=64), nullable=False),
            *columns,
            sa.Column("recorded_at", sa.BigInteger(), nullable=False),
            sa.PrimaryKeyConstraint("row", name=op.f(f"pk_{name}")),
            sa.UniqueConstraint("court", key, name=op.f(f"uq_{name}_court")),
        )
        op.create_index(op.f(f"ix_{name}_message_id"), name, ["message_id"], unique=False)
        op.create_index(op.f(f"ix_{name}_referral_id"), name, ["referral_id"], unique=False)
