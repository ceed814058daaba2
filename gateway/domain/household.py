"""家庭成员情况 What checks ask of a referral's household and its row does not say: flags, never names or numbers.

Rules: age is reckoned on the day the case was concluded, from the birth date as stated or as the resident id says it; a
member whose age is not known is neither minor nor elder, because nothing is guessed. Of a minor beneficiary only the
month is kept in which the law stops treating him as one.
"""

from dataclasses import dataclass

from gateway.domain.person import ELDERLY_FROM, MINOR_BELOW, HouseholdMember, Person
from gateway.domain.referral import Referral


@dataclass(frozen=True, kw_only=True, slots=True)
class MemberFlags:
    """One member by his place in the referral, from 1."""

    number: int
    is_minor: bool
    is_elder: bool
    member: HouseholdMember


def members_of(referral: Referral) -> tuple[MemberFlags, ...]:
    """Every member of the household, in the court's order."""
    return tuple(_flags(referral, number, one) for number, one in enumerate(referral.person.household, start=1))


def adult_from(referral: Referral) -> str | None:
    """`YYYY-MM` in which the beneficiary turns 18; None for an adult and where the birth date is not known."""
    born = referral.person.born
    if born is None or not referral.is_minor:
        return None
    return f"{born.year + MINOR_BELOW:04d}-{born.month:02d}"


def _flags(referral: Referral, number: int, member: HouseholdMember) -> MemberFlags:
    person = Person(id_type=member.id_type, id_number=member.id_number, birth_date=member.birth_date)
    age = person.age_on(referral.concluded_on)
    return MemberFlags(
        number=number,
        is_minor=age is not None and age < MINOR_BELOW,
        is_elder=age is not None and age >= ELDERLY_FROM,
        member=member,
    )
