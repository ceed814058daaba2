"""第一版库表 The tables of the first version."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes every table."""
    op.create_table(
        "agreements",
        sa.Column("row", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("document", sa.String(length=100), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("loaded_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_agreements")),
        sa.UniqueConstraint("document", "version", name=op.f("uq_agreements_document")),
    )
    op.create_table(
        "attempts",
        sa.Column("row", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("message_id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.String(length=20), nullable=True),
        sa.Column("http_status", sa.Integer(), nullable=True),
        sa.Column("error", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_attempts")),
        sa.UniqueConstraint("message_id", "number", name=op.f("uq_attempts_message_id")),
    )
    op.create_table(
        "counters",
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("recipient", sa.String(length=100), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", "recipient", name=op.f("pk_counters")),
    )
    op.create_table(
        "court_payments",
        sa.Column("row", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("payment_id", sa.String(length=64), nullable=False),
        sa.Column("court", sa.String(length=100), nullable=False),
        sa.Column("referral_id", sa.String(length=64), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("paid_on", sa.String(length=10), nullable=False),
        sa.Column("payee", sa.String(length=20), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_court_payments")),
        sa.UniqueConstraint("court", "payment_id", name=op.f("uq_court_payments_court")),
    )
    op.create_index(op.f("ix_court_payments_referral_id"), "court_payments", ["referral_id"], unique=False)
    op.create_table(
        "decisions",
        sa.Column("row", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.String(length=100), nullable=False),
        sa.Column("what", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=400), nullable=False),
        sa.Column("why", sa.String(length=500), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_decisions")),
    )
    op.create_table(
        "findings",
        sa.Column("row", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("key", sa.String(length=400), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("rule_id", sa.String(length=20), nullable=False),
        sa.Column("rulebook", sa.String(length=120), nullable=False),
        sa.Column("referral_id", sa.String(length=64), nullable=True),
        sa.Column("need_id", sa.String(length=64), nullable=True),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("stake_fen", sa.BigInteger(), nullable=False),
        sa.Column("must_act", sa.String(length=100), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_because", sa.String(length=40), nullable=True),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_findings")),
        sa.UniqueConstraint("key", name=op.f("uq_findings_key")),
    )
    op.create_index(op.f("ix_findings_code"), "findings", ["code"], unique=False)
    op.create_index(op.f("ix_findings_referral_id"), "findings", ["referral_id"], unique=False)
    op.create_table(
        "handoffs",
        sa.Column("row", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("handoff_id", sa.String(length=64), nullable=False),
        sa.Column("message_id", sa.String(length=64), nullable=False),
        sa.Column("referral_id", sa.String(length=64), nullable=False),
        sa.Column("office_id", sa.String(length=100), nullable=False),
        sa.Column("agency", sa.String(length=40), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("issued_at", sa.BigInteger(), nullable=False),
        sa.Column("need_ids", sa.Text(), nullable=False),
        sa.Column("echo_key", sa.String(length=64), nullable=True),
        sa.Column("parked_reason", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_handoffs")),
        sa.UniqueConstraint("handoff_id", name=op.f("uq_handoffs_handoff_id")),
        sa.UniqueConstraint("message_id", name=op.f("uq_handoffs_message_id")),
        sa.UniqueConstraint("need_ids", "office_id", "step", name=op.f("uq_handoffs_need_ids")),
    )
    op.create_index(op.f("ix_handoffs_referral_id"), "handoffs", ["referral_id"], unique=False)
    op.create_table(
        "identity_keys",
        sa.Column("row", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("referral_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_identity_keys")),
    )
    op.create_index("ix_identity_keys_key", "identity_keys", ["key"], unique=False)
    op.create_index(op.f("ix_identity_keys_referral_id"), "identity_keys", ["referral_id"], unique=False)
    op.create_table(
        "inbox",
        sa.Column("row", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("message_id", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=True),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("jws", sa.Text(), nullable=False),
        sa.Column("receipt", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_inbox")),
        sa.UniqueConstraint("message_id", "source", name=op.f("uq_inbox_message_id")),
    )
    op.create_index(op.f("ix_inbox_subject"), "inbox", ["subject"], unique=False)
    op.create_table(
        "leases",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "need_moves",
        sa.Column("row", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("need_id", sa.String(length=64), nullable=False),
        sa.Column("from_state", sa.String(length=30), nullable=False),
        sa.Column("to_state", sa.String(length=30), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("cause", sa.String(length=100), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_need_moves")),
    )
    op.create_index(op.f("ix_need_moves_need_id"), "need_moves", ["need_id"], unique=False)
    op.create_table(
        "needs",
        sa.Column("row", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("need_id", sa.String(length=64), nullable=False),
        sa.Column("referral_id", sa.String(length=64), nullable=False),
        sa.Column("court", sa.String(length=100), nullable=False),
        sa.Column("programme", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=30), nullable=False),
        sa.Column("state_at", sa.BigInteger(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("accepted_at", sa.BigInteger(), nullable=False),
        sa.Column("agency", sa.String(length=40), nullable=True),
        sa.Column("office_id", sa.String(length=100), nullable=True),
        sa.Column("handoff_id", sa.String(length=64), nullable=True),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("because", sa.String(length=300), nullable=True),
        sa.Column("unroutable", sa.String(length=40), nullable=True),
        sa.Column("held_for", sa.String(length=200), nullable=True),
        sa.Column("issued_at", sa.BigInteger(), nullable=True),
        sa.Column("relayed_at", sa.BigInteger(), nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=True),
        sa.Column("disposition_at", sa.BigInteger(), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("paid_at", sa.BigInteger(), nullable=True),
        sa.Column("approved_fen", sa.BigInteger(), nullable=True),
        sa.Column("paid_fen", sa.BigInteger(), nullable=True),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.Column("dispatch_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_needs")),
        sa.UniqueConstraint("need_id", name=op.f("uq_needs_need_id")),
    )
    op.create_index("ix_needs_dispatch", "needs", ["dispatch_at"], unique=False)
    op.create_index(op.f("ix_needs_referral_id"), "needs", ["referral_id"], unique=False)
    op.create_index("ix_needs_state", "needs", ["state"], unique=False)
    op.create_table(
        "offices",
        sa.Column("office_id", sa.String(length=100), nullable=False),
        sa.Column("party_id", sa.String(length=100), nullable=False),
        sa.Column("agency", sa.String(length=40), nullable=False),
        sa.Column("region", sa.String(length=6), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("name_zh", sa.String(length=200), nullable=False),
        sa.Column("url", sa.String(length=500), nullable=True),
        sa.Column("batch", sa.Integer(), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("blocked_until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("office_id", name=op.f("pk_offices")),
        sa.UniqueConstraint("agency", "region", name=op.f("uq_offices_agency")),
    )
    op.create_index(op.f("ix_offices_party_id"), "offices", ["party_id"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("row", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("message_id", sa.String(length=64), nullable=False),
        sa.Column("effect_key", sa.String(length=200), nullable=False),
        sa.Column("office_id", sa.String(length=100), nullable=True),
        sa.Column("recipient", sa.String(length=100), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("referral_id", sa.String(length=64), nullable=True),
        sa.Column("handoff_id", sa.String(length=64), nullable=True),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("jws", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("ladder_from", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("lease_owner", sa.String(length=64), nullable=True),
        sa.Column("lease_fence", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_outbox")),
        sa.UniqueConstraint("effect_key", name=op.f("uq_outbox_effect_key")),
        sa.UniqueConstraint("message_id", name=op.f("uq_outbox_message_id")),
        sa.UniqueConstraint("recipient", "seq", name=op.f("uq_outbox_recipient")),
    )
    op.create_index(op.f("ix_outbox_handoff_id"), "outbox", ["handoff_id"], unique=False)
    op.create_index("ix_outbox_lane", "outbox", ["office_id", "due_at"], unique=False)
    op.create_index(op.f("ix_outbox_referral_id"), "outbox", ["referral_id"], unique=False)
    op.create_table(
        "parties",
        sa.Column("party_id", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("name_zh", sa.String(length=200), nullable=False),
        sa.Column("region", sa.String(length=6), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("party_id", name=op.f("pk_parties")),
    )
    op.create_table(
        "party_keys",
        sa.Column("kid", sa.String(length=64), nullable=False),
        sa.Column("party_id", sa.String(length=100), nullable=False),
        sa.Column("alg", sa.String(length=20), nullable=False),
        sa.Column("jwk", sa.Text(), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=False),
        sa.Column("not_after", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_reason", sa.String(length=200), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_party_keys")),
    )
    op.create_index(op.f("ix_party_keys_party_id"), "party_keys", ["party_id"], unique=False)
    op.create_table(
        "receipts",
        sa.Column("row", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("message_id", sa.String(length=64), nullable=False),
        sa.Column("rung", sa.String(length=20), nullable=False),
        sa.Column("verdict", sa.String(length=20), nullable=False),
        sa.Column("reason_code", sa.String(length=64), nullable=True),
        sa.Column("issuer", sa.String(length=100), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("jws", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_receipts")),
        sa.UniqueConstraint("message_id", "rung", "verdict", name=op.f("uq_receipts_message_id")),
    )
    op.create_table(
        "referrals",
        sa.Column("row", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("referral_id", sa.String(length=64), nullable=False),
        sa.Column("court", sa.String(length=100), nullable=False),
        sa.Column("document", sa.String(length=100), nullable=False),
        sa.Column("agreement_row", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("message_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("case_number", sa.String(length=60), nullable=False),
        sa.Column("case_type", sa.String(length=40), nullable=True),
        sa.Column("original_case_group", sa.String(length=120), nullable=True),
        sa.Column("decision", sa.String(length=20), nullable=False),
        sa.Column("decided_amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("advance_fen", sa.BigInteger(), nullable=False),
        sa.Column("joint_id", sa.String(length=64), nullable=True),
        sa.Column("joint_decided_fen", sa.BigInteger(), nullable=True),
        sa.Column("cap_fen", sa.BigInteger(), nullable=True),
        sa.Column("cap_exceeded_reason", sa.Boolean(), nullable=False),
        sa.Column("unenforced_balance_fen", sa.BigInteger(), nullable=True),
        sa.Column("ground_code", sa.String(length=4), nullable=True),
        sa.Column("refusal_code", sa.String(length=4), nullable=True),
        sa.Column("assessment", sa.String(length=20), nullable=True),
        sa.Column("urgency", sa.String(length=20), nullable=False),
        sa.Column("region", sa.String(length=6), nullable=True),
        sa.Column("groups", sa.String(length=60), nullable=False),
        sa.Column("is_minor", sa.Boolean(), nullable=False),
        sa.Column("has_custody", sa.Boolean(), nullable=False),
        sa.Column("id_type", sa.String(length=3), nullable=False),
        sa.Column("has_birth_date", sa.Boolean(), nullable=False),
        sa.Column("synthetic", sa.Boolean(), nullable=False),
        sa.Column("concluded_on", sa.String(length=10), nullable=False),
        sa.Column("accepted_at", sa.BigInteger(), nullable=False),
        sa.Column("withdrawn_at", sa.BigInteger(), nullable=True),
        sa.Column("needs_accepted", sa.Integer(), nullable=False),
        sa.Column("holds", sa.String(length=200), nullable=False),
        sa.Column("person_key", sa.String(length=64), nullable=True),
        sa.Column("reconcile_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_referrals")),
        sa.UniqueConstraint("referral_id", name=op.f("uq_referrals_referral_id")),
    )
    op.create_index("ix_referrals_case", "referrals", ["case_number"], unique=False)
    op.create_index("ix_referrals_court_concluded", "referrals", ["court", "concluded_on"], unique=False)
    op.create_index("ix_referrals_person", "referrals", ["person_key"], unique=False)
    op.create_index("ix_referrals_reconcile", "referrals", ["reconcile_at"], unique=False)
    op.create_table(
        "replies",
        sa.Column("row", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("reply_id", sa.String(length=64), nullable=False),
        sa.Column("message_id", sa.String(length=64), nullable=False),
        sa.Column("office", sa.String(length=100), nullable=False),
        sa.Column("referral_id", sa.String(length=64), nullable=True),
        sa.Column("handoff_id", sa.String(length=64), nullable=True),
        sa.Column("need_id", sa.String(length=64), nullable=True),
        sa.Column("code", sa.String(length=30), nullable=True),
        sa.Column("raw_code", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("applied", sa.Boolean(), nullable=False),
        sa.Column("problem", sa.String(length=40), nullable=True),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("has_text", sa.Boolean(), nullable=False),
        sa.Column("programme", sa.String(length=20), nullable=True),
        sa.Column("amount_fen", sa.BigInteger(), nullable=True),
        sa.Column("starts_on", sa.String(length=10), nullable=True),
        sa.Column("ends_on", sa.String(length=10), nullable=True),
        sa.Column("payee", sa.String(length=20), nullable=True),
        sa.Column("person_matches", sa.Boolean(), nullable=True),
        sa.Column("next_due", sa.String(length=10), nullable=True),
        sa.Column("forwarded_to", sa.String(length=100), nullable=True),
        sa.Column("suggested_agency", sa.String(length=40), nullable=True),
        sa.Column("suggested_region", sa.String(length=6), nullable=True),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_replies")),
        sa.UniqueConstraint("reply_id", name=op.f("uq_replies_reply_id")),
    )
    op.create_index(op.f("ix_replies_handoff_id"), "replies", ["handoff_id"], unique=False)
    op.create_index(op.f("ix_replies_referral_id"), "replies", ["referral_id"], unique=False)
    op.create_table(
        "used_tokens",
        sa.Column("party_id", sa.String(length=100), nullable=False),
        sa.Column("jti", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("party_id", "jti", name=op.f("pk_used_tokens")),
    )
