"""Honest people, referrals, rows and rules for tests: every default is legal and on time; a test breaks one thing.

Everybody here is invented (prefix 529999). Moments are written in China time, as a clerk would, and become UTC.
"""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from gateway.domain.agreement import AgreementProfile, Channel, Office
from gateway.domain.calendar import CHINA, load_calendar
from gateway.domain.coexistence import load_coexistence
from gateway.domain.deadlines import load_limits
from gateway.domain.handoff import Handoff, HandoffNeed
from gateway.domain.lifecycle import HandoffState, NeedState
from gateway.domain.person import Guardian, HouseholdMember, Person
from gateway.domain.programmes import load_programmes
from gateway.domain.reconciliation.values import (
    CourtPaymentRow,
    Dossier,
    HandoffRow,
    NeedRow,
    ReferralRow,
    RelativeRow,
    ReplyRow,
    Rulebook,
)
from gateway.domain.referral import (
    CaseContact,
    Decision,
    LegalBasis,
    Referral,
    ReferralAssessment,
    RequestedNeed,
    Survey,
    SurveyMode,
)

DOCUMENT = "黔高法〔2022〕98号"
COURT = "cn/court/520100"
COURT_REGION = "520100"
OFFICE = "civil_affairs-520102"
DECIDED_FEN = 2_000_000
CONCLUDED_ON = date(2026, 3, 2)
"""A Monday; no holiday until 4 April."""
TODAY = date(2026, 3, 3)

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def at(text: str) -> datetime:
    """`2026-03-03 09:00` China time, in UTC; a day alone is its first moment."""
    return datetime.fromisoformat(text).replace(tzinfo=CHINA).astimezone(UTC)


def an_id_number(born: date = date(1986, 1, 1), *, female: bool = True, serial: int = 0, prefix: str = "529999") -> str:
    """A resident id with a right check digit."""
    body = f"{prefix}{born:%Y%m%d}{serial:02d}{2 if female else 1}"
    return body + "10X98765432"[sum(int(d) * w for d, w in zip(body, _WEIGHTS, strict=True)) % 11]


# --- what a court sends ---


def a_person(**changes: Any) -> Person:
    """A woman of forty, registered in Nanming."""
    honest = Person(
        name="测试甲",
        id_type="111",
        id_number=an_id_number(),
        sex="2",
        birth_date=date(1986, 1, 1),
        phone="13900000000",
        household_registration_region="520102",
        residence="520102",
    )
    return replace(honest, **changes)


def a_child(born: date = date(2015, 6, 1), **changes: Any) -> Person:
    """A girl of ten with her grandmother as guardian."""
    return a_person(
        id_number=an_id_number(born), birth_date=born, guardian=Guardian(name="测试乙", relation="61"), **changes
    )


def a_household_child(born: date = date(2016, 5, 4), **changes: Any) -> HouseholdMember:
    """A son at home."""
    honest = HouseholdMember(
        name="测试丙",
        relation="20",
        id_type="111",
        id_number=an_id_number(born, female=False),
        birth_date=born,
    )
    return replace(honest, **changes)


def a_referral(**changes: Any) -> Referral:
    """An enforcement case: assisted with 20,000 yuan, and the minimum living guarantee asked for."""
    honest = Referral(
        referral_id="r-1",
        agreement_document=DOCUMENT,
        court=COURT,
        case_number="（2026）黔01司救执1号",
        case_type="enforcement",
        original_case_group="（2025）黔0102民初1号",
        concluded_on=CONCLUDED_ON,
        decision=Decision.ASSIST,
        decided_amount_fen=DECIDED_FEN,
        ground_code="G6",
        legal_basis=LegalBasis.STATUTORY_DUTY,
        notice_given_at=CONCLUDED_ON,
        person=a_person(),
        recipient_region="520102",
        assessment=ReferralAssessment.REFER,
        needs=(RequestedNeed(programme="MLG"),),
        survey=Survey(
            mode=SurveyMode.ON_SITE,
            date=date(2026, 2, 20),
            investigators=("测试法官", "测试书记员"),
            summary="入户核实，家庭收入低于当地低保标准。",
        ),
        contact=CaseContact(name="测试法官", phone="0851-00000000"),
    )
    return replace(honest, **changes)


def a_profile(**changes: Any) -> AgreementProfile:
    """A demonstration agreement that covers every shipped programme and may use invented people."""
    honest = AgreementProfile(
        document=DOCUMENT,
        version=1,
        title_zh="示范会签文件",
        valid_from=date(2022, 8, 5),
        valid_to=None,
        parties=("cn/court/52*", "cn/agency/*"),
        programmes=frozenset(load_programmes()),
        limits=load_limits(),
        masks={},
        allow_synthetic=True,
        sample=True,
    )
    return replace(honest, **changes)


def an_office(agency: str = "civil_affairs", region: str = "520102", **changes: Any) -> Office:
    """The agency's desk for the region."""
    honest = Office(
        office_id=f"{agency}-{region}",
        party_id=f"cn/agency/{agency}/{region}",
        agency=agency,
        region=region,
        channel=Channel.PUSH,
    )
    return replace(honest, **changes)


