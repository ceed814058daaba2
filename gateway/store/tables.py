"""库表 Every table, SQLAlchemy Core, one noun each. Alembic's migrations make the same tables (a test compares).

Rules: correctness rests on UNIQUE constraints, never on isolation (ARCHITECTURE §5). Ids are time-ordered texts beside
an integer row number, so that SQLite appends (measured: random ids cost 4×). Moments are UTC milliseconds since 1970,
days are `YYYY-MM-DD`, money is integer fen. What was signed is kept as its bytes and parsed again when needed; names
and identity numbers stand nowhere else.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

AVAILABLE = text("state = 'available'")
Row = BigInteger().with_variant(Integer, "sqlite")
Moment = BigInteger
Id = String(64)
PartyRef = String(100)
Digest = String(64)


def _row() -> Column[int]:
    return Column("row", Row, primary_key=True, autoincrement=True)


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
    _row(),
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
    _row(),
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

referrals = Table(
    "referrals",
    metadata,
    _row(),
    Column("referral_id", Id, nullable=False, unique=True),
    Column("court", PartyRef, nullable=False),
    Column("document", String(100), nullable=False),
    Column("agreement_row", Row, nullable=False),
    Column("message_id", Id, nullable=False),
    Column("version", Integer, nullable=False),
    Column("case_number", String(60), nullable=False),
    Column("case_type", String(40)),
    Column("original_case_group", String(120)),
    Column("decision", String(20), nullable=False),
    Column("decided_amount_fen", BigInteger, nullable=False),
    Column("advance_fen", BigInteger, nullable=False),
    Column("joint_id", Id),
    Column("joint_decided_fen", BigInteger),
    Column("cap_fen", BigInteger),
    Column("cap_exceeded_reason", Boolean, nullable=False),
    Column("unenforced_balance_fen", BigInteger),
    Column("ground_code", String(4)),
    Column("refusal_code", String(4)),
    Column("assessment", String(20)),
    Column("urgency", String(20), nullable=False),
    Column("region", String(6)),
    Column("groups", String(60), nullable=False),
    Column("is_minor", Boolean, nullable=False),
    Column("has_custody", Boolean, nullable=False),
    Column("id_type", String(3), nullable=False),
    Column("has_birth_date", Boolean, nullable=False),
    Column("synthetic", Boolean, nullable=False),
    Column("concluded_on", String(10), nullable=False),
    Column("accepted_at", Moment, nullable=False),
    Column("withdrawn_at", Moment),
    Column("needs_accepted", Integer, nullable=False),
    Column("holds", String(200), nullable=False),
    Column("person_key", Digest),
    Column("reconcile_at", Moment),
    Index("ix_referrals_court_concluded", "court", "concluded_on"),
    Index("ix_referrals_case", "case_number"),
    Index("ix_referrals_person", "person_key"),
    Index("ix_referrals_reconcile", "reconcile_at"),
)

identity_keys = Table(
    "identity_keys",
    metadata,
    _row(),
    Column("key", Digest, nullable=False),
    Column("role", String(20), nullable=False),
    Column("referral_id", Id, nullable=False, index=True),
    Index("ix_identity_keys_key", "key"),
)

needs = Table(
    "needs",
    metadata,
    _row(),
    Column("need_id", Id, nullable=False, unique=True),
    Column("referral_id", Id, nullable=False, index=True),
    Column("court", PartyRef, nullable=False),
    Column("programme", String(20), nullable=False),
    Column("state", String(30), nullable=False),
    Column("state_at", Moment, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("accepted_at", Moment, nullable=False),
    Column("agency", String(40)),
    Column("office_id", String(100)),
    Column("handoff_id", Id),
    Column("step", Integer, nullable=False),
    Column("because", String(300)),
    Column("unroutable", String(40)),
    Column("held_for", String(200)),
    Column("issued_at", Moment),
    Column("relayed_at", Moment),
    Column("received_at", Moment),
    Column("disposition_at", Moment),
    Column("decided_at", Moment),
    Column("paid_at", Moment),
    Column("approved_fen", BigInteger),
    Column("paid_fen", BigInteger),
    # event time of the newest reply applied: an older one is recorded, not applied
    Column("answered_at", Moment),
    # set while something waits to be routed: makes the dispatch queue one small index
    Column("dispatch_at", Moment),
    Index("ix_needs_dispatch", "dispatch_at"),
    Index("ix_needs_state", "state"),
)

need_moves = Table(
    "need_moves",
    metadata,
    _row(),
    Column("need_id", Id, nullable=False, index=True),
    Column("from_state", String(30), nullable=False),
    Column("to_state", String(30), nullable=False),
    Column("at", Moment, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    Column("cause", String(100), nullable=False),
)

handoffs = Table(
    "handoffs",
    metadata,
    _row(),
    Column("handoff_id", Id, nullable=False, unique=True),
    Column("message_id", Id, nullable=False, unique=True),
    Column("referral_id", Id, nullable=False, index=True),
    Column("office_id", String(100), nullable=False),
    Column("agency", String(40), nullable=False),
    Column("step", Integer, nullable=False),
    Column("state", String(20), nullable=False),
    Column("issued_at", Moment, nullable=False),
    Column("need_ids", Text, nullable=False),
    Column("echo_key", Digest),
    Column("parked_reason", String(64)),
    # one effect for ever: the same needs are handed to one office once a step
    UniqueConstraint("need_ids", "office_id", "step"),
)

outbox = Table(
    "outbox",
    metadata,
    _row(),
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
    # what waits in mailboxes and nothing else: a poll costs the same however long the office's history is
    Index("ix_outbox_mailbox", "recipient", "seq", sqlite_where=AVAILABLE, postgresql_where=AVAILABLE),
)

attempts = Table(
    "attempts",
    metadata,
    _row(),
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
    _row(),
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

replies = Table(
    "replies",
    metadata,
    _row(),
    Column("reply_id", Id, nullable=False, unique=True),
    Column("message_id", Id, nullable=False),
    Column("office", String(100), nullable=False),
    Column("referral_id", Id, index=True),
    Column("handoff_id", Id, index=True),
    Column("need_id", Id),
    Column("code", String(30)),
    Column("raw_code", String(64), nullable=False),
    Column("at", Moment, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    Column("applied", Boolean, nullable=False),
    Column("problem", String(40)),
    Column("reason", String(40)),
    Column("has_text", Boolean, nullable=False),
    Column("programme", String(20)),
    Column("amount_fen", BigInteger),
    Column("starts_on", String(10)),
    Column("ends_on", String(10)),
    Column("payee", String(20)),
    Column("person_matches", Boolean),
    Column("next_due", String(10)),
    Column("forwarded_to", String(100)),
    Column("suggested_agency", String(40)),
    Column("suggested_region", String(6)),
)

court_payments = Table(
    "court_payments",
    metadata,
    _row(),
    Column("payment_id", Id, nullable=False),
    Column("court", PartyRef, nullable=False),
    Column("referral_id", Id, nullable=False, index=True),
    Column("amount_fen", BigInteger, nullable=False),
    Column("paid_on", String(10), nullable=False),
    Column("payee", String(20), nullable=False),
    UniqueConstraint("court", "payment_id"),
)

findings = Table(
    "findings",
    metadata,
    _row(),
    Column("key", String(400), nullable=False, unique=True),
    Column("code", String(40), nullable=False, index=True),
    Column("rule_id", String(20), nullable=False),
    Column("rulebook", String(120), nullable=False),
    Column("referral_id", Id, index=True),
    Column("need_id", Id),
    Column("subject", String(200), nullable=False),
    Column("evidence", Text, nullable=False),
    Column("stake_fen", BigInteger, nullable=False),
    Column("must_act", String(100), nullable=False),
    Column("due_at", Moment),
    Column("state", String(20), nullable=False),
    Column("opened_at", Moment, nullable=False),
    Column("closed_at", Moment),
    Column("closed_because", String(40)),
)

decisions = Table(
    "decisions",
    metadata,
    _row(),
    Column("decision_id", Id, nullable=False, unique=True),
    Column("at", Moment, nullable=False),
    Column("who", String(100), nullable=False),
    Column("what", String(40), nullable=False),
    Column("subject", String(400), nullable=False),
    Column("why", String(500), nullable=False),
)
"""人工核查 decisions and logged uses (matching, release of a hold, recovery of a parked message)."""

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

log_head = Table(
    "log_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", Integer, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("frontier", LargeBinary, nullable=False),
    # set while the gateway refuses to sign because its log is older than one it had signed
    Column("recovering_since", Moment),
)
"""存证日志 the log's right edge: one row; whoever writes locks it first."""

