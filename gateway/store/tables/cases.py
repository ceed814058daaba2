"""案件之表 Referrals, their needs, handoffs and answers, and what people and checks said of them."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text, UniqueConstraint, false, text

from gateway.store.tables.base import Digest, Id, Moment, PartyRef, Row, metadata, row

CLOSED_UNPAID = text("state = 'closed' AND paid_at IS NULL")

referrals = Table(
    "referrals",
    metadata,
    row(),
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
    # the inquiry a refusal rests on (X6), or that the court said why none was made
    Column("inquiry_ref", Id),
    Column("inquiry_waived", Boolean, nullable=False, server_default=false()),
    Index("ix_referrals_court_concluded", "court", "concluded_on"),
    Index("ix_referrals_case", "case_number"),
    # the list of all, and of one court, newest first; the balance's left side is summed in the last two, the second of
    # which is all that is read of a million referrals
    Index("ix_referrals_accepted", "accepted_at", "row"),
    Index("ix_referrals_court_accepted", "court", "accepted_at", "row", "needs_accepted"),
    Index("ix_referrals_needs", "needs_accepted"),
    Index("ix_referrals_person", "person_key"),
    Index("ix_referrals_reconcile", "reconcile_at"),
)

referral_amendments = Table(
    "referral_amendments",
    metadata,
    row(),
    Column("message_id", Id, nullable=False, index=True),
    Column("court", PartyRef, nullable=False),
    Column("referral_id", Id, nullable=False),
    Column("version", Integer, nullable=False),
    # the message it amends
    Column("amends", Id, nullable=False),
    Column("has_custody", Boolean, nullable=False),
    Column("has_authorisation", Boolean, nullable=False),
    Column("accepted_at", Moment, nullable=False),
    UniqueConstraint("referral_id", "version"),
)

identity_keys = Table(
    "identity_keys",
    metadata,
    row(),
    Column("key", Digest, nullable=False),
    Column("role", String(20), nullable=False),
    Column("referral_id", Id, nullable=False, index=True),
    Index("ix_identity_keys_key", "key"),
)

needs = Table(
    "needs",
    metadata,
    row(),
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
    # lists by state, of all, of one court and of one office, newest first; the balance counts by them
    Index("ix_needs_state", "state", "accepted_at", "row"),
    Index("ix_needs_court", "court", "state", "accepted_at", "row"),
    Index("ix_needs_office", "office_id", "state", "accepted_at", "row"),
    # few among a million: those that were closed and paid nothing
    Index(
        "ix_needs_closed_unpaid",
        *("state", "paid_at", "court"),
        sqlite_where=CLOSED_UNPAID,
        postgresql_where=CLOSED_UNPAID,
    ),
)

need_moves = Table(
    "need_moves",
    metadata,
    row(),
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
    row(),
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
    # an office's inbox, by how far its handoffs are
    Index("ix_handoffs_office", "office_id", "state", "row"),
)

replies = Table(
    "replies",
    metadata,
    row(),
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
    row(),
    Column("payment_id", Id, nullable=False),
    Column("court", PartyRef, nullable=False),
    Column("referral_id", Id, nullable=False, index=True),
    Column("amount_fen", BigInteger, nullable=False),
    Column("paid_on", String(10), nullable=False),
    Column("payee", String(20), nullable=False),
    UniqueConstraint("court", "payment_id"),
)

ASSIGNED = text("assigned_to IS NOT NULL")
OF_STATEMENTS = text("of_statement IS NOT NULL")

findings = Table(
    "findings",
    metadata,
    row(),
    Column("key", String(400), nullable=False, unique=True),
    # which run finds it: a run closes only what it would have found itself
    Column("origin", String(20), nullable=False, server_default="dossier"),
    # the court whose matter it is, whether of a minor, and the groups as the referral's row spells them: none of these
    # ever changes, and lists are drawn up by all
    Column("of_court", PartyRef),
    Column("of_minor", Boolean, nullable=False, server_default=false()),
    Column("of_groups", String(60), nullable=False, server_default=""),
    # the office that has its need now; the database keeps it in step (`store.finding_courts`)
    Column("of_office", String(100)),
    # the statement it is a doubt of, by the name of the first that was corrected
    Column("of_statement", String(200)),
    Column("code", String(40), nullable=False),
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
    # of what the evidence says that matters: other evidence reopens, the same never does
    Column("evidence_digest", Digest),
    Column("assigned_to", String(100)),
    Column("assigned_due_at", Moment),
    # what a person decided of it, and the decision that says so
    Column("decided_as", String(20)),
    Column("decision_id", Id),
    Column("recovered_fen", BigInteger),
    # a page of a million, whatever it is asked by: one walk along one of these
    Index("ix_findings_state", "state", "row"),
    Index("ix_findings_code", "code", "state", "row"),
    Index("ix_findings_court", "of_court", "state", "code", "row"),
    Index("ix_findings_minor", "of_minor", "state", "row"),
    Index("ix_findings_group", "of_groups", "state", "row"),
    Index("ix_findings_office", "of_office", "state", "row"),
    Index("ix_findings_due", "state", "due_at", "row"),
    Index("ix_findings_stake", "state", "stake_fen", "row"),
    Index("ix_findings_must_act", "must_act", "state", "row"),
    Index("ix_findings_assigned", "assigned_to", "state", "row", sqlite_where=ASSIGNED, postgresql_where=ASSIGNED),
    # what one statement led to, listed and counted
    Index(
        "ix_findings_statement",
        "of_statement",
        "state",
        "row",
        "code",
        sqlite_where=OF_STATEMENTS,
        postgresql_where=OF_STATEMENTS,
    ),
    # how many were open on a day, and what came and went between two
    Index("ix_findings_life", "code", "opened_at", "closed_at", "of_court", "decided_as"),
)

decisions = Table(
    "decisions",
    metadata,
    row(),
    Column("decision_id", Id, nullable=False, unique=True),
    Column("at", Moment, nullable=False),
    Column("who", String(100), nullable=False),
    Column("what", String(40), nullable=False),
    Column("subject", String(400), nullable=False),
    Column("why", String(500), nullable=False),
    Index("ix_decisions_subject", "subject"),
    # an auditor's access log: what somebody did, and who did one thing, newest first
    Index("ix_decisions_who", "who", "row"),
    Index("ix_decisions_what", "what", "row"),
)
"""人工核查 decisions and logged uses (matching, release of a hold, recovery of a parked message)."""
