"""答复栏目 The fields of an answer's form: the columns of the sheet, their words and limits, in parts to follow.

The form and the sheet say the same: what is typed here becomes the row a sheet would hold, and is judged as that row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.domain.calendar import CHINA
from gateway.domain.replies import COMMON_DENIALS, load_replies
from gateway.web.pages.shown import code_text, t, word, words
from gateway.web.pages.visit import Visit
from gateway.workbook.sheets import CASE_LAYER, PAYEE_WORDS, REPLY_COLUMNS, reason_words, result_words, with_iso_days

LINE, TEXT = 200, 2000
_LONG = frozenset({"text", "missing"})
_DAYS = frozenset({"starts_on", "ends_on", "next_due"})
_PARTS = (
    (("办理结果", "Result"), ("result", "at", "next_due", "officer")),
    (
        ("救助内容（予以救助、已发放、服务已提供时填写）", "Help given (approved, paid, delivered)"),
        ("amount_yuan", "starts_on", "ends_on", "payee", "service"),
    ),
    (("不予救助（理由和书面说明都必填）", "Denial (reason and explanation are both needed)"), ("reason", "text")),
    (
        ("退回补正、已转办、非本部门或非本辖区", "Returned, forwarded, not in scope or region"),
        ("missing", "forwarded_to", "suggested_agency", "suggested_region"),
    ),
)
_HEADINGS = {key: heading.replace("*", "").split("\n") for key, heading in REPLY_COLUMNS}


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownField:
    """One field. options: (code, word) to choose from."""

    key: str
    label: str
    options: tuple[tuple[str, str], ...] = ()
    is_required: bool = False
    is_long: bool = False
    most: int = LINE
    mode: str = ""
    hint: str = ""

    @property
    def codes(self) -> frozenset[str]:
        """What may be chosen."""
        return frozenset(code for code, _ in self.options)


KEYS = tuple(key for _, keys in _PARTS for key in keys)


def parts(agency: str) -> list[tuple[str, list[ShownField]]]:
    """(heading, fields) of the form for one agency's answers."""
    return [(t(*heading), [_field(key, agency) for key in keys]) for heading, keys in _PARTS]


def _field(key: str, agency: str) -> ShownField:
    zh, en = _HEADINGS[key]
    day = t("如 2024-08-26", "e.g. 2024-08-26")
    hints = {
        "at": t("北京时间，如 2024-08-26 10:00", "China time, e.g. 2024-08-26 10:00"),
        "amount_yuan": t("如 650.00", "e.g. 650.00"),
        "missing": t("多项用顿号分开", "several between commas"),
        "suggested_region": "520102",
    }
    return ShownField(
        key=key,
        label=t(zh, en),
        options=tuple(_options(key, agency)),
        is_required=key in ("result", "at"),
        is_long=key in _LONG,
        most=TEXT if key in _LONG else LINE,
        mode={"amount_yuan": "decimal", "suggested_region": "numeric"}.get(key, ""),
        hint=day if key in _DAYS else hints.get(key, ""),
    )


def _options(key: str, agency: str) -> list[tuple[str, str]]:
    """The value is the sheet's own word, so that both make the same row."""
    match key:
        case "result":
            return _named(result_words(), "reply", CASE_LAYER)
        case "reason":
            return _named(reason_words(agency), "denial", COMMON_DENIALS)
        case "payee":
            shown = dict(zip(PAYEE_WORDS, (name for _, name in words("payee")), strict=False))
            return [(zh, shown.get(zh, zh)) for zh in PAYEE_WORDS]
        case "suggested_agency":
            return words("agency")
    return []


def _named(chosen: Sequence[str], kind: str, layer: str) -> list[tuple[str, str]]:
    """Words of one layer of the vocabulary: another layer may use the same word for another code."""
    codes = {entry.zh: entry.code for entry in load_replies() if entry.layer.startswith(layer)}
    return [(zh, word(codes[zh], kind)) for zh in chosen]


def wrong_text(key: str, code: str) -> str:
    """What is wrong with a field and how to mend it, as a form and a sheet are filled."""
    said = {
        ("at", "not_a_moment"): t(
            "不是有效时间；如 2024-08-26 或 2024-08-26 10:00", "No time. Such as 2024-08-26 10:00"
        ),
        ("amount_yuan", "pattern"): t("不是金额；如 650.00 或 1,234.56", "No amount. Such as 650.00 or 1,234.56"),
        ("suggested_region", "pattern"): t(
            "不是六位行政区划代码；如 520102", "No region code of six digits. Such as 520102"
        ),
    }
    return said.get((key, code)) or code_text(code)


def typed(visit: Visit) -> dict[str, str]:
    """As it came; one character more than a cell takes, so that what is too long is refused and not cut."""
    return {key: visit.text(key, (TEXT if key in _LONG else LINE) + 1) for key in KEYS}


def beginning(visit: Visit) -> dict[str, str]:
    """An empty form: now, and who is here."""
    return {"at": visit.now.astimezone(CHINA).strftime("%Y-%m-%d %H:%M"), "officer": visit.account.shown_as}


def cells_of(filled: Mapping[str, str], proof: Mapping[str, str]) -> dict[str, str]:
    """The row a sheet would hold."""
    return {**with_iso_days(filled), **proof}
