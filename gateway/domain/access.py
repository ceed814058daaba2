"""访问权限 Who may do what in the pages: six roles, the rights of each, and what part of the exchange an account sees.

Rules: rights stand in `rules/roles.csv` alone; an account has one role. A clerk belongs to one party and acts for it
and nobody else; of an agency perhaps for some of its offices only. Who sits at the console may be limited to a region.
Nobody grants what he asked for himself, and a key officer reads no case: no role has both kinds of right.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from gateway.domain.rules import read_table
from gateway.errors import ConfigError

MOST_NAME = 64


class Role(StrEnum):
    """角色"""

    ADMINISTRATOR = "administrator"
    RECONCILER = "reconciler"
    AUDITOR = "auditor"
    KEY_OFFICER = "key_officer"
    COURT_CLERK = "court_clerk"
    AGENCY_CLERK = "agency_clerk"


class Right(StrEnum):
    """权限"""

    SEE_COUNTS = "see_counts"
    SEE_CASES = "see_cases"
    REVEAL = "reveal"
    DECIDE = "decide"
    OPERATE_DELIVERY = "operate_delivery"
    SEE_STATEMENTS = "see_statements"
    TAKE_STATEMENTS = "take_statements"
    SEE_REPORTS = "see_reports"
    EXPORT = "export"
    SEE_EVIDENCE = "see_evidence"
    SEE_LOG = "see_log"
    SEE_PARTIES = "see_parties"
    MANAGE_KEYS = "manage_keys"
    MANAGE_ACCOUNTS = "manage_accounts"
    DIAGNOSE = "diagnose"
    APPROVE_KEYS = "approve_keys"
    APPROVE_REVEAL = "approve_reveal"
    APPROVE_ACCOUNTS = "approve_accounts"
    COURT_WORK = "court_work"
    AGENCY_WORK = "agency_work"


class Desk(StrEnum):
    """工作台: which of the three sets of pages a role works in; also the first part of their addresses."""

    CONSOLE = "console"
    AGENCY = "agency"
    COURT = "court"


@dataclass(frozen=True, kw_only=True, slots=True)
class RoleRow:
    """One role as the table has it."""

    role: Role
    zh: str
    en: str
    desk: Desk
    rights: frozenset[Right]


@cache
def load_roles() -> Mapping[Role, RoleRow]:
    """Every role of the table. Raises ConfigError for a table that names a right or a role nobody knows."""
    try:
        return {
            Role(row["role"]): RoleRow(
                role=Role(row["role"]),
                zh=row["zh"],
                en=row["en"],
                desk=Desk(row["desk"]),
                rights=frozenset(Right(one) for one in row["rights"].split()),
            )
            for row in read_table("roles")
        }
    except ValueError as error:
        raise ConfigError(f"rule table roles: {error}") from error


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """账号 Somebody who signs in to the pages.

    party_id: of a clerk, whose work he does; office_ids: of an agency's clerk, which of its offices (empty: all);
    region: of somebody at the console, the leading digits of the GB/T 2260 codes of the courts he sees (empty: all).
    """

    name: str
    shown_as: str
    role: Role
    party_id: str | None = None
    office_ids: tuple[str, ...] = ()
    region: str = ""
    active: bool = True

    def __post_init__(self) -> None:
        clerk = self.role in (Role.COURT_CLERK, Role.AGENCY_CLERK)
        if clerk is not (self.party_id is not None):
            raise ConfigError("a clerk, and nobody else, belongs to a party")
        if self.office_ids and self.role is not Role.AGENCY_CLERK:
            raise ConfigError("only an agency's clerk has offices")
        if clerk and self.region:
            raise ConfigError("a clerk's scope is the party, not a region")

    @property
    def row(self) -> RoleRow:
        """The role's row."""
        return load_roles()[self.role]

    def may(self, right: Right) -> bool:
        """Whether the role has the right."""
        return right in self.row.rights

    @property
    def who(self) -> str:
        """As decisions name who made them."""
        return f"account:{self.name}"
