"""收件规则 The rules of DOMAIN §6 that one referral alone can break: what blocks it, what holds it, what only warns.

Rules: `RULES` is the whole list; each rule reads a `Filing` and yields objections. B refuses the message with pointers
and codes of `rules/field_codes.csv`; H sends it to a person under its rule id; W travels with the receipt. The gateway
never refuses aid. Left out on purpose: D01, D03, D07 and D09 need other referrals; a programme outside the agreement is
not the court's slip but a need without an office (`domain.routing`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from gateway.domain.agreement import AgreementProfile
from gateway.domain.case_number import CaseType, agrees_with_court, parse_case_number
from gateway.domain.filing import Breach, Filing, Objection, block, hold, warn
from gateway.domain.identifiers import Sex
from gateway.domain.intake_identity import birth_date_of, disability_certificate, identity_agrees, identity_numbers
from gateway.domain.person import MINOR_BELOW, SPECIAL_RULES_BELOW, HouseholdMember, Person, SpecificGroup
from gateway.domain.programmes import Programme, ProgrammeKind, need_code_index
from gateway.domain.referral import (
    GROUND_CODES,
    REFUSAL_CODES,
    Decision,
    LegalBasis,
    Referral,
    ReferralAssessment,
)
from gateway.domain.regions import Regions
from gateway.domain.routing import place_for, programme_of
from gateway.domain.values import InvalidValue
from gateway.errors import FieldProblem

INVESTIGATORS_AT_LEAST = 2
ATTACHMENTS_AT_MOST = 50
ALREADY_ASSISTED = "X6"
CHILD_RELATIONS = ("2", "3")
"""GB/T 4761: 2x sons, 3x daughters."""
SCHOOL = "EDU"


@dataclass(frozen=True, kw_only=True, slots=True)
class IntakeVerdict:
    """blocks: the message is refused; holds: ids of rules a person must look at; warnings: told to the sender."""

    blocks: tuple[FieldProblem, ...] = ()
    holds: tuple[str, ...] = ()
    warnings: tuple[FieldProblem, ...] = ()


def assess(
    referral: Referral,
    *,
    profile: AgreementProfile,
    regions: Regions,
    programmes: Mapping[str, Programme],
    today: date,
    court_region: str,
) -> IntakeVerdict:
    """Every rule's word on the referral, in the order of `RULES`; never raises for what a court wrote."""
    filing = Filing(
        referral=referral,
        profile=profile,
        regions=regions,
        programmes=programmes,
        today=today,
        court_region=court_region,
    )
    objections = [objection for rule in RULES for objection in rule(filing)]
    return IntakeVerdict(
        blocks=_problems(objections, Breach.BLOCK),
        holds=tuple(dict.fromkeys(found.code for found in objections if found.breach is Breach.HOLD)),
        warnings=_problems(objections, Breach.WARN),
    )


def cap_fen(profile: AgreementProfile, *, regions: Regions, court_region: str, concluded_on: date) -> int | None:
    """三十六个月限额 in force for a decision of that day (A01); None where the administrator filled in no wage.

    A High Court has no prefecture: its province's wage counts whatever the profile says.
    """
    _, prefecture, province = regions.ancestors(court_region)
    place = (prefecture or province) if profile.amounts.wage_scope == "prefecture" else province
    return None if place is None else profile.amounts.cap_fen(place.code, concluded_on.year)


def case_number_reads(filing: Filing) -> Iterator[Objection]:
    """The case number has its form, agrees with the court (W) and with the case type stated."""
    referral = filing.referral
    try:
        number = parse_case_number(referral.case_number, today=filing.today)
    except InvalidValue as wrong:
        yield block("/case_number", wrong.code)
        return
    if not agrees_with_court(number.court_prefix, filing.court_region):
        yield warn("/case_number", "case_number_court_mismatch")
    if referral.case_type is not None and referral.case_type not in set(CaseType):
        yield block("/case_type", "unknown_code")
    elif referral.case_type is not None and referral.case_type != number.case_type:
        yield block("/case_type", "case_type_differs")


def decision_is_complete(filing: Filing) -> Iterator[Objection]:
    """ASSIST names an amount and a ground; NOT_ASSIST names the refusal's reason."""
    referral = filing.referral
    if referral.ground_code is not None and referral.ground_code not in GROUND_CODES:
        yield block("/ground_code", "unknown_code")
    if referral.refusal_code is not None and referral.refusal_code not in REFUSAL_CODES:
        yield block("/refusal_code", "unknown_code")
    if referral.decision is Decision.ASSIST:
        if _whole_amount(referral) <= 0:
            yield block("/decided_amount_fen", "amount_missing")
        if referral.ground_code is None:
            yield block("/ground_code", "ground_missing")
    if referral.decision is Decision.NOT_ASSIST and referral.refusal_code is None:
        yield block("/refusal_code", "refusal_code_missing")