log_leaves = Table(
    "log_leaves",
    metadata,
    Column("leaf_index", Row, primary_key=True, autoincrement=False),
    Column("leaf_hash", LargeBinary(32), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("ref", String(100), nullable=False, index=True),
    # the referral a message's leaf is about: a case's leaves are found though its rows may be gone
    Column("about", Id, index=True),
    Column("digest", Digest),
    Column("entry", Text, nullable=False),
)

log_nodes = Table(
    "log_nodes",
    metadata,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("node_index", Row, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary(32), nullable=False),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("size", Row, primary_key=True, autoincrement=False),
    Column("root", Digest, nullable=False),
    Column("note", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("fence", BigInteger, nullable=False),
)

cosignatures = Table(
    "cosignatures",
    metadata,
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("size", Row, primary_key=True, autoincrement=False),
    Column("witness", String(200), primary_key=True),
    Column("line", Text, nullable=False),
    Column("at", Moment, nullable=False),
)

case_keys = Table(
    "case_keys",
    metadata,
    Column("referral_id", String(120), primary_key=True),
    # null once the case was erased: its messages can be read by nobody, its log entries still verify
    Column("wrapped", Text),
    Column("created_at", Moment, nullable=False),
    Column("erased_at", Moment),
)

commitments = Table(
    "commitments",
    metadata,
    _row(),
    Column("message_id", Id, nullable=False),
    Column("source", PartyRef, nullable=False),
    Column("recipient", PartyRef, nullable=False),
    Column("cutoff_at", Moment, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    Column("high_water", BigInteger, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("root", Digest, nullable=False),
    Column("our_count", BigInteger, nullable=False),
    Column("our_root", Digest, nullable=False),
    Column("equal", Boolean, nullable=False),
    Column("differences", Text, nullable=False),
    UniqueConstraint("message_id", "source", "recipient"),
)

cutoffs = Table(
    "cutoffs",
    metadata,
    _row(),
    Column("cutoff_id", Id, nullable=False, unique=True),
    Column("at", Moment, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("tree_size", BigInteger, nullable=False),
    Column("root", Digest, nullable=False),
    Column("wrong", BigInteger, nullable=False),
    Column("troubles", Text, nullable=False),
)
"""截止核对 each comparison of the log with the rows, whatever it found."""

given_back = Table(
    "given_back",
    metadata,
    _row(),
    Column("digest", Digest, nullable=False, unique=True),
    Column("party_id", PartyRef, index=True),
    Column("state", String(20), nullable=False, index=True),
    Column("source", PartyRef),
    Column("recipient", PartyRef),
    Column("message_id", Id),
    Column("type", String(64)),
    Column("seq", BigInteger),
    Column("at", Moment, nullable=False),
    Column("epoch", Integer),
    Column("leaf_index", BigInteger),
    # sealed under the party's own key; emptied once the message is back in its place
    Column("jws", Text, nullable=False),
    Column("receipt", Text),
    Column("taken_at", Moment, nullable=False),
    Column("code", String(64)),
)
"""取回 what partners gave back after a loss, until it is in its place again."""
