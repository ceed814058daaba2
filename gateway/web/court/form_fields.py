"""表单栏目 One field of the entry form as a page shows it: its words, choices, hint, what was typed, what is wrong.

Everything comes from the workbook's table; a list that suggests (regions, relations) is an input with suggestions, a
closed one a choice, several words at once are boxes. Nothing is `required` for the browser: what a referral needs
depends on the case, and the gateway tells all of it at once.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.errors import ReferralIdTaken
from gateway.web.pages.shown import code_text, t
from gateway.workbook.court_codes import OPEN_LISTS, choices
from gateway.workbook.court_form import (
    FormProblem,
    FormSection,
    form_sections,
    member_columns,
    member_field,
)
from gateway.workbook.court_template import TemplateColumn
from gateway.workbook.spellings import read_texts

LONGEST = 20_000
"""Of one cell; whether it fits is the wire shape's to say."""
_ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_AREAS = frozenset({"survey.summary", "cap_exceeded_reason", "inquiry_waived_reason", "custody", "attachments"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """One field. sort: text, day, area, choice, suggest or boxes; listed: name of the list of suggestions."""

    name: str
    label: str
    mark: str
    hint: str
    sort: str
    value: str
    options: Sequence[str]
    chosen: Sequence[str]
    listed: str
    wrong: Sequence[str]


def shown_sections(
    cells: Mapping[str, str], problems: Sequence[FormProblem], sections: Sequence[FormSection] | None = None
) -> list[tuple[FormSection, list[Shown]]]:
    """Every section with its fields, unless only some are asked for."""
    wrong = _by_field(problems)
    return [
        (section, [_shown(column, column.key, cells.get(column.key, ""), wrong) for column in section.columns])
        for section in (form_sections() if sections is None else sections)
    ]


def shown_members(members: Sequence[Mapping[str, str]], problems: Sequence[FormProblem]) -> list[list[Shown]]:
    """A row of fields for each household member."""
    wrong = _by_field(problems)
    return [
        [_shown(column, member_field(at, column.key), one.get(column.key, ""), wrong) for column in member_columns()]
        for at, one in enumerate(members)
    ]


def suggestions() -> dict[str, Sequence[str]]:
    """The lists that suggest, by name."""
    return {name: choices(name) for name in sorted(OPEN_LISTS)}


def label_of(name: str) -> str:
    """The heading of a form's field."""
    columns = {column.key: column for section in form_sections() for column in section.columns}
    if name in columns:
        return t(columns[name].zh, columns[name].en)
    _, at, key = name.split("-", 2)
    column = next(column for column in member_columns() if column.key == key)
    return t(f"家庭成员 {int(at) + 1} · {column.zh}", f"Household member {int(at) + 1} · {column.en}")


def wrong_text(code: str) -> str:
    """What is wrong and how to mend it."""
    if code == ReferralIdTaken.code:  # the one refusal of a whole referral that is one field's fault
        title, mend = ReferralIdTaken.title, ReferralIdTaken.page_step
        return t(f"{title[0]}；{mend[0]}", f"{title[1]}. {mend[1]}")
    return code_text(code)


def _by_field(problems: Sequence[FormProblem]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in problems:
        found.setdefault(one.field, []).append(wrong_text(one.code))
    return found


def _shown(column: TemplateColumn, name: str, value: str, wrong: Mapping[str, Sequence[str]]) -> Shown:
    options = list(choices(column.words)) if column.words else []
    sort = _sort(column, value)
    if sort == "choice" and value and value not in options:
        options = [*_nearest(options, value), *options]
    example = f"{t('例', 'e.g.')} {column.example}" if column.example and sort in ("text", "area", "suggest") else ""
    return Shown(
        name=name,
        label=t(column.zh, column.en),
        mark={"required": "*", "conditional": t("（视情况）", " (if it applies)")}.get(column.need, ""),
        hint=" ".join(part for part in (t(column.note_zh, column.note_en), example) if part),
        sort=sort,
        value=value,
        options=options,
        chosen=_chosen(options, value) if sort == "boxes" else (),
        listed=column.words or "",
        wrong=wrong.get(name, ()),
    )


def _sort(column: TemplateColumn, value: str) -> str:
    kind = column.kind.partition(":")[0]
    if kind == "codes":
        return "boxes"
    if column.words in OPEN_LISTS:
        return "suggest"
    if column.words:
        return "choice"
    if column.key in _AREAS or column.key.endswith("_note"):
        return "area"
    # what was typed otherwise (2024年9月1日) is shown as it was typed: a browser's day field would lose it
    return "day" if kind == "day" and (not value or _ISO_DAY.fullmatch(value)) else "text"


def _nearest(options: Sequence[str], value: str) -> list[str]:
    """A value that is no option as it stands; one that means an option (its code alone) is that option."""
    return [] if any(one.split()[0] == value for one in options) else [value]


def _chosen(options: Sequence[str], value: str) -> list[str]:
    words = {word.split()[0] for word in read_texts(value)}
    return [one for one in options if one.split()[0] in words]
