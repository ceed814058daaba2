"""法院资金与回访之表 What a court said of its own money: plans, reports of use, visits, standard amounts."""

from sqlalchemy import BigInteger, Boolean, Column, Integer, String, Table, Text, UniqueConstraint

from gateway.store.tables.base import Id, Moment, PartyRef, metadata, row

disbursement_plans = Table(
    "disbursement_plans",
    metadata,
    row(),
    Column("message_id", Id, nullable=False, index=True),
    Column("court", PartyRef, nullable=False),
    Column("referral_id", Id, nullable=False, index=True),
    Column("plan_id", Id, nullable=False),
    Column("mode", String(20), nullable=False),
    Column("purposes", String(100), nullable=False),
    # [[number, day, fen], …]
    Column("instalments", Text, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    UniqueConstraint("court", "plan_id"),
)

use_reports = Table(
    "use_reports",
    metadata,
    row(),
    Column("message_id", Id, nullable=False, index=True),
    Column("court", PartyRef, nullable=False),
    Column("referral_id", Id, nullable=False, index=True),
    Column("report_id", Id, nullable=False),
    Column("from_day", String(10), nullable=False),
    Column("to_day", String(10), nullable=False),
    # [[purpose, fen], …]
    Column("spent", Text, nullable=False),
    Column("irregularity", String(30)),
    Column("irregular_fen", BigInteger),
    Column("recorded_at", Moment, nullable=False),
    UniqueConstraint("court", "report_id"),
)

visits = Table(
    "visits",
    metadata,
    row(),
    Column("message_id", Id, nullable=False, index=True),
    Column("court", PartyRef, nullable=False),
    Column("referral_id", Id, nullable=False, index=True),
    Column("visit_id", Id, nullable=False),
    Column("visited_on", String(10), nullable=False),
    Column("mode", String(20), nullable=False),
    Column("situation", String(20), nullable=False),
    Column("circumstances", String(100), nullable=False),
    Column("recovered_fen", BigInteger),
    Column("next_visit_on", String(10)),
    Column("recorded_at", Moment, nullable=False),
    UniqueConstraint("court", "visit_id"),
)

quantifications = Table(
    "quantifications",
    metadata,
    row(),
    Column("message_id", Id, nullable=False, index=True),
    Column("court", PartyRef, nullable=False),
    Column("referral_id", Id, nullable=False, index=True),
    Column("quantification_id", Id, nullable=False),
    Column("standard", String(100), nullable=False),
    Column("loss_fen", BigInteger, nullable=False),
    Column("recovered_fen", BigInteger, nullable=False),
    Column("hardship", String(20), nullable=False),
    Column("dependants", Integer, nullable=False),
    Column("has_reason", Boolean, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    UniqueConstraint("court", "quantification_id"),
)
