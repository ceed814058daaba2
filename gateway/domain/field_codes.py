"""字段提示 The texts of field problems: what is wrong and how to mend it, in Chinese and English.

One row of `rules/field_codes.csv` per code that a schema or a domain parser gives; a code never changes its meaning
once published. Texts never hold the value that was wrong.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from gateway.domain.rules import read_table
from gateway.errors import ConfigError


class Severity(StrEnum):
    """轻重: an error refuses the message, a warning travels with the receipt."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldCode:
    """One code with its texts; zh/en say what is wrong, fix_zh/fix_en what to do."""

    code: str
    severity: Severity
    zh: str
    en: str
    fix_zh: str
    fix_en: str


@cache
def load_field_codes() -> dict[str, FieldCode]:
    """The shipped codes in file order; read once, so do not change the result."""
    return field_codes_from_rows(read_table("field_codes"))


def field_codes_from_rows(rows: Iterable[Mapping[str, str]]) -> dict[str, FieldCode]:
    """Codes from table rows; ConfigError when one comes twice or its severity does not exist."""
    found: dict[str, FieldCode] = {}
    for row in rows:
        code = row["code"]
        if code in found:
            raise ConfigError(f"field code {code} is listed twice", ids={"code": code})
        found[code] = FieldCode(
            code=code,
            severity=_severity(row),
            zh=row["zh"],
            en=row["en"],
            fix_zh=row["fix_zh"],
            fix_en=row["fix_en"],
        )
    return found


def _severity(row: Mapping[str, str]) -> Severity:
    try:
        return Severity(row["severity"])
    except ValueError as wrong:
        raise ConfigError(f"field code {row['code']}: unknown severity", ids={"code": row["code"]}) from wrong
