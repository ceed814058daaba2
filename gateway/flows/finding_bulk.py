"""批量办理 One act on many findings, shown before it is done: what would be changed, what is left out, and why.

1. look: each finding is changed, repeats another of the same selection (then one of the two stands for both), or is
   refused: not on file, not in a state for the act, being heard in a match, or decided before on the same evidence;
2. what was shown has a digest; whoever confirms names it;
3. carry out: looked at again inside the one transaction that changes; where anything is otherwise than it was shown,
   nothing is changed. Either all that were shown as changed are, or none.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection

from gateway.domain.lifecycle import FindingState
from gateway.domain.reconciliation.evidence import FindingDecision
from gateway.errors import IllegalMove, InputRefused
from gateway.flows import findings_desk
from gateway.flows.context import Context
from gateway.flows.operate import require_reason
from gateway.store import finding_desk, matches
from gateway.store.finding_evidence import decided_before
from gateway.store.finding_log import Listed, listed_of
from gateway.store.findings import digest_on_file

MOST = 500
Row = Mapping[str, Any]


class Act(StrEnum):
    """办理动作."""

    ASSIGN = "assign"
    DECIDE = "decide"
    CLOSE = "close"
    REOPEN = "reopen"


class Refusal(StrEnum):
    """不予办理的原因: why one finding of a selection is left as it is."""

    UNKNOWN = "unknown"
    ALREADY_DECIDED = "already_decided"
    ALREADY_CLOSED = "already_closed"
    NOT_DECIDED = "not_decided"
    BEING_HEARD = "being_heard"
    SAME_EVIDENCE = "same_evidence"


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What is to be done with all of them. to, due: with ASSIGN; decision, recovered_fen (of each): with DECIDE."""

    act: Act
    to: str = ""
    due: datetime | None = None
    decision: FindingDecision | None = None
    recovered_fen: int | None = None

    def __post_init__(self) -> None:
        if (self.decision is not None) is not (self.act is Act.DECIDE):
            raise InputRefused("决定须选择结论 a decision, and only that, says what the doubt was")
        if self.decision is not None:
            findings_desk.require_amount(self.decision, self.recovered_fen)
        if bool(self.to.strip()) is not (self.act is Act.ASSIGN):
            raise InputRefused("指派须写明给谁 an assignment, and only that, says to whom")

    @property
    def there(self) -> FindingState:
        """The state it leads to."""
        return _THERE[self.act]


