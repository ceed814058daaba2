"""第十版库表 Statements and their lines."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds six tables."""
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "statements",
        sa.Column("row", big, autoincrement=True, nullable=False),
        sa.Column("statement_id", sa.String(length=64), nullable=False),
        sa.Column("party", sa.String(length=100), nullable=False),
        sa.Column("message_id", sa.String(length=64), nullable=False),
        sa.Column("document", sa.String(length=100), nullable=False),
        sa.Column("agency", sa.String(length=40), nullable=False),
        sa.Column("office_id", sa.String(length=100), nullable=True),
        sa.Column("region", sa.String(length=6), nullable=True),
        sa.Column("period_from", sa.String(length=7), nullable=False),
        sa.Column("period_to", sa.String(length=7), nullable=False),
        sa.Column("covers", sa.String(length=10), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("programmes", sa.Text(), nullable=True),
        sa.Column("format", sa.String(length=10), nullable=False),
        sa.Column("lines", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("replaces", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_statements")),
        sa.UniqueConstraint("party", "statement_id", name=op.f("uq_statements_party")),
        sa.UniqueConstraint("message_id", name=op.f("uq_statements_message_id")),
    )
    op.create_table(
        "statement_progress",
        sa.Column("row", big, autoincrement=True, nullable=False),
        sa.Column("statement_row", big, nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("matching", sa.Boolean(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("kept", sa.BigInteger(), nullable=False),
        sa.Column("bad", sa.BigInteger(), nullable=False),
        sa.Column("chain", sa.String(length=64), nullable=False),
        sa.Column("refused_because", sa.String(length=40), nullable=True),
        sa.Column("reconciled_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_statement_progress")),
        sa.UniqueConstraint("statement_row", name=op.f("uq_statement_progress_statement_row")),
    )
    op.create_index("ix_statement_progress_state", "statement_progress", ["state"], unique=False)
    op.create_table(
        "statement_parts",
        sa.Column("row", big, autoincrement=True, nullable=False),
        sa.Column("statement_row", big, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_statement_parts")),
        sa.UniqueConstraint("statement_row", "at", name=op.f("uq_statement_parts_statement_row")),
    )
    op.create_table(
        "statement_lines",
        sa.Column("row", big, autoincrement=True, nullable=False),
        sa.Column("statement_row", big, nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("need_id", sa.String(length=64), nullable=True),
        sa.Column("person_key", sa.String(length=64), nullable=True),
        sa.Column("person_matches", sa.Boolean(), nullable=True),
        sa.Column("programme", sa.String(length=20), nullable=True),
        sa.Column("status", sa.String(length=20), nullable=True),
        sa.Column("amount_fen", sa.BigInteger(), nullable=True),
        sa.Column("paid_on", sa.String(length=10), nullable=True),
        sa.Column("month_from", sa.String(length=7), nullable=True),
        sa.Column("month_until", sa.String(length=7), nullable=True),
        sa.Column("payee", sa.String(length=20), nullable=True),
        sa.Column("account_key", sa.String(length=64), nullable=True),
        sa.Column("office_id", sa.String(length=100), nullable=True),
        sa.Column("problem", sa.String(length=40), nullable=True),
        sa.Column("pointer", sa.String(length=40), nullable=True),
        sa.Column("mark", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_statement_lines")),
        sa.UniqueConstraint("statement_row", "line", name=op.f("uq_statement_lines_statement_row")),
    )
    op.create_index("ix_statement_lines_account", "statement_lines", ["account_key"], unique=False)
    op.create_index("ix_statement_lines_need", "statement_lines", ["statement_row", "need_id"], unique=False)
    op.create_index("ix_statement_lines_person", "statement_lines", ["person_key", "programme"], unique=False)
    op.create_index("ix_statement_lines_problem", "statement_lines", ["statement_row", "problem"], unique=False)
    op.create_table(
        "statement_batches",
        sa.Column("row", big, autoincrement=True, nullable=False),
        sa.Column("statement_row", big, nullable=False),
        sa.Column("first_line", sa.Integer(), nullable=False),
        sa.Column("last_line", sa.Integer(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("chain", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_statement_batches")),
        sa.UniqueConstraint("statement_row", "first_line", name=op.f("uq_statement_batches_statement_row")),
    )
    op.create_table(
        "statement_reads",
        sa.Column("row", big, autoincrement=True, nullable=False),
        sa.Column("statement_row", big, nullable=False),
        sa.Column("kept", sa.BigInteger(), nullable=False),
        sa.Column("bad", sa.BigInteger(), nullable=False),
        sa.Column("persons", sa.Boolean(), nullable=False),
        sa.Column("accounts", sa.Boolean(), nullable=False),
        sa.Column("keyed_under", sa.String(length=8), nullable=True),
        sa.Column("root", sa.String(length=64), nullable=False),
        sa.Column("read_at", sa.BigInteger(), nullable=False),
        sa.Column("decision_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_statement_reads")),
        sa.UniqueConstraint("decision_id", name=op.f("uq_statement_reads_decision_id")),
        sa.UniqueConstraint("statement_row", name=op.f("uq_statement_reads_statement_row")),
    )
