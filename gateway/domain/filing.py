"""收件 What an intake rule reads (a filing: a referral with all it is judged by) and what it says (objections).

Values only; the rules themselves are `domain.intake_rules` and `domain.intake_identity`. An objection holds pointers,
codes and rule ids, never the value that was wrong.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from gateway.domain.agreement import AgreementProfile
from gateway.domain.programmes import Programme
from gateway.domain.referral import Referral
from gateway.domain.regions import Regions


class Breach(StrEnum):
    """What a broken rule does (DOMAIN §6): block the message, hold it for a person, warn."""

    BLOCK = "B"
    HOLD = "H"
    WARN = "W"


@dataclass(frozen=True, kw_only=True, slots=True)
class Filing:
    """A referral and what it is judged by. today: the China day of intake; court_region: GB/T 2260 of the court."""

    referral: Referral
    profile: AgreementProfile
    regions: Regions
    programmes: Mapping[str, Programme]
    today: date
    court_region: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Objection:
    """One breach. pointer: into the referral's data; code: of `field_codes.csv`, or the rule id of a hold."""

    breach: Breach
    pointer: str
    code: str


def block(pointer: str, code: str) -> Objection:
    """The message is refused."""
    return Objection(breach=Breach.BLOCK, pointer=pointer, code=code)


def hold(pointer: str, rule_id: str) -> Objection:
    """A person decides."""
    return Objection(breach=Breach.HOLD, pointer=pointer, code=rule_id)


def warn(pointer: str, code: str) -> Objection:
    """The message is taken, the sender is told."""
    return Objection(breach=Breach.WARN, pointer=pointer, code=code)
