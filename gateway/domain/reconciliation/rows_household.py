"""家庭之行 What the checks read of a referral's household and circumstances; rows without personal data."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class CircumstancesRow:
    """移送情况. adult_from: `YYYY-MM` in which a minor beneficiary comes of age."""

    has_authorisation: bool
    adult_from: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class MemberRow:
    """One household member by number. is_on_file: whether a referral of his own is; None where nobody may ask (P06)."""

    number: int
    is_minor: bool
    is_elder: bool
    is_on_file: bool | None = None
