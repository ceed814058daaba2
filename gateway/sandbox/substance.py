"""案情 The rest of a synthetic referral: grounds, needs 救助需求, survey 调查, consent, papers, as the wire has them.

Needs follow the person: a certificate asks for the disability subsidies, devices and rehabilitation; a women's class
for what the women's federation leads; a child for upkeep and school; anyone poor for civil affairs. What the intake
rules ask for is always there (survey by two people, notice, guardian's consent, authorisation for the economic check).
"""

from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from random import Random
from typing import Any

from gateway.domain.calendar import load_calendar
from gateway.domain.case_number import CaseNumber, CaseType
from gateway.domain.person import SPECIAL_RULES_BELOW, WomenClass
from gateway.domain.programmes import load_programmes
from gateway.domain.referral import Decision, ReferralAssessment
from gateway.sandbox.people import Profile

CIVIL_AFFAIRS = "civil_affairs"
SCHOOL_AGE = 6
DESTITUTE_AGE = 70
DEVICE_KINDS, REHABILITATION_KINDS, SEVERE = (1, 2, 4), (2, 3, 4, 5, 6), 2

_GROUNDS = {
    CaseType.CRIMINAL: ("G1", "G2", "G4", "G5"),
    CaseType.CIVIL: ("G6", "G7", "G7"),
    CaseType.ENFORCEMENT: ("G6", "G7", "G7", "G4"),
    CaseType.PETITION: ("GP",),
}
_REFUSALS = ("X1", "X2", "X3", "X4", "X5", "X5", "X6", "X6", "X8")
_ORIGINAL_KIND = {
    CaseType.CRIMINAL: "刑初",
    CaseType.CIVIL: "民初",
    CaseType.ENFORCEMENT: "执",
    CaseType.ADMINISTRATIVE: "行初",
    CaseType.STATE_COMPENSATION: "委赔",
}
_OF_WOMEN_CLASS = {
    WomenClass.W1: (("TMP_E", "EMP"), ("MLG",), ("MLG", "PSY")),
    WomenClass.W2: (("DVS", "PSY", "LEG"), ("PSY", "LEG"), ("PSY",)),
    WomenClass.W3: (("MLG", "PSY"), ("MLG",), ("TMP_E", "PSY")),
    WomenClass.W4: (("CAN2", "MED"), ("CAN2",), ("CAN2", "PSY")),
    WomenClass.W5: (("MLG",), ("MLG", "PSY")),
    WomenClass.W6: (("LEG",), ("LEG", "EMP")),
    WomenClass.W7: (("DVS", "LEG"), ("MEDIATE", "PSY")),
}
_OF_THE_POOR = (("MLG",), ("MLG", "MED"), ("TMP_E",), ("TMP_E", "MED"), ("MED",), ("HSG",), ("EMP",), ("LIM", "EDU"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Circumstances:
    """What is settled about a referral before the rest is written. programmes: given, else drawn for the person.

    several: the beneficiaries are the relatives of one victim. last_day: nothing of the province happens after it.
    """

    position: int
    number: CaseNumber
    decision: Decision
    concluded_on: date
    decided_fen: int
    several: bool
    profile: Profile
    person: dict[str, Any]
    assessment: ReferralAssessment | None
    programmes: tuple[str, ...]
    last_day: date

    @property
    def age(self) -> int:
        """Completed years on the day the case was concluded."""
        day, born = self.concluded_on, date.fromisoformat(self.person["birth_date"])
        return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def draw_assessment(rng: Random) -> ReferralAssessment:
    """Mostly REFER."""
    weights = {
        ReferralAssessment.REFER: 78,
        ReferralAssessment.NO_NEED: 11,
        ReferralAssessment.ALREADY_COVERED: 7,
        ReferralAssessment.PERSON_DECLINES: 4,
    }
    return rng.choices(list(weights), weights=list(weights.values()))[0]


def substance_of(known: Circumstances, rng: Random) -> dict[str, Any]:
    """The members of `data` that follow from the circumstances."""
    hours = _urgency(known, rng)
    data: dict[str, Any] = {"original_case_group": original_group(known)}
    data |= _decision(known, rng)
    data |= _inquiry(known, data.get("refusal_code"), rng)
    if known.assessment is not None:
        data["assessment"] = known.assessment.value
    if known.assessment is ReferralAssessment.REFER:
        data |= _needs(known, urgent=hours is not None, rng=rng)
    if hours is not None:
        data |= {"urgency": hours, "place_of_event": known.person["household_registration_region"]}
    data |= _survey(known, rng)
    data |= _lawfulness(known, urgent=hours is not None, rng=rng)
    data |= _papers(known)
    return data


def original_group(known: Circumstances) -> str:
    """The number of the case behind this one: of the same court, a year earlier, and nobody else's.

    Beneficiaries of one case share it, so it is made from the case's own number.
    """
    number = known.number
    kind = _ORIGINAL_KIND.get(number.case_type, "民再" if number.case_type is CaseType.PETITION else "民申")
    return f"（{number.year - 1}）{number.court_prefix}{kind}{8000 + number.serial}号"


def _decision(known: Circumstances, rng: Random) -> dict[str, Any]:
    number, concluded = known.number, known.concluded_on
    if known.decision is Decision.NOT_ASSIST:
        return {"refusal_code": rng.choice(_REFUSALS)}
    if known.decision is not Decision.ASSIST:
        return {}
    ground = "G3" if known.several else rng.choice(_GROUNDS.get(number.case_type, ("G8",)))
    found: dict[str, Any] = {
        "ground_code": ground,
        "committee_signoff": f"合成司救委〔{concluded.year}〕{known.position + 1}号",
    }
    if number.case_type is CaseType.ENFORCEMENT:
        found["unenforced_balance_fen"] = known.decided_fen * rng.choice((1, 2, 3, 5))
    paid = load_calendar().add_workdays(
        concluded, rng.randrange(2, 8) if known.profile.is_minor else rng.randrange(3, 16)
    )
    return found | ({"paid_at": paid.isoformat()} if paid <= known.last_day else {})


def _inquiry(known: Circumstances, refusal: str | None, rng: Random) -> dict[str, Any]:
    """Whom the court asked before; a refusal as already assisted says why nobody was asked, for nobody was."""
    if rng.random() < 0.6 and refusal != "X6":
        return {"inquiry_ref": f"SYN-INQ-{known.concluded_on.year}-{known.position + 1:04d}"}
    return {"inquiry_waived_reason": "合成数据：生活困难情况已由入户调查查明"}


def _urgency(known: Circumstances, rng: Random) -> str | None:
    drawn = rng.random()
    if known.assessment is not ReferralAssessment.REFER or known.programmes or drawn > 0.03:
        return None
    return "URGENT_24H" if drawn < 0.01 else "URGENT_48H"


def _needs(known: Circumstances, *, urgent: bool, rng: Random) -> dict[str, Any]:
    programmes = list(known.programmes or _programmes(known, rng))
    if urgent:
        programmes = ["TMP_U", *(code for code in programmes if code != "TMP_E")]
    found: dict[str, Any] = {"needs": [_need(code, rng) for code in programmes]}
    leads = {load_programmes()[code].lead_agency for code in programmes}
    if CIVIL_AFFAIRS in leads:
        found["verification_authorization"] = {
            "ref": f"合成核授〔{known.concluded_on.year}〕{known.position + 1}号",
            "signed_at": _before(known, 9),
            "scope": "家庭经济状况核对（合成）",
        }
    return found


def _need(code: str, rng: Random) -> dict[str, Any]:
    """By programme, one in eight by the plain need word instead; some with a note."""
    words = load_programmes()[code].need_codes
    need: dict[str, Any] = {"need_code": words[0]} if words and rng.random() < 0.125 else {"programme": code}
    if rng.random() < 0.3:
        need["note"] = "合成数据：案发后家庭收入明显下降，请依职权核查。"
    return need


def _programmes(known: Circumstances, rng: Random) -> list[str]:
    profile = known.profile
    if profile.is_minor:
        found = _of_a_child(known, rng)
    elif profile.women_class is not None:
        found = list(rng.choice(_OF_WOMEN_CLASS[profile.women_class]))
    elif profile.disabled:
        found = []
    elif known.age >= DESTITUTE_AGE:
        found = [rng.choice(("DST", "MLG"))]
    else:
        found = list(rng.choice(_OF_THE_POOR))
    return found + (_of_the_disabled(known, rng) if profile.disabled else [])


def _of_a_child(known: Circumstances, rng: Random) -> list[str]:
    """ORP and DFU exclude each other; only the child of a dead victim may be an orphan."""
    found = [rng.choice(("ORP", "DFU") if known.several else ("DFU", "MLG"))]
    return [*found, "EDU"] if known.age >= SCHOOL_AGE and rng.random() < 0.6 else found


def _of_the_disabled(known: Circumstances, rng: Random) -> list[str]:
    disability = known.person["disability"]
    found = ["LSD"]
    if disability["grade"] <= SEVERE:
        found.append("NSD")
    if disability["kind"] in DEVICE_KINDS and rng.random() < 0.5:
        found.append("ASD")
    elif disability["kind"] in REHABILITATION_KINDS and rng.random() < 0.5:
        found.append("REHAB")
    return found


def _survey(known: Circumstances, rng: Random) -> dict[str, Any]:
    first = rng.randrange(1, 40)
    return {
        "survey": {
            "mode": "ON_SITE" if rng.random() < 0.85 else "DOCUMENT",
            "date": _before(known, 9),
            "investigators": [f"样例调查员{first:02d}", f"样例调查员{first + 40:02d}"],
            "summary": "合成数据：经走访村居、核对材料，家庭生活困难情况属实，建议依程序衔接社会救助。",
        }
    }


def _lawfulness(known: Circumstances, *, urgent: bool, rng: Random) -> dict[str, Any]:
    """Legal basis and notice (rule P01); a minor's guardian consents and no minor is named in a public notice."""
    found: dict[str, Any] = {
        "legal_basis": "EMERGENCY" if urgent else "CONSENT" if rng.random() < 0.15 else "STATUTORY_DUTY",
        "notice_given_at": _before(known, 10),
    }
    if known.profile.is_minor or known.profile.is_sensitive:
        found["no_public_notice"] = True
    if known.age < SPECIAL_RULES_BELOW or (known.profile.is_minor and rng.random() < 0.5):
        found["guardian_consent_ref"] = f"合成监护同意〔{known.concluded_on.year}〕{known.position + 1}号"
    if known.profile.is_minor and known.decision is Decision.ASSIST and rng.random() < 0.7:
        found["custody"] = "合成数据：救助金存入专户，由监护人按月支取，法院回访监督。"
    return found


def _papers(known: Circumstances) -> dict[str, Any]:
    found: dict[str, Any] = {"contact": {"name": "样例联系人", "phone": "0850-1000000"}}
    if known.assessment is ReferralAssessment.REFER:
        paper = sha256(f"synthetic decision {known.number.text} {known.position}".encode()).hexdigest()
        size = 120_000 + known.position * 37
        found["attachments"] = [{"sha256": paper, "media_type": "application/pdf", "size": size}]
    return found


def _before(known: Circumstances, days: int) -> str:
    return (known.concluded_on - timedelta(days=days)).isoformat()
