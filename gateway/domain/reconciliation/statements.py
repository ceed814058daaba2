"""对账单核对 One need of ours against what its agency's statement says of it, in either direction.

Rules: of what is not listed something is said only where the statement is complete and its months are those of the
payment; a payment listed in the next or the last month's statement is listed (`NEAR_DAYS`). A benefit paid month after
month is judged by its rate, a one-off grant by what was told to be paid. One doubt is one finding: what the referral's
own checks find on the need already (the same code, from the agency's answers) is not said again from its statement.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from gateway.domain.calendar import china_day
from gateway.domain.lifecycle import NeedState
from gateway.domain.reconciliation.clocks import answer_clock, applied_to
from gateway.domain.reconciliation.duplicates import paid_twice_by_agency
from gateway.domain.reconciliation.findings import doubt
from gateway.domain.reconciliation.grants import grants_of, is_continuing, months_between, standing_payments, stop_day
from gateway.domain.reconciliation.mismatches import agency_amount, other_person, other_state, paid_after_stop
from gateway.domain.reconciliation.values import Check, Dossier, Finding, NeedRow, ReplyRow, Rulebook
from gateway.domain.replies import ReplyCode
from gateway.domain.statement import GRANTING, Covers, LineStatus, Statement, StatementLine, days_apart

NEAR_DAYS = 31
"""A payment told and a payment listed that are no further apart are one."""
_BY_ANSWERS: tuple[Check, ...] = (agency_amount, other_person, other_state, paid_after_stop, paid_twice_by_agency)
"""Checks of a referral's own that give a code which a statement gives too."""
_REFUSED = frozenset({NeedState.DECLINED, NeedState.NOT_ASSISTED, NeedState.CANCELLED, NeedState.WITHDRAWN})
_TOLD = frozenset({ReplyCode.APPROVED, ReplyCode.PAID, ReplyCode.SERVICE_DELIVERED, ReplyCode.ALREADY_COVERED})
_ENDED = frozenset({ReplyCode.STOPPED, ReplyCode.DECEASED, ReplyCode.CLOSED})


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """One line with the number of the statement it stands in. by_person: it names no need, only the person."""

    statement_row: int
    line: StatementLine
    by_person: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """What one need is compared with. name: what the findings of the statement and of its corrections are named after;
    lists_all: it says it is complete, every line was read, and none of its own is missing."""

    statement: Statement
    name: str
    offices: frozenset[str]
    lists_all: bool
    read_at: datetime

    @property
    def subject(self) -> str:
        """Of a finding about a need: one a statement and need."""
        return self.name


def judge_need(
    need: NeedRow,
    listed: Sequence[Listed],
    keys: frozenset[str],
    dossier: Dossier,
    compared: Compared,
    rulebook: Rulebook,
    as_of: datetime,
) -> Iterator[Finding]:
    """Everything in doubt about one need. listed: lines about it in this and the party's other statements in force;
    keys: of everybody the referral names by a number."""
    found = _Judge(need, listed, keys, dossier, compared, rulebook, as_of).findings()
    first = next(found, None)
    if first is None:
        return
    every = (one for check in _BY_ANSWERS for one in check(dossier, rulebook, as_of))
    said = {one.code for one in every if one.need_id == need.need_id}
    for one in (first, *found):
        if one.code not in said:
            yield one


