"""疑点办理 What people do with findings: assign, decide, close, reopen. Each act names who and why and is a leaf of the
log in the same commit; a state changes only as the lifecycle's table says.

Rules: a finding about which two sides are being heard is decided through its match, not past it;
RECOVERED says how much came back; a false match is never found again while its evidence is the same. Of many findings
either all are changed or none.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from gateway.domain.calendar import due_text
from gateway.domain.lifecycle import FINDING, FindingState
from gateway.domain.person import SpecificGroup
from gateway.domain.reconciliation.evidence import FindingDecision
from gateway.errors import IllegalMove, InputRefused
from gateway.flows.context import Context
from gateway.flows.operate import require_reason
from gateway.store import decisions, finding_desk, matches
from gateway.store.clock import to_ms
from gateway.store.finding_desk import Wanted
from gateway.store.findings import UNDECIDED, Change, Kept

ASSIGNED, CLOSED, REOPENED = "finding_assigned", "finding_closed", "finding_reopened"
NO_GROUP = "NONE"
"""A person of none of the specific groups."""
MOST = 10_000
"""Findings changed by one act."""

Row = dict[str, Any]


def decided_what(decision: FindingDecision) -> str:
    """What the leaf of such a decision says."""
    return f"finding_{decision.value.lower()}"


def select(
    context: Context, wanted: Wanted, *, limit: int = MOST, minors_first: bool = False
) -> list[tuple[str, Kept]]:
    """(key, finding) of those asked for."""
    with context.store.reading() as connection:
        return finding_desk.search(connection, wanted, limit=limit, minors_first=minors_first)


def assign(
    context: Context, keys: Collection[str], *, to: str, due: datetime | None, who: str, why: str, now: datetime
) -> int:
    """Gives findings to a person, an office or a court, until a moment. Raises ConfigError, IllegalMove."""
    require_reason(who, why)
    return context.store.write(
        lambda connection: assign_within(connection, keys, to=to, due=due, who=who, why=why, now=now)
    )


def assign_within(
    connection: Connection, keys: Collection[str], *, to: str, due: datetime | None, who: str, why: str, now: datetime
) -> int:
    """The same inside another's transaction."""
    if not to.strip() or len(to) > 100:
        raise InputRefused("请写明指派给谁，不超过100字 name whom it is assigned to, in at most 100 characters")
    until = "" if due is None else f" until={due_text(due)}"

    def change(row: Row, _decision_id: str) -> Row:
        here = FindingState(row["state"])
        state = here if here is FindingState.ASSIGNED else FINDING.move(here, FindingState.ASSIGNED)
        return row | {"state": state.value, "assigned_to": to, "assigned_due_at": to_ms(due)}

    said = f"to={to}{until}"
    return _write(connection, keys, change, what=ASSIGNED, who=who, why=why, said=said, now=now, through_match=True)


def decide(
    context: Context,
    keys: Collection[str],
    decision: FindingDecision,
    *,
    who: str,
    why: str,
    now: datetime,
    recovered_fen: int | None = None,
) -> int:
    """What the doubts turned out to be. recovered_fen: of each, with RECOVERED only. Raises as `assign` does."""
    require_amount(decision, recovered_fen)

    def write(connection: Connection) -> int:
        return decide_within(
            connection, keys, decision, who=who, why=why, now=now, recovered_fen=recovered_fen, through_match=False
        )

    require_reason(who, why)
    return context.store.write(write)


def decide_within(
    connection: Connection,
    keys: Collection[str],
    decision: FindingDecision,
    *,
    who: str,
    why: str,
    now: datetime,
    recovered_fen: int | None = None,
    through_match: bool = True,
) -> int:
    """The same inside another's transaction, for a match that was resolved."""

    def change(row: Row, decision_id: str) -> Row:
        state = FINDING.move(FindingState(row["state"]), FindingState.DECIDED)
        decided = {"decided_as": decision.value, "decision_id": decision_id, "recovered_fen": recovered_fen}
        return row | {"state": state.value, **decided}

    said = "" if recovered_fen is None else f"recovered_fen={recovered_fen}"
    what = decided_what(decision)
    return _write(
        connection, keys, change, what=what, who=who, why=why, said=said, now=now, through_match=through_match
    )


def require_amount(decision: FindingDecision, recovered_fen: int | None) -> None:
    """Raises ConfigError unless RECOVERED, and only that, says how much came back."""
    if (recovered_fen is not None) is not (decision is FindingDecision.RECOVERED):
        raise InputRefused("追回金额在且仅在“已追回”时填写 RECOVERED, and only that, says how much came back")
    if recovered_fen is not None and recovered_fen < 1:
        raise InputRefused("追回金额至少一分 what came back is at least one fen")


