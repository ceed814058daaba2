"""对账单中的人 One person, or one account, over the statements of several agencies and regions.

Rules: two offices that list one person under programmes that may not stand together in a common month are a doubt about
both; it is raised once, on the statement that came later. Two lines of one office are one benefit. An account is
shared where money of persons whom no referral knows as one household goes to it as to the beneficiary's own.
What the referrals' own checks say of the same person and programmes is not said again.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.domain.coexistence import CoexistenceVerdict, verdict
from gateway.domain.reconciliation.findings import doubt
from gateway.domain.reconciliation.grants import Grant, is_continuing
from gateway.domain.reconciliation.values import Finding, Rulebook
from gateway.domain.statement import GRANTING, LineStatus, Statement, StatementLine

_SHOWN = 16
"""Digits of a key by which a person or an account is told from others in a finding."""
_OWN = frozenset({None, "BENEFICIARY"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One line with its statement; order: of the first statement it corrects, so that a correction keeps its place."""

    statement: Statement
    order: int
    line: StatementLine

    @property
    def first(self) -> str:
        """The first month."""
        return self.line.first_month or self.statement.period_from

    @property
    def last(self) -> str:
        """The last month."""
        return self.line.last_month or self.statement.period_to

    @property
    def office(self) -> str:
        """Whose line it is."""
        return self.line.office_id or self.statement.party


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """What the gateway has of the person: the newest referral, and the need a line names."""

    referral_id: str | None = None
    need_id: str | None = None


def judge_person(
    key: str,
    entries: Sequence[Entry],
    grants: Sequence[Grant],
    *,
    about: Statement,
    name: str,
    case: Case,
    said: frozenset[tuple[str, frozenset[str]]],
    rulebook: Rulebook,
) -> Iterator[Finding]:
    """Every doubt about one person that this statement takes part in. entries: the person's lines in all statements in
    force; grants: what other offices told; said: (code, programmes) the referrals' own checks say."""
    mine = [one for one in entries if one.statement.row == about.row and one.line.status in GRANTING]
    others = [one for one in entries if one.line.status in GRANTING]
    found: dict[str, Finding] = {}

    def raise_(code: str, rule: str, one: Entry, other_office: str, programmes: tuple[str, str], **more: Any) -> None:
        if (code, frozenset(programmes)) in said:
            return
        pair = "+".join(sorted(programmes))
        made = doubt(
            code,
            rule,
            referral_id=case.referral_id,
            need_id=case.need_id,
            subject=f"{name}|{key[:_SHOWN]}:{pair}"[:200],
            stake_fen=one.line.amount_fen or 0,
            must_act=one.office,
            statement=one.statement.statement_id,
            line=one.line.line,
            programme=programmes[0] if programmes[0] == programmes[1] else None,
            programmes=list(programmes),
            offices=[one.office, other_office],
            **more,
        )
        found.setdefault(made.key, made)

    for one in mine:
        for other in others:
            if other is not one and (other.order, other.line.line) < (one.order, one.line.line):
                _pair(one, other, rulebook, raise_)
        for grant in grants:
            _grant(one, grant, rulebook, raise_)
        for other in entries:
            if other.line.status == LineStatus.DECEASED and one.line.need_id is None:
                died = other.line.paid_on or other.line.month_from
                if died is not None and one.first > died[:7]:
                    more = {"other_statement": other.statement.statement_id, "died": died[:7]}
                    programme = one.line.programme or ""
                    raise_("PAID_DECEASED", "A05", one, other.office, (programme, programme), **more)
    yield from found.values()


_Raise = Callable[..., None]


