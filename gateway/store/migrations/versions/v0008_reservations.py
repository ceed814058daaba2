"""第八版库表 Reservations."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds three tables."""
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "reservations",
        sa.Column("row", big, autoincrement=True, nullable=False),
        sa.Column("reservation_id", sa.String(length=64), nullable=False),
        sa.Column("party", sa.String(length=100), nullable=False),
        sa.Column("message_id", sa.String(length=64), nullable=False),
        sa.Column("need_id", sa.String(length=64), nullable=True),
        sa.Column("person_key", sa.String(length=64), nullable=True),
        sa.Column("programme", sa.String(length=20), nullable=False),
        sa.Column("from_month", sa.String(length=7), nullable=False),
        sa.Column("until_month", sa.String(length=7), nullable=True),
        sa.Column("amount_fen", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("requested_at", sa.BigInteger(), nullable=False),
        sa.Column("reserved_until", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("conflicts", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_reservations")),
        sa.UniqueConstraint("party", "reservation_id", name=op.f("uq_reservations_party")),
    )
    op.create_index(op.f("ix_reservations_message_id"), "reservations", ["message_id"], unique=False)
    op.create_index("ix_reservations_person", "reservations", ["person_key"], unique=False)
    op.create_index("ix_reservations_need", "reservations", ["need_id"], unique=False)
    op.create_index("ix_reservations_until", "reservations", ["state", "reserved_until"], unique=False)
    op.create_table(
        "reservation_slots",
        sa.Column("row", big, autoincrement=True, nullable=False),
        sa.Column("slot", sa.String(length=150), nullable=False),
        sa.Column("party", sa.String(length=100), nullable=False),
        sa.Column("reservation_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_reservation_slots")),
        sa.UniqueConstraint("slot", name=op.f("uq_reservation_slots_slot")),
    )
    op.create_index("ix_reservation_slots_of", "reservation_slots", ["party", "reservation_id"], unique=False)
    op.create_table(
        "reservation_ends",
        sa.Column("row", big, autoincrement=True, nullable=False),
        sa.Column("message_id", sa.String(length=64), nullable=False),
        sa.Column("party", sa.String(length=100), nullable=False),
        sa.Column("reservation_id", sa.String(length=64), nullable=False),
        sa.Column("what", sa.String(length=20), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_reservation_ends")),
    )
    op.create_index(op.f("ix_reservation_ends_message_id"), "reservation_ends", ["message_id"], unique=False)
