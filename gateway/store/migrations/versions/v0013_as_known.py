"""第十三版库表 What was known when."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds three tables; the triggers that fill the first come with every migration (`store.history`)."""
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "row_changes",
        sa.Column("row", big, autoincrement=True, nullable=False),
        sa.Column("table_name", sa.String(length=40), nullable=False),
        sa.Column("of_row", big, nullable=False),
        sa.Column("earlier", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_row_changes")),
    )
    op.create_table(
        "known_marks",
        sa.Column("epoch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("size", big, autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("marks", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("epoch", "size", name=op.f("pk_known_marks")),
    )
    op.create_index(op.f("ix_known_marks_at"), "known_marks", ["at"], unique=False)
    op.create_table(
        "reconcile_runs",
        sa.Column("row", big, autoincrement=True, nullable=False),
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("tree_size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.String(length=64), nullable=False),
        sa.Column("marks", sa.Text(), nullable=False),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.Column("referrals", sa.BigInteger(), nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_reconcile_runs")),
        sa.UniqueConstraint("run_id", name=op.f("uq_reconcile_runs_run_id")),
    )
