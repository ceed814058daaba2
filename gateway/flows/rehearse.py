"""预审 What intake would say of a referral, before anything is signed or sent: the same shape, agreement and rules.

Nothing is written and nothing is promised: rules that look at other people's referrals speak only once it is sent, and
between a rehearsal and the sending the world may change.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.errors import FieldProblem, MessageError, ReferralIdTaken
from gateway.flows.context import Context
from gateway.flows.intake import agreement_for, judge
from gateway.flows.read_referral import read_referral
from gateway.store import referrals


@dataclass(frozen=True, kw_only=True, slots=True)
class Rehearsal:
    """problems: it would be refused for these; holds: rules after which a person looks first; warnings: told with the
    receipt. Pointers begin within the referral itself."""

    problems: tuple[FieldProblem, ...] = ()
    holds: tuple[str, ...] = ()
    warnings: tuple[FieldProblem, ...] = ()


def rehearse(context: Context, bodies: Iterable[Mapping[str, Any]], *, court: str, now: datetime) -> list[Rehearsal]:
    """One each, in order; an id used twice, on file or among these, is a problem of the later one."""
    found = [(body, _rehearse(context, body, court=court, now=now)) for body in bodies]
    with context.store.reading() as connection:
        taken = referrals.existing(connection, [str(body.get("referral_id", "")) for body, _ in found])
    told = []
    for body, one in found:
        referral_id = str(body.get("referral_id", ""))
        if referral_id in taken:
            one = Rehearsal(problems=(*one.problems, FieldProblem(pointer="/referral_id", code=ReferralIdTaken.code)))
        taken.add(referral_id)
        told.append(one)
    return told


def _rehearse(context: Context, body: Mapping[str, Any], *, court: str, now: datetime) -> Rehearsal:
    try:
        referral = read_referral(dict(body), court=court)
        _, profile = agreement_for(referral, context, now=now, ids={})
    except MessageError as refusal:
        return Rehearsal(problems=tuple(within(one) for one in refusal.problems))
    verdict = judge(referral, profile, context, court=court, now=now)
    return Rehearsal(problems=verdict.blocks, holds=verdict.holds, warnings=verdict.warnings)


def within(problem: FieldProblem) -> FieldProblem:
    """A problem of a message's `data`, from its beginning."""
    return FieldProblem(pointer=problem.pointer.removeprefix("/data"), code=problem.code)
