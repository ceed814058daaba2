"""主体名录之表 Parties, keys, offices, agreements."""

from sqlalchemy import Boolean, Column, Integer, String, Table, Text, UniqueConstraint

from gateway.store.tables.base import Digest, Moment, PartyRef, metadata, row

parties = Table(
    "parties",
    metadata,
    Column("party_id", PartyRef, primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("name_zh", String(200), nullable=False),
    Column("region", String(6), nullable=False),
    Column("active", Boolean, nullable=False),
    Column("created_at", Moment, nullable=False),
)

party_keys = Table(
    "party_keys",
    metadata,
    Column("kid", String(64), primary_key=True),
    Column("party_id", PartyRef, nullable=False, index=True),
    Column("alg", String(20), nullable=False),
    Column("use", String(3), nullable=False),
    Column("jwk", Text, nullable=False),
    Column("not_before", Moment, nullable=False),
    Column("not_after", Moment),
    Column("revoked_at", Moment),
    Column("revoked_reason", String(200)),
    Column("created_at", Moment, nullable=False),
)

agreements = Table(
    "agreements",
    metadata,
    row(),
    Column("document", String(100), nullable=False),
    Column("version", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("sha256", Digest, nullable=False),
    Column("loaded_at", Moment, nullable=False),
    UniqueConstraint("document", "version"),
)

offices = Table(
    "offices",
    metadata,
    Column("office_id", String(100), primary_key=True),
    Column("party_id", PartyRef, nullable=False, index=True),
    Column("agency", String(40), nullable=False),
    Column("region", String(6), nullable=False),
    Column("channel", String(20), nullable=False),
    Column("name_zh", String(200), nullable=False),
    Column("url", String(500)),
    Column("batch", Integer, nullable=False),
    Column("paused", Boolean, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("blocked_until", Moment),
    UniqueConstraint("agency", "region"),
)