def _pair(one: Entry, other: Entry, rulebook: Rulebook, raise_: _Raise) -> None:
    a, b = one.line.programme, other.line.programme
    if a is None or b is None:
        return
    more = {"other_statement": other.statement.statement_id, "other_line": other.line.line}
    meet = one.first <= other.last and other.first <= one.last
    if a == b and one.office == other.office:
        unnamed = one.line.need_id is None and one.line.month_from is not None and other.line.month_from is not None
        both_paid = one.line.status == other.line.status == LineStatus.PAID
        if meet and unnamed and both_paid and one.statement.row == other.statement.row:
            raise_("DUP_PAYMENT", "A05", one, other.office, (a, b), from_month=max(one.first, other.first), **more)
        return
    code = _code(a, b, meet, rulebook)
    if code is not None:
        finding, rule, coexistence = code
        month = max(one.first, other.first)
        raise_(finding, rule, one, other.office, (a, b), from_month=month, coexistence=coexistence, **more)


def _grant(one: Entry, grant: Grant, rulebook: Rulebook, raise_: _Raise) -> None:
    a = one.line.programme
    if a is None or grant.office == one.office or grant.told_only:
        return
    first, last = "{:04d}-{:02d}".format(*grant.first), "9999-12"
    if grant.last is not None:
        last = "{:04d}-{:02d}".format(*grant.last)
    code = _code(a, grant.programme, one.first <= last and first <= one.last, rulebook)
    if code is not None:
        finding, rule, coexistence = code
        more = {"coexistence": coexistence, "other_need": grant.need.need_id, "reply": grant.reply_id}
        raise_(finding, rule, one, grant.office, (a, grant.programme), from_month=max(one.first, first), **more)


def _code(a: str, b: str, meet: bool, rulebook: Rulebook) -> tuple[str, str, str | None] | None:
    """(finding, rule, row of the coexistence table) for two programmes of one person."""
    rule = verdict(a, b, rules=rulebook.coexistence)
    programme = rulebook.programmes.get(a)
    row = None if rule is None else rule.rule_id
    once = rule is not None and rule.verdict is CoexistenceVerdict.EXCLUDE_FOR_LIFE
    if a == b and (once or (programme is not None and programme.one_time)):
        return "DUP_ONE_TIME_REPEATED", "D07", row
    if rule is None or rule.verdict is not CoexistenceVerdict.EXCLUDE or not meet:
        return None
    if a != b:
        return "DUP_EXCLUSIVE_PROGRAMMES", "D08", row
    return ("DUP_SAME_PROGRAMME_PERIOD", "D08", row) if is_continuing(a, rulebook) else None


def conflicting(rulebook: Rulebook) -> list[tuple[str, str]]:
    """Every ordered pair of programmes that two offices may not both grant to one person."""
    codes = sorted(rulebook.programmes)
    return [(a, b) for a in codes for b in codes if _code(a, b, True, rulebook) is not None]


def judge_account(
    account: str,
    entries: Sequence[Entry],
    households: Mapping[str, frozenset[str]],
    *,
    about: Statement,
    name: str,
    cases: Mapping[str, Case],
) -> Iterator[Finding]:
    """One account for unrelated people. households: person → the referrals that know of him, in whatever part."""
    own = [one for one in entries if one.line.payee in _OWN and one.line.status == LineStatus.PAID]
    mine = [one for one in own if one.statement.row == about.row]
    persons = {one.line.person_key for one in own if one.line.person_key is not None}
    if not mine or len(persons) < 2 or any(one.order > mine[0].order for one in own):
        return
    known = [households.get(person, frozenset()) for person in persons]
    if frozenset.intersection(*known):
        return
    last = max(mine, key=lambda one: one.line.line)
    case = next((cases[key] for one in mine if (key := one.line.person_key or "") in cases), Case())
    yield doubt(
        "SHARED_ACCOUNT",
        "A05",
        referral_id=case.referral_id,
        need_id=None,
        subject=f"{name}|{account[:_SHOWN]}"[:200],
        stake_fen=sum(one.line.amount_fen or 0 for one in mine),
        must_act=last.office,
        statement=about.statement_id,
        persons=len(persons),
        lines=sorted(one.line.line for one in mine)[:20],
        offices=sorted({one.office for one in own}),
    )
