"""占位之表 What agencies asked to grant, and the months that are taken."""

from sqlalchemy import BigInteger, Column, Index, String, Table, Text, UniqueConstraint

from gateway.store.tables.base import Digest, Id, Moment, PartyRef, metadata, row

reservations = Table(
    "reservations",
    metadata,
    row(),
    Column("reservation_id", Id, nullable=False),
    Column("party", PartyRef, nullable=False),
    Column("message_id", Id, nullable=False, index=True),
    Column("need_id", Id),
    Column("person_key", Digest),
    Column("programme", String(20), nullable=False),
    Column("from_month", String(7), nullable=False),
    # none: it goes on and on
    Column("until_month", String(7)),
    Column("amount_fen", BigInteger),
    Column("state", String(20), nullable=False),
    Column("requested_at", Moment, nullable=False),
    Column("reserved_until", Moment),
    Column("ended_at", Moment),
    # why it was refused: codes and rules, nothing of the other agency's case
    Column("conflicts", Text, nullable=False),
    UniqueConstraint("party", "reservation_id"),
    Index("ix_reservations_person", "person_key"),
    # one party's, newest first
    Index("ix_reservations_party", "party", "row"),
    Index("ix_reservations_need", "need_id"),
    Index("ix_reservations_until", "state", "reserved_until"),
)

reservation_slots = Table(
    "reservation_slots",
    metadata,
    row(),
    # whom, which programme, which month: whoever holds the row has it, whatever else two processes may think
    Column("slot", String(150), nullable=False, unique=True),
    Column("party", PartyRef, nullable=False),
    Column("reservation_id", Id, nullable=False),
    Index("ix_reservation_slots_of", "party", "reservation_id"),
)

reservation_ends = Table(
    "reservation_ends",
    metadata,
    row(),
    Column("message_id", Id, nullable=False, index=True),
    Column("party", PartyRef, nullable=False),
    Column("reservation_id", Id, nullable=False),
    Column("what", String(20), nullable=False),
    Column("amount_fen", BigInteger),
    Column("at", Moment, nullable=False),
)
