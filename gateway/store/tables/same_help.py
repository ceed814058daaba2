"""同一救助之表 Which numbers were stated together, aid granted before the gateway, and accounts money went to."""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text, UniqueConstraint

from gateway.store.tables.base import Digest, Id, Moment, PartyRef, metadata, row

original_case_links = Table(
    "original_case_links",
    metadata,
    row(),
    # the message that says so; none: a line of an old ledger
    Column("message_id", Id, index=True),
    Column("court", PartyRef),
    # the referral or the ledger's line that states the number
    Column("stated_by", Id, nullable=False, index=True),
    Column("number", String(120), nullable=False, index=True),
)
"""原案件关联: numbers under one `stated_by` are one matter."""

aid_ledgers = Table(
    "aid_ledgers",
    metadata,
    row(),
    Column("ledger_id", Id, nullable=False, unique=True),
    Column("sha256", Digest, nullable=False, unique=True),
    # the agreement that lets its persons be compared
    Column("document", String(100), nullable=False),
    Column("imported", Integer, nullable=False),
    Column("repeated", Integer, nullable=False),
    Column("refused", Integer, nullable=False),
    # over the digests of its lines
    Column("root", Digest, nullable=False),
    Column("decision_id", Id, nullable=False),
    Column("at", Moment, nullable=False),
)
"""旧台账, one a file."""

ledger_aids = Table(
    "ledger_aids",
    metadata,
    row(),
    Column("line_id", Id, nullable=False, unique=True),
    Column("ledger_id", Id, nullable=False, index=True),
    Column("number", Integer, nullable=False),
    Column("organ", String(100), nullable=False),
    Column("organ_kind", String(20), nullable=False),
    Column("programme", String(20), nullable=False),
    Column("case_number", String(120), nullable=False),
    Column("original_cases", Text, nullable=False),
    Column("person_key", Digest, nullable=False, index=True),
    # which matching secret the key was made with
    Column("secret_name", String(8), nullable=False),
    Column("decided_on", String(10), nullable=False),
    Column("amount_fen", BigInteger, nullable=False),
    Column("joint_id", Id),
    # name and number, sealed with the ledger's key
    Column("person", Text, nullable=False),
    Column("digest", Digest, nullable=False),
    UniqueConstraint("organ", "programme", "case_number", "person_key"),
)
"""旧台账行: one aid of one person."""

payment_accounts = Table(
    "payment_accounts",
    metadata,
    row(),
    Column("message_id", Id, nullable=False, index=True),
    Column("court", PartyRef, nullable=False),
    Column("referral_id", Id, nullable=False, index=True),
    Column("payment_id", Id, nullable=False),
    # keyed hash of the account; none where the agreement does not authorise matching
    Column("account_key", String(32)),
    Index("ix_payment_accounts_key", "account_key"),
)
"""收款账户 of a court's payment; the number itself is in the sealed message alone."""
