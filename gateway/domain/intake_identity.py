"""证件核对 The intake rules about who the people of a referral are: numbers, birth dates, sex, disability certificates.

Rules: a wrong number or a birth date that contradicts it blocks, because age decides which rules protect the person; a
different sex or a certificate that says another kind only warns, because registers hold such slips and the agency will
see the paper. A certificate of another person blocks.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from gateway.domain.filing import Filing, Objection, block, warn
from gateway.domain.identifiers import (
    DisabilityCertificate,
    IdType,
    Sex,
    check_identity,
    parse_disability_certificate,
    resident_birth_date,
    resident_sex,
)
from gateway.domain.person import Disability, Person
from gateway.domain.values import InvalidValue


@dataclass(frozen=True, kw_only=True, slots=True)
class _Paper:
    """One person's identity paper as stated, with the pointer of that person."""

    pointer: str
    id_type: str | None
    id_number: str | None
    birth_date: date | None = None
    sex: str | None = None


def identity_numbers(filing: Filing) -> Iterator[Objection]:
    """Numbers of beneficiary, guardian and household are checked by their kind; kind and number go together."""
    for paper in _papers(filing.referral.person):
        yield from _number(paper, filing)


def identity_agrees(filing: Filing) -> Iterator[Objection]:
    """Birth date and sex are those the resident id says."""
    for paper in _papers(filing.referral.person):
        born, sex = _written(paper)
        if born is not None and paper.birth_date is not None and paper.birth_date != born:
            yield block(f"{paper.pointer}/birth_date", "birth_date_differs")
        if sex is not None and paper.sex in (Sex.MALE, Sex.FEMALE) and paper.sex != sex:
            yield warn(f"{paper.pointer}/sex", "sex_differs")


def disability_certificate(filing: Filing) -> Iterator[Objection]:
    """A certificate number can be read, is the beneficiary's own, and says the kind and grade that are stated."""
    person = filing.referral.person
    stated = person.disability
    if stated is None or stated.certificate is None:
        return
    pointer = "/person/disability/certificate"
    try:
        read = parse_disability_certificate(stated.certificate, allow_synthetic=filing.profile.allow_synthetic)
    except InvalidValue as wrong:
        yield block(pointer, wrong.code)
        return
    own = _resident_number(filing)
    if own is not None and read.holder_id != own:
        yield block(pointer, "certificate_other_holder")
    if _differs(stated, read):
        yield warn(pointer, "certificate_differs")


def birth_date_of(person: Person) -> date | None:
    """The stated birth date, or the one a readable resident id says."""
    if person.birth_date is not None:
        return person.birth_date
    return _written(_paper_of(person))[0]


def _papers(person: Person) -> Iterator[_Paper]:
    yield _paper_of(person)
    if person.guardian is not None:
        yield _Paper(pointer="/person/guardian", id_type=person.guardian.id_type, id_number=person.guardian.id_number)
    for index, member in enumerate(person.household):
        yield _Paper(
            pointer=f"/person/household/{index}",
            id_type=member.id_type,
            id_number=member.id_number,
            birth_date=member.birth_date,
        )


def _paper_of(person: Person) -> _Paper:
    return _Paper(
        pointer="/person",
        id_type=person.id_type,
        id_number=person.id_number,
        birth_date=person.birth_date,
        sex=person.sex,
    )


def _number(paper: _Paper, filing: Filing) -> Iterator[Objection]:
    if paper.id_type is None:
        if paper.id_number is not None:
            yield block(f"{paper.pointer}/id_type", "required")
        return
    try:
        kind = IdType(paper.id_type)
    except ValueError:
        yield block(f"{paper.pointer}/id_type", "unknown_code")
        return
    if paper.id_number is None:
        if kind is not IdType.NONE_YET:
            yield block(f"{paper.pointer}/id_number", "required")
        return
    found = check_identity(
        kind, paper.id_number, regions=filing.regions, allow_synthetic=filing.profile.allow_synthetic
    )
    yield from (block(f"{paper.pointer}/id_number", code) for code in found.errors)
    yield from (warn(f"{paper.pointer}/id_number", code) for code in found.warnings)


def _written(paper: _Paper) -> tuple[date | None, Sex | None]:
    """What a resident id says of birth and sex; nothing where there is none or it cannot be read."""
    if paper.id_type != IdType.RESIDENT_ID or paper.id_number is None:
        return None, None
    try:
        return resident_birth_date(paper.id_number), resident_sex(paper.id_number)
    except InvalidValue:
        return None, None


def _resident_number(filing: Filing) -> str | None:
    """The beneficiary's resident id as numbers are compared: half-width, upper case, 18 characters."""
    person, profile = filing.referral.person, filing.profile
    if person.id_type != IdType.RESIDENT_ID or person.id_number is None:
        return None
    found = check_identity(
        IdType.RESIDENT_ID, person.id_number, regions=filing.regions, allow_synthetic=profile.allow_synthetic
    )
    return found.normal if found.is_acceptable else None


def _differs(stated: Disability, read: DisabilityCertificate) -> bool:
    kind_differs = stated.kind is not None and str(stated.kind) != read.kind
    return kind_differs or (stated.grade is not None and stated.grade != read.grade)