def a_handoff(**changes: Any) -> Handoff:
    """What the civil affairs office of Nanming gets, before any mask."""
    court = a_referral()
    honest = Handoff(
        handoff_id="h-1",
        referral_id=court.referral_id,
        agreement_document=DOCUMENT,
        agency="civil_affairs",
        office_id=OFFICE,
        office_region="520102",
        court=COURT,
        needs=(HandoffNeed(need_id="n-1", programme="MLG", note="独居"),),
        person=court.person,
        issued_at=at("2026-03-03 10:00"),
        is_minor=False,
        legal_basis=LegalBasis.STATUTORY_DUTY,
        case_number=court.case_number,
        case_type=court.case_type,
        decision=court.decision,
        decided_amount_fen=court.decided_amount_fen,
        paid_at=date(2026, 3, 2),
        ground_code=court.ground_code,
        survey=court.survey,
        contact=court.contact,
    )
    return replace(honest, **changes)


# --- what reconciliation reads ---


def a_referral_row(**changes: Any) -> ReferralRow:
    """The referral above, accepted the morning after."""
    honest = ReferralRow(
        referral_id="r-1",
        court=COURT,
        document=DOCUMENT,
        case_number="（2026）黔01司救执1号",
        original_case_group="（2025）黔0102民初1号",
        decision=Decision.ASSIST,
        decided_amount_fen=DECIDED_FEN,
        concluded_on=CONCLUDED_ON,
        accepted_at=at("2026-03-03 09:00"),
        assessment=ReferralAssessment.REFER,
        is_minor=False,
        person_key="k-1",
    )
    return replace(honest, **changes)


def a_need(**changes: Any) -> NeedRow:
    """A need just handed to civil affairs."""
    honest = NeedRow(
        need_id="n-1",
        referral_id="r-1",
        programme="MLG",
        state=NeedState.HANDED_OFF,
        accepted_at=at("2026-03-03 09:00"),
        agency="civil_affairs",
        office_id=OFFICE,
        handoff_id="h-1",
        issued_at=at("2026-03-03 10:00"),
        relayed_at=at("2026-03-03 10:01"),
    )
    return replace(honest, **changes)


def a_handoff_row(**changes: Any) -> HandoffRow:
    """The handoff of `a_need`."""
    honest = HandoffRow(
        handoff_id="h-1",
        referral_id="r-1",
        office_id=OFFICE,
        agency="civil_affairs",
        state=HandoffState.RELAYED,
        issued_at=at("2026-03-03 10:00"),
    )
    return replace(honest, **changes)


def a_reply(code: str | None = "ACCEPTED", when: str = "2026-03-05 10:00", **changes: Any) -> ReplyRow:
    """An applied answer about `a_need`; its id follows from code and moment, so two answers differ."""
    honest = ReplyRow(
        reply_id=f"a-{code}-{when}",
        message_id=f"m-{code}-{when}",
        referral_id="r-1",
        need_id="n-1",
        handoff_id="h-1",
        office=OFFICE,
        code=code,
        raw_code=code or "?",
        at=at(when),
        recorded_at=at(when),
        applied=True,
    )
    return replace(honest, **changes)


def a_court_payment(**changes: Any) -> CourtPaymentRow:
    """The decided amount, once, to the beneficiary."""
    honest = CourtPaymentRow(
        payment_id="p-1",
        referral_id="r-1",
        amount_fen=DECIDED_FEN,
        paid_on=date(2026, 3, 6),
        payee="BENEFICIARY",
    )
    return replace(honest, **changes)


def a_relative(*needs: NeedRow, replies: tuple[ReplyRow, ...] = (), **changes: Any) -> RelativeRow:
    """Another referral of the same person, of another matter, by another court; needs and replies become its own."""
    row = a_referral_row(
        **{
            "referral_id": "r-2",
            "court": "cn/court/520300",
            "case_number": "（2026）黔03司救民7号",
            "original_case_group": "（2024）黔0302民初9号",
            **changes,
        }
    )
    mine: dict[str, Any] = {"referral_id": row.referral_id}
    return RelativeRow(
        referral=row,
        needs=tuple(replace(need, **mine) for need in needs),
        replies=tuple(replace(reply, **mine) for reply in replies),
    )


def a_dossier(**changes: Any) -> Dossier:
    """One referral with one need in time and nothing in doubt; `referral=` takes a row or a dict of changes."""
    referral = changes.pop("referral", {})
    row = a_referral_row(**referral) if isinstance(referral, dict) else referral
    honest = Dossier(referral=row, needs=(a_need(),), handoffs=(a_handoff_row(),), court_payments=(a_court_payment(),))
    return replace(honest, **changes)


def a_rulebook(**changes: Any) -> Rulebook:
    """The shipped sample rules."""
    honest = Rulebook(
        version="test",
        limits=load_limits(),
        calendar=load_calendar(),
        programmes=load_programmes(),
        coexistence=load_coexistence(),
    )
    return replace(honest, **changes)
