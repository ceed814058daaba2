"""当事人告知 What the person concerned by a match is told, in plain words that can be printed.

Rules: what was found, what may be said, until when, to whom, and how to appeal; nothing of the other side. Protective
defaults: for a minor the guardian is addressed and nothing of the case is said; where the person is protected
(violence, protection order, safety flag) neither address nor agency nor programme stands in it, it is held back from
the household and goes before a person, who prints it for a safe channel; then not even a guardian is addressed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from gateway.domain.adjudication import DoubtKind
from gateway.domain.person import Person, WomenClass
from gateway.domain.rules import read_table

VIOLENCE = frozenset({WomenClass.W2, WomenClass.W7})
Line = tuple[str, str]
"""(Chinese, English)."""
_FOUND = {
    DoubtKind.SAME_HELP: "found_same_help",
    DoubtKind.SAME_CASE: "found_same_case",
    DoubtKind.SAME_PERSON: "found_same_person",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Occasion:
    """What the notice of one side says, already in words: programme (Chinese, English) and who is to be told."""

    match_id: str
    kind: DoubtKind
    programme: Line
    due: str
    party: str
    operator: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonNotice:
    """当事人告知. withheld: it goes before a person and not to anybody else; its lines then say only that."""

    is_minor: bool
    is_protected: bool
    withheld: bool
    lines: tuple[Line, ...]


def is_protected(person: Person) -> bool:
    """Whether a letter to the home could put the person in danger."""
    return person.women_class in VIOLENCE or person.protection_order is True or person.safety_flag is True


def write(person: Person, what: Occasion, *, is_minor: bool, by_safe_channel: bool = False) -> PersonNotice:
    """The notice for one person."""
    protected = is_protected(person)
    withheld = protected and not by_safe_channel
    lines = [_said("withheld")] if withheld else list(_lines(person, what, is_minor=is_minor, protected=protected))
    return PersonNotice(is_minor=is_minor, is_protected=protected, withheld=withheld, lines=tuple(lines))


def _lines(person: Person, what: Occasion, *, is_minor: bool, protected: bool) -> Iterator[Line]:
    yield _said("title")
    if protected:
        yield _said("to_protected")
        yield _said("found_protected")
    else:
        yield from _addressed(person, is_minor=is_minor)
        yield _said("found_minor" if is_minor else _FOUND[what.kind], programme=what.programme)
    yield _said("no_denial")
    yield _said("may_say")
    yield _said("until", due=(what.due, what.due))
    yield _said("where_protected") if protected else _said("where", party=(what.party, what.party))
    yield _said("appeal", operator=(what.operator, what.operator), match=(what.match_id, what.match_id))


def _addressed(person: Person, *, is_minor: bool) -> Iterator[Line]:
    if is_minor:
        guardian = person.guardian.name if person.guardian is not None else None
        yield _said("to_guardian", name=(guardian, guardian)) if guardian else _said("to_unnamed_guardian")
    else:
        name = person.name or "—"
        yield _said("to_person", name=(name, name))
    if person.residence:
        yield _said("address", residence=(person.residence, person.residence))


def _said(part: str, **values: Line) -> Line:
    row = _parts()[part]
    zh = row["zh"].format(**{name: value[0] for name, value in values.items()})
    return zh, row["en"].format(**{name: value[1] for name, value in values.items()})


@cache
def _parts() -> Mapping[str, Mapping[str, str]]:
    return {row["part"]: row for row in read_table("person_notices")}
