"""第十四版库表 Accounts, sessions, approvals."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds three tables."""
    op.create_table(
        "accounts",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("shown_as", sa.String(length=100), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("party_id", sa.String(length=100), nullable=True),
        sa.Column("office_ids", sa.Text(), nullable=False),
        sa.Column("region", sa.String(length=6), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("password", sa.String(length=200), nullable=True),
        sa.Column("must_change", sa.Boolean(), nullable=False),
        sa.Column("totp", sa.Text(), nullable=True),
        sa.Column("totp_step", sa.BigInteger(), nullable=True),
        sa.Column("subject", sa.String(length=200), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("locked_until", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(length=100), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_accounts")),
        sa.UniqueConstraint("subject", name=op.f("uq_accounts_subject")),
    )
    op.create_table(
        "sign_ins",
        sa.Column("token_digest", sa.String(length=64), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("csrf", sa.String(length=64), nullable=False),
        sa.Column("via", sa.String(length=20), nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("confirmed_until", sa.BigInteger(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("token_digest", name=op.f("pk_sign_ins")),
    )
    op.create_index(op.f("ix_sign_ins_account"), "sign_ins", ["account"], unique=False)
    op.create_index(op.f("ix_sign_ins_ends_at"), "sign_ins", ["ends_at"], unique=False)
    op.create_table(
        "known_browsers",
        sa.Column("browser_digest", sa.String(length=64), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("locked_until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("browser_digest", "account", name=op.f("pk_known_browsers")),
    )
    op.create_index("ix_known_browsers_seen_at", "known_browsers", ["seen_at"], unique=False)
    op.create_index("ix_known_browsers_account", "known_browsers", ["account"], unique=False)
    op.create_table(
        "approvals",
        sa.Column("approval_id", sa.String(length=64), nullable=False),
        sa.Column("what", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.String(length=100), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("why", sa.String(length=500), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("decided_by", sa.String(length=100), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("decided_why", sa.String(length=500), nullable=True),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("approval_id", name=op.f("pk_approvals")),
    )
    op.create_index("ix_approvals_state", "approvals", ["state", "asked_at"], unique=False)
    op.create_index("ix_inquiries_court", "inquiries", ["court", "row"], unique=False)
    op.create_index("ix_clues_court_asked", "clues", ["court_asked", "row"], unique=False)
    op.create_index("ix_outbox_state", "outbox", ["office_id", "state", "row"], unique=False)
    op.create_index("ix_commitments_stream", "commitments", ["source", "recipient", "row"], unique=False)
    op.create_index("ix_decisions_who", "decisions", ["who", "row"], unique=False)
    op.create_index("ix_decisions_what", "decisions", ["what", "row"], unique=False)
    # lists and counts of a million referrals; whoever has an open need is looked at once more, for its limit
    op.create_table(
        "need_clocks",
        sa.Column(
            "need_row", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("need_id", sa.String(length=64), nullable=False),
        sa.Column("referral_id", sa.String(length=64), nullable=False),
        sa.Column("court", sa.String(length=100), nullable=False),
        sa.Column("must_act", sa.String(length=100), nullable=False),
        sa.Column("waits_for", sa.String(length=20), nullable=False),
        sa.Column("limit_id", sa.String(length=60), nullable=False),
        sa.Column("is_minor", sa.Boolean(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("is_unknown", sa.Boolean(), nullable=False),
        sa.Column("is_unexplained", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("need_row", name=op.f("pk_need_clocks")),
    )
    op.create_index(op.f("ix_need_clocks_referral_id"), "need_clocks", ["referral_id"], unique=False)
    op.create_index("ix_need_clocks_due", "need_clocks", ["due_at", "need_row"], unique=False)
    op.create_index("ix_need_clocks_court_due", "need_clocks", ["court", "due_at", "need_row"], unique=False)
    op.create_index("ix_referrals_accepted", "referrals", ["accepted_at", "row"], unique=False)
    op.create_index(
        "ix_referrals_court_accepted", "referrals", ["court", "accepted_at", "row", "needs_accepted"], unique=False
    )
    op.drop_index("ix_needs_state", table_name="needs")
    op.create_index("ix_needs_state", "needs", ["state", "accepted_at", "row"], unique=False)
    op.create_index("ix_needs_court", "needs", ["court", "state", "accepted_at", "row"], unique=False)
    op.create_index("ix_needs_office", "needs", ["office_id", "state", "accepted_at", "row"], unique=False)
    unpaid = sa.text("state = 'closed' AND paid_at IS NULL")
    op.create_index(
        "ix_needs_closed_unpaid",
        "needs",
        ["state", "paid_at", "court"],
        unique=False,
        sqlite_where=unpaid,
        postgresql_where=unpaid,
    )
    op.create_index("ix_decisions_subject", "decisions", ["subject"], unique=False)
    op.execute(
        "UPDATE referrals SET reconcile_at = 1 WHERE referral_id IN (SELECT referral_id FROM needs WHERE state IN "
        "('accepted', 'routed', 'handed_off', 'received', 'under_review', 'information_requested', "
        "'accepted_by_agency', 'declined', 'in_progress', 'not_assisted', 'closed'))"
    )
    _agency_lists()
    _findings()


def _agency_lists() -> None:
    """An office's inbox and letters, an agency's reservations and statements."""
    op.create_index("ix_handoffs_office", "handoffs", ["office_id", "state", "row"], unique=False)
    op.create_index("ix_outbox_type", "outbox", ["recipient", "type", "row"], unique=False)
    op.create_index("ix_reservations_party", "reservations", ["party", "row"], unique=False)
    op.create_index("ix_statements_party", "statements", ["party", "row"], unique=False)


def _findings() -> None:
    """Lists of a million findings: whose matter each is stands beside it, and every order has its index."""
    op.add_column("findings", sa.Column("of_court", sa.String(length=100), nullable=True))
    op.add_column("findings", sa.Column("of_minor", sa.Boolean(), nullable=False, server_default=sa.false()))
    for statement in (
        "UPDATE findings SET of_court = (SELECT r.court FROM referrals r WHERE r.referral_id = findings.referral_id), "
        "of_minor = COALESCE((SELECT r.is_minor FROM referrals r WHERE r.referral_id = findings.referral_id), FALSE) "
        "WHERE referral_id IS NOT NULL",
        "UPDATE findings SET of_court = must_act WHERE of_court IS NULL AND must_act IN "
        "(SELECT party_id FROM parties WHERE kind = 'court')",
    ):
        op.execute(statement)
    op.drop_index("ix_findings_code", table_name="findings")
    for name, columns in (
        ("state", ["state", "row"]),
        ("code", ["code", "state", "row"]),
        ("court", ["of_court", "state", "code", "row"]),
        ("minor", ["of_minor", "state", "row"]),
        ("due", ["state", "due_at", "row"]),
        ("stake", ["state", "stake_fen", "row"]),
        ("must_act", ["must_act", "state", "row"]),
        ("life", ["code", "opened_at", "closed_at", "of_court", "decided_as"]),
    ):
        op.create_index(f"ix_findings_{name}", "findings", columns, unique=False)
    op.create_index(
        "ix_findings_assigned",
        "findings",
        ["assigned_to", "state", "row"],
        unique=False,
        sqlite_where=sa.text("assigned_to IS NOT NULL"),
        postgresql_where=sa.text("assigned_to IS NOT NULL"),
    )
    of_statements = sa.text("origin = 'statement'")
    op.create_index(
        "ix_findings_statement",
        "findings",
        ["subject"],
        unique=False,
        sqlite_where=of_statements,
        postgresql_where=of_statements,
        postgresql_ops={"subject": "text_pattern_ops"},
    )
    op.drop_index("ix_matches_state", table_name="matches")
    op.create_index("ix_matches_state", "matches", ["state", "row"], unique=False)
