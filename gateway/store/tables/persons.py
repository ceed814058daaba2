"""比对之表 What persons are compared by, only where an agreement authorises it (P06), and which were found alike."""

from sqlalchemy import Column, Index, Integer, String, Table, Text

from gateway.store.tables.base import Id, Moment, metadata, row

persons = Table(
    "persons",
    metadata,
    row(),
    Column("referral_id", Id, nullable=False, unique=True),
    # which matching secret its keys were made with
    Column("secret_name", String(8), nullable=False),
    # the record of the beneficiary, sealed with the case's key
    Column("record", Text, nullable=False),
)
"""比对记录, one a referral."""

match_keys = Table(
    "match_keys",
    metadata,
    row(),
    Column("key", String(32), nullable=False),
    Column("kind", String(4), nullable=False),
    Column("referral_id", Id, nullable=False, index=True),
    Index("ix_match_keys_key", "key"),
)
"""比对键: by which a record is found."""

possible_matches = Table(
    "possible_matches",
    metadata,
    row(),
    Column("match_id", Id, nullable=False, unique=True),
    # the later referral, and the one that was there
    Column("referral_id", Id, nullable=False, index=True),
    Column("other_referral_id", Id, nullable=False, index=True),
    Column("verdict", String(10), nullable=False),
    Column("kind", String(30), nullable=False),
    Column("score", Integer, nullable=False),
    # [field, outcome, points] each: codes, nothing of the persons
    Column("waterfall", Text, nullable=False),
    Column("version", String(20), nullable=False),
    Column("at", Moment, nullable=False),
)
"""疑似同一人 and same persons whose records differ; each rests on a decision leaf."""