def refusal_rests_on_an_inquiry(filing: Filing) -> Iterator[Objection]:
    """X6 "already assisted" cites the inquiry it rests on, or says why none was made (W)."""
    referral = filing.referral
    if referral.refusal_code == ALREADY_ASSISTED and not (referral.inquiry_ref or referral.inquiry_waived_reason):
        yield warn("/inquiry_ref", "inquiry_missing")


def needs_follow_the_assessment(filing: Filing) -> Iterator[Objection]:
    """R01: REFER names at least one need, any other assessment none; needs never come without an assessment."""
    referral = filing.referral
    if referral.assessment is ReferralAssessment.REFER:
        if not referral.needs:
            yield block("/needs", "needs_missing")
    elif referral.needs:
        yield block("/assessment", "required") if referral.assessment is None else block("/needs", "needs_not_expected")


def needs_are_known(filing: Filing) -> Iterator[Objection]:
    """Every need names a programme or a need code we know, both of one programme, and each programme once."""
    words = need_code_index(filing.programmes)
    seen: set[str] = set()
    for index, need in enumerate(filing.referral.needs):
        pointer = f"/needs/{index}"
        if need.programme is None and need.need_code is None:
            yield block(pointer, "required")
            continue
        if need.programme is not None and need.programme not in filing.programmes:
            yield block(f"{pointer}/programme", "programme_unknown")
        if need.need_code is not None and need.need_code not in words:
            yield block(f"{pointer}/need_code", "need_code_unknown")
        elif need.programme is not None and need.need_code is not None and words[need.need_code] != need.programme:
            yield block(f"{pointer}/need_code", "need_code_differs")
        programme = programme_of(need, filing.programmes)
        if programme is not None and programme.code in seen:
            yield block(pointer, "repeated")
        if programme is not None:
            seen.add(programme.code)


def survey_travels(filing: Filing) -> Iterator[Objection]:
    """R03: needs come with the survey's findings, made by at least two people."""
    survey = filing.referral.survey
    if survey is None:
        if filing.referral.needs:
            yield block("/survey", "survey_missing")
        return
    if len({name.strip() for name in survey.investigators if name.strip()}) < INVESTIGATORS_AT_LEAST:
        yield block("/survey/investigators", "survey_investigators")
    if not survey.summary.strip():
        yield block("/survey/summary", "blank")


def notice_was_given(filing: Filing) -> Iterator[Objection]:
    """P01: the person was told, unless it is an emergency."""
    referral = filing.referral
    if referral.notice_given_at is None and referral.legal_basis is not LegalBasis.EMERGENCY:
        yield block("/notice_given_at", "notice_missing")


def guardian_consented(filing: Filing) -> Iterator[Objection]:
    """P01: under 14, consent is the guardian's; a statutory duty or an emergency needs none.

    A minor whose age is not known is treated as under 14.
    """
    referral = filing.referral
    if referral.legal_basis is not LegalBasis.CONSENT or referral.guardian_consent_ref:
        return
    born = birth_date_of(referral.person)
    if born is None:
        young = SpecificGroup.MINOR in referral.person.specific_groups
    else:
        young = _age(born, filing.today) < SPECIAL_RULES_BELOW
    if young:
        yield block("/guardian_consent_ref", "guardian_consent_missing")


def amount_is_within_the_cap(filing: Filing) -> Iterator[Objection]:
    """A01 (H): above 36 months' wage only with a reason; joint aid counts whole."""
    referral = filing.referral
    cap = cap_fen(
        filing.profile,
        regions=filing.regions,
        court_region=filing.court_region,
        concluded_on=referral.concluded_on,
    )
    if cap is not None and _whole_amount(referral) > cap and not referral.cap_exceeded_reason:
        yield hold("/decided_amount_fen", "A01")


def amount_is_within_the_balance(filing: Filing) -> Iterator[Objection]:
    """A02 (H): never above what is still unenforced; joint aid counts whole."""
    balance = filing.referral.unenforced_balance_fen
    if balance is not None and _whole_amount(filing.referral) > balance:
        yield hold("/decided_amount_fen", "A02")


