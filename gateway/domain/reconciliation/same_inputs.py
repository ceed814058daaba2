"""判定输入 What the rules of same help are asked, written down so that anybody who has the finding computes it again.

Rules: a side says ids, codes, case numbers, months and amounts, nothing else; what joins two sides (statements of one
matter, a household) stands beside them. The table's digest tells which edition of the rules was asked.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from gateway.domain.case_number import parse_case_number
from gateway.domain.coexistence import JUDICIAL, CoexistenceRule, load_fund_sources, table_digest
from gateway.domain.original_case import numbers_of, path_between
from gateway.domain.programmes import Serves
from gateway.domain.reconciliation.clocks import answer_clock
from gateway.domain.reconciliation.findings import doubt
from gateway.domain.reconciliation.grants import Grant, is_continuing
from gateway.domain.reconciliation.rows_same_help import LedgerAidRow
from gateway.domain.reconciliation.values import Dossier, Finding, ReferralRow, RelativeRow, Rulebook
from gateway.domain.same_help import Inputs
from gateway.domain.values import InvalidValue

Side = Mapping[str, Any]


def aid_of(referral: ReferralRow) -> Side:
    """A court's aid."""
    return {
        "programme": JUDICIAL,
        "referral": referral.referral_id,
        "office": referral.court,
        "case_number": referral.case_number,
        "numbers": list(numbers_of(referral.original_case_group)),
        "joint_id": referral.joint_id,
        "ground": referral.ground_code,
        "decided_on": referral.concluded_on.isoformat(),
        "amount_fen": referral.decided_amount_fen,
    }


def old_aid(line: LedgerAidRow) -> Side:
    """An aid of an old ledger."""
    return {
        "programme": line.programme,
        "ledger_line": line.line_id,
        "office": line.organ,
        "case_number": line.case_number,
        "numbers": list(line.numbers),
        "joint_id": line.joint_id,
        "ground": None,
        "decided_on": line.decided_on.isoformat(),
        "amount_fen": line.amount_fen,
        "from": f"{line.decided_on:%Y-%m}",
        "until": f"{line.decided_on:%Y-%m}",
    }


def inputs_of_grants(
    mine: Grant, other: Grant, dossier: Dossier, rulebook: Rulebook, *, same_person: bool, one_household: bool = False
) -> Inputs:
    """Two grants of agencies."""
    between = {"same_person": same_person, "one_household": one_household}
    a, b = grant_side(mine, rulebook), grant_side(other, rulebook)
    return {"on": later_day(mine, other).isoformat(), "a": a, "b": b, "links": _links(dossier, a, b), **between}


def grant_side(grant: Grant, rulebook: Rulebook) -> Side:
    """One grant."""
    programme = rulebook.programmes.get(grant.programme)
    return {
        "programme": grant.programme,
        "referral": grant.referral.referral_id,
        "need": grant.need.need_id,
        "reply": grant.reply_id,
        "office": grant.office,
        "from": "{:04d}-{:02d}".format(*grant.first),
        "until": None if grant.last is None else "{:04d}-{:02d}".format(*grant.last),
        "amount_fen": grant.amount_fen,
        "continuing": is_continuing(grant.programme, rulebook),
        "told": grant.told_only,
        "household_programme": programme is not None and programme.serves is Serves.HOUSEHOLD,
        "fund": load_fund_sources().get(grant.programme),
        "numbers": list(numbers_of(grant.referral.original_case_group)),
    }


def basis(rule: CoexistenceRule, inputs: Inputs, rulebook: Rulebook) -> dict[str, Any]:
    """What makes a finding computable again: the row, the table it stands in, and the inputs."""
    return {
        "coexistence": rule.rule_id,
        "rule_version": rule.version,
        "rule_row": rule.as_row(),
        "rule_table": table_digest(rulebook.coexistence),
        "inputs": inputs,
    }


def grants_doubt(
    code: str,
    rule_id: str,
    rule: CoexistenceRule | None,
    inputs: Inputs,
    mine: Grant,
    other: Grant,
    dossier: Dossier,
    rulebook: Rulebook,
    as_of: datetime,
) -> Finding:
    """Two grants that may not stand together."""
    replies = (*dossier.replies, *(reply for row in (*dossier.others, *dossier.kin) for reply in row.replies))
    arose = max(reply.at for reply in replies if reply.reply_id in (mine.reply_id, other.reply_id))
    return doubt(
        code,
        rule_id,
        referral_id=mine.referral.referral_id,
        need_id=mine.need.need_id,
        subject=f"{other.need.need_id}:{mine.programme}+{other.programme}",
        stake_fen=min(mine.amount_fen or 0, other.amount_fen or 0),
        must_act=mine.office,
        clock=answer_clock(dossier, rulebook, arose, as_of),
        programmes=[mine.programme, other.programme],
        offices=[mine.office, other.office],
        replies=[mine.reply_id, other.reply_id],
        other_referral=other.referral.referral_id,
        other_need=other.need.need_id,
        from_month="{:04d}-{:02d}".format(*max(mine.first, other.first)),
        **({} if rule is None else basis(rule, inputs, rulebook)),
    )


def relatives_of(dossier: Dossier) -> tuple[RelativeRow, ...]:
    """The same person's other referrals; none where nobody may be compared (P06)."""
    key = dossier.referral.person_key
    if key is None:
        return ()
    return tuple(row for row in dossier.others if row.referral.person_key == key and not row.referral.withdrawn)


def case_number_text(text: str) -> str:
    """An assistance case's number in its one spelling; what is none stays as it is."""
    try:
        return parse_case_number(text.strip()).text
    except InvalidValue:
        return text.strip()


def is_this_aid(old: LedgerAidRow, mine: ReferralRow) -> bool:
    """A court's ledger may list what it also referred."""
    return case_number_text(old.case_number) == case_number_text(mine.case_number)


def joined_inputs(dossier: Dossier, a: Side, b: Side, *, same_person: bool, related: bool | None = None) -> Inputs:
    """Two aids of courts, or of a court and an old ledger."""
    tied = {} if related is None else {"related": related}
    on = dossier.referral.concluded_on.isoformat()
    return {"on": on, "a": a, "b": b, "links": _links(dossier, a, b), "same_person": same_person, **tied}


def _links(dossier: Dossier, a: Side, b: Side) -> list[list[str]]:
    """The fewest statements by which both are one matter."""
    return [list(one) for one in path_between(a["numbers"], b["numbers"], dossier.same_help.statements)]


def later_day(mine: Grant, other: Grant) -> date:
    """The first day of the month from which both stand."""
    year, month = max(mine.first, other.first)
    return date(year, month, 1)
