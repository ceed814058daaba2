"""当时所知之表 What rows said before they changed, how far every table reached at a checkpoint, and each whole run."""

from sqlalchemy import BigInteger, Column, Integer, String, Table, Text

from gateway.store.tables.base import Digest, Id, Moment, Row, metadata, row

row_changes = Table(
    "row_changes",
    metadata,
    row(),
    Column("table_name", String(40), nullable=False),
    Column("of_row", Row, nullable=False),
    # the changing columns as they were, as JSON; written by the database itself at each change
    Column("earlier", Text, nullable=False),
)

known_marks = Table(
    "known_marks",
    metadata,
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("size", Row, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False, index=True),
    # the highest row of every table that reconciliation reads, at that size of the log
    Column("marks", Text, nullable=False),
)

reconcile_runs = Table(
    "reconcile_runs",
    metadata,
    row(),
    Column("run_id", Id, nullable=False, unique=True),
    Column("at", Moment, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("tree_size", BigInteger, nullable=False),
    Column("root", Digest, nullable=False),
    Column("marks", Text, nullable=False),
    # what was applied: name → SHA-256
    Column("rules", Text, nullable=False),
    Column("referrals", BigInteger, nullable=False),
    # code → how many
    Column("counts", Text, nullable=False),
    Column("digest", Digest, nullable=False),
)
"""对账记录 each whole run over every referral: on what, by which rules, with what result."""
