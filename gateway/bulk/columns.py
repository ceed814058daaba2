"""名册的列 What the two sides of a whole-population comparison hold, and what comes of it.

Rules: persons, households and accounts are keyed hashes, never numbers or names; months are `year * 12 + month - 1`,
days `yyyymmdd`, both whole numbers, so that every engine counts alike; money is integer fen. The order here is the
order of columns in files. A file is CSV with these headings, or Parquet with these columns.
"""

from dataclasses import dataclass
from enum import StrEnum

EXPECTATION = {
    "expectation_id": "VARCHAR",
    "referral_id": "VARCHAR",
    "need_id": "VARCHAR",
    "person_key": "VARCHAR",
    "household_key": "VARCHAR",
    "agency": "VARCHAR",
    "office_id": "VARCHAR",
    "programme": "VARCHAR",
    "status": "VARCHAR",
    "amount_fen": "BIGINT",
    "m_from": "INTEGER",
    "m_until": "INTEGER",
}
"""预期: what the gateway was told, or waits for, one row a need. status: an `ExpectedStatus`."""

LINE = {
    "statement_id": "VARCHAR",
    "line": "BIGINT",
    "agency": "VARCHAR",
    "office_id": "VARCHAR",
    "need_id": "VARCHAR",
    "person_key": "VARCHAR",
    "household_key": "VARCHAR",
    "account_key": "VARCHAR",
    "programme": "VARCHAR",
    "status": "VARCHAR",
    "amount_fen": "BIGINT",
    "m_from": "INTEGER",
    "m_until": "INTEGER",
    "paid_on": "INTEGER",
}
"""对账单行: what an agency's roster or ledger says. status: a `ListedStatus`."""


class ExpectedStatus(StrEnum):
    """What was told of a need: paid, approved and running, asked and nothing told, refused, ended."""

    PAID = "PAID"
    APPROVED = "APPROVED"
    ASKED = "ASKED"
    REFUSED = "REFUSED"
    ENDED = "ENDED"


class ListedStatus(StrEnum):
    """What a line says: paid, on the roster, stopped, sent back by the bank, dead."""

    PAID = "PAID"
    ACTIVE = "ACTIVE"
    STOPPED = "STOPPED"
    RETURNED = "RETURNED"
    DECEASED = "DECEASED"


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Doubt:
    """疑点: one thing the two sides, or two lines, differ in, its fields in the order the definition gives its columns.
    line_id: `statement:line`; month: as in the files."""

    code: str
    line_id: str | None = None
    other_line_id: str | None = None
    expectation_id: str | None = None
    need_id: str | None = None
    person_key: str | None = None
    programme: str | None = None
    month: int | None = None
    ours_fen: int | None = None
    theirs_fen: int | None = None
    rule_id: str | None = None
