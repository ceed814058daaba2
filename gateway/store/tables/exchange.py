"""收发之表 Messages in either direction, their numbers, attempts and evidence."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text, UniqueConstraint, text

from gateway.store.tables.base import Digest, Id, Moment, PartyRef, metadata, row

AVAILABLE = text("state = 'available'")

counters = Table(
    "counters",
    metadata,
    Column("source", PartyRef, primary_key=True),
    Column("recipient", PartyRef, primary_key=True),
    Column("last_seq", BigInteger, nullable=False),
)

inbox = Table(
    "inbox",
    metadata,
    row(),
    Column("source", PartyRef, nullable=False),
    Column("message_id", Id, nullable=False),
    Column("type", String(64), nullable=False),
    Column("digest", Digest, nullable=False),
    Column("subject", Id, index=True),
    Column("seq", BigInteger),
    Column("received_at", Moment, nullable=False),
    Column("kid", String(64), nullable=False, index=True),
    Column("jws", Text, nullable=False),
    Column("receipt", Text, nullable=False),
    UniqueConstraint("message_id", "source"),
    Index("ix_inbox_stream", "source", "seq"),
)

outbox = Table(
    "outbox",
    metadata,
    row(),
    Column("message_id", Id, nullable=False, unique=True),
    Column("effect_key", String(200), nullable=False, unique=True),
    Column("office_id", String(100)),
    Column("recipient", PartyRef, nullable=False),
    Column("type", String(64), nullable=False),
    Column("referral_id", Id, index=True),
    Column("handoff_id", Id, index=True),
    Column("seq", BigInteger, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("jws", Text, nullable=False),
    # the encrypted form, where the recipient has registered an encryption key: what is really sent
    Column("wire", Text),
    Column("digest", Digest, nullable=False),
    Column("state", String(20), nullable=False),
    Column("attempts", Integer, nullable=False),
    # the attempt after which the retry ladder was begun anew by a person
    Column("ladder_from", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("due_at", Moment),
    Column("lease_owner", String(64)),
    Column("lease_fence", BigInteger, nullable=False),
    Column("lease_until", Moment),
    Column("reason", String(64)),
    UniqueConstraint("recipient", "seq"),
    Index("ix_outbox_lane", "office_id", "due_at"),
    # one lane's messages by state: how many are open and since when, and the newest of each
    Index("ix_outbox_state", "office_id", "state", "row"),
    # a party's letters of one type, newest first
    Index("ix_outbox_type", "recipient", "type", "row"),
    # what waits in mailboxes and nothing else: a poll costs the same however long the office's history is
    Index("ix_outbox_mailbox", "recipient", "seq", sqlite_where=AVAILABLE, postgresql_where=AVAILABLE),
)

attempts = Table(
    "attempts",
    metadata,
    row(),
    Column("message_id", Id, nullable=False),
    Column("number", Integer, nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Column("outcome", String(20)),
    Column("http_status", Integer),
    Column("error", String(64)),
    UniqueConstraint("message_id", "number"),
)

receipts = Table(
    "receipts",
    metadata,
    row(),
    Column("message_id", Id, nullable=False),
    Column("rung", String(20), nullable=False),
    Column("verdict", String(20), nullable=False),
    Column("positive", Boolean, nullable=False),
    Column("reason_code", String(64)),
    Column("issuer", PartyRef, nullable=False),
    Column("at", Moment, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    Column("jws", Text, nullable=False),
    # the agency's message that is this rung's evidence, where `jws` is not a receipt of its own
    Column("evidence_id", Id),
    UniqueConstraint("message_id", "rung", "positive"),
)

used_tokens = Table(
    "used_tokens",
    metadata,
    Column("party_id", PartyRef, primary_key=True),
    Column("jti", Id, primary_key=True),
    Column("expires_at", Moment, nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("until", Moment, nullable=False),
)
