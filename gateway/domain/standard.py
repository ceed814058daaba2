"""量化标准 The recommended amount of a judicial assistance, from a rule table, with its working.

Rules: months of wage for the ground, more for hardship and for each dependant, never above the share of the loss that
was not recovered, nor the 36-month cap (A01), nor the unenforced balance (A02). Every line of the working names its
row. The table is data with a version; the one shipped is a sample. The court decides; a decision further off than the
tolerance says why. Rounded down to whole yuan.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache

from gateway.domain.rules import read_table
from gateway.errors import ConfigError

YUAN = 100
PERCENT = 100
SAMPLE = "SAMPLE"


@dataclass(frozen=True, kw_only=True, slots=True)
class QuantificationStandard:
    """量化标准 of one name and version: (item, code) → value."""

    name: str
    version: int
    valid_from: date
    valid_to: date | None
    values: Mapping[tuple[str, str], int]

    def value(self, item: str, code: str) -> int:
        """One row's value. Raises ConfigError naming the row that is missing."""
        try:
            return self.values[item, code]
        except KeyError as error:
            raise ConfigError(f"standard {self.name}: no row {item},{code}", ids={"standard": self.name}) from error


@dataclass(frozen=True, kw_only=True, slots=True)
class Circumstance:
    """测算依据: what the amount is computed from. wage_fen: a month's wage; cap and balance where they are known."""

    ground: str
    hardship: str
    dependants: int
    loss_fen: int
    recovered_fen: int
    wage_fen: int
    cap_fen: int | None = None
    balance_fen: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkingLine:
    """测算步骤: one step in words, and the amount after it."""

    code: str
    zh: str
    en: str
    amount_fen: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Recommendation:
    """建议金额 with its working."""

    standard: str
    version: int
    amount_fen: int
    lines: tuple[WorkingLine, ...]
    tolerance_percent: int

    def needs_reason(self, decided_fen: int) -> bool:
        """Whether a decision is further off than the tolerance, either way."""
        return abs(decided_fen - self.amount_fen) * PERCENT > self.amount_fen * self.tolerance_percent


@cache
def load_standards() -> tuple[QuantificationStandard, ...]:
    """The shipped tables."""
    return standards_from_rows(read_table("standard_sample"))


def standards_from_rows(rows: Iterable[Mapping[str, str]]) -> tuple[QuantificationStandard, ...]:
    """Standards from table rows. Raises ConfigError for a row that cannot be read or says a thing twice."""
    found: dict[tuple[str, int], dict[tuple[str, str], int]] = {}
    dates: dict[tuple[str, int], tuple[date, date | None]] = {}
    for row in rows:
        try:
            key = (row["standard"], int(row["version"]))
            until = date.fromisoformat(row["valid_to"]) if row["valid_to"] else None
            dates[key] = (date.fromisoformat(row["valid_from"]), until)
            values, place = found.setdefault(key, {}), (row["item"], row["code"])
            number = int(row["value"])
        except (KeyError, ValueError) as error:
            raise ConfigError("standard: a row cannot be read", ids={"standard": row.get("standard", "")}) from error
        if place in values:
            raise ConfigError(f"standard {key[0]}: {place[0]},{place[1]} stands twice", ids={"standard": key[0]})
        values[place] = number
    return tuple(
        QuantificationStandard(
            name=name, version=version, valid_from=dates[key][0], valid_to=dates[key][1], values=values
        )
        for key, values in found.items()
        for name, version in (key,)
    )


def find_standard(
    name: str, day: date, *, standards: tuple[QuantificationStandard, ...] | None = None
) -> QuantificationStandard | None:
    """The newest version of a standard in force on a day; None when there is none."""
    fitting = [
        one
        for one in (load_standards() if standards is None else standards)
        if one.name == name and one.valid_from <= day and (one.valid_to is None or day <= one.valid_to)
    ]
    return max(fitting, key=lambda one: one.version, default=None)


def recommend(standard: QuantificationStandard, given: Circumstance) -> Recommendation:
    """The amount and its working. Raises ConfigError where the table has no row for what is given."""
    lines: list[WorkingLine] = []

    def step(code: str, zh: str, en: str, amount: int) -> int:
        lines.append(WorkingLine(code=code, zh=zh, en=en, amount_fen=amount))
        return amount

    months = standard.value("base", given.ground)
    amount = step(
        f"base,{given.ground}",
        f"事由 {given.ground}：{months} 个月工资",
        f"ground: {months} wages",
        months * given.wage_fen,
    )
    percent = standard.value("hardship", given.hardship)
    amount = step(
        f"hardship,{given.hardship}", f"困难程度 ×{percent}%", f"hardship x {percent}%", amount * percent // PERCENT
    )
    each, most = standard.value("dependant", "EACH"), standard.value("dependant", "MOST")
    more = min(each * given.dependants, most)
    if more:
        amount = step(
            "dependant", f"被扶养人加 {more} 个月工资", f"dependants: {more} wages", amount + more * given.wage_fen
        )
    share = standard.value("loss_share", "MOST")
    bounds = (
        ("loss_share", f"不超过未获赔偿损失的 {share}%", f"at most {share}% of the open loss", _share(given, share)),
        ("A01", "不超过三十六个月限额", "at most the 36-month cap", given.cap_fen),
        ("A02", "不超过未执行到位金额", "at most the unenforced balance", given.balance_fen),
    )
    for code, zh, en, bound in bounds:
        if bound is not None and amount > bound:
            amount = step(code, zh, en, bound)
    amount -= amount % YUAN
    return Recommendation(
        standard=standard.name,
        version=standard.version,
        amount_fen=amount,
        lines=tuple(lines),
        tolerance_percent=standard.value("tolerance", "EACH_WAY"),
    )


def _share(given: Circumstance, percent: int) -> int:
    return max(given.loss_fen - given.recovered_fen, 0) * percent // PERCENT
