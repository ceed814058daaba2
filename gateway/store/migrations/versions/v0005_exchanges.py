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

    def own() -> sa.Column[int]:
        return sa.Column("row", big, autoincrement=True, nullable=False)

    def text(name: str, length: int, *, nullable: bool = False) -> sa.Column[str]:
        return sa.Column(name, sa.String(length=length), nullable=nullable)

    op.create_table(
        "inquiries",
        own(),
        text("message_id", 64),
        text("inquiry_id", 64),
        text("court", 100),
        sa.Column("agreement_row", big, nullable=False),
        text("case_number", 60),
        text("region", 6),
        text("person_key", 64, nullable=True),
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
        own(),
        text("inquiry_id", 64),
        text("programme", 20),
        text("agency", 40, nullable=True),
        text("office_id", 100, nullable=True),
        text("party", 100, nullable=True),
        text("unroutable", 40, nullable=True),
        text("forwarded_id", 64, nullable=True),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_inquiry_questions")),
        sa.UniqueConstraint("inquiry_id", "programme", name=op.f("uq_inquiry_questions_inquiry_id")),
    )
    op.create_index(op.f("ix_inquiry_questions_forwarded_id"), "inquiry_questions", ["forwarded_id"], unique=False)
    op.create_table(
        "inquiry_answers",
        own(),
        text("message_id", 64),
        text("party", 100),
        text("inquiry_id", 64),
        text("programme", 20),
        text("answer", 20),
        text("as_of", 10),
        text("since", 10, nullable=True),
        text("until", 10, nullable=True),
        sa.Column("amount_fen", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_inquiry_answers")),
    )
    op.create_index(op.f("ix_inquiry_answers_message_id"), "inquiry_answers", ["message_id"], unique=False)
    op.create_index(op.f("ix_inquiry_answers_inquiry_id"), "inquiry_answers", ["inquiry_id"], unique=False)
    op.create_table(
        "clues",
        own(),
        text("message_id", 64),
        text("clue_id", 64),
        text("party", 100),
        text("region", 6),
        text("circumstances", 200),
        sa.Column("is_minor", sa.Boolean(), nullable=False),
        text("court_asked", 100, nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_clues")),
        sa.UniqueConstraint("clue_id", name=op.f("uq_clues_clue_id")),
    )
    op.create_index(op.f("ix_clues_message_id"), "clues", ["message_id"], unique=False)
    op.create_table(
        "clue_answers",
        own(),
        text("message_id", 64),
        text("court", 100),
        text("clue_id", 64),
        text("code", 20),
        text("case_number", 60, nullable=True),
        sa.Column("amount_fen", sa.BigInteger(), nullable=True),
        text("refusal_code", 4, nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_clue_answers")),
    )
    op.create_index(op.f("ix_clue_answers_message_id"), "clue_answers", ["message_id"], unique=False)
    op.create_index(op.f("ix_clue_answers_clue_id"), "clue_answers", ["clue_id"], unique=False)
    op.create_table(
        "told_marks",
        text("name", 40),
        sa.Column("last_row", big, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_told_marks")),
    )
    op.add_column("referrals", text("inquiry_ref", 64, nullable=True))
    op.add_column("referrals", sa.Column("inquiry_waived", sa.Boolean(), nullable=False, server_default=sa.false()))
