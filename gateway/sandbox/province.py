"""合成省份 The synthetic province: court referrals of people nobody is, which add up to figures Guizhou published.

For 2023-01 to 2024-07 they count exactly to `PUBLISHED`: 808 concluded cases (distinct case numbers), 665 of them
assisted with 27,776,200 yuan, and 354 people of specific groups with 8,136,200 yuan. Only these sums are published;
every person, case, amount and date is invented from the seed, and the same seed gives the same bytes. Nobody refused
is of a specific group, so that however one counts them they are 354. Case numbers are given only to the courts whose
abbreviation is known. A few referrals are planted for the checks to find; `Scenario` labels them, the wire does not.
The second aid of the planted pair is one of the 665: a hold stops a message, it does not undo a court's decision.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from random import Random
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from gateway.domain.calendar import load_calendar
from gateway.domain.case_number import REGION_OF_COURT, CaseNumber, CaseType
from gateway.domain.referral import Decision, ReferralAssessment
from gateway.domain.regions import RegionLevel, load_regions
from gateway.sandbox.people import NO_GROUP, SPECIAL_PROFILES, InventedPeople, Profile, person_of
from gateway.sandbox.stories.story import COUNTIES
from gateway.sandbox.substance import Circumstances, draw_assessment, substance_of

AGREEMENT = "黔高法〔2022〕98号"
FIRST_DAY, LAST_DAY = date(2023, 1, 3), date(2024, 7, 26)
OTHER_PROVINCE = "430000"
UNIT_FEN = 10_000
"""Amounts are decided in whole hundreds of yuan."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """Published sums of one period."""

    concluded: int
    assisted: int
    decided_fen: int
    special_persons: int
    special_fen: int


PUBLISHED = Figures(
    concluded=808, assisted=665, decided_fen=2_777_620_000, special_persons=354, special_fen=813_620_000
)
REFUSED = {Decision.NOT_ASSIST: 96, Decision.SUSPENDED: 19, Decision.TERMINATED: 28}
CASES_OF_SEVERAL = {2: 120, 3: 40, 4: 8}
"""Beneficiaries of one case → cases; all others have one."""
SPECIAL_IN_CASES_OF_SEVERAL = 200


class Scenario(StrEnum):
    """What was planted in a referral."""

    ORDINARY = "ordinary"
    DUPLICATE = "duplicate"
    """One person aided by two courts for one original case."""
    OPEN_NEED = "open_need"
    """One person with the same programme asked for in two referrals."""
    UNROUTABLE = "unroutable"
    """The household registration lies in a province where no office is."""
    NO_ASSESSMENT = "no_assessment"
    """Nobody assessed whether social assistance is needed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SyntheticCourt:
    """A court of the sandbox. prefix: its abbreviation in case numbers; weight: its share of the cases."""

    party_id: str
    region: str
    prefix: str
    name_zh: str
    weight: int


def _court(region: str, prefix: str, level: str, weight: int) -> SyntheticCourt:
    found = load_regions().get(region)
    name = f"{found.name_zh if found else region}{level}人民法院"
    return SyntheticCourt(party_id=f"cn/court/{region}", region=region, prefix=prefix, name_zh=name, weight=weight)


def courts() -> tuple[SyntheticCourt, ...]:
    """The courts whose abbreviation is known: the High Court, four intermediate ones and one basic court."""
    weights = {"黔01": 24, "黔02": 12, "黔03": 20, "黔05": 18}
    middle = (_court(region, prefix, "中级", weights[prefix]) for prefix, region in REGION_OF_COURT.items())
    return (_court("520000", "黔", "高级", 12), *middle, _court("520102", "黔0102", "", 14))


@dataclass(frozen=True, kw_only=True, slots=True)
class SyntheticReferral:
    """One referral: the court that sends it, the `data` of its `referral.submitted`, what was planted in it."""

    court: str
    data: dict[str, Any]
    scenario: Scenario = Scenario.ORDINARY


@dataclass(frozen=True, kw_only=True, slots=True)
class _Case:
    court: SyntheticCourt
    number: CaseNumber
    decision: Decision
    concluded_on: date
    size: int


@dataclass(kw_only=True, slots=True)
class _Slot:
    """One beneficiary's place in one case, before it becomes a referral."""

    case: _Case
    profile: Profile = NO_GROUP
    decided_fen: int = 0
    scenario: Scenario = Scenario.ORDINARY
    same_person_as: "_Slot | None" = field(default=None, repr=False)
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def is_plain(self) -> bool:
        """One person of no group alone in a case, with nothing planted yet."""
        return self.case.size == 1 and self.profile == NO_GROUP and self.scenario is Scenario.ORDINARY