_THERE = {
    Act.ASSIGN: FindingState.ASSIGNED,
    Act.DECIDE: FindingState.DECIDED,
    Act.CLOSE: FindingState.CLOSED,
    Act.REOPEN: FindingState.OPEN,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """预览. repeated: with the key each one repeats; refused: the finding None where there is none; digest: names just
    this."""

    changed: tuple[Listed, ...]
    repeated: tuple[tuple[Listed, str], ...]
    refused: tuple[tuple[str, Listed | None, Refusal], ...]
    digest: str


def preview(context: Context, keys: Sequence[str], order: Order) -> Preview:
    """What the act would do now. Raises ConfigError for too many."""
    with context.store.reading() as connection:
        return _look(connection, keys, order)


def carry_out(
    context: Context, keys: Sequence[str], order: Order, *, seen: str, who: str, why: str, now: datetime
) -> int:
    """Does what was shown under the digest `seen`; how many were changed. Raises ConfigError, IllegalMove."""
    require_reason(who, why)

    def write(connection: Connection) -> int:
        found = _look(connection, keys, order)
        if found.digest != seen:
            raise IllegalMove("something has changed since it was shown")
        chosen = [one.key for one in found.changed]
        if not chosen:
            raise InputRefused("没有可办理的疑点 nothing would be changed")
        return _do(connection, chosen, order, who=who, why=why, now=now)

    return context.store.write(write)


def _do(connection: Connection, keys: Sequence[str], order: Order, *, who: str, why: str, now: datetime) -> int:
    said: dict[str, Any] = {"who": who, "why": why, "now": now}
    if order.act is Act.ASSIGN:
        return findings_desk.assign_within(connection, keys, to=order.to, due=order.due, **said)
    if order.decision is not None:
        amount = order.recovered_fen
        return findings_desk.decide_within(
            connection, keys, order.decision, recovered_fen=amount, through_match=False, **said
        )
    if order.act is Act.CLOSE:
        return findings_desk.close_within(connection, keys, **said)
    return findings_desk.reopen_within(connection, keys, **said)


def _look(connection: Connection, keys: Sequence[str], order: Order) -> Preview:
    chosen = list(dict.fromkeys(keys))
    if len(chosen) > MOST:
        raise InputRefused(f"一次至多 at most {MOST} findings")
    rows = finding_desk.rows_of(connection, chosen)
    deciding = order.act is Act.DECIDE
    heard = matches.being_heard(connection, chosen) if deciding else set()
    before = decided_before(connection, list(rows.values())) if deciding else {}
    changed: list[Listed] = []
    repeated: list[tuple[Listed, str]] = []
    refused: list[tuple[str, Listed | None, Refusal]] = []
    stands: dict[tuple[str, ...], str] = {}
    for key in chosen:
        row = rows.get(key)
        if row is None:
            refused.append((key, None, Refusal.UNKNOWN))
            continue
        refusal = _refusal(row, order.act, is_heard=key in heard, was_decided=key in before)
        one = listed_of(row)
        if refusal is not None:
            refused.append((key, one, refusal))
        elif (first := stands.setdefault(doubt_of(row), key)) != key:
            repeated.append((one, first))
        else:
            changed.append(one)
    digest = _digest(order, [(key, rows.get(key)) for key in chosen], refused)
    return Preview(changed=tuple(changed), repeated=tuple(repeated), refused=tuple(refused), digest=digest)


def _refusal(row: Row, act: Act, *, is_heard: bool, was_decided: bool) -> Refusal | None:
    state = FindingState(row["state"])
    if act in (Act.ASSIGN, Act.DECIDE):
        if state is FindingState.CLOSED:
            return Refusal.ALREADY_CLOSED
        if state is FindingState.DECIDED:
            return Refusal.ALREADY_DECIDED
        if is_heard:
            return Refusal.BEING_HEARD
        return Refusal.SAME_EVIDENCE if was_decided else None
    if row["decided_as"] is None:
        return Refusal.NOT_DECIDED
    return Refusal.ALREADY_CLOSED if act is Act.CLOSE and state is FindingState.CLOSED else None


def doubt_of(row: Row) -> tuple[str, ...]:
    """What a finding is in doubt about: the two cases it stands between, whichever of them it was found from; of one
    with a single side the case with its evidence."""
    said = json.loads(row["evidence"])
    mine = row["need_id"] or row["referral_id"] or ""
    other = said.get("other_need") or said.get("other_referral")
    if isinstance(other, str) and other:
        whole = isinstance(said.get("other_need"), str) and row["need_id"] is not None
        pair = (mine, other) if whole else (row["referral_id"] or "", str(said.get("other_referral") or other))
        return (row["code"], *sorted(pair))
    return (row["code"], mine, digest_on_file(row))


def _digest(
    order: Order, rows: Sequence[tuple[str, Row | None]], refused: Sequence[tuple[str, Listed | None, Refusal]]
) -> str:
    stands = [
        [key, None if row is None else [row["state"], row["decided_as"], row["assigned_to"], digest_on_file(row)]]
        for key, row in rows
    ]
    due = None if order.due is None else order.due.isoformat()
    what = [order.act.value, order.to, due, order.decision and order.decision.value, order.recovered_fen]
    whole = [what, stands, [[key, refusal.value] for key, _, refusal in refused]]
    return sha256(json.dumps(whole, ensure_ascii=False).encode()).hexdigest()
