"""对账行 One batch of ledger lines as rows: what each refers to, the first thing wrong with it, and keys for numbers.

Rules: a need or a handoff counts only where it was given to this very party; whether the identity number is the
beneficiary's is asked of that one handoff alone, so it needs no matching; a person and an account get a key only where
the agreement authorises matching (P06). Names are read and forgotten.
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.domain.statement import GRANTING, LineStatus, Statement, StatementLine
from gateway.flows.context import Context
from gateway.matching.account import account_key
from gateway.matching.identity import echo_key, identity_key
from gateway.store import statement_refs
from gateway.store.statement_refs import HandedOver
from gateway.workbook.statement_file import LedgerLine

Problem = tuple[str, str]
"""(pointer, code)."""


@dataclass(frozen=True, slots=True)
class _About:
    """What a line refers to."""

    need_id: str | None = None
    handed: HandedOver | None = None
    programme: str | None = None


class Rows:
    """Makes the rows of one statement."""

    def __init__(self, context: Context, statement: Statement, *, matching: bool, now: datetime) -> None:
        snapshot = context.snapshot(now)
        self._context, self._statement, self._matching = context, statement, matching
        mine = [one for one in snapshot.office_of(statement.party) if one.agency == statement.agency]
        within = [one for one in mine if _within(statement, one.office_id, one.region)]
        self._offices = {one.office_id for one in mine}
        self._scope = {one.office_id for one in within}
        self._regions = {one.region: one.office_id for one in within}
        self._sole = within[0].office_id if len(within) == 1 else None
        self._codes: dict[str, tuple[str, ...]] = {}
        for programme in context.programmes.values():
            for code in programme.civil_affairs_codes if statement.agency == programme.lead_agency else ():
                self._codes[code] = (*self._codes.get(code, ()), programme.code)

    def of(self, lines: Sequence[LedgerLine]) -> list[StatementLine]:
        """One row each, in order."""
        needs = {one.fields["need_id"] for one in lines if "need_id" in one.fields}
        named = {one.fields["handoff_id"] for one in lines if "handoff_id" in one.fields}
        with self._context.store.reading() as connection:
            handed = statement_refs.handed_over(connection, needs=needs, handoffs=named, offices=self._offices)
        by_handoff: dict[str, list[HandedOver]] = {}
        for one in handed.values():
            by_handoff.setdefault(one.handoff_id, []).append(one)
        return [self._row(one, handed, by_handoff) for one in lines]

    def _row(
        self, line: LedgerLine, handed: Mapping[str, HandedOver], by_handoff: Mapping[str, Sequence[HandedOver]]
    ) -> StatementLine:
        fields = line.fields
        about, unknown = self._about(fields, handed, by_handoff)
        person = self._person(fields)
        office = self._office(fields)
        problem = line.problem or unknown or self._problem(fields, about, person, office)
        return StatementLine(
            line=line.number,
            need_id=about.need_id,
            person_key=person,
            person_matches=self._matches(fields, about.handed),
            programme=about.programme,
            status=fields.get("status"),
            amount_fen=fields.get("amount_fen"),
            paid_on=fields.get("paid_on"),
            month_from=fields.get("month_from"),
            month_until=fields.get("month_until"),
            payee=fields.get("payee"),
            account_key=self._account(fields),
            office_id=office or self._statement.office_id or self._sole,
            problem=None if problem is None else problem[1][:40],
            pointer=None if problem is None else problem[0][:40],
        )

    def _about(
        self,
        fields: Mapping[str, Any],
        handed: Mapping[str, HandedOver],
        by_handoff: Mapping[str, Sequence[HandedOver]],
    ) -> tuple[_About, Problem | None]:
        code = fields.get("programme")
        known = () if code is None else self._programmes(code)
        if "need_id" in fields:
            one = handed.get(fields["need_id"])
            if one is None:
                return _About(programme=_only(known)), ("/need_id", "reference_unknown")
            wrong = bool(known) and one.programme not in known
            problem = ("/programme", "invalid") if wrong else _unknown_code(code, known)
            return _About(need_id=one.need_id, handed=one, programme=one.programme), problem
        if "handoff_id" in fields:
            found = [one for one in by_handoff.get(fields["handoff_id"], ()) if not known or one.programme in known]
            if len(found) == 1:
                one = found[0]
                return _About(need_id=one.need_id, handed=one, programme=one.programme), _unknown_code(code, known)
            wrong_code = "code_ambiguous" if found else "reference_unknown"
            return _About(programme=_only(known)), ("/handoff_id", wrong_code)
        if code is None:
            return _About(), ("/programme", "required")
        if len(known) > 1:
            return _About(), ("/programme", "code_ambiguous")
        return _About(programme=_only(known)), _unknown_code(code, known)

    def _programmes(self, code: str) -> tuple[str, ...]:
        """The programmes a code may stand for: ours, else the agency's own."""
        return (code,) if code in self._context.programmes else self._codes.get(code, ())

    def _person(self, fields: Mapping[str, Any]) -> str | None:
        if not self._matching or "id_number" not in fields:
            return None
        kind, number = fields.get("id_type", "111"), fields["id_number"]
        return identity_key(kind, number, secret=self._context.matching_secret, regions=self._context.regions)

    def _account(self, fields: Mapping[str, Any]) -> str | None:
        if not self._matching or "account" not in fields:
            return None
        return account_key(fields["account"], secret=self._context.matching_secret)

    def _matches(self, fields: Mapping[str, Any], handed: HandedOver | None) -> bool | None:
        if handed is None or handed.echo_key is None or "id_number" not in fields:
            return None
        echoed = echo_key(handed.handoff_id, fields["id_number"], secret=self._context.matching_secret)
        return hmac.compare_digest(echoed, handed.echo_key)

    def _office(self, fields: Mapping[str, Any]) -> str | None:
        """The office a line names, by its number or its region."""
        text = fields.get("office")
        return None if text is None else text if text in self._offices else self._regions.get(text)

    def _problem(
        self, fields: Mapping[str, Any], about: _About, person: str | None, office: str | None
    ) -> Problem | None:
        """The first thing wrong with what could be read."""
        status = LineStatus(fields["status"])
        if about.need_id is None:
            if "id_number" not in fields:
                return "/need_id", "reference_missing"
            if self._matching and person is None:
                return "/id_number", "id_unusable"
        if "office" in fields and office not in self._scope:
            return "/office", "outside_statement"
        if office is None and self._statement.office_id is None and self._sole is None:
            return "/office", "required"
        if about.programme is not None and not self._statement.covers_programme(about.programme):
            return "/programme", "outside_statement"
        return self._money_problem(fields, status)

    def _money_problem(self, fields: Mapping[str, Any], status: LineStatus) -> Problem | None:
        first, last = fields.get("month_from"), fields.get("month_until")
        if last is not None and (first is None or last < first):
            return "/month_until", "months_reversed"
        if status is LineStatus.PAID and "amount_fen" not in fields:
            return "/amount_fen", "required"
        if status is LineStatus.PAID and "paid_on" not in fields and first is None:
            return "/paid_on", "required"
        paid = fields.get("paid_on")
        told, begun, over = self._statement, self._statement.period_from, self._statement.period_to
        if paid is not None and status in GRANTING and not begun <= paid[:7] <= over:
            return "/paid_on", "outside_period"
        if paid is None and first is not None and status is LineStatus.PAID and not told.period_from <= first <= over:
            return "/month_from", "outside_period"
        return None


def _within(statement: Statement, office_id: str, region: str) -> bool:
    if statement.office_id is not None:
        return office_id == statement.office_id
    return statement.region is None or region == statement.region


def _only(known: Sequence[str]) -> str | None:
    return known[0] if len(known) == 1 else None


def _unknown_code(code: str | None, known: Sequence[str]) -> Problem | None:
    return ("/programme", "unknown_code") if code is not None and not known else None
