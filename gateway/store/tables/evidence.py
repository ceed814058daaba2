"""存证之表 The log, its checkpoints, case keys, commitments, cut-offs, and what was given back."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, String, Table, Text, UniqueConstraint

from gateway.store.tables.base import Digest, Id, Moment, PartyRef, Row, metadata, row

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
    # the referral of a message's leaf, the subject of a decision's: a case's leaves are found though its rows are gone
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
    row(),
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
    # the newest commitment about one stream
    Index("ix_commitments_stream", "source", "recipient", "row"),
)

cutoffs = Table(
    "cutoffs",
    metadata,
    row(),
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
    row(),
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
