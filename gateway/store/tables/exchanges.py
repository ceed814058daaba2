"""协查与线索之表 Inquiries and what agencies answered, clues and what courts answered, how far courts were told."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, UniqueConstraint

from gateway.store.tables.base import Digest, Id, Moment, PartyRef, Row, metadata, row

inquiries = Table(
    "inquiries",
    metadata,
    row(),
    Column("message_id", Id, nullable=False, index=True),
    Column("inquiry_id", Id, nullable=False, unique=True),
    Column("court", PartyRef, nullable=False),
    Column("agreement_row", Row, nullable=False),
    Column("case_number", String(60), nullable=False),
    Column("region", String(6), nullable=False),
    Column("person_key", Digest),
    Column("is_minor", Boolean, nullable=False),
    Column("asked_at", Moment, nullable=False),
    # none: it runs into a year whose holidays nobody knows
    Column("due_at", Moment),
    Index("ix_inquiries_due", "due_at"),
    # what one court asked, newest first
    Index("ix_inquiries_court", "court", "row"),
)

inquiry_questions = Table(
    "inquiry_questions",
    metadata,
    row(),
    Column("inquiry_id", Id, nullable=False),
    Column("programme", String(20), nullable=False),
    Column("agency", String(40)),
    Column("office_id", String(100)),
    Column("party", PartyRef),
    # why nobody could be asked
    Column("unroutable", String(40)),
    # our message that asked
    Column("forwarded_id", Id, index=True),
    UniqueConstraint("inquiry_id", "programme"),
)

inquiry_answers = Table(
    "inquiry_answers",
    metadata,
    row(),
    Column("message_id", Id, nullable=False, index=True),
    Column("party", PartyRef, nullable=False),
    Column("inquiry_id", Id, nullable=False, index=True),
    Column("programme", String(20), nullable=False),
    Column("answer", String(20), nullable=False),
    Column("as_of", String(10), nullable=False),
    Column("since", String(10)),
    Column("until", String(10)),
    Column("amount_fen", BigInteger),
    Column("at", Moment, nullable=False),
)

clues = Table(
    "clues",
    metadata,
    row(),
    Column("message_id", Id, nullable=False, index=True),
    Column("clue_id", Id, nullable=False, unique=True),
    Column("party", PartyRef, nullable=False),
    Column("region", String(6), nullable=False),
    Column("circumstances", String(200), nullable=False),
    Column("is_minor", Boolean, nullable=False),
    # none: no court of the region is a party
    Column("court_asked", PartyRef),
    Column("received_at", Moment, nullable=False),
    Index("ix_clues_court_asked", "court_asked", "row"),
)

clue_answers = Table(
    "clue_answers",
    metadata,
    row(),
    Column("message_id", Id, nullable=False, index=True),
    Column("court", PartyRef, nullable=False),
    Column("clue_id", Id, nullable=False, index=True),
    Column("code", String(20), nullable=False),
    Column("case_number", String(60)),
    Column("amount_fen", BigInteger),
    Column("refusal_code", String(4)),
    Column("at", Moment, nullable=False),
)

told_marks = Table(
    "told_marks",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("last_row", Row, nullable=False),
    Column("number", Integer, nullable=False),
)
"""How far courts were told of what happened to their needs: the number of the last move that was looked at."""
