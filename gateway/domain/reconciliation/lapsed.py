"""中断 Help that broke off: a benefit that stopped and nobody continued, and a person whom the office cannot reach.

Rules: a stop is a lapse where its reason says that the need goes on (`rules/lapses.csv`: of age, moved, certificate
expired, papers missing), or where no reason is given and the beneficiary has come of age; a stop for other reasons is a
decision. Any help that is asked for or given after the stop continues it, whichever office gives it.
"""

from collections.abc import Iterator
from datetime import datetime
from functools import cache

from gateway.domain.calendar import china_day
from gateway.domain.lifecycle import OPEN_NEEDS, NeedState
from gateway.domain.reconciliation.clocks import answer_clock, applied_to, contact_clock
from gateway.domain.reconciliation.findings import doubt, handing_of
from gateway.domain.reconciliation.values import Check, Dossier, Finding, NeedRow, ReplyRow, Rulebook
from gateway.domain.replies import ReplyCode
from gateway.domain.rules import read_table

_GIVES = frozenset({ReplyCode.APPROVED, ReplyCode.PAID, ReplyCode.SERVICE_DELIVERED, ReplyCode.ALREADY_COVERED})
_OVER = frozenset({ReplyCode.DECEASED, ReplyCode.PERSON_DECLINED})
_HELPED = frozenset({NeedState.ASSISTED, NeedState.PARTIALLY_ASSISTED, NeedState.FOLLOWED_UP})
_ASKED = OPEN_NEEDS | _HELPED | {NeedState.HELD}


@cache
def lapse_reasons() -> frozenset[str]:
    """Reasons of a stop after which the need goes on."""
    return frozenset(row["reason"] for row in read_table("lapses") if row["continues"] == "yes")


def lapsed(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Iterator[Finding]:
    """R16: the benefit stopped and nobody continued it."""
    if dossier.referral.withdrawn:
        return
    for need in dossier.needs:
        if need.state not in _HELPED | OPEN_NEEDS:
            continue
        stop = _stop_of(need, dossier)
        if stop is None or _is_continued(need, stop, dossier):
            continue
        yield doubt(
            "MISS_LAPSED",
            "R16",
            referral_id=need.referral_id,
            need_id=need.need_id,
            subject=stop.reply_id,
            must_act=need.office_id or dossier.referral.court,
            clock=answer_clock(dossier, rulebook, stop.at, as_of),
            programme=need.programme,
            office=need.office_id,
            reason=stop.reason or "of_age",
            stopped_from=stop.starts_on,
        )


def unreachable(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Iterator[Finding]:
    """The office cannot reach the person and has said nothing since: it looks on; after its time the court does."""
    for need in dossier.needs:
        said = applied_to(need, dossier.replies)
        if need.state not in OPEN_NEEDS or not said or said[-1].code != ReplyCode.UNREACHABLE:
            continue
        first = _first_of_the_last(said)
        clock = contact_clock(need, dossier, rulebook, first.at, as_of)
        late = clock is not None and clock.past is True
        yield doubt(
            "MISS_UNREACHABLE",
            "R07",
            referral_id=need.referral_id,
            need_id=need.need_id,
            subject=handing_of(need),
            must_act=dossier.referral.court if late or need.office_id is None else need.office_id,
            clock=clock,
            programme=need.programme,
            office=need.office_id,
            reply=first.reply_id,
        )


LAPSED: tuple[Check, ...] = (lapsed, unreachable)


def _stop_of(need: NeedRow, dossier: Dossier) -> ReplyRow | None:
    """The stop that stands, where it is a lapse."""
    said = [reply for reply in applied_to(need, dossier.replies) if reply.code in _GIVES | _OVER | {ReplyCode.STOPPED}]
    if not said or said[-1].code != ReplyCode.STOPPED:
        return None
    stop = said[-1]
    if stop.reason is not None:
        return stop if stop.reason in lapse_reasons() else None
    facts = dossier.circumstances
    month = (stop.starts_on or china_day(stop.at)).isoformat()[:7]
    of_age = facts is not None and facts.adult_from is not None and facts.adult_from <= month
    return stop if of_age else None


def _is_continued(need: NeedRow, stop: ReplyRow, dossier: Dossier) -> bool:
    """Whether something is asked for the person, or was given to him, since the stop."""
    others = [other for other in dossier.needs if other.need_id != need.need_id]
    others += [mine for relative in dossier.others if not relative.referral.withdrawn for mine in relative.needs]
    if any(other.state in _ASKED and other.accepted_at > stop.at for other in others):
        return True
    replies = [*dossier.replies, *(reply for relative in dossier.others for reply in relative.replies)]
    return any(reply.applied and reply.code in _GIVES and reply.at > stop.at for reply in replies)


def _first_of_the_last(said: list[ReplyRow]) -> ReplyRow:
    """Where the unbroken row of the same answer began."""
    first = said[-1]
    for reply in reversed(said):
        if reply.code != ReplyCode.UNREACHABLE:
            break
        first = reply
    return first
