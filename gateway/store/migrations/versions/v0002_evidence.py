"""第二版库表 The transparency log, case keys, commitments; what the evidence of messages needs beside them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds tables and columns; rows that were there get what their own columns say."""
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "log_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        sa.Column("recovering_since", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_log_head")),
    )
    op.create_table(
        "log_leaves",
        sa.Column("leaf_index", big, autoincrement=False, nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("ref", sa.String(length=100), nullable=False),
        sa.Column("about", sa.String(length=64), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=True),
        sa.Column("entry", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("leaf_index", name=op.f("pk_log_leaves")),
    )
    op.create_index(op.f("ix_log_leaves_ref"), "log_leaves", ["ref"], unique=False)
    op.create_index(op.f("ix_log_leaves_about"), "log_leaves", ["about"], unique=False)
    op.create_table(
        "log_nodes",
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("node_index", big, autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("level", "node_index", name=op.f("pk_log_nodes")),
    )
    op.create_table(
        "checkpoints",
        sa.Column("epoch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("size", big, autoincrement=False, nullable=False),
        sa.Column("root", sa.String(length=64), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("epoch", "size", name=op.f("pk_checkpoints")),
    )
    op.create_table(
        "cosignatures",
        sa.Column("epoch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("size", big, autoincrement=False, nullable=False),
        sa.Column("witness", sa.String(length=200), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("epoch", "size", "witness", name=op.f("pk_cosignatures")),
    )
    op.create_table(
        "case_keys",
        sa.Column("referral_id", sa.String(length=120), nullable=False),
        sa.Column("wrapped", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("erased_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("referral_id", name=op.f("pk_case_keys")),
    )
    op.create_table(
        "commitments",
        sa.Column("row", big, autoincrement=True, nullable=False),
        sa.Column("message_id", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("recipient", sa.String(length=100), nullable=False),
        sa.Column("cutoff_at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("high_water", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.String(length=64), nullable=False),
        sa.Column("our_count", sa.BigInteger(), nullable=False),
        sa.Column("our_root", sa.String(length=64), nullable=False),
        sa.Column("equal", sa.Boolean(), nullable=False),
        sa.Column("differences", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_commitments")),
        sa.UniqueConstraint("message_id", "source", "recipient", name=op.f("uq_commitments_message_id")),
    )
    op.create_table(
        "cutoffs",
        sa.Column("row", big, autoincrement=True, nullable=False),
        sa.Column("cutoff_id", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("tree_size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.String(length=64), nullable=False),
        sa.Column("wrong", sa.BigInteger(), nullable=False),
        sa.Column("troubles", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_cutoffs")),
        sa.UniqueConstraint("cutoff_id", name=op.f("uq_cutoffs_cutoff_id")),
    )
    op.add_column("party_keys", sa.Column("use", sa.String(length=3), nullable=False, server_default="sig"))
    op.add_column("outbox", sa.Column("wire", sa.Text(), nullable=True))
    op.create_index(
        "ix_outbox_mailbox",
        "outbox",
        ["recipient", "seq"],
        unique=False,
        sqlite_where=sa.text("state = 'available'"),
        postgresql_where=sa.text("state = 'available'"),
    )
    with op.batch_alter_table("party_keys") as batch:
        batch.alter_column("use", server_default=None)
    with op.batch_alter_table("inbox") as batch:
        batch.add_column(sa.Column("kid", sa.String(length=64), nullable=False, server_default=""))
        batch.create_index(op.f("ix_inbox_kid"), ["kid"], unique=False)
        batch.create_index("ix_inbox_stream", ["source", "seq"], unique=False)
    with op.batch_alter_table("inbox") as batch:
        batch.alter_column("kid", server_default=None)
    op.add_column("receipts", sa.Column("positive", sa.Boolean(), nullable=True))
    op.add_column("receipts", sa.Column("evidence_id", sa.String(length=64), nullable=True))
    op.execute(sa.text("UPDATE receipts SET positive = (verdict IN ('accepted', 'duplicate'))"))
    op.execute(
        sa.text(
            'DELETE FROM receipts WHERE "row" NOT IN'
            ' (SELECT min("row") FROM receipts GROUP BY message_id, rung, positive)'
        )
    )
    with op.batch_alter_table("receipts") as batch:
        batch.alter_column("positive", existing_type=sa.Boolean(), nullable=False)
        batch.drop_constraint(op.f("uq_receipts_message_id"), type_="unique")
        batch.create_unique_constraint(op.f("uq_receipts_message_id"), ["message_id", "rung", "positive"])
    op.add_column("decisions", sa.Column("decision_id", sa.String(length=64), nullable=True))
    op.execute(sa.text("""UPDATE decisions SET decision_id = 'before-' || CAST("row" AS VARCHAR(20))"""))
    with op.batch_alter_table("decisions") as batch:
        batch.alter_column("decision_id", existing_type=sa.String(length=64), nullable=False)
        batch.create_unique_constraint(op.f("uq_decisions_decision_id"), ["decision_id"])
