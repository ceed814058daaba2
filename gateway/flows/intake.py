"""移送接收 A court's referral becomes rows: prepared outside the database, recorded with everyone else's in one commit.

1. prepare: the body is read, the agreement found, the rules of DOMAIN §6 asked (B refuses here), identity keys made
   where the agreement authorises matching;
2. record: referral ids taken before are refused; whoever may be known is compared (`flows.match`); rules that need
   other referrals or old ledgers are asked (D01 holds, D09 warns); all rows and the signed receipt go together.

A held referral is accepted: nobody is refused help by a rule, a person looks first (Law 6).
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from gateway.domain.agreement import AgreementProfile
from gateway.domain.calendar import china_day
from gateway.domain.case_number import parse_case_number
from gateway.domain.identifiers import IdType, is_synthetic
from gateway.domain.intake_rules import ALREADY_ASSISTED, IntakeVerdict, assess, cap_fen
from gateway.domain.lifecycle import NeedState
from gateway.domain.reconciliation.rows_exchange import CitedInquiryRow
from gateway.domain.referral import Referral
from gateway.domain.routing import priority, programme_of
from gateway.domain.values import InvalidValue
from gateway.envelope.signing import VerifiedMessage
from gateway.errors import AgreementUnknown, FieldProblem, ReferralIdTaken, RuleBlocked
from gateway.flows import household, match, same_aid
from gateway.flows.context import Context
from gateway.flows.match import Asked, Compared, Likeness
from gateway.flows.message_kind import COURTS, MessageKind, Noted, Told
from gateway.flows.read_referral import read_referral
from gateway.matching.identity import identity_key
from gateway.matching.normalise import holder_of
from gateway.store import exchanges, households, referrals, reservations, same_help
from gateway.store import tables as t
from gateway.store.clock import to_ms
from gateway.store.referrals import Relative

BENEFICIARY = "beneficiary"


@dataclass(frozen=True, kw_only=True, slots=True)
class Submission:
    """A referral that may be recorded."""

    context: Context
    message: VerifiedMessage
    referral: Referral
    verdict: IntakeVerdict
    agreement_row: int
    profile: AgreementProfile
    keys: tuple[tuple[str, str], ...]
    """(role, identity key) of beneficiary, guardian and household members."""
    own_key: str | None
    """The key of the beneficiary's own number."""
    likeness: Likeness | None
    """None where the agreement does not authorise matching."""
    now: datetime
    compared: Compared | None = None
    """What came of the comparison, once it was made."""

    @property
    def subject(self) -> str:
        """The referral."""
        return self.referral.referral_id

    @property
    def person_key(self) -> str | None:
        """The person's key: of the one who was there first, where it is the same."""
        return self.own_key if self.compared is None else self.compared.person_key


def prepare(message: VerifiedMessage, context: Context, *, now: datetime) -> Submission:
    """Everything that needs no database. Raises SchemaInvalid, AgreementUnknown, RuleBlocked."""
    referral = read_referral(message.envelope.data, court=message.party_id)
    ids = {"message_id": message.envelope.id, "referral_id": referral.referral_id}
    row, profile = agreement_for(referral, context, now=now, ids=ids)
    verdict = judge(referral, profile, context, court=message.party_id, now=now)
    if verdict.blocks:
        raise RuleBlocked(problems=_under_data(verdict.blocks), ids=ids)
    return Submission(
        context=context,
        message=message,
        referral=referral,
        verdict=verdict,
        agreement_row=row,
        profile=profile,
        keys=keys_of(referral, context) if profile.matching_authorised else (),
        own_key=own_key_of(referral, context) if profile.matching_authorised else None,
        likeness=match.likeness_of(referral, context) if profile.matching_authorised else None,
        now=now,
    )


def judge(
    referral: Referral, profile: AgreementProfile, context: Context, *, court: str, now: datetime
) -> IntakeVerdict:
    """What the rules say of a referral of this court today."""
    return assess(
        referral,
        profile=profile,
        regions=context.regions,
        programmes=context.programmes,
        today=china_day(now),
        court_region=context.snapshot(now).parties[court].region,
    )


