"""复核之表 Matches with their sides, what each side said, every move between states; and what findings said before."""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text, UniqueConstraint

from gateway.store.tables.base import Digest, Id, Moment, PartyRef, metadata, row

matches = Table(
    "matches",
    metadata,
    row(),
    Column("match_id", Id, nullable=False, unique=True),
    # what it is about, for ever: a finding's key, or the pair of referrals that may be one person's
    Column("cause", String(420), nullable=False, unique=True),
    Column("code", String(40), nullable=False),
    Column("finding_key", String(400), index=True),
    Column("referral_id", Id, nullable=False, index=True),
    Column("other_referral_id", Id, index=True),
    Column("state", String(30), nullable=False),
    # counts its beginnings: an appeal or new evidence begins another round
    Column("round", Integer, nullable=False),
    Column("opened_at", Moment, nullable=False),
    Column("resolution", String(40)),
    Column("decision_id", Id),
    Index("ix_matches_state", "state", "row"),
)

match_sides = Table(
    "match_sides",
    metadata,
    row(),
    Column("match_id", Id, nullable=False),
    Column("round", Integer, nullable=False),
    Column("side", String(1), nullable=False),
    # a party id, or `operator` who speaks for one that is not connected
    Column("party", PartyRef, nullable=False, index=True),
    Column("office_id", String(100)),
    Column("referral_id", Id, nullable=False),
    Column("need_id", Id),
    Column("programme", String(20)),
    Column("due_at", Moment, nullable=False, index=True),
    # our notice to it; none to the operator
    Column("notice_id", Id),
    UniqueConstraint("match_id", "round", "side"),
)

dispositions = Table(
    "dispositions",
    metadata,
    row(),
    # the side's own message, or else the decision by which the operator entered it
    Column("message_id", Id, index=True),
    Column("decision_id", Id, unique=True),
    Column("match_id", Id, nullable=False),
    Column("side", String(1), nullable=False),
    Column("party", PartyRef, nullable=False),
    Column("code", String(30), nullable=False),
    # how a side that gives way ends its help
    Column("stops_by", String(20)),
    Column("evidence", Text, nullable=False),
    Column("round", Integer, nullable=False),
    Column("at", Moment, nullable=False),
    Index("ix_dispositions_match", "match_id", "round"),
)

match_moves = Table(
    "match_moves",
    metadata,
    row(),
    Column("match_id", Id, nullable=False, index=True),
    Column("round", Integer, nullable=False),
    Column("from_state", String(30), nullable=False),
    Column("to_state", String(30), nullable=False),
    Column("at", Moment, nullable=False),
    Column("cause", String(100), nullable=False),
)

finding_changes = Table(
    "finding_changes",
    metadata,
    row(),
    Column("finding_key", String(400), nullable=False, index=True),
    Column("at", Moment, nullable=False),
    Column("what", String(20), nullable=False),
    # what it said before, and whether it stood decided
    Column("evidence", Text, nullable=False),
    Column("evidence_digest", Digest, nullable=False),
    Column("stake_fen", BigInteger, nullable=False),
    Column("state", String(20), nullable=False),
    Column("decided_as", String(20)),
)
"""疑点沿革: one row a change of a finding's evidence or of what was decided; what people did is in decisions."""
