"""同一救助的行 What the checks of same help read besides a referral's own rows: the matter, the family, old ledgers,
shared accounts. Ids, case numbers, amounts and days only; who somebody is stands in keyed hashes elsewhere (P06).
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from gateway.domain.coexistence import JUDICIAL
from gateway.domain.original_case import Statement


class Kinship(StrEnum):
    """关系, as referrals tell it: one household, or joined by a guardian or a person both name."""

    HOUSEHOLD = "household"
    RELATED = "related"


class OrganKind(StrEnum):
    """机关类别 of an old ledger."""

    COURT = "COURT"
    PROCURATORATE = "PROCURATORATE"
    POLICE = "POLICE"
    AGENCY = "AGENCY"
    OTHER = "OTHER"


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerAidRow:
    """旧台账: one aid granted before the gateway, to this referral's person; a court's unless a programme says so."""

    line_id: str
    organ: str
    organ_kind: OrganKind
    case_number: str
    numbers: Statement
    decided_on: date
    amount_fen: int
    joint_id: str | None = None
    programme: str = JUDICIAL


@dataclass(frozen=True, kw_only=True, slots=True)
class KinRow:
    """Another person's referral that a person of this one ties to it."""

    referral_id: str
    kinship: Kinship


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountRow:
    """One payment of a court into an account that money of this referral went to as well. mine: this referral's own
    payment; key: the account's keyed hash, shortened;
    is_earlier: the other payment was told before mine."""

    key: str
    referral_id: str
    payment_id: str
    mine: str
    amount_fen: int
    person_key: str | None
    related: bool
    is_earlier: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class SameHelp:
    """What of others bears on one referral. statements: what was stated together of its matter, its own left out."""

    statements: tuple[Statement, ...] = ()
    ledger: tuple[LedgerAidRow, ...] = ()
    kin: tuple[KinRow, ...] = ()
    accounts: tuple[AccountRow, ...] = ()