def agreement_for(
    referral: Referral, context: Context, *, now: datetime, ids: Mapping[str, Any]
) -> tuple[int, AgreementProfile]:
    """Row and profile of the agreement the referral names, valid today and naming the court; else AgreementUnknown."""
    found = context.snapshot(now).agreement_for(referral.agreement_document)
    pointer = FieldProblem(pointer="/data/agreement_document", code="unknown_code")
    if found is None:
        raise AgreementUnknown("not loaded", problems=[pointer], ids=ids)
    if not found[1].is_valid_on(china_day(now)) or not found[1].names(referral.court):
        raise AgreementUnknown("not valid for this party today", problems=[pointer], ids=ids)
    return found


def record(connection: Connection, items: Sequence[Submission]) -> list[Noted | Exception]:
    """One outcome each; rows are written for those that are Noted."""
    taken = referrals.existing(connection, [item.referral.referral_id for item in items])
    outcomes: list[Noted | Exception] = []
    fresh: list[Submission] = []
    for item in items:
        if item.referral.referral_id in taken:
            outcomes.append(ReferralIdTaken(ids={"message_id": item.message.envelope.id}))
            continue
        taken.add(item.referral.referral_id)
        outcomes.append(Noted())
        fresh.append(item)
    if not fresh:
        return outcomes
    fresh = _compare(connection, fresh)
    notes = _note(connection, fresh)
    _write(connection, fresh, notes)
    found = iter(notes)
    return [next(found) if isinstance(outcome, Noted) else outcome for outcome in outcomes]


def _compare(connection: Connection, items: Sequence[Submission]) -> list[Submission]:
    """Each with what came of its comparison, where it may be compared."""
    asked = [_asked(item, item.likeness) for item in items if item.likeness is not None]
    done = iter(match.check(connection, asked) if asked else ())
    return [item if item.likeness is None else replace(item, compared=next(done)) for item in items]


def _asked(item: Submission, likeness: Likeness) -> Asked:
    return Asked(referral_id=item.referral.referral_id, person_key=item.own_key, likeness=likeness, now=item.now)


def _note(connection: Connection, items: Sequence[Submission]) -> list[Noted]:
    """Rules that look at other referrals of the same person: stored ones and earlier ones of this very group."""
    keys = {item.person_key for item in items if item.person_key}
    relatives = referrals.relatives(connection, keys)
    cited = exchanges.cited(connection, {item.referral.inquiry_ref for item in items})
    reserved = reservations.reserved_programmes(connection, keys, now=items[0].now)
    aided = same_aid.look(connection, [(item.referral, item.person_key, item.own_key) for item in items], relatives)
    notes = []
    for item in items:
        key = item.person_key
        holds, warnings = list(item.verdict.holds), list(_under_data(item.verdict.warnings))
        warnings += _of_the_inquiry(item.referral, cited, {item.person_key, item.own_key})
        if item.compared is not None:
            holds += [match.HOLD] if item.compared.is_held else []
            warnings += item.compared.warnings
        if key is not None:
            others = relatives.setdefault(key, [])
            if aided.was_given(item.referral, (key, item.own_key), others):
                holds.append("D01")
            wanted = _programmes(item)
            warnings += [
                FieldProblem(pointer=f"/data/needs/{at}", code="open_elsewhere")
                for at, programme in enumerate(wanted)
                if any(programme in other.open_programmes for other in others)
            ]
            warnings += [
                FieldProblem(pointer=f"/data/needs/{at}", code="reserved_elsewhere")
                for at, programme in enumerate(wanted)
                if programme in reserved.get(key, ())
            ]
            others.append(_as_relative(item, wanted))
        notes.append(Noted(warnings=tuple(warnings), holds=tuple(dict.fromkeys(holds))))
    return notes


