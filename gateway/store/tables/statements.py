"""对账单之表 What agencies say they really paid: the signed manifest, its lines as keys and amounts, how far read.

`statements` and `statement_reads` never change once written; how far the lines have come stands apart. A line holds no
name and no number: persons and accounts are keyed, and only where the agreement authorises matching (P06).
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text, UniqueConstraint

from gateway.store.tables.base import Digest, Id, Moment, PartyRef, Row, metadata, row

Key = String(64)
Month = String(7)

statements = Table(
    "statements",
    metadata,
    row(),
    Column("statement_id", Id, nullable=False),
    Column("party", PartyRef, nullable=False),
    Column("message_id", Id, nullable=False, unique=True),
    Column("document", String(100), nullable=False),
    Column("agency", String(40), nullable=False),
    Column("office_id", String(100)),
    Column("region", String(6)),
    Column("period_from", Month, nullable=False),
    Column("period_to", Month, nullable=False),
    Column("covers", String(10), nullable=False),
    Column("complete", Boolean, nullable=False),
    # none: every programme
    Column("programmes", Text),
    Column("format", String(10), nullable=False),
    Column("lines", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Digest, nullable=False),
    Column("replaces", Id),
    UniqueConstraint("party", "statement_id"),
    # one party's, newest first
    Index("ix_statements_party", "party", "row"),
)
"""对账单: what the manifest says, word for word."""

statement_progress = Table(
    "statement_progress",
    metadata,
    row(),
    Column("statement_row", Row, nullable=False, unique=True),
    Column("state", String(20), nullable=False),
    Column("matching", Boolean, nullable=False),
    Column("received", BigInteger, nullable=False),
    # the last line of the file that was taken, and the digest over all rows up to it
    Column("position", BigInteger, nullable=False),
    Column("kept", BigInteger, nullable=False),
    Column("bad", BigInteger, nullable=False),
    Column("chain", Digest, nullable=False),
    Column("refused_because", String(40)),
    Column("reconciled_at", Moment),
    Index("ix_statement_progress_state", "state"),
)
"""How far the lines have come; nothing that is compared rests on it."""

statement_parts = Table(
    "statement_parts",
    metadata,
    row(),
    Column("statement_row", Row, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    # sealed with the party's key; gone once the lines are read
    Column("body", Text, nullable=False),
    UniqueConstraint("statement_row", "at"),
)
"""Pieces of a file on its way, sealed."""

statement_lines = Table(
    "statement_lines",
    metadata,
    row(),
    Column("statement_row", Row, nullable=False),
    Column("line", Integer, nullable=False),
    Column("need_id", Id),
    Column("person_key", Key),
    Column("person_matches", Boolean),
    Column("programme", String(20)),
    Column("status", String(20)),
    Column("amount_fen", BigInteger),
    Column("paid_on", String(10)),
    Column("month_from", Month),
    Column("month_until", Month),
    Column("payee", String(20)),
    Column("account_key", Key),
    Column("office_id", String(100)),
    # the first thing wrong with it; such a line is compared with nothing
    Column("problem", String(40)),
    Column("pointer", String(40)),
    # of everything above: names a row that was changed
    Column("mark", String(16), nullable=False),
    UniqueConstraint("statement_row", "line"),
    Index("ix_statement_lines_need", "statement_row", "need_id"),
    Index("ix_statement_lines_person", "person_key", "programme"),
    Index("ix_statement_lines_account", "account_key"),
    Index("ix_statement_lines_problem", "statement_row", "problem"),
)

statement_batches = Table(
    "statement_batches",
    metadata,
    row(),
    Column("statement_row", Row, nullable=False),
    Column("first_line", Integer, nullable=False),
    Column("last_line", Integer, nullable=False),
    Column("count", Integer, nullable=False),
    # over the rows of these lines
    Column("digest", Digest, nullable=False),
    # over this and every batch before it; the last one's is what the leaf of the log says
    Column("chain", Digest, nullable=False),
    UniqueConstraint("statement_row", "first_line"),
)
"""Lines that were kept in one commit."""

statement_reads = Table(
    "statement_reads",
    metadata,
    row(),
    Column("statement_row", Row, nullable=False, unique=True),
    Column("kept", BigInteger, nullable=False),
    Column("bad", BigInteger, nullable=False),
    Column("persons", Boolean, nullable=False),
    Column("accounts", Boolean, nullable=False),
    # which matching secret the keys of its lines are made under: under another they meet nobody's
    Column("keyed_under", String(8)),
    Column("root", Digest, nullable=False),
    Column("read_at", Moment, nullable=False),
    Column("decision_id", Id, nullable=False, unique=True),
)
"""A statement whose every line was read: from then on it is compared."""
