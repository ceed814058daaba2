"""访问之表 Accounts, who is signed in, and what waits for a second person.

None of these has a `row`: what was known when (`store.history`) is asked of cases, not of sessions; what people did
stands in `decisions` with its leaf.
"""

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, Text

from gateway.store.tables.base import Digest, Id, Moment, PartyRef, metadata

accounts = Table(
    "accounts",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("shown_as", String(100), nullable=False),
    Column("role", String(20), nullable=False),
    Column("party_id", PartyRef),
    Column("office_ids", Text, nullable=False),
    Column("region", String(6), nullable=False),
    Column("active", Boolean, nullable=False),
    # scrypt, with its cost and salt; null where only the identity provider lets somebody in
    Column("password", String(200)),
    Column("must_change", Boolean, nullable=False),
    # sealed under the installation's key; null until it was confirmed by a code
    Column("totp", Text),
    Column("totp_step", Moment),
    Column("subject", String(200), unique=True),
    Column("failures", Integer, nullable=False),
    Column("locked_until", Moment),
    Column("created_at", Moment, nullable=False),
    Column("created_by", String(100), nullable=False),
)
"""账号. subject: at the identity provider, `issuer|sub`."""

sign_ins = Table(
    "sign_ins",
    metadata,
    Column("token_digest", Digest, primary_key=True),
    Column("account", String(64), nullable=False, index=True),
    Column("csrf", String(64), nullable=False),
    Column("via", String(20), nullable=False),
    Column("began_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
    Column("ends_at", Moment, nullable=False),
    # until when dangerous acts need no password again
    Column("confirmed_until", Moment),
    # wrong passwords typed inside this session: it ends before the account would be locked
    Column("failures", Integer, nullable=False),
    Index("ix_sign_ins_ends_at", "ends_at"),
)
"""登录会话: the cookie's token is kept as its digest only."""

known_browsers = Table(
    "known_browsers",
    metadata,
    Column("browser_digest", Digest, primary_key=True),
    Column("account", String(64), primary_key=True),
    Column("seen_at", Moment, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("locked_until", Moment),
    Index("ix_known_browsers_seen_at", "seen_at"),
    Index("ix_known_browsers_account", "account"),
)
"""已知浏览器: where an account signed in before; its failures count by themselves, so that nobody else locks it out."""

approvals = Table(
    "approvals",
    metadata,
    Column("approval_id", Id, primary_key=True),
    Column("what", String(40), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("fields", Text, nullable=False),
    Column("asked_by", String(100), nullable=False),
    Column("asked_at", Moment, nullable=False),
    Column("why", String(500), nullable=False),
    Column("state", String(20), nullable=False),
    Column("decided_by", String(100)),
    Column("decided_at", Moment),
    Column("decided_why", String(500)),
    Column("ends_at", Moment, nullable=False),
    Index("ix_approvals_state", "state", "asked_at"),
)
"""双人审批: what one person asked for and another grants or refuses."""