def _of_the_inquiry(
    referral: Referral, cited: Mapping[str | None, CitedInquiryRow], keys: Set[str | None]
) -> Iterator[FieldProblem]:
    """X6 rests on an inquiry of the same court in which somebody answered that the person is or was helped."""
    if referral.refusal_code != ALREADY_ASSISTED or referral.inquiry_ref is None:
        return
    found = cited.get(referral.inquiry_ref)
    if found is None or found.court != referral.court:
        yield FieldProblem(pointer="/data/inquiry_ref", code="inquiry_not_on_file")
    elif found.person_key is not None and keys != {None} and found.person_key not in keys:
        yield FieldProblem(pointer="/data/inquiry_ref", code="inquiry_other_person")
    elif not found.supports:
        yield FieldProblem(pointer="/data/inquiry_ref", code="inquiry_not_supporting")


def _as_relative(item: Submission, wanted: Sequence[str]) -> Relative:
    return Relative(
        referral_id=item.referral.referral_id,
        decision=item.referral.decision.value,
        original_case_group=item.referral.original_case_group,
        joint_id=item.referral.joint_id,
        open_programmes=frozenset(wanted),
    )


def _programmes(item: Submission) -> list[str]:
    """The programme of each need; unknown ones were refused by the rules already."""
    found = [programme_of(need, item.context.programmes) for need in item.referral.needs]
    return [programme.code for programme in found if programme is not None]


def _write(connection: Connection, items: Sequence[Submission], notes: Sequence[Noted]) -> None:
    referral_rows, need_rows, key_rows, compared = [], [], [], []
    use_rows: list[dict[str, Any]] = []
    for item, note in zip(items, notes, strict=True):
        referral_rows.append(_referral_row(item, note))
        need_rows += _need_rows(item, note)
        key_rows += [{"key": key, "role": role, "referral_id": item.referral.referral_id} for role, key in item.keys]
        if item.likeness is not None and item.compared is not None:
            asked = _asked(item, item.likeness)
            compared.append((asked, item.compared))
            use_rows += match.decision_rows(item.context, asked, item.compared, item.profile.document)
    referrals.put(connection, referral_rows, need_rows, key_rows, use_rows)
    same_help.put_links(
        connection, [row for item in items for row in same_aid.link_rows(item.referral, item.message.envelope.id)]
    )
    if compared:
        match.write(connection, items[0].context, compared)
    _put_households(connection, items)


def _put_households(connection: Connection, items: Sequence[Submission]) -> None:
    """What each says of its household; the families in which one of these persons lives are looked at again."""
    facts = [household.circumstances_row(item.referral, item.message.envelope.id) for item in items]
    members = [
        row
        for item in items
        for row in household.member_rows(
            item.referral, item.message.envelope.id, item.context, matching=item.profile.matching_authorised
        )
    ]
    households.put(connection, facts, members)
    keys = {item.person_key for item in items if item.person_key is not None}
    households.mark_families(connection, keys, now=items[0].now)


def _referral_row(item: Submission, note: Noted) -> dict[str, Any]:
    referral, now = item.referral, to_ms(item.now)
    region = referral.person.household_registration_region
    return {
        "referral_id": referral.referral_id,
        "court": referral.court,
        "document": referral.agreement_document,
        "agreement_row": item.agreement_row,
        "message_id": item.message.envelope.id,
        "version": 1,
        "case_number": referral.case_number,
        "case_type": referral.case_type or case_type_of(referral.case_number),
        "original_case_group": referral.original_case_group,
        "decision": referral.decision.value,
        "decided_amount_fen": referral.decided_amount_fen,
        "advance_fen": referral.advance_fen,
        "joint_id": referral.joint_id,
        "joint_decided_fen": referral.joint_decided_fen,
        "cap_fen": _cap(item),
        "cap_exceeded_reason": referral.cap_exceeded_reason is not None,
        "unenforced_balance_fen": referral.unenforced_balance_fen,
        "ground_code": referral.ground_code,
        "refusal_code": referral.refusal_code,
        "assessment": referral.assessment.value if referral.assessment else None,
        "urgency": referral.urgency.value,
        "region": region,
        "groups": " ".join(sorted(referral.person.groups_on(referral.concluded_on))),
        "is_minor": referral.is_minor,
        "has_custody": referral.custody is not None,
        "id_type": referral.person.id_type,
        "has_birth_date": referral.person.birth_date is not None,
        "synthetic": is_synthetic(referral.person.id_number or ""),
        "concluded_on": referral.concluded_on.isoformat(),
        "accepted_at": now,
        "withdrawn_at": None,
        "needs_accepted": len(referral.needs),
        "holds": " ".join(note.holds),
        "person_key": item.person_key,
        "reconcile_at": now,
        "inquiry_ref": referral.inquiry_ref,
        "inquiry_waived": referral.inquiry_waived_reason is not None,
    }


