"""转办签发 One handoff from a referral: put together, masked, translated, and the message that carries it; put together
anew from an amended referral, it is the same handoff with what the amendment changed.

Rules: the agency's adapter sees only what the agreement's mask and the floor leave (DOMAIN §4); what was withheld is
not noted on the wire, since the note would tell that there was something; the beneficiary's number is kept as a key
that holds for this handoff alone. `reply_by` is left out where no limit is set or the calendar is not published.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.domain.agreement import AgreementProfile, Office
from gateway.domain.deadlines import due, find_limit
from gateway.domain.handoff import Draft, Handoff, HandoffNeed
from gateway.domain.lifecycle import HandoffState
from gateway.domain.masking import mask
from gateway.domain.referral import Referral
from gateway.domain.rerouting import asked_number
from gateway.domain.routing import Routed, priority
from gateway.envelope.message import Envelope, new_id
from gateway.envelope.signing import MESSAGE_TYP, sign
from gateway.errors import CalendarUnpublished
from gateway.flows.context import Context
from gateway.matching.identity import echo_key
from gateway.store.clock import to_ms
from gateway.store.handoffs import SentRow
from gateway.store.outbox import Outbound

ISSUED_TYPE, AMENDED_TYPE = "handoff.issued", "handoff.amended"
PURPOSE = "social_assistance"


@dataclass(frozen=True, kw_only=True, slots=True)
class Issue:
    """A handoff ready to be signed. echo: the beneficiary's number, keyed for this handoff alone."""

    handoff: Handoff
    office: Office
    step: int
    draft: Draft
    priority: int
    echo: str | None


def prepare(
    referral: Referral,
    profile: AgreementProfile,
    office: Office,
    step: int,
    group: Mapping[str, Routed],
    context: Context,
    *,
    now: datetime,
) -> Issue:
    """The handoff of these needs for this office, translated."""
    needs = [(need_id, routed.programme) for need_id, routed in group.items()]
    whole = _handoff(referral, profile, office, needs, context, handoff_id=new_id(now), issued_at=now)
    number = referral.person.id_number
    return Issue(
        handoff=whole,
        office=office,
        step=step,
        draft=_translated(whole, profile, context),
        priority=priority(referral.is_minor, referral.urgency),
        echo=echo_key(whole.handoff_id, number, secret=context.matching_secret) if number else None,
    )


def reissue(referral: Referral, profile: AgreementProfile, office: Office, sent: SentRow, context: Context) -> Issue:
    """The handoff that was sent, as it reads from this version of its referral; nothing but the referral's own words
    can differ."""
    whole = _handoff(
        referral, profile, office, sent.needs, context, handoff_id=sent.handoff_id, issued_at=sent.issued_at
    )
    return Issue(
        handoff=whole,
        office=office,
        step=sent.step,
        draft=_translated(whole, profile, context),
        priority=priority(referral.is_minor, referral.urgency),
        echo=sent.echo_key,
    )


def _translated(whole: Handoff, profile: AgreementProfile, context: Context) -> Draft:
    visible, _ = mask(whole, profile.masks.get(whole.agency, frozenset()), floor=context.mask_floor)
    return context.adapters[whole.agency].translate(visible)


def _handoff(
    referral: Referral,
    profile: AgreementProfile,
    office: Office,
    needs: Iterable[tuple[str, str]],
    context: Context,
    *,
    handoff_id: str,
    issued_at: datetime,
) -> Handoff:
    asked = tuple(
        HandoffNeed(need_id=need_id, programme=programme, note=_note(referral, need_id)) for need_id, programme in needs
    )
    return Handoff(
        handoff_id=handoff_id,
        referral_id=referral.referral_id,
        agreement_document=referral.agreement_document,
        agency=office.agency,
        office_id=office.office_id,
        office_region=office.region,
        court=referral.court,
        needs=asked,
        person=referral.person,
        issued_at=issued_at,
        is_minor=referral.is_minor,
        urgency=referral.urgency,
        legal_basis=referral.legal_basis,
        reply_by=_reply_by(asked, office.agency, referral, profile, context, issued_at),
        case_number=referral.case_number,
        case_type=referral.case_type,
        decision=referral.decision,
        decided_amount_fen=referral.decided_amount_fen,
        paid_at=referral.paid_at,
        ground_code=referral.ground_code,
        survey=referral.survey,
        verification_authorization=referral.verification_authorization,
        no_public_notice=referral.no_public_notice or referral.is_minor,
        custody=referral.custody,
        contact=referral.contact,
        attachments=referral.attachments,
    )


