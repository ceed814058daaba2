"""转办 Honest handoffs for the adapters' tests: a complete synthetic person, and what was sent.

`a_handoff()` fills every field there is, as no mask would let it pass: an adapter has to account for each one.
"""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from gateway.domain.handoff import Handoff, HandoffNeed, SentHandoff, SentNeed
from gateway.domain.person import Disability, Guardian, HouseholdMember, Person, SpecificGroup, WomenClass
from gateway.domain.referral import (
    Attachment,
    CaseContact,
    Decision,
    LegalBasis,
    Survey,
    SurveyMode,
    Urgency,
    VerificationAuthorization,
)

PERSON_ID = "529999199001010027"
MOTHER_ID = "529999196203040028"
DAUGHTER_ID = "529999201506070041"

PROGRAMMES = {
    "civil_affairs": ("MLG", "TMP_U", "MED"),
    "disabled_persons": ("ASD", "REHAB", "LSD"),
    "womens_federation": ("CAN2", "PSY"),
}


def a_person(**changes: Any) -> Person:
    """A woman with an intellectual disability, her mother as guardian, and her daughter."""
    return Person(
        **{
            "name": "王示例",
            "id_type": "111",
            "id_number": PERSON_ID,
            "sex": "2",
            "birth_date": date(1990, 1, 1),
            "phone": "13800000001",
            "ethnic_group": "苗族",
            "household_registration_region": "520102",
            "residence": "贵州省贵阳市南明区示例路1号",
            "guardian": Guardian(name="李示例", relation="52", id_type="111", id_number=MOTHER_ID, phone="13800000002"),
            "household": (
                HouseholdMember(
                    name="李示例", relation="52", id_type="111", id_number=MOTHER_ID, birth_date=date(1962, 3, 4)
                ),
                HouseholdMember(
                    name="陈示例", relation="30", id_type="111", id_number=DAUGHTER_ID, birth_date=date(2015, 6, 7)
                ),
            ),
            "specific_groups": frozenset({SpecificGroup.WOMAN, SpecificGroup.DISABLED}),
            "women_class": WomenClass.W4,
            "disability": Disability(certificate=f"{PERSON_ID}52", kind=5, grade=2),
            "protection_order": False,
            "safety_flag": False,
            **changes,
        }
    )


def some_needs(*programmes: str) -> tuple[HandoffNeed, ...]:
    """One need per programme: N-1, N-2, … each with a note."""
    return tuple(
        HandoffNeed(need_id=f"N-{number}", programme=programme, note=f"家庭无固定收入，需求{number}")
        for number, programme in enumerate(programmes, start=1)
    )


def a_handoff(agency: str = "civil_affairs", **overrides: Any) -> Handoff:
    """A handoff to that agency with its usual programmes; `person`, `needs` or any other field may be replaced."""
    return Handoff(
        **{
            "handoff_id": "H-2024-0001",
            "referral_id": "R-2024-0001",
            "agreement_document": "黔高法〔2022〕98号",
            "agency": agency,
            "office_id": f"{agency}-520102",
            "office_region": "520102",
            "court": "cn/court/520100",
            "needs": some_needs(*PROGRAMMES.get(agency, ("PSY",))),
            "person": a_person(),
            "issued_at": datetime(2024, 8, 20, 1, 30, tzinfo=UTC),
            "is_minor": False,
            "urgency": Urgency.URGENT_48H,
            "legal_basis": LegalBasis.STATUTORY_DUTY,
            "reply_by": datetime(2024, 8, 22, 1, 30, tzinfo=UTC),
            "case_number": "（2024）黔01司救执1号",
            "case_type": "执",
            "decision": Decision.ASSIST,
            "decided_amount_fen": 3_000_050,
            "paid_at": date(2024, 8, 16),
            "ground_code": "G6",
            "survey": Survey(
                mode=SurveyMode.ON_SITE,
                date=date(2024, 7, 30),
                investigators=("赵示例", "钱示例"),
                summary="入户调查：住房一处，\n家中无固定收入。",
            ),
            "verification_authorization": VerificationAuthorization(
                ref="AUTH-2024-7", signed_at=date(2024, 7, 30), scope="家庭经济状况核对"
            ),
            "no_public_notice": True,
            "custody": "由社区监督使用",
            "contact": CaseContact(name="孙示例", phone="0851-80000000"),
            "attachments": (Attachment(sha256="ab" * 32, media_type="application/pdf", size=20_480),),
            **overrides,
        }
    )


def a_bare_handoff(agency: str = "civil_affairs", **overrides: Any) -> Handoff:
    """The least a handoff can be: everything that may be withheld is."""
    full = a_handoff(agency)
    return Handoff(
        **{
            "handoff_id": full.handoff_id,
            "referral_id": full.referral_id,
            "agreement_document": full.agreement_document,
            "agency": agency,
            "office_id": full.office_id,
            "office_region": full.office_region,
            "court": full.court,
            "needs": tuple(replace(need, note=None) for need in full.needs),
            "person": Person(),
            "issued_at": full.issued_at,
            "is_minor": False,
            **overrides,
        }
    )


def sent(handoff: Handoff) -> SentHandoff:
    """What the gateway remembers of it."""
    return SentHandoff(
        handoff_id=handoff.handoff_id,
        referral_id=handoff.referral_id,
        agency=handoff.agency,
        office_id=handoff.office_id,
        needs=tuple(SentNeed(need_id=need.need_id, programme=need.programme) for need in handoff.needs),
    )


def a_row(handoff: Handoff, **cells: str) -> dict[str, str]:
    """A filled reply row about the handoff's first need: an approval of 650 yuan a month for a year."""
    return {
        "handoff_id": handoff.handoff_id,
        "need_id": handoff.needs[0].need_id,
        "result": "APPROVED",
        "at": "2024-08-26 10:00",
        "amount_yuan": "650.00",
        "starts_on": "2024-09-01",
        "ends_on": "2025-08-31",
        "reason": "",
        "text": "",
        "next_due": "",
        "forwarded_to": "",
        "suggested_agency": "",
        "suggested_region": "",
        "missing": "",
        "service": "",
        "payee": "BENEFICIARY",
        "officer": "周示例",
        **cells,
    }
