"""虚构人员 Invented people: identities nobody can have, and the person part of a referral as the wire carries it.

Rules: every resident id starts with 529999 and has a right check digit; every birth date is used once, so no two people
here can be taken for one; every name begins with 样例 (example); telephone numbers are in an area code nobody has. A
`Profile` says which specific groups a person is in; someone without one is in none (an adult under 60, no certificate,
no women's class), which `Person.groups_on` confirms.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Any

from gateway.domain.identifiers import SYNTHETIC_PREFIX, DisabilityKind, IdType, Sex
from gateway.domain.person import ELDERLY_FROM, SENSITIVE_WOMEN_CLASSES, SPECIAL_RULES_BELOW, WomenClass
from gateway.domain.person import SpecificGroup as Group

SPOUSE, SON, DAUGHTER, FATHER, MOTHER = "10", "20", "30", "51", "52"
"""GB/T 4761."""
STEMS, BRANCHES = "甲乙丙丁戊己庚辛壬癸", "子丑寅卯辰巳午未申酉戌亥"
YOUNG_ADULT, OLD_ADULT = 19, ELDERLY_FROM - 2
PARENT_LIVES_BELOW = 40
NEEDS_GUARDIAN = (DisabilityKind.INTELLECT, DisabilityKind.MENTAL)


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """What makes a person one of the specific groups. ages: completed years, first and last; raises: has a child."""

    count: int = 0
    ages: tuple[int, int] = (YOUNG_ADULT, OLD_ADULT)
    women_class: WomenClass | None = None
    disabled: bool = False
    raises: bool = False

    @property
    def is_minor(self) -> bool:
        return self.ages[1] < YOUNG_ADULT

    @property
    def is_under_special_rules(self) -> bool:
        return self.ages[1] < SPECIAL_RULES_BELOW

    @property
    def groups(self) -> tuple[Group, ...]:
        """The groups this profile stands for, in the order of the enumeration."""
        found = {
            Group.MINOR: self.is_minor,
            Group.ELDERLY: self.ages[0] >= ELDERLY_FROM,
            Group.WOMAN: self.women_class is not None,
            Group.DISABLED: self.disabled,
        }
        return tuple(group for group, inside in found.items() if inside)

    @property
    def is_sensitive(self) -> bool:
        """Whether the women's class alone tells what befell the person."""
        return self.women_class in SENSITIVE_WOMEN_CLASSES


NO_GROUP = Profile()
SPECIAL_PROFILES = (
    Profile(count=58, ages=(1, 12)),
    Profile(count=36, ages=(14, 16)),
    Profile(count=8, ages=(4, 12), disabled=True),
    Profile(count=62, ages=(61, 84)),
    Profile(count=16, ages=(61, 80), disabled=True),
    Profile(count=12, ages=(61, 80), women_class=WomenClass.W5),
    Profile(count=24, women_class=WomenClass.W1),
    Profile(count=14, women_class=WomenClass.W2),
    Profile(count=22, ages=(26, 48), women_class=WomenClass.W3, raises=True),
    Profile(count=10, ages=(32, 58), women_class=WomenClass.W4),
    Profile(count=14, ages=(32, 58), women_class=WomenClass.W4, disabled=True),
    Profile(count=4, women_class=WomenClass.W6),
    Profile(count=6, women_class=WomenClass.W7),
    Profile(count=68, disabled=True),
)
"""Who the 354 people of specific groups are; the groups overlap, as they do among real people."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """One invented person's papers."""

    name: str
    id_number: str
    sex: Sex
    birth_date: date