def referrals(seed: int = 2024) -> Iterator[SyntheticReferral]:
    """Every referral of the province in the order of the days they were concluded."""
    rng = Random(seed)  # noqa: S311 - inventing people is not cryptography
    slots = [_Slot(case=case) for case in _cases(rng) for _ in range(case.size)]
    _assign_profiles(slots, rng)
    _assign_amounts(slots, rng)
    _plant(slots)
    people, counties = InventedPeople(rng), _counties()
    for position, slot in enumerate(slots):
        slot.data = _data(slot, position, seed, people, rng, counties)
        yield SyntheticReferral(court=slot.case.court.party_id, data=slot.data, scenario=slot.scenario)


def _cases(rng: Random) -> list[_Case]:
    """All cases in order of their days, numbered in that order by court, year and type."""
    decisions = [Decision.ASSIST] * PUBLISHED.assisted
    decisions += [decision for decision, count in REFUSED.items() for _ in range(count)]
    sizes = [size for size, count in CASES_OF_SEVERAL.items() for _ in range(count)]
    sizes += [1] * (len(decisions) - len(sizes))
    workdays, known = _workdays(), courts()
    days = sorted(rng.choices(workdays, k=len(decisions)))
    # the several come first in `sizes`, as the assisted do in `decisions`: only an assisted case has several
    mixed = list(zip(decisions, sizes, strict=True))
    rng.shuffle(mixed)
    serials: dict[tuple[str, int, CaseType], int] = {}
    found = []
    for day, (decision, size) in zip(days, mixed, strict=True):
        court = rng.choices(known, weights=[court.weight for court in known])[0]
        kind = _case_type(rng, size)
        key = (court.prefix, day.year, kind)
        serials[key] = serials.get(key, 0) + 1
        number = CaseNumber(year=day.year, court_prefix=court.prefix, case_type=kind, serial=serials[key])
        found.append(_Case(court=court, number=number, decision=decision, concluded_on=day, size=size))
    return found


_TYPE_WEIGHTS = {
    CaseType.CRIMINAL: 38,
    CaseType.ENFORCEMENT: 33,
    CaseType.CIVIL: 17,
    CaseType.PETITION: 6,
    CaseType.OTHER: 3,
    CaseType.ADMINISTRATIVE: 2,
    CaseType.STATE_COMPENSATION: 1,
}


def _case_type(rng: Random, size: int) -> CaseType:
    """Several beneficiaries are the relatives of one dead victim (rule D03), so their case is criminal or civil."""
    if size > 1:
        return rng.choice((CaseType.CRIMINAL, CaseType.CRIMINAL, CaseType.CIVIL))
    return rng.choices(list(_TYPE_WEIGHTS), weights=list(_TYPE_WEIGHTS.values()))[0]


def _workdays() -> list[date]:
    calendar = load_calendar()
    days = (FIRST_DAY + timedelta(days=offset) for offset in range((LAST_DAY - FIRST_DAY).days + 1))
    return [day for day in days if calendar.is_workday(day)]


def _assign_profiles(slots: list[_Slot], rng: Random) -> None:
    profiles = [profile for profile in SPECIAL_PROFILES for _ in range(profile.count)]
    rng.shuffle(profiles)
    several = [slot for slot in slots if slot.case.size > 1]
    alone = [slot for slot in slots if slot.case.size == 1 and slot.case.decision is Decision.ASSIST]
    chosen = rng.sample(several, SPECIAL_IN_CASES_OF_SEVERAL)
    chosen += rng.sample(alone, len(profiles) - len(chosen))
    for slot, profile in zip(chosen, profiles, strict=True):
        slot.profile = profile


