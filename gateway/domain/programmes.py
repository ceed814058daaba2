"""救助项目 The programmes a need may ask for, who leads each, and the plain need words courts may write instead.

Rules: a programme has one lead agency; a serial route starts with the organ that reviews and ends with the one that
decides (R07). An agency is a plain string: a fourth agency is a line of configuration, so nothing here lists them.
Need codes are our own design, for courts that know the hardship and not the programme.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from gateway.domain.rules import read_table
from gateway.errors import ConfigError

AgencyCode = NewType("AgencyCode", str)
"""部门代码, e.g. `civil_affairs`; which ones exist is said by the configuration."""


class ProgrammeKind(StrEnum):
    """救助项目类别."""

    BASIC = "basic"
    STATUS = "status"
    EMERGENCY = "emergency"
    CHILD = "child"
    DISABILITY = "disability"
    SPECIAL_FORWARDED = "special_forwarded"
    WOMEN = "women"


class Serves(StrEnum):
    """For whom help of a programme is: whether a member of the household is thought of by it."""

    PERSON = "person"
    CHILD = "child"
    HOUSEHOLD = "household"


@dataclass(frozen=True, kw_only=True, slots=True)
class Programme:
    """救助项目. serial_route: organs in order, empty where the lead agency does all; some are no agency of ours.

    economic_check: nothing is decided without the family's authorisation to check its economic status.
    """

    code: str
    name_zh: str
    english: str
    lead_agency: AgencyCode
    kind: ProgrammeKind
    one_time: bool
    civil_affairs_codes: tuple[str, ...] = ()
    serial_route: tuple[AgencyCode, ...] = ()
    need_codes: tuple[str, ...] = ()
    economic_check: bool = False
    serves: Serves = Serves.PERSON

    def __post_init__(self) -> None:
        if not self.code or not self.lead_agency:
            raise ConfigError("a programme needs a code and a lead agency", ids={"programme": self.code})
        if self.serial_route and self.lead_agency not in self.serial_route:
            raise ConfigError(f"{self.code}: the lead agency is not on its route", ids={"programme": self.code})


def load_programmes() -> dict[str, Programme]:
    """Every programme of `rules/programmes.csv` by code, in file order."""
    return programmes_from_rows(read_table("programmes"))


def programmes_from_rows(rows: Iterable[Mapping[str, str]]) -> dict[str, Programme]:
    """Programmes from table rows, by code; ConfigError for a row or a repetition that makes no sense."""
    return index_programmes(_from_row(row) for row in rows)


def index_programmes(programmes: Iterable[Programme]) -> dict[str, Programme]:
    """By code; ConfigError when a programme code or a need code is used twice or a need code shadows a programme."""
    found: dict[str, Programme] = {}
    words: set[str] = set()
    for programme in programmes:
        taken = [code for code in (programme.code, *programme.need_codes) if code in words]
        if taken:
            raise ConfigError(f"programme table uses a code twice: {taken[0]}", ids={"code": taken[0]})
        words.update((programme.code, *programme.need_codes))
        found[programme.code] = programme
    return found


def need_code_index(programmes: Mapping[str, Programme]) -> dict[str, str]:
    """Plain need code → programme code (`LIVING` → `MLG`)."""
    return {need: programme.code for programme in programmes.values() for need in programme.need_codes}


def _from_row(row: Mapping[str, str]) -> Programme:
    for column in ("one_time", "economic_check"):
        if row.get(column, "no") not in {"yes", "no"}:
            raise ConfigError(f"{row['code']}: {column} is yes or no", ids={"programme": row["code"]})
    try:
        kind, serves = ProgrammeKind(row["kind"]), Serves(row.get("serves") or Serves.PERSON)
    except ValueError as wrong:
        raise ConfigError(f"{row['code']}: unknown kind", ids={"programme": row["code"]}) from wrong
    return Programme(
        code=row["code"],
        name_zh=row["name_zh"],
        english=row["english"],
        lead_agency=AgencyCode(row["lead_agency"]),
        kind=kind,
        one_time=row["one_time"] == "yes",
        civil_affairs_codes=_parts(row["civil_affairs_code"], "|"),
        serial_route=tuple(AgencyCode(organ) for organ in _parts(row["serial_route"], ">")),
        need_codes=_parts(row["need_codes"], "|"),
        economic_check=row.get("economic_check") == "yes",
        serves=serves,
    )


def _parts(cell: str, separator: str) -> tuple[str, ...]:
    return tuple(part for part in cell.split(separator) if part)
