"""改派 What one office declined goes on at another: by itself where the answer lawfully says where, else by a person.

1. a declined need whose answer names an organ of the programme's route, or the region the person belongs to, is sent on
   once: the need ends as `rerouted` and opens another, which dispatch hands to that very office;
2. everything else stays a finding (推诿) until a person says where it goes, and why.

The books count a rerouted need in the one it opened. Each such need rests on the answer or on the decision.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from gateway.domain.agreement import AgreementProfile, Office
from gateway.domain.lifecycle import NEED, NeedState
from gateway.domain.reconciliation.values import Dossier, NeedRow, Rulebook
from gateway.domain.rerouting import is_sent_on, last_bounce, next_need_id, suggestion
from gateway.domain.routing import OfficeIndex, steps_of
from gateway.errors import ConfigError, IllegalMove, ReferralUnknown
from gateway.flows.context import Context
from gateway.flows.needs import NeedInHand
from gateway.flows.operate import require_reason
from gateway.store import decisions, dossiers, referrals, reroutes
from gateway.store.clock import to_ms

logger = logging.getLogger(__name__)

REROUTED = "rerouted"
_BY_HAND = frozenset({NeedState.DECLINED, NeedState.NOT_ASSISTED})
"""What a person may send on: an office has said that it is not to help."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reroute:
    """One need that goes on. reply_id: the answer it rests on; None: a person's decision."""

    need_id: str
    referral_id: str
    office_id: str
    step: int
    reply_id: str | None = None
    decision_id: str | None = None


def reroute_bounced(context: Context, pairs: Sequence[tuple[Dossier, Rulebook]], *, now: datetime) -> int:
    """Sends on what can be sent on by itself in these dossiers; returns how many needs."""
    wanted = [one for dossier, _ in pairs for one in _by_itself(context, dossier, now)]
    if not wanted:
        return 0
    count = context.store.write(lambda connection: send_on(connection, wanted, now=now))
    logger.info("needs rerouted", extra={"rerouted": count})
    return count


def reroute(
    context: Context,
    need_id: str,
    *,
    who: str,
    why: str,
    now: datetime,
    office_id: str | None = None,
    agency: str | None = None,
) -> str:
    """A person says where a declined need goes: to an office, or to the nearest of an agency. Returns the id of the
    need it opened. Raises ReferralUnknown, IllegalMove, ConfigError."""
    require_reason(who, why)
    referral_id = need_id.rpartition(":")[0]
    with context.store.reading() as connection:
        found = dossiers.read(connection, [referral_id], with_others=False)
        rows = dossiers.agreement_rows(connection, [referral_id])
    need = next((need for one in found for need in one.needs if need.need_id == need_id), None)
    if need is None:
        raise ReferralUnknown(ids={"need_id": need_id})
    profile = context.snapshot(now).agreements[rows[referral_id]]
    office = _office_for(context, need, profile, office_id, agency, now)
    programme = context.programmes[need.programme]
    steps = steps_of(programme)
    step = steps.index(office.agency) if office.agency in steps else len(steps) - 1
    opened = next_need_id(need_id, referral_id)
    if need.state not in _BY_HAND or opened is None:
        raise IllegalMove(f"{need.state} -> rerouted", ids={"need_id": need_id})

    def write(connection: Connection) -> None:
        decision = decisions.put(connection, who=who, what=REROUTED, subject=need_id, why=why, now=now)
        one = Reroute(
            need_id=need_id, referral_id=referral_id, office_id=office.office_id, step=step, decision_id=decision
        )
        if send_on(connection, [one], now=now) == 0:
            raise IllegalMove("the need has moved on meanwhile", ids={"need_id": need_id})

    context.store.write(write)
    return opened