def _assign_amounts(slots: list[_Slot], rng: Random) -> None:
    assisted = [slot for slot in slots if slot.case.decision is Decision.ASSIST]
    special = [slot for slot in assisted if slot.profile != NO_GROUP]
    others = [slot for slot in assisted if slot.profile == NO_GROUP]
    rest = PUBLISHED.decided_fen - PUBLISHED.special_fen
    for group, total, low, high in ((special, PUBLISHED.special_fen, 50, 770), (others, rest, 80, 1230)):
        for slot, amount in zip(group, split_exactly(total // UNIT_FEN, len(group), low, high, rng), strict=True):
            slot.decided_fen = amount * UNIT_FEN


def split_exactly(total: int, parts: int, low: int, high: int, rng: Random) -> list[int]:
    """`parts` whole numbers from low to high, many small and few large, whose sum is exactly `total`.

    ValueError where no such numbers exist.
    """
    if not low * parts <= total <= high * parts:
        raise ValueError("the total cannot be reached")
    amounts = [low + int((high - low) * rng.random() ** 3) for _ in range(parts)]
    position, missing = 0, total - sum(amounts)
    while missing:
        step = 1 if missing > 0 else -1
        if low <= amounts[position] + step <= high:
            amounts[position] += step
            missing -= step
        position = (position + 1) % parts
    return amounts


def _plant(slots: list[_Slot]) -> None:
    """Label what the checks have to find; everything else stays ordinary."""
    assisted = [slot for slot in slots if slot.is_plain and slot.case.decision is Decision.ASSIST]
    refused = [slot for slot in slots if slot.is_plain and slot.case.decision is not Decision.ASSIST]
    # ends of the lists: the first aid is long past when the second is decided
    _same_person(_of_court(assisted, "520102")[0], _of_court(assisted, "520100")[-1], Scenario.DUPLICATE)
    _same_person(_of_court(assisted, "520300")[0], _of_court(refused, "520000")[-1], Scenario.OPEN_NEED)
    _of_court(assisted, "520500")[1].scenario = Scenario.UNROUTABLE
    for slot in (_of_court(assisted, "520200")[2], _of_court(assisted, "520300")[2], _of_court(refused, "520500")[2]):
        slot.scenario = Scenario.NO_ASSESSMENT


def _of_court(slots: list[_Slot], region: str) -> list[_Slot]:
    return [slot for slot in slots if slot.case.court.region == region]


def _same_person(first: _Slot, second: _Slot, scenario: Scenario) -> None:
    first.scenario = second.scenario = scenario
    second.same_person_as = first


def _counties() -> dict[str, str]:
    """Every county of the province: code → names of its prefecture and itself."""
    regions, found = load_regions(), {}
    for number in range(520_100, 522_800):
        county = regions.get(str(number))
        # nobody of the province lives where the told cases are set
        is_free = county is not None and county.code not in COUNTIES and not regions.is_abolished(county.code)
        if county and is_free and county.level is RegionLevel.COUNTY:
            above = regions.get(county.parent)
            found[county.code] = f"{above.name_zh if above else ''}{county.name_zh}"
    return found


def _home(slot: _Slot, rng: Random, counties: dict[str, str]) -> str:
    """The county of the household registration: mostly near the court, always anywhere for the High Court."""
    if slot.scenario is Scenario.UNROUTABLE:
        return OTHER_PROVINCE
    near = [code for code in counties if code[:4] == slot.case.court.region[:4]]
    return rng.choice(near if near and rng.random() < 0.65 else list(counties))


def _person(slot: _Slot, people: InventedPeople, rng: Random, counties: dict[str, str]) -> dict[str, Any]:
    if slot.same_person_as:
        person: dict[str, Any] = slot.same_person_as.data["person"]
        return dict(person)
    home = _home(slot, rng, counties)
    place = f"贵州省{counties[home]}" if home in counties else "外省"
    on = slot.case.concluded_on
    found: dict[str, Any] = person_of(people, rng, profile=slot.profile, on=on, region=home, place=place)
    return found


def _data(
    slot: _Slot, position: int, seed: int, people: InventedPeople, rng: Random, counties: dict[str, str]
) -> dict[str, Any]:
    """The wire `data` of one slot."""
    case = slot.case
    person = _person(slot, people, rng, counties)
    data: dict[str, Any] = {
        "referral_id": str(uuid5(NAMESPACE_URL, f"urn:xianjie:synthetic:{seed}:{position}")),
        "agreement_document": AGREEMENT,
        "recipient_region": person["household_registration_region"],
        "case_number": case.number.text,
        "case_type": case.number.case_type.value,
        "concluded_on": case.concluded_on.isoformat(),
        "decision": case.decision.value,
        "person": person,
    }
    if case.decision is Decision.ASSIST:
        data["decided_amount_fen"] = slot.decided_fen
    data |= substance_of(_circumstances(slot, position, person, rng), rng)
    if slot.scenario is Scenario.DUPLICATE and slot.same_person_as:
        data["original_case_group"] = slot.same_person_as.data["original_case_group"]
        # noticed before the money left, so what it would have cost can still be saved
        data.pop("paid_at", None)
    return data


def _circumstances(slot: _Slot, position: int, person: dict[str, Any], rng: Random) -> Circumstances:
    drawn = draw_assessment(rng)
    planted = slot.scenario is not Scenario.ORDINARY
    return Circumstances(
        position=position,
        number=slot.case.number,
        decision=slot.case.decision,
        concluded_on=slot.case.concluded_on,
        decided_fen=slot.decided_fen,
        several=slot.case.size > 1,
        profile=slot.profile,
        person=person,
        assessment=_planted_assessment(slot) if planted else drawn,
        programmes=("MLG",) if planted else (),
        last_day=LAST_DAY,
    )


def _planted_assessment(slot: _Slot) -> ReferralAssessment | None:
    if slot.scenario is Scenario.NO_ASSESSMENT:
        return None
    # the second court thinks the person is served already, so that the pair is one finding and not two
    covered = slot.scenario is Scenario.DUPLICATE and slot.same_person_as is not None
    return ReferralAssessment.ALREADY_COVERED if covered else ReferralAssessment.REFER
