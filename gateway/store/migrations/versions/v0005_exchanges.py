"""第五版库表 Inquiries and clues with their answers, and how far courts were told."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds six tables, and what a referral says of the inquiry it cites."""
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "inquiries",
        sa.Column("row", big, autoincrement=True, nullable=False),
        sa.Column("message_id", sa.String(length=64), nullable=False),
        sa.Column("inquiry_id", sa.String(length=64), nullable=False),
        sa.Column("court", sa.String(length=100), nullable=False),
        sa.Column("agreement_row", big, nullable=False),
        sa.Column("case_number", sa.String(length=60), nullable=False),
        sa.Column("region", sa.String(length=6), nullable=False),
        sa.Column("person_key", sa.String(length=64), nullable=True),
        sa.Column("is_minor", sa.Boolean(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_inquiries")),
        sa.UniqueConstraint("inquiry_id", name=op.f("uq_inquiries_inquiry_id")),
    )
    op.create_index(op.f("ix_inquiries_message_id"), "inquiries", ["message_id"], unique=False)
    op.create_index("ix_inquiries_due", "inquiries", ["due_at"], unique=False)
    op.create_table(
        "inquiry_questions",
        sa.Column("row", big, autoincrement=True, nullable=False),
        sa.Column("inquiry_id", sa.String(length=64), nullable=False),
        sa.Column("programme", sa.String(length=20), nullable=False),
        sa.Column("agency", sa.String(length=40), nullable=True),
        sa.Column("office_id", sa.String(length=100), nullable=True),
        sa.Column("party", sa.String(length=100), nullable=True),
        sa.Column("unroutable", sa.String(length=40), nullable=True),
        sa.Column("forwarded_id", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_inquiry_questions")),
        sa.UniqueConstraint("inquiry_id", "programme", name=op.f("uq_inquiry_questions_inquiry_id")),
    )
    op.create_index(op.f("ix_inquiry_questions_forwarded_id"), "inquiry_questions", ["forwarded_id"], unique=False)
    op.create_table(
        "inquiry_answers",
        sa.Column("row", big, autoincrement=True, nullable=False),
        sa.Column("message_id", sa.String(length=64), nullable=False),
        sa.Column("party", sa.String(length=100), nullable=False),
        sa.Column("inquiry_id", sa.String(length=64), nullable=False),
        sa.Column("programme", sa.String(length=20), nullable=False),
        sa.Column("answer", sa.String(length=20), nullable=False),
        sa.Column("as_of", sa.String(length=10), nullable=False),
        sa.Column("since", sa.String(length=10), nullable=True),
        sa.Column("until", sa.String(length=10), nullable=True),
        sa.Column("amount_fen", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_inquiry_answers")),
    )
    op.create_index(op.f("ix_inquiry_answers_message_id"), "inquiry_answers", ["message_id"], unique=False)
    op.create_index(op.f("ix_inquiry_answers_inquiry_id"), "inquiry_answers", ["inquiry_id"], unique=False)
    op.create_table(
        "clues",
        sa.Column("row", big, autoincrement=True, nullable=False),
        sa.Column("message_id", sa.String(length=64), nullable=False),
        sa.Column("clue_id", sa.String(length=64), nullable=False),
        sa.Column("party", sa.String(length=100), nullable=False),
        sa.Column("region", sa.String(length=6), nullable=False),
        sa.Column("circumstances", sa.String(length=200), nullable=False),
        sa.Column("is_minor", sa.Boolean(), nullable=False),
        sa.Column("court_asked", sa.String(length=100), nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_clues")),
        sa.UniqueConstraint("clue_id", name=op.f("uq_clues_clue_id")),
    )
    op.create_index(op.f("ix_clues_message_id"), "clues", ["message_id"], unique=False)
    op.create_table(
        "clue_answers",
        sa.Column("row", big, autoincrement=True, nullable=False),
        sa.Column("message_id", sa.String(length=64), nullable=False),
        sa.Column("court", sa.String(length=100), nullable=False),
        sa.Column("clue_id", sa.String(length=64), nullable=False),
        sa.Column("code", sa.String(length=20), nullable=False),
        sa.Column("case_number", sa.String(length=60), nullable=True),
        sa.Column("amount_fen", sa.BigInteger(), nullable=True),
        sa.Column("refusal_code", sa.String(length=4), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_clue_answers")),
    )
    op.create_index(op.f("ix_clue_answers_message_id"), "clue_answers", ["message_id"], unique=False)
    op.create_index(op.f("ix_clue_answers_clue_id"), "clue_answers", ["clue_id"], unique=False)
    op.create_table(
        "told_marks",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("last_row", big, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_told_marks")),
    )
    op.add_column("referrals", sa.Column("inquiry_ref", sa.String(length=64), nullable=True))
    op.add_column("referrals", sa.Column("inquiry_waived", sa.Boolean(), nullable=False, server_default=sa.false()))
