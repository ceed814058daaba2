"""复核核对 What was decided of findings and matches rests on a decision, or on what a side said; every move leads on.

What a side's own message said is compared from its bytes (`told`). Here: a match stands where its moves lead, its
sides are those our notices asked, what the operator entered and what was resolved has its decision, and a finding that
was decided is neither decided otherwise nor undone without a trace.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from gateway.domain.adjudication import NOTICE, DispositionCode, Resolution, StopsBy, match_id_of
from gateway.domain.lifecycle import MATCH, FindingState, MatchState
from gateway.domain.reconciliation.evidence import FindingDecision
from gateway.domain.reconciliation.findings import OPERATOR
from gateway.flows.audit.trouble import Trouble, What
from gateway.flows.findings_desk import CLOSED, decided_what
from gateway.flows.match_resolve import resolved_what
from gateway.flows.match_said import ENTERED, entered_why
from gateway.store import audit_rows
from gateway.store import tables as t
from gateway.store.findings import CURED, Change

Row = Mapping[str, Any]
_DECIDED = {decided_what(decision): decision.value for decision in FindingDecision}
_RESOLVED = {resolved_what(resolution) for resolution in Resolution}
_UNDONE = frozenset({Change.NEW_EVIDENCE.value, Change.REOPENED.value})


def adjudication_troubles(connection: Connection) -> Iterator[Trouble]:
    """Everything about matches and decided findings that nothing explains."""
    yield from _matches(connection)
    yield from _sides(connection)
    yield from _entered(connection)
    yield from _findings(connection)


def _matches(connection: Connection) -> Iterator[Trouble]:
    for page in audit_rows.pages(connection, t.matches):
        moves = audit_rows.by(connection, t.match_moves.c.match_id, [row["match_id"] for row in page])
        decided = audit_rows.decisions(connection, [row["decision_id"] for row in page if row["decision_id"]])
        for row in page:
            column = _wrong_match(row, moves.get(row["match_id"], ()), decided)
            if column is not None:
                yield _altered("matches", row["match_id"], row["referral_id"], column)
    m = t.match_moves.c
    for page in audit_rows.pages(connection, t.match_moves, m.match_id):
        there = audit_rows.by(connection, t.matches.c.match_id, [row["match_id"] for row in page])
        for match_id in dict.fromkeys(row["match_id"] for row in page if row["match_id"] not in there):
            yield Trouble(table="matches", ref=match_id, what=What.MISSING)


def _wrong_match(row: Row, moves: Sequence[Row], decided: Mapping[str, Row]) -> str | None:
    if match_id_of(row["cause"]) != row["match_id"]:
        return "cause"
    states = [MatchState.OPEN.value]
    for move in moves:
        if move["from_state"] != states[-1] or not MATCH.may(MatchState(states[-1]), MatchState(move["to_state"])):
            return "state"
        states.append(move["to_state"])
    if states[-1] != row["state"] or row["round"] != max((move["round"] for move in moves), default=0):
        return "state"
    if row["resolution"] is None:
        return "resolution" if row["decision_id"] is not None else None
    by = decided.get(row["decision_id"] or "")
    whose = None if by is None else (by["what"], by["subject"])
    return None if whose == (resolved_what(Resolution(row["resolution"])), row["match_id"]) else "resolution"


def _sides(connection: Connection) -> Iterator[Trouble]:
    """Each side was asked by a notice of ours, or the operator speaks for it; each notice asked a side."""
    for page in audit_rows.pages(connection, t.match_sides):
        sent = audit_rows.by(connection, t.outbox.c.message_id, [row["notice_id"] for row in page if row["notice_id"]])
        for row in page:
            ref = f"{row['match_id']}:{row['side']}:{row['round']}"
            mine = next(iter(sent.get(row["notice_id"] or "", ())), None)
            if mine is None and row["party"] != OPERATOR:
                yield Trouble(table="match_sides", ref=ref, what=What.UNLOGGED, referral_id=row["referral_id"])
            elif mine is not None and (mine["type"], mine["recipient"], mine["referral_id"]) != (
                NOTICE,
                row["party"],
                row["referral_id"],
            ):
                yield _altered("match_sides", ref, row["referral_id"], "party")
    o = t.outbox.c
    for page in audit_rows.pages(connection, t.outbox, o.message_id, o.type, o.referral_id):
        asked = [row for row in page if row["type"] == NOTICE]
        there = audit_rows.by(connection, t.match_sides.c.notice_id, [row["message_id"] for row in asked])
        for row in asked:
            if row["message_id"] not in there:
                yield Trouble(
                    table="match_sides", ref=row["message_id"], what=What.MISSING, referral_id=row["referral_id"]
                )


def _entered(connection: Connection) -> Iterator[Trouble]:
    """What the operator entered for a side is what the decision says; and each such decision has its row."""
    for page in audit_rows.pages(connection, t.dispositions):
        entered = [row for row in page if row["message_id"] is None]
        decided = audit_rows.decisions(connection, [row["decision_id"] for row in entered if row["decision_id"]])
        for row in entered:
            by = decided.get(row["decision_id"] or "")
            if by is None or (by["what"], by["subject"]) != (ENTERED, row["match_id"]):
                yield Trouble(table="dispositions", ref=row["decision_id"] or row["match_id"], what=What.UNLOGGED)
            elif not by["why"].startswith(_said(row)):
                yield Trouble(table="dispositions", ref=row["decision_id"], what=What.ALTERED, column="code")
    d = t.decisions.c
    for page in audit_rows.pages(connection, t.decisions, d.decision_id, d.what, d.subject):
        entered = [row for row in page if row["what"] == ENTERED]
        there = audit_rows.by(connection, t.dispositions.c.decision_id, [row["decision_id"] for row in entered])
        for row in entered:
            if row["decision_id"] not in there:
                yield Trouble(table="dispositions", ref=row["decision_id"], what=What.MISSING)
        resolved = [row for row in page if row["what"] in _RESOLVED]
        known = audit_rows.by(connection, t.matches.c.match_id, [row["subject"] for row in resolved])
        for match_id in dict.fromkeys(row["subject"] for row in resolved if row["subject"] not in known):
            yield Trouble(table="matches", ref=match_id, what=What.MISSING)


def _said(row: Row) -> str:
    stops_by = StopsBy(row["stops_by"]) if row["stops_by"] else None
    return entered_why(row["side"], DispositionCode(row["code"]), stops_by, "").rstrip()


def _findings(connection: Connection) -> Iterator[Trouble]:
    acts: dict[str, list[Row]] = {}
    for page in audit_rows.pages(connection, t.decisions):  # what people did, not each use of matching
        for row in page:
            if row["what"] == CLOSED or row["what"] in _DECIDED:
                acts.setdefault(row["subject"], []).append(row)
    for page in audit_rows.pages(connection, t.findings):
        keys = [row["key"] for row in page]
        undone = audit_rows.by(connection, t.finding_changes.c.finding_key, keys)
        for row in page:
            column = _wrong_finding(row, acts.get(row["key"], ()), undone.get(row["key"], ()))
            if column is not None:
                yield _altered("findings", row["key"], row["referral_id"], column)


def _wrong_finding(row: Row, acts: Sequence[Row], changes: Sequence[Row]) -> str | None:
    said = [one for one in acts if one["what"] in _DECIDED]
    if row["decided_as"] is None:
        by_person = row["state"] == FindingState.DECIDED or row["closed_because"] not in (None, CURED)
        traced = sum(one["what"] in _UNDONE and one["decided_as"] is not None for one in changes)
        return "decided_as" if by_person or len(said) > traced else None
    by = next((one for one in said if one["decision_id"] == row["decision_id"]), None)
    if by is None or _DECIDED[by["what"]] != row["decided_as"]:
        return "decided_as"
    if row["recovered_fen"] is not None and not by["why"].startswith(f"recovered_fen={row['recovered_fen']} "):
        return "recovered_fen"
    closed = row["state"] == FindingState.CLOSED
    if closed is not any(one["what"] == CLOSED and one["row"] > by["row"] for one in acts):
        return "state"
    return "closed_because" if closed and row["closed_because"] != row["decided_as"] else None


def _altered(table: str, ref: str, referral_id: str | None, column: str) -> Trouble:
    return Trouble(table=table, ref=ref, what=What.ALTERED, referral_id=referral_id, column=column)
