"""逾期之表 Holiday notices, what a referral says of its household, needs that were handed to another office."""

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, Text

from gateway.store.tables.base import Digest, Id, Moment, PartyRef, Row, metadata, row

holiday_notices = Table(
    "holiday_notices",
    metadata,
    row(),
    Column("notice_year", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("sha256", Digest, nullable=False),
    Column("loaded_at", Moment, nullable=False),
    Column("who", String(100), nullable=False),
    Column("decision_id", Id, nullable=False, unique=True),
)
"""放假安排通知: never changed, only followed by another for the same year."""

circumstances = Table(
    "circumstances",
    metadata,
    row(),
    Column("referral_id", Id, nullable=False, unique=True),
    Column("message_id", Id, nullable=False, index=True),
    Column("has_authorisation", Boolean, nullable=False),
    # `YYYY-MM` in which a minor beneficiary comes of age; null for everybody else
    Column("adult_from", String(7)),
    Index("ix_circumstances_adult_from", "adult_from"),
)
"""移送情况: what checks ask of a referral and its row does not say, without a name or a number."""

household_members = Table(
    "household_members",
    metadata,
    row(),
    Column("referral_id", Id, nullable=False, index=True),
    Column("message_id", Id, nullable=False, index=True),
    Column("number", Integer, nullable=False),
    Column("is_minor", Boolean, nullable=False),
    Column("is_elder", Boolean, nullable=False),
    # as in `identity_keys`; null where the agreement authorises no matching or the member has no number
    Column("key", Digest),
    Index("ix_household_members_key", "key"),
)
"""共同生活家庭成员 by their place in the referral, never by name."""

reroutes = Table(
    "reroutes",
    metadata,
    row(),
    Column("need_id", Id, nullable=False, unique=True),
    Column("from_need", Id, nullable=False, unique=True),
    Column("referral_id", Id, nullable=False, index=True),
    Column("office_id", String(100), nullable=False),
    Column("step", Integer, nullable=False),
    Column("at", Moment, nullable=False),
    # what it rests on: the agency's answer that named the other office, or a person's decision
    Column("reply_id", Id),
    Column("decision_id", Id),
)
"""改派: a need that one office declined and the need it opened at another."""

need_clocks = Table(
    "need_clocks",
    metadata,
    # which need, by its row: what is said of it is replaced whenever its referral is looked at
    Column("need_row", Row, primary_key=True, autoincrement=False),
    Column("need_id", Id, nullable=False),
    Column("referral_id", Id, nullable=False, index=True),
    Column("court", PartyRef, nullable=False),
    Column("must_act", String(100), nullable=False),
    Column("waits_for", String(20), nullable=False),
    Column("limit_id", String(60), nullable=False),
    Column("is_minor", Boolean, nullable=False),
    Column("due_at", Moment),
    # a limit runs that no published calendar can tell
    Column("is_unknown", Boolean, nullable=False),
    # no limit runs: the need ended without help and without a recorded reason
    Column("is_unexplained", Boolean, nullable=False),
    Index("ix_need_clocks_due", "due_at", "need_row"),
    Index("ix_need_clocks_court_due", "court", "due_at", "need_row"),
)
"""需求时限: the limit that passed first, or passes next, of each need somebody must act on, as reconciliation last saw
it. Nothing rests on it but lists and counts; it has no `row`, for it is no fact and can be computed again."""