def _note(referral: Referral, need_id: str) -> str | None:
    return referral.needs[int(asked_number(need_id, referral.referral_id)) - 1].note


def _reply_by(
    needs: Sequence[HandoffNeed],
    agency: str,
    referral: Referral,
    profile: AgreementProfile,
    context: Context,
    now: datetime,
) -> datetime | None:
    """The earliest disposition deadline of the needs; None when no limit is set or the calendar is not published."""
    moments = []
    for need in needs:
        limit = find_limit(
            profile.limits, agency=agency, programme=need.programme, from_step=ISSUED_TYPE, to_step="disposition"
        )
        if limit is None:
            continue
        try:
            moments.append(due(limit, now, minor=referral.is_minor, calendar=context.calendar))
        except CalendarUnpublished:
            return None
    return min(moments, default=None)


def message_of(issue: Issue, context: Context) -> Outbound:
    """The message that carries it; numbered and signed when it is queued."""
    handoff = issue.handoff
    effect = effect_of(handoff.needs[0].need_id, len(handoff.needs), issue.office.office_id, issue.step)
    return _outbound(issue, context, type_=ISSUED_TYPE, effect_key=effect, at=handoff.issued_at)


def amendment_of(issue: Issue, sent: SentRow, version: int, context: Context, *, now: datetime) -> Outbound:
    """The message that carries it once more, as a version of its referral has it; it names the one it amends."""
    return _outbound(
        issue,
        context,
        type_=AMENDED_TYPE,
        effect_key=amended_effect(sent.handoff_id, version),
        at=now,
        amends=sent,
    )


def _outbound(
    issue: Issue, context: Context, *, type_: str, effect_key: str, at: datetime, amends: SentRow | None = None
) -> Outbound:
    handoff, office, draft = issue.handoff, issue.office, issue.draft
    message_id = new_id(at)

    def write(seq: int) -> str:
        envelope = Envelope(
            id=message_id,
            source=context.party_id,
            type=type_,
            time=at,
            recipient=office.party_id,
            subject=handoff.referral_id,
            conversation_id=handoff.referral_id,
            in_reply_to=None if amends is None else amends.message_id,
            in_reply_to_digest=None if amends is None else amends.digest,
            seq=seq,
            reply_by=handoff.reply_by,
            purpose=PURPOSE,
            legal_basis=f"{handoff.legal_basis} {handoff.agreement_document}",
            mapping={
                "adapter": office.agency,
                "version": context.adapters[office.agency].version,
                "loss": [{"pointer": loss.pointer, "reason": loss.reason} for loss in draft.losses],
            },
            datacontenttype=draft.content_type,
            data=draft.body,
        )
        return sign(envelope.to_payload(), context.key, MESSAGE_TYP)

    return Outbound(
        message_id=message_id,
        effect_key=effect_key,
        recipient=office.party_id,
        office=office,
        type=type_,
        referral_id=handoff.referral_id,
        handoff_id=handoff.handoff_id,
        priority=issue.priority,
        write=write,
    )


def effect_of(first_need: str, count: int, office_id: str, step: int) -> str:
    """What a handoff stands for, for ever: these needs, at this office, at this step."""
    return f"handoff:{first_need}+{count}:{office_id}:{step}"


def amended_effect(handoff_id: str, version: int) -> str:
    """What an amendment stands for, for ever: this handoff, as this version of its referral has it."""
    return f"amended:{handoff_id}:{version}"


def row_of(issue: Issue, message_id: str) -> dict[str, Any]:
    """What the gateway remembers of it."""
    handoff = issue.handoff
    return {
        "handoff_id": handoff.handoff_id,
        "message_id": message_id,
        "referral_id": handoff.referral_id,
        "office_id": handoff.office_id,
        "agency": handoff.agency,
        "step": issue.step,
        "state": HandoffState.ISSUED.value,
        "issued_at": to_ms(handoff.issued_at),
        "need_ids": json.dumps([[need.need_id, need.programme] for need in handoff.needs]),
        "echo_key": issue.echo,
    }