class _Judge:
    """One comparison, its facts at hand."""

    def __init__(
        self,
        need: NeedRow,
        listed: Sequence[Listed],
        keys: frozenset[str],
        dossier: Dossier,
        compared: Compared,
        rulebook: Rulebook,
        as_of: datetime,
    ) -> None:
        self._need, self._dossier, self._compared, self._keys = need, dossier, compared, keys
        self._rulebook, self._as_of = rulebook, as_of
        mine = [one for one in listed if one.statement_row == compared.statement.row]
        self._lines = [one.line for one in mine]
        self._granting = [one for one in mine if one.line.status in GRANTING]
        self._elsewhere = [one.line for one in listed if one.statement_row != compared.statement.row]
        self._told = standing_payments(need, dossier.replies)
        self._said = applied_to(need, dossier.replies)

    def findings(self) -> Iterator[Finding]:
        """In the order of importance: whoever is another person is not compared any further."""
        if not self._lines:
            yield from self._absent()
            return
        if other := [line for line in self._lines if self._is_another(line)]:
            yield self._doubt("MM_PERSON", "A05", other, stake_fen=_sum(other))
            return
        after_stop = list(self._after_stop())
        yield from after_stop
        state = [] if after_stop else list(self._state())
        yield from state
        if not after_stop and not state:
            yield from self._money()

    # --- not listed ---

    def _absent(self) -> Iterator[Finding]:
        need, statement = self._need, self._compared.statement
        if not self._compared.lists_all or not statement.covers_programme(need.programme):
            return
        if need.office_id not in self._compared.offices:
            return
        missing = [one for one in self._told if self._in_period(_day(one)) and not self._listed_near(_day(one))]
        stake = sum(one.amount_fen or 0 for one in missing)
        evidence: dict[str, Any] = {"told": [one.reply_id for one in missing], "told_fen": stake}
        if not missing:
            grant = self._running_grant()
            if statement.covers is not Covers.ROSTER or grant is None:
                return
            stake, evidence = grant.amount_fen or 0, {"told": [grant.reply_id], "told_fen": grant.amount_fen}
        yield self._doubt("MISS_ABSENT_FROM_STATEMENT", "A05", (), stake_fen=stake, **evidence)

    def _running_grant(self) -> Any:
        """A benefit of month after month that was told to run through the whole period."""
        statement, need = self._compared.statement, self._need
        if not is_continuing(need.programme, self._rulebook):
            return None
        first = (statement.first_day.year, statement.first_day.month)
        last = (int(statement.period_to[:4]), int(statement.period_to[5:7]))
        for grant in grants_of(self._dossier.referral, (need,), self._dossier.replies, self._rulebook):
            if grant.first <= first and (grant.last is None or grant.last >= last):
                return grant
        return None

    def _in_period(self, day: date) -> bool:
        return self._compared.statement.first_day <= day < self._compared.statement.day_after

    def _listed_near(self, day: date) -> bool:
        return any(
            line.paid_on is not None and days_apart(date.fromisoformat(line.paid_on), day) <= NEAR_DAYS
            for line in self._elsewhere
        )

    # --- another person, another state ---

    def _is_another(self, line: StatementLine) -> bool:
        return line.person_matches is False and (line.person_key is None or line.person_key not in self._keys)

    def _after_stop(self) -> Iterator[Finding]:
        deaths = [one for one in self._dossier.replies if one.code == ReplyCode.DECEASED and one.applied]
        stops = [one for one in self._said if one.code == ReplyCode.STOPPED]
        for code, ends in (("PAID_DECEASED", deaths), ("PAID_AFTER_STOP", stops)):
            if not ends:
                continue
            end = ends[-1]
            resumed = any(one.code == ReplyCode.APPROVED and one.at > end.at for one in self._said)
            month = stop_day(end).isoformat()[:7]
            late = [one.line for one in self._granting if one.line.first_month and one.line.first_month > month]
            if late and not (code == "PAID_AFTER_STOP" and resumed):
                yield self._doubt(code, "A05", late, stake_fen=_sum(late), told=end.reply_id, ended_on=stop_day(end))
                return

    def _state(self) -> Iterator[Finding]:
        need = self._need
        theirs = [one.line for one in self._granting]
        if need.state in _REFUSED and theirs:
            yield self._status(theirs)
            return
        if not any(one.code in _TOLD for one in self._said):
            # a line that names the person alone may be of help that was there before we asked
            month = china_day(need.issued_at or need.accepted_at).isoformat()[:7]
            new = [o.line for o in self._granting if not o.by_person or (o.line.first_month or "") >= month]
            if new:
                yield self._doubt("MM_ROSTER", "law5", new, stake_fen=_sum(new), ours=need.state.value)
            return
        ended = [line for line in self._lines if line.status in (LineStatus.STOPPED, LineStatus.DECEASED)]
        if ended and not any(one.code in _ENDED for one in self._said):
            yield self._status(ended)
            return
        returned = [line for line in self._lines if line.status == LineStatus.RETURNED]
        if returned and self._told and not any(one.code == ReplyCode.PAYMENT_RETURNED for one in self._said):
            yield self._status(returned)

    def _status(self, lines: Sequence[StatementLine]) -> Finding:
        theirs = sorted({str(line.status) for line in lines})
        return self._doubt(
            "MM_STATUS", "law9", lines, stake_fen=_sum(lines), ours=self._need.state.value, theirs=theirs
        )

    # --- money ---

    def _money(self) -> Iterator[Finding]:
        paid = [one.line for one in self._granting if one.line.status == LineStatus.PAID]
        if not paid:
            return
        if is_continuing(self._need.programme, self._rulebook):
            yield from self._monthly(paid)
        else:
            yield from self._one_off(paid)

    def _monthly(self, paid: Sequence[StatementLine]) -> Iterator[Finding]:
        again = _covered_twice(paid)
        if again:
            yield self._doubt("DUP_PAYMENT", "A05", again, stake_fen=_sum(again))
            return
        rate = self._need.approved_fen or self._told_rate()
        told = {one.amount_fen for one in self._told}
        if not rate:
            return
        wrong = [(line, _off(line, rate)) for line in paid if line.amount_fen not in told and _off(line, rate)]
        if wrong:
            lines = [line for line, _ in wrong]
            stake = sum(off for _, off in wrong)
            yield self._doubt("MM_AMOUNT", "A05", lines, stake_fen=stake, approved_fen=rate)

    def _told_rate(self) -> int | None:
        """A month's amount by the newest payment told; none where it does not come out even."""
        for one in reversed(self._told):
            if one.amount_fen:
                months = months_between(one.starts_on, one.ends_on) if one.starts_on and one.ends_on else 1
                return None if one.amount_fen % months else one.amount_fen // months
        return None

    def _one_off(self, paid: Sequence[StatementLine]) -> Iterator[Finding]:
        theirs, approved = _sum(paid), self._need.approved_fen
        amounts = [one for one in self._told if one.amount_fen is not None]
        near = [one for one in amounts if any(_near(one, line) for line in paid)]
        ours = sum(one.amount_fen or 0 for one in (near or amounts))
        if not self._told:
            if approved is None or approved == theirs:
                yield self._doubt("MM_ROSTER", "law5", paid, stake_fen=theirs, ours=self._need.state.value)
            else:
                yield self._doubt("MM_AMOUNT", "A05", paid, stake_fen=abs(approved - theirs), approved_fen=approved)
        elif amounts and ours != theirs:
            code = "DUP_PAYMENT" if len(paid) > 1 and theirs > ours else "MM_AMOUNT"
            told = [one.reply_id for one in amounts]
            yield self._doubt(code, "A05", paid, stake_fen=abs(ours - theirs), told_fen=ours, told=told)
        elif amounts and not near and all(line.paid_on for line in paid):
            days = sorted({_day(one).isoformat() for one in amounts})
            yield self._doubt("MM_AMOUNT", "A05", paid, stake_fen=theirs, told_fen=ours, told_on=days)

    def _doubt(
        self, code: str, rule: str, lines: Sequence[StatementLine], *, stake_fen: int, **evidence: Any
    ) -> Finding:
        statement, need = self._compared.statement, self._need
        return doubt(
            code,
            rule,
            referral_id=need.referral_id,
            need_id=need.need_id,
            subject=self._compared.subject,
            stake_fen=stake_fen,
            must_act=need.office_id or next((one.office_id for one in lines if one.office_id), statement.party),
            clock=answer_clock(self._dossier, self._rulebook, self._compared.read_at, self._as_of),
            programme=need.programme,
            statement=statement.statement_id,
            period=[statement.period_from, statement.period_to],
            lines=[one.line for one in lines][:20] or None,
            listed_fen=_sum(lines) if lines else None,
            listed_on=sorted({one.paid_on for one in lines if one.paid_on})[:20] or None,
            **evidence,
        )


def _day(reply: ReplyRow) -> date:
    return china_day(reply.at)


def _near(reply: ReplyRow, line: StatementLine) -> bool:
    return line.paid_on is None or days_apart(date.fromisoformat(line.paid_on), _day(reply)) <= NEAR_DAYS


def _sum(lines: Sequence[StatementLine]) -> int:
    return sum(one.amount_fen or 0 for one in lines)


def _off(line: StatementLine, rate: int) -> int:
    """How far a payment is off whole months at the rate; where it names its months, off just those."""
    amount = line.amount_fen or 0
    return abs(amount - rate * line.months) if line.month_from is not None else amount % rate


def _covered_twice(paid: Sequence[StatementLine]) -> list[StatementLine]:
    """Payments for a month that another line pays already; a line that names no month says nothing about it."""
    seen: list[StatementLine] = []
    again: list[StatementLine] = []
    for line in sorted(paid, key=lambda one: one.line):
        if line.month_from is not None and any(_meet(line, one) for one in seen):
            again.append(line)
        seen.append(line)
    return again


def _meet(one: StatementLine, other: StatementLine) -> bool:
    if one.month_from is None or other.month_from is None:
        return False
    return one.month_from <= (other.last_month or "") and other.month_from <= (one.last_month or "")
