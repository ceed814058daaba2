"""疑点筛选 What somebody asks of the list of findings, as it stands in an address or a form, read strictly.

Rules: an address holds codes and ids only, so that it can be kept as a bookmark; nobody is asked for by name. What is
asked is read within what somebody sees. Without a state the open ones are meant.
"""

import base64
import binascii
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from urllib.parse import urlencode

from gateway.domain.lifecycle import FindingState
from gateway.domain.person import SpecificGroup
from gateway.domain.rules import read_table
from gateway.errors import FieldProblem, InvalidQuery, NotFound
from gateway.store.finding_log import Asked, Order, Place
from gateway.web.pages.asked import as_kept
from gateway.web.pages.shown import t
from gateway.web.pages.visit import Visit

HOME = "/console/findings"
FIELDS = (
    *("family", "code", "state", "court", "office", "must_act", "assigned", "group", "due", "referral", "statement"),
    "sort",
)
SEARCHES = ("court", "office", "must_act", "assigned", "group", "referral", "statement")
"""What is asked about somebody, and therefore on file; kinds, states and orders are ways through one list."""
MOST_TEXT = 200
ALL, OVERDUE, WEEK = "all", "overdue", "week"
DAYS_AHEAD = 7
_MOST_DAYS = 3
MOST_KEY = 400


@dataclass(frozen=True, kw_only=True)
class Filter:
    """筛选条件 as typed."""

    values: Mapping[str, str]

    def __getitem__(self, name: str) -> str:
        return self.values[name]

    @property
    def is_asked(self) -> bool:
        """Whether anything narrows the list."""
        return any(self.values.values())

    @property
    def searched(self) -> str:
        """What goes on file of it; empty where nothing has to."""
        if not any(self.values[name] for name in SEARCHES):
            return ""
        return as_kept(self.values)

    def path(self, **changes: str) -> str:
        """The list with this, changed."""
        kept = {name: value for name, value in {**self.values, **changes}.items() if value}
        return f"{HOME}?{urlencode(kept)}" if kept else HOME


def address(**asked: str) -> str:
    """The list asked so."""
    return Filter(values=dict.fromkeys(FIELDS, "")).path(**asked)


def from_address(visit: Visit) -> Filter:
    """Of the query."""
    return Filter(values={name: visit.asked(name, MOST_TEXT) for name in FIELDS})


def from_form(visit: Visit) -> Filter:
    """Of the hidden fields of a form."""
    return Filter(values={name: visit.text(name, MOST_TEXT) for name in FIELDS})


def read(visit: Visit, typed: Filter) -> Asked:
    """What is looked for, within what somebody sees. Raises InvalidQuery, naming every field that is none."""
    allowed: Mapping[str, Collection[str]] = {
        "family": families(),
        "code": every_code(),
        "state": {ALL, *FindingState},
        "group": set(SpecificGroup),
        "sort": set(Order),
    }
    wrong = [name for name, known in allowed.items() if typed[name] and typed[name] not in known]
    ahead = _days_ahead(typed["due"])
    if typed["due"] and ahead is None:
        wrong.append("due")
    if wrong:
        raise InvalidQuery(problems=[FieldProblem(pointer=f"/{name}", code="unknown_code") for name in wrong])
    court = typed["court"]
    courts = visit.courts if not court else (court,) if visit.sees_court(court) else ()
    return Asked(
        states=_states(typed["state"]),
        codes=codes_of(typed["family"], typed["code"]),
        courts=courts,
        referral_id=typed["referral"] or None,
        statement=typed["statement"] or None,
        office=typed["office"] or None,
        must_act=typed["must_act"] or None,
        assigned_to=typed["assigned"] or None,
        group=SpecificGroup(typed["group"]) if typed["group"] else None,
        due_before=None if ahead is None else visit.now + timedelta(days=ahead),
        order=Order(typed["sort"]) if typed["sort"] else Order.OLDEST,
    )


def _states(state: str) -> tuple[FindingState, ...]:
    if state == ALL:
        return tuple(FindingState)
    return (FindingState(state),) if state else Asked().states


def _days_ahead(due: str) -> int | None:
    """Days from now until which something is due, what is overdue included; None for nothing that is asked."""
    named = {OVERDUE: 0, WEEK: DAYS_AHEAD}
    if due in named:
        return named[due]
    return int(due) if due.isascii() and due.isdigit() and len(due) <= _MOST_DAYS else None


@cache
def _families() -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for row in read_table("findings"):
        found[row["family"]] = (*found.get(row["family"], ()), row["code"])
    return found


def families() -> tuple[str, ...]:
    """Families of codes, in the order of the table."""
    return tuple(_families())


def every_code() -> tuple[str, ...]:
    """Every code, family by family."""
    return tuple(code for codes in _families().values() for code in codes)


def family_of(code: str) -> str:
    """The family of a code; empty for a code nobody knows."""
    return next((family for family, codes in _families().items() if code in codes), "")


def codes_of(family: str, code: str) -> tuple[str, ...]:
    """The codes both allow; one that is none of the family's leaves a code nobody has."""
    if not family:
        return (code,) if code else ()
    within = _families()[family]
    return within if not code else (code,) if code in within else ("-",)


def read_place(text: str) -> Place | None:
    """Where a page goes on. Raises InvalidQuery."""
    if not text:
        return None
    parts = text.split("~")
    if len(parts) != 3 or not all(_is_number(part) for part in parts):
        raise InvalidQuery(problems=[FieldProblem(pointer="/after", code="out_of_range")])
    rank, key, row = (int(part) for part in parts)
    return (rank, key, row)


def _is_number(text: str) -> bool:
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) <= 15


def write_place(place: Place | None) -> str | None:
    """As an address holds it."""
    return None if place is None else "~".join(str(part) for part in place)


def name_of_key(key: str) -> str:
    """A finding's key as one part of an address: keys hold bars, colons and slashes."""
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def key_of_name(name: str) -> str:
    """The key again. Raises NotFound for what names none."""
    try:
        key = base64.b64decode(name + "=" * (-len(name) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise NotFound from error
    if not 0 < len(key) <= MOST_KEY or "\0" in key or name_of_key(key) != name:
        raise NotFound
    return key


def ready_made(visit: Visit) -> list[tuple[str, str]]:
    """(address, words) of the lists that are asked for most."""
    own = visit.account.name
    named = (
        (t("指派给我的", "Assigned to me"), {"assigned": own, "sort": "due"}),
        (t("已超期", "Overdue"), {"due": OVERDUE, "sort": "due"}),
        (t("一周内到期", "Due within a week"), {"due": WEEK, "sort": "due"}),
        (t("重复·未成年人优先", "Duplicates, minors first"), {"family": "duplicate", "sort": "minors"}),
        (t("遗漏·未成年人优先", "Missed, minors first"), {"family": "missed", "sort": "minors"}),
        (t("支付·金额从大到小", "Payments, most money first"), {"family": "payment", "sort": "stake"}),
        (t("网关运维须办", "For the operator"), {"must_act": "operator"}),
        (t("已决定未结", "Decided, not closed"), {"state": "decided"}),
    )
    return [(address(**changes), words) for words, changes in named]