def _office_for(
    context: Context,
    need: NeedRow,
    profile: AgreementProfile,
    office_id: str | None,
    agency: str | None,
    now: datetime,
) -> Office:
    offices = context.snapshot(now).offices
    office = offices.get(office_id or "")
    if office_id is None and agency is not None:
        here = offices.get(need.office_id or "")
        near = None if here is None else _nearest(context, agency, here.region, profile, now)
        office = near
    if office is None or office.agency not in context.adapters or not profile.names(office.party_id):
        raise ConfigError(f"no such office under this agreement: {office_id or agency or 'name one'}")
    if office.office_id == need.office_id:
        raise ConfigError(f"{office.office_id} has declined it already")
    return office


def _nearest(context: Context, agency: str, region: str, profile: AgreementProfile, now: datetime) -> Office | None:
    index = OfficeIndex(context.snapshot(now).offices.values())
    found = index.nearest(agency, region, context.regions, named=profile.names)
    return None if found is None else found.office


def _by_itself(context: Context, dossier: Dossier, now: datetime) -> Iterator[Reroute]:
    referral = dossier.referral
    declined = [need for need in dossier.needs if need.state is NeedState.DECLINED]
    if referral.withdrawn or not declined:
        return
    snapshot = context.snapshot(now)
    latest = snapshot.agreement_for(referral.document)
    for need in declined:
        reply, here = last_bounce(need, dossier), snapshot.offices.get(need.office_id or "")
        programme = context.programmes.get(need.programme)
        if reply is None or here is None or programme is None or latest is None:
            continue
        said = suggestion(need, reply, programme)
        if said is None or is_sent_on(need.need_id, referral.referral_id) or said.agency not in context.adapters:
            continue
        office = _nearest(context, said.agency, said.region or here.region, latest[1], now)
        if office is not None and office.office_id != here.office_id:
            yield Reroute(
                need_id=need.need_id,
                referral_id=referral.referral_id,
                office_id=office.office_id,
                step=said.step,
                reply_id=said.reply_id,
            )


def send_on(connection: Connection, wanted: Sequence[Reroute], *, now: datetime) -> int:
    """In one commit: the needs end, those they open wait for dispatch; how many. What has moved on is left alone."""
    by_referral = referrals.needs_of(connection, {one.referral_id for one in wanted}, lock=True)
    rows = {row["need_id"]: row for found in by_referral.values() for row in found}
    ended: list[NeedInHand] = []
    opened: list[dict[str, Any]] = []
    notes: list[dict[str, Any]] = []
    for one in wanted:
        need = NeedInHand(row=dict(rows[one.need_id]))
        fresh = next_need_id(one.need_id, one.referral_id)
        if need.state not in _BY_HAND or fresh is None or not NEED.may(need.state, NeedState.REROUTED):
            continue
        need.move(NeedState.REROUTED, at=now, now=now, cause=one.reply_id or one.decision_id or REROUTED)
        ended.append(need)
        opened.append(_fresh_need(need.row, fresh, one, now))
        notes.append(_note(one, fresh, now))
    reroutes.put(connection, opened, notes)
    referrals.save_needs(connection, [need.row for need in ended], [move for need in ended for move in need.moves])
    referrals.touch(connection, {one.row["referral_id"] for one in ended}, now=now)
    return len(ended)


def _fresh_need(before: Mapping[str, Any], need_id: str, one: Reroute, now: datetime) -> dict[str, Any]:
    return {
        "need_id": need_id,
        "referral_id": one.referral_id,
        "court": before["court"],
        "programme": before["programme"],
        "state": NeedState.ACCEPTED.value,
        "state_at": to_ms(now),
        "priority": before["priority"],
        "accepted_at": to_ms(now),
        "step": one.step,
        "held_for": None,
        "dispatch_at": to_ms(now),
    }


def _note(one: Reroute, need_id: str, now: datetime) -> dict[str, Any]:
    return {
        "need_id": need_id,
        "from_need": one.need_id,
        "referral_id": one.referral_id,
        "office_id": one.office_id,
        "step": one.step,
        "at": to_ms(now),
        "reply_id": one.reply_id,
        "decision_id": one.decision_id,
    }