def close(context: Context, keys: Collection[str], *, who: str, why: str, now: datetime) -> int:
    """Ends what was decided. Raises as `assign` does."""
    require_reason(who, why)
    return context.store.write(lambda connection: close_within(connection, keys, who=who, why=why, now=now))


def close_within(connection: Connection, keys: Collection[str], *, who: str, why: str, now: datetime) -> int:
    """The same inside another's transaction."""

    def change(row: Row, _decision_id: str) -> Row:
        if row["decided_as"] is None:
            raise IllegalMove("a finding is decided before it is closed", ids={"finding": row["key"]})
        FINDING.move(FindingState(row["state"]), FindingState.CLOSED)
        ended = {"closed_at": to_ms(now), "closed_because": row["decided_as"]}
        return row | {"state": FindingState.CLOSED.value, **ended}

    return _write(connection, keys, change, what=CLOSED, who=who, why=why, now=now, through_match=True)


def reopen(context: Context, keys: Collection[str], *, who: str, why: str, now: datetime) -> int:
    """Puts a decided or closed finding before people again; what was decided stays on file. Raises as `assign` does."""
    require_reason(who, why)
    return context.store.write(lambda connection: reopen_within(connection, keys, who=who, why=why, now=now))


def reopen_within(connection: Connection, keys: Collection[str], *, who: str, why: str, now: datetime) -> int:
    """The same inside another's transaction."""

    def change(row: Row, _decision_id: str) -> Row:
        if row["decided_as"] is None:
            raise IllegalMove("nobody decided it", ids={"finding": row["key"]})
        FINDING.move(FindingState(row["state"]), FindingState.OPEN)
        finding_desk.note(connection, [row], what=Change.REOPENED.value, now=now)
        return row | {"state": FindingState.OPEN.value, **UNDECIDED}

    return _write(connection, keys, change, what=REOPENED, who=who, why=why, now=now, through_match=True)


def _write(
    connection: Connection,
    keys: Collection[str],
    change: Callable[[Row, str], Row],
    *,
    what: str,
    who: str,
    why: str,
    now: datetime,
    through_match: bool,
    said: str = "",
) -> int:
    text = f"{said} {why}".strip()
    require_reason(who, text)
    rows = finding_desk.rows_of(connection, keys)
    unknown = [key for key in keys if key not in rows]
    if unknown or len(rows) > MOST:
        raise InputRefused("没有这一疑点 no such finding" if unknown else f"一次至多 at most {MOST} findings")
    heard = set() if through_match else matches.being_heard(connection, rows)
    if heard:
        raise IllegalMove("both sides are being heard: resolve its match", ids={"finding": min(heard)})
    made = [{"at": to_ms(now), "who": who, "what": what, "subject": key, "why": text} for key in rows]
    decided = decisions.put_all(connection, made)
    changed = [change(row, decision_id) for row, decision_id in zip(rows.values(), decided, strict=True)]
    finding_desk.save(connection, changed)
    return len(changed)


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """One finding with everything that happened to it, oldest first. acts: decisions of people; changes: what it said
    before."""

    key: str
    kept: Kept
    acts: tuple[Mapping[str, Any], ...]
    changes: tuple[Mapping[str, Any], ...]
    match_id: str | None


def show(context: Context, key: str) -> Shown | None:
    """None where no such finding is on file."""
    with context.store.reading() as connection:
        found = finding_desk.search(connection, Wanted(keys=[key], states=()))
        if not found:
            return None
        return Shown(
            key=key,
            kept=found[0][1],
            acts=tuple(dict(row) for row in decisions.about(connection, key)),
            changes=tuple(finding_desk.changes_of(connection, key)),
            match_id=matches.of_finding(connection, key),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """误配率: of the findings of one code about people of one group, how many a person called false."""

    code: str
    group: str
    found: int
    decided: int
    false: int


def rates(context: Context) -> list[Rate]:
    """By code and group, groups in a fixed order; who is of two groups counts in both."""
    with context.store.reading() as connection:
        counted = finding_desk.decided_by_groups(connection)
    found: dict[tuple[str, str], list[int]] = {}
    for one in counted:
        for group in one.groups or {NO_GROUP}:
            sums = found.setdefault((one.code, group), [0, 0, 0])
            for at, value in enumerate((one.found, one.decided, one.false)):
                sums[at] += value
    order = (*(group.value for group in SpecificGroup), NO_GROUP)
    return [
        Rate(code=code, group=group, found=sums[0], decided=sums[1], false=sums[2])
        for (code, group), sums in sorted(found.items(), key=lambda item: (item[0][0], order.index(item[0][1])))
    ]