def advance_is_netted(filing: Filing) -> Iterator[Objection]:
    """D05 (H): an advance above the final amount cannot be netted from it."""
    if filing.referral.advance_fen > filing.referral.decided_amount_fen:
        yield hold("/advance_fen", "D05")


def joint_share_fits(filing: Filing) -> Iterator[Objection]:
    """D04 (W): one court's share is not above what the courts decided together."""
    joint = filing.referral.joint_decided_fen
    if joint is not None and filing.referral.decided_amount_fen > joint:
        yield warn("/decided_amount_fen", "joint_share_exceeds")


def place_is_known(filing: Filing) -> Iterator[Objection]:
    """R02 (H): needs can be routed only where the household registration, or the place of an urgent event, is known."""
    referral = filing.referral
    if not referral.needs:
        return
    place = place_for(
        referral.person,
        urgency=referral.urgency,
        place_of_event=referral.place_of_event,
        regions=filing.regions,
    )
    if place is None:
        yield hold("/person/household_registration_region", "R02")


def children_are_thought_of(filing: Filing) -> Iterator[Objection]:
    """R04 (W): a woman is aided who raises minors, and no need is for the children."""
    referral = filing.referral
    if referral.decision is not Decision.ASSIST or not _is_woman(referral.person, filing.today):
        return
    if not any(_is_minor_child(member, filing.today) for member in referral.person.household):
        return
    asked = [programme_of(need, filing.programmes) for need in referral.needs]
    if not any(p is not None and (p.kind is ProgrammeKind.CHILD or p.code == SCHOOL) for p in asked):
        yield warn("/needs", "children_not_considered")


def attachments_are_few(filing: Filing) -> Iterator[Objection]:
    """Attachments are listed once each, and not without end."""
    digests = [attachment.sha256 for attachment in filing.referral.attachments]
    if len(digests) > ATTACHMENTS_AT_MOST:
        yield block("/attachments", "too_many")
    if len(set(digests)) < len(digests):
        yield block("/attachments", "repeated")


def days_have_come(filing: Filing) -> Iterator[Objection]:
    """No day of the past lies in the future."""
    for pointer, day in _days(filing.referral):
        if day is not None and day > filing.today:
            yield block(pointer, "day_in_future")


Rule = Callable[[Filing], Iterable[Objection]]

RULES: tuple[Rule, ...] = (
    identity_numbers,
    identity_agrees,
    disability_certificate,
    case_number_reads,
    decision_is_complete,
    refusal_rests_on_an_inquiry,
    needs_follow_the_assessment,
    needs_are_known,
    survey_travels,
    notice_was_given,
    guardian_consented,
    amount_is_within_the_cap,
    amount_is_within_the_balance,
    advance_is_netted,
    joint_share_fits,
    place_is_known,
    children_are_thought_of,
    attachments_are_few,
    days_have_come,
)
"""Every rule one referral alone can break."""


def _problems(objections: Iterable[Objection], breach: Breach) -> tuple[FieldProblem, ...]:
    found = (FieldProblem(pointer=said.pointer, code=said.code) for said in objections if said.breach is breach)
    return tuple(dict.fromkeys(found))


def _whole_amount(referral: Referral) -> int:
    """The decided amount; of joint aid the sum of all courts where it is known."""
    return max(referral.decided_amount_fen, referral.joint_decided_fen or 0)


def _age(born: date, day: date) -> int:
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def _is_woman(person: Person, day: date) -> bool:
    born = birth_date_of(person)
    grown = born is None or _age(born, day) >= MINOR_BELOW
    return grown and (person.sex == Sex.FEMALE or SpecificGroup.WOMAN in person.groups_on(day))


def _is_minor_child(member: HouseholdMember, day: date) -> bool:
    if not member.relation.startswith(CHILD_RELATIONS):
        return False
    born = birth_date_of(Person(id_type=member.id_type, id_number=member.id_number, birth_date=member.birth_date))
    return born is not None and _age(born, day) < MINOR_BELOW


def _days(referral: Referral) -> Iterator[tuple[str, date | None]]:
    yield "/concluded_on", referral.concluded_on
    yield "/paid_at", referral.paid_at
    yield "/notice_given_at", referral.notice_given_at
    yield "/person/birth_date", referral.person.birth_date
    for index, member in enumerate(referral.person.household):
        yield f"/person/household/{index}/birth_date", member.birth_date
    if referral.survey is not None:
        yield "/survey/date", referral.survey.date
    if referral.verification_authorization is not None:
        yield "/verification_authorization/signed_at", referral.verification_authorization.signed_at
