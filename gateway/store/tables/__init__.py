"""库表 Every table, SQLAlchemy Core, one noun each. Alembic's migrations make the same tables (a test compares).

Rules: correctness rests on UNIQUE constraints, never on isolation (ARCHITECTURE §5). Ids are time-ordered texts beside
an integer row number, so that SQLite appends (measured: random ids cost 4×). Moments are UTC milliseconds since 1970,
days are `YYYY-MM-DD`, money is integer fen. What was signed is kept as its bytes and parsed again when needed; names
and identity numbers stand nowhere else.
"""

from gateway.store.tables.access import accounts, approvals, known_browsers, sign_ins
from gateway.store.tables.adjudication import dispositions, finding_changes, match_moves, match_sides, matches
from gateway.store.tables.base import metadata
from gateway.store.tables.cases import (
    court_payments,
    decisions,
    findings,
    handoffs,
    identity_keys,
    need_moves,
    needs,
    referral_amendments,
    referrals,
    replies,
)
from gateway.store.tables.court_money import disbursement_plans, quantifications, use_reports, visits
from gateway.store.tables.directory import agreements, offices, parties, party_keys
from gateway.store.tables.evidence import (
    case_keys,
    checkpoints,
    commitments,
    cosignatures,
    cutoffs,
    given_back,
    log_head,
    log_leaves,
    log_nodes,
)
from gateway.store.tables.exchange import attempts, counters, inbox, leases, outbox, receipts, used_tokens
from gateway.store.tables.exchanges import (
    clue_answers,
    clues,
    inquiries,
    inquiry_answers,
    inquiry_questions,
    told_marks,
)
from gateway.store.tables.history import known_marks, reconcile_runs, row_changes
from gateway.store.tables.lateness import circumstances, holiday_notices, household_members, need_clocks, reroutes
from gateway.store.tables.persons import match_keys, persons, possible_matches
from gateway.store.tables.reservations import reservation_ends, reservation_slots, reservations
from gateway.store.tables.same_help import aid_ledgers, ledger_aids, original_case_links, payment_accounts
from gateway.store.tables.statements import (
    statement_batches,
    statement_lines,
    statement_parts,
    statement_progress,
    statement_reads,
    statements,
)

__all__ = [
    "accounts",
    "agreements",
    "aid_ledgers",
    "approvals",
    "attempts",
    "case_keys",
    "checkpoints",
    "circumstances",
    "clue_answers",
    "clues",
    "commitments",
    "cosignatures",
    "counters",
    "court_payments",
    "cutoffs",
    "decisions",
    "disbursement_plans",
    "dispositions",
    "finding_changes",
    "findings",
    "given_back",
    "handoffs",
    "holiday_notices",
    "household_members",
    "identity_keys",
    "inbox",
    "inquiries",
    "inquiry_answers",
    "inquiry_questions",
    "known_browsers",
    "known_marks",
    "leases",
    "ledger_aids",
    "log_head",
    "log_leaves",
    "log_nodes",
    "match_keys",
    "match_moves",
    "match_sides",
    "matches",
    "metadata",
    "need_clocks",
    "need_moves",
    "needs",
    "offices",
    "original_case_links",
    "outbox",
    "parties",
    "party_keys",
    "payment_accounts",
    "persons",
    "possible_matches",
    "quantifications",
    "receipts",
    "reconcile_runs",
    "referral_amendments",
    "referrals",
    "replies",
    "reroutes",
    "reservation_ends",
    "reservation_slots",
    "reservations",
    "row_changes",
    "sign_ins",
    "statement_batches",
    "statement_lines",
    "statement_parts",
    "statement_progress",
    "statement_reads",
    "statements",
    "told_marks",
    "use_reports",
    "used_tokens",
    "visits",
]