def _need_rows(item: Submission, note: Noted) -> list[dict[str, Any]]:
    now = to_ms(item.now)
    state = NeedState.HELD if note.holds else NeedState.ACCEPTED
    return [
        {
            "need_id": f"{item.referral.referral_id}:{number}",
            "referral_id": item.referral.referral_id,
            "court": item.referral.court,
            "programme": programme,
            "state": state.value,
            "state_at": now,
            "priority": priority(item.referral.is_minor, item.referral.urgency),
            "accepted_at": now,
            "step": 0,
            "held_for": " ".join(note.holds) or None,
            "dispatch_at": None if note.holds else now,
        }
        for number, programme in enumerate(_programmes(item), start=1)
    ]


def _cap(item: Submission) -> int | None:
    party = item.context.snapshot(item.now).parties[item.referral.court]
    return cap_fen(
        item.profile,
        regions=item.context.regions,
        court_region=party.region,
        concluded_on=item.referral.concluded_on,
    )


def case_type_of(case_number: str) -> str | None:
    """The case type's code name the number itself states; the rules refused a number that cannot be read."""
    try:
        return parse_case_number(case_number).case_type.value
    except InvalidValue:
        return None


def own_key_of(referral: Referral, context: Context) -> str | None:
    """The key that stands for the beneficiary: of the number, or of the holder of the disability certificate. A
    household booklet's number is the whole household's and stands for nobody."""
    person, secret = referral.person, context.matching_secret
    if person.id_number is not None and person.id_type not in (None, IdType.HOUSEHOLD_BOOKLET):
        key = identity_key(person.id_type, person.id_number, secret=secret, regions=context.regions)
        if key is not None:
            return key
    holder = holder_of(person.disability.certificate if person.disability else None)
    return None if holder is None else identity_key("111", holder, secret=secret, regions=context.regions)


def keys_of(referral: Referral, context: Context) -> tuple[tuple[str, str], ...]:
    """(role, identity key) of everybody a referral names by a number."""
    person = referral.person
    numbers = [(BENEFICIARY, person.id_type or "", person.id_number)]
    if person.guardian is not None:
        numbers.append(("guardian", person.guardian.id_type or "", person.guardian.id_number))
    numbers += [("household", member.id_type or "", member.id_number) for member in person.household]
    found = [
        (role, identity_key(id_type, number, secret=context.matching_secret, regions=context.regions))
        for role, id_type, number in numbers
    ]
    return tuple((role, key) for role, key in found if key is not None)


def _under_data(problems: Sequence[FieldProblem]) -> tuple[FieldProblem, ...]:
    return tuple(FieldProblem(pointer=f"/data{problem.pointer}", code=problem.code) for problem in problems)


def told(item: Submission) -> Iterator[Told]:
    """What it says of the household and of its matter; referral and needs are compared by `flows.audit.derived`."""
    yield from household.told_of(item.referral, item.message.envelope.id)
    for row in same_aid.link_rows(item.referral, item.message.envelope.id):
        yield Told(table=t.original_case_links, row=row)


KINDS = (
    MessageKind(
        type="referral.submitted",
        senders=COURTS,
        prepare=prepare,
        record=record,
        told=told,
        tables=(*household.TABLES, t.original_case_links),
    ),
)