class InventedPeople:
    """Hands out identities, each birth date and each name once."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._births: set[date] = set()

    def identity(self, *, ages: tuple[int, int], on: date, sex: Sex | None = None) -> Identity:
        """Someone whose completed years on that day lie within `ages`, both included."""
        rng = self._rng
        chosen = sex or (Sex.MALE if rng.random() < 0.55 else Sex.FEMALE)
        birth = self._birth(_years_before(on, ages[1] + 1) + timedelta(days=1), _years_before(on, ages[0]))
        serial = rng.randrange(1, 499) * 2 + (1 if chosen is Sex.MALE else 0)
        number = len(self._births)
        name = f"样例{STEMS[number % 10]}{BRANCHES[number // 10 % 12]}{number:04d}"
        return Identity(name=name, id_number=resident_id(birth, serial), sex=chosen, birth_date=birth)

    def phone(self) -> str:
        """A number in area code 0850, which no place has."""
        return f"0850-{self._rng.randrange(10**6, 10**7)}"

    def _birth(self, first: date, last: date) -> date:
        days = (last - first).days + 1
        start = self._rng.randrange(days)
        for step in range(days):
            birth = first + timedelta(days=(start + step) % days)
            if birth not in self._births:
                self._births.add(birth)
                return birth
        raise ValueError("more people than birth dates")


def resident_id(birth: date, serial: int) -> str:
    """A resident id of the synthetic region with its check character (ISO 7064 MOD 11-2)."""
    body = f"{SYNTHETIC_PREFIX}{birth:%Y%m%d}{serial:03d}"
    total = sum(int(digit) * pow(2, 17 - place, 11) for place, digit in enumerate(body))
    return body + "10X98765432"[total % 11]


def person_of(people: InventedPeople, rng: Random, *, profile: Profile, on: date, region: str, place: str) -> Any:
    """The `person` of a referral concluded on that day; absent facts are absent keys."""
    sex = Sex.FEMALE if profile.women_class else None
    identity = people.identity(ages=profile.ages, on=on, sex=sex)
    person: dict[str, Any] = {
        **_papers(identity),
        "sex": identity.sex.value,
        "phone": people.phone(),
        "household_registration_region": region,
        "residence": f"{place}样例街道{rng.randrange(1, 400)}号（合成地址）",
    }
    kind = rng.choice(tuple(DisabilityKind))
    if profile.groups:
        person["specific_groups"] = [group.value for group in profile.groups]
    if profile.disabled:
        person["disability"] = _disability(rng, identity, kind)
    if profile.women_class:
        person |= _women_part(rng, profile)
    if profile.is_minor or (profile.disabled and kind in NEEDS_GUARDIAN):
        person["guardian"] = _guardian(people, rng, identity, on)
    household = _household(people, rng, profile, on)
    if household:
        person["household"] = household
    return person


def _papers(identity: Identity) -> dict[str, str]:
    return {
        "name": identity.name,
        "id_type": IdType.RESIDENT_ID.value,
        "id_number": identity.id_number,
        "birth_date": identity.birth_date.isoformat(),
    }


def _disability(rng: Random, identity: Identity, kind: DisabilityKind) -> dict[str, Any]:
    grade = rng.choice((1, 2, 2, 3, 3, 4))
    reissue = "B1" if rng.random() < 0.1 else ""
    return {"certificate": f"{identity.id_number}{kind.value}{grade}{reissue}", "kind": int(kind), "grade": grade}


def _women_part(rng: Random, profile: Profile) -> dict[str, Any]:
    part: dict[str, Any] = {"women_class": profile.women_class.value if profile.women_class else ""}
    if profile.women_class in (WomenClass.W2, WomenClass.W7):
        part |= {"safety_flag": True, "protection_order": rng.random() < 0.4}
    return part


def _guardian(people: InventedPeople, rng: Random, ward: Identity, on: date) -> dict[str, str]:
    """A parent 20 to 34 years older; for someone too old to have one there, the spouse."""
    age = on.year - ward.birth_date.year
    if age < PARENT_LIVES_BELOW:
        sex = rng.choice((Sex.MALE, Sex.FEMALE))
        ages, relation = (age + 20, age + 34), FATHER if sex is Sex.MALE else MOTHER
    else:
        sex = Sex.MALE if ward.sex is Sex.FEMALE else Sex.FEMALE
        ages, relation = (age - 6, age + 2), SPOUSE
    guardian = people.identity(ages=ages, on=on, sex=sex)
    return {
        "name": guardian.name,
        "relation": relation,
        "id_type": IdType.RESIDENT_ID.value,
        "id_number": guardian.id_number,
        "phone": people.phone(),
    }


def _household(people: InventedPeople, rng: Random, profile: Profile, on: date) -> list[dict[str, str]]:
    if profile.raises:
        child = people.identity(ages=(3, 15), on=on)
        return [_member(child, SON if child.sex is Sex.MALE else DAUGHTER)]
    if profile == NO_GROUP and rng.random() < 0.2:
        return [_member(people.identity(ages=(25, OLD_ADULT), on=on), SPOUSE)]
    return []


def _member(identity: Identity, relation: str) -> dict[str, str]:
    return {**_papers(identity), "relation": relation}


def _years_before(day: date, years: int) -> date:
    """The same day so many years earlier; 29 February becomes 28 February."""
    return day.replace(year=day.year - years, day=28 if (day.month, day.day) == (2, 29) else day.day)
