"""身份案例 One person written twice in different ways, and people who are only easily taken for one another.

A comparison at intake tells them apart: what is one person's is found once, on the later referral; twins, namesakes
with one birthday and parents of a child are nobody's doubt.
"""

from collections.abc import Iterator
from datetime import date
from typing import Any

from gateway.sandbox.people import resident_id
from gateway.sandbox.stories.story import ELSEWHERE, OTHER_COURT, Stage, Story

_OTHER_CASE = {"case_number": "（2022）黔03司救执{}号", "original_case_group": "（2021）黔0302执{}号"}
_CHILD, _MOTHER = date(2012, 5, 17), date(1984, 3, 9)
_TRADITIONAL = str.maketrans("样东", "樣東")
FOUND, HELD = "DUP_IDENTITY", "MATCH"


def _second(stage: Stage, story: Story, serial: int, person: dict[str, Any], **more: Any) -> tuple[str, ...]:
    """Another court's referral, in another case; what the gateway holds it for."""
    case = {name: text.format(serial) for name, text in _OTHER_CASE.items()}
    return story.refer(stage, court=OTHER_COURT, number=2, person=person, **case, **more).holds


def _expect(holds: tuple[str, ...], *wanted: str) -> None:
    if holds != wanted:
        raise AssertionError(f"held for {holds}, not {wanted}")


def _variant(stage: Stage, story: Story) -> Iterator[None]:
    """One number, the name in traditional characters: the same person, joined without asking."""
    person = story.person(name="样例东升")
    story.refer(stage, needs=(), person=person)
    yield
    _expect(_second(stage, story, 91001, person | {"name": person["name"].translate(_TRADITIONAL)}, needs=()))


def _upgraded(stage: Stage, story: Story) -> Iterator[None]:
    """The number of fifteen digits and the one of eighteen."""
    person = story.person()
    number = person["id_number"]
    story.refer(stage, needs=(), person=person | {"id_number": number[:6] + number[8:17]})
    yield
    _expect(_second(stage, story, 91002, person, needs=()))


def _guardians_number(stage: Stage, story: Story) -> Iterator[None]:
    """A child under its mother's number: it waits for a person, and is not refused."""
    child = _child(story)
    story.refer(stage, needs=(), person=child, **_FOR_CHILDREN)
    yield
    borrowed = {name: value for name, value in child.items() if name not in ("birth_date", "sex")}
    borrowed["id_number"] = child["guardian"]["id_number"]
    _expect(_second(stage, story, 91003, borrowed, needs=(), **_FOR_CHILDREN), HELD)


def _one_number(stage: Stage, story: Story) -> Iterator[None]:
    """Two people under one number: nobody is joined, a person looks."""
    person = story.person()
    story.refer(stage, needs=(), person=person)
    yield
    _expect(_second(stage, story, 91004, person | {"name": "另例山水", "phone": "0850-1234567"}, needs=()), HELD)


def _other_paper(stage: Stage, story: Story) -> Iterator[None]:
    """A passport, then the resident id: one name, one birthday, one telephone."""
    person = story.person(phone="0850-7654321")
    story.refer(stage, needs=(), person=person | {"id_type": "414", "id_number": "E29999901"})
    yield
    _expect(_second(stage, story, 91005, person, needs=()), HELD)


def _twins(stage: Stage, story: Story) -> Iterator[None]:
    """Twins: birthday, surname, county, telephone and guardian in common, two numbers."""
    one = _child(story) | {"name": "样例双喜", "phone": "0850-2222222"}
    other = one | {"name": "样例双庆", "id_number": resident_id(_CHILD, 441)}
    story.refer(stage, needs=(), person=one, **_FOR_CHILDREN)
    yield
    _expect(_second(stage, story, 91006, other, needs=(), **_FOR_CHILDREN))


def _namesakes(stage: Stage, story: Story) -> Iterator[None]:
    """One name, one birthday, two counties, two numbers."""
    person = story.person(phone="0850-3333333")
    born = date.fromisoformat(person["birth_date"])
    other = person | {
        "id_number": resident_id(born, 997),
        "household_registration_region": ELSEWHERE,
        "phone": "0850-4444444",
    }
    story.refer(stage, needs=(), person=person)
    yield
    _expect(_second(stage, story, 91007, other, needs=()))


def _mother_too(stage: Stage, story: Story) -> Iterator[None]:
    """A child, and then its guardian in her own right."""
    child = _child(story)
    story.refer(stage, needs=(), person=child, **_FOR_CHILDREN)
    yield
    guardian = child["guardian"]
    mother = story.person(
        2, born=_MOTHER, sex="2", name=guardian["name"], id_number=guardian["id_number"], phone=guardian["phone"]
    )
    _expect(_second(stage, story, 91008, mother, needs=()))


_FOR_CHILDREN: dict[str, Any] = {"guardian_consent_ref": "样例监护人同意书", "no_public_notice": True}


def _child(story: Story) -> dict[str, Any]:
    guardian = story.person(9, born=_MOTHER, sex="2")
    return story.person(
        born=_CHILD,
        guardian={
            "name": guardian["name"],
            "relation": "52",
            "id_type": "111",
            "id_number": guardian["id_number"],
            "phone": "0850-5555555",
        },
    )


def _found(name: str, zh: str, en: str, play: Any) -> Story:
    return Story(name=f"identity-{name}", zh=zh, en=en, play=play, finds=(FOUND,))


def _innocent(name: str, zh: str, en: str, play: Any) -> Story:
    return Story(name=f"identity-{name}", zh=zh, en=en, play=play)


STORIES = (
    _found("variant", "姓名繁简不同", "A name in other characters", _variant),
    _found("upgraded", "证件号码15位升18位", "A number upgraded", _upgraded),
    _found("guardian", "误用监护人证件号", "The guardian's number used for the child", _guardians_number),
    _found("one-number", "两人一号", "Two people under one number", _one_number),
    _found("other-paper", "先用护照后用身份证", "A passport, then the resident id", _other_paper),
    _innocent("twins", "双胞胎", "Twins", _twins),
    _innocent("namesakes", "同名同日", "Namesakes with one birthday", _namesakes),
    _innocent("mother-too", "母子各自申请", "A child, and its mother", _mother_too),
)
