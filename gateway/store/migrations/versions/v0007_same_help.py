"""第七版库表 Old ledgers of aid, numbers stated together, accounts; what referrals stated before is read again."""

import sqlalchemy as sa
from alembic import op

from gateway.domain.original_case import numbers_of

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None
_PAGE = 1000


def upgrade() -> None:
    """Adds four tables, and the numbers that referrals on file state."""
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "original_case_links",
        sa.Column("row", big, autoincrement=True, nullable=False),
        sa.Column("message_id", sa.String(length=64), nullable=True),
        sa.Column("court", sa.String(length=100), nullable=True),
        sa.Column("stated_by", sa.String(length=64), nullable=False),
        sa.Column("number", sa.String(length=120), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_original_case_links")),
    )
    for column in ("message_id", "stated_by", "number"):
        op.create_index(op.f(f"ix_original_case_links_{column}"), "original_case_links", [column], unique=False)
    op.create_table(
        "aid_ledgers",
        sa.Column("row", big, autoincrement=True, nullable=False),
        sa.Column("ledger_id", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("document", sa.String(length=100), nullable=False),
        sa.Column("imported", sa.Integer(), nullable=False),
        sa.Column("repeated", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("root", sa.String(length=64), nullable=False),
        sa.Column("decision_id", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_aid_ledgers")),
        sa.UniqueConstraint("ledger_id", name=op.f("uq_aid_ledgers_ledger_id")),
        sa.UniqueConstraint("sha256", name=op.f("uq_aid_ledgers_sha256")),
    )
    op.create_table(
        "ledger_aids",
        sa.Column("row", big, autoincrement=True, nullable=False),
        sa.Column("line_id", sa.String(length=64), nullable=False),
        sa.Column("ledger_id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("organ", sa.String(length=100), nullable=False),
        sa.Column("organ_kind", sa.String(length=20), nullable=False),
        sa.Column("programme", sa.String(length=20), nullable=False),
        sa.Column("case_number", sa.String(length=120), nullable=False),
        sa.Column("original_cases", sa.Text(), nullable=False),
        sa.Column("person_key", sa.String(length=64), nullable=False),
        sa.Column("secret_name", sa.String(length=8), nullable=False),
        sa.Column("decided_on", sa.String(length=10), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("joint_id", sa.String(length=64), nullable=True),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_ledger_aids")),
        sa.UniqueConstraint("line_id", name=op.f("uq_ledger_aids_line_id")),
        sa.UniqueConstraint("organ", "programme", "case_number", "person_key", name=op.f("uq_ledger_aids_organ")),
    )
    for column in ("ledger_id", "person_key"):
        op.create_index(op.f(f"ix_ledger_aids_{column}"), "ledger_aids", [column], unique=False)
    op.create_table(
        "payment_accounts",
        sa.Column("row", big, autoincrement=True, nullable=False),
        sa.Column("message_id", sa.String(length=64), nullable=False),
        sa.Column("court", sa.String(length=100), nullable=False),
        sa.Column("referral_id", sa.String(length=64), nullable=False),
        sa.Column("payment_id", sa.String(length=64), nullable=False),
        sa.Column("account_key", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_payment_accounts")),
    )
    op.create_index("ix_payment_accounts_key", "payment_accounts", ["account_key"], unique=False)
    for column in ("message_id", "referral_id"):
        op.create_index(op.f(f"ix_payment_accounts_{column}"), "payment_accounts", [column], unique=False)
    # as intake does from now on; the case's own column says what its court stated
    connection = op.get_bind()
    referrals = sa.table(
        "referrals",
        sa.column("row", sa.Integer),
        sa.column("referral_id", sa.String),
        sa.column("court", sa.String),
        sa.column("message_id", sa.String),
        sa.column("original_case_group", sa.String),
    )
    names = ("message_id", "court", "stated_by", "number")
    links = sa.table("original_case_links", *(sa.column(name, sa.String) for name in names))
    last = 0
    while True:
        page = connection.execute(
            sa.select(referrals).where(referrals.c.row > last).order_by(referrals.c.row).limit(_PAGE)
        ).all()
        if not page:
            break
        last = page[-1].row
        stated = [
            {"message_id": one.message_id, "court": one.court, "stated_by": one.referral_id, "number": number}
            for one in page
            for number in numbers_of(one.original_case_group)
        ]
        if stated:
            connection.execute(links.insert(), stated)
