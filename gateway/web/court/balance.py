"""本院平衡表 What became of every need the court asked for, drawn and counted, with the signed tree it was read from.

The picture is drawn here as lines of numbers turned into widths: the table beside it says the same in figures, and
nothing is told by colour alone.
"""

from dataclasses import dataclass

from werkzeug.wrappers import Response

from gateway.domain.access import Right
from gateway.domain.reconciliation.balance import COLUMNS, BalanceLine, Dimension
from gateway.errors import InvalidQuery
from gateway.flows.balance import Scope, read_balance
from gateway.web.desk import Desk
from gateway.web.pages.clerk import party_of
from gateway.web.pages.routes import Pages
from gateway.web.pages.shown import region, t, word
from gateway.web.pages.visit import Visit

BY = (Dimension.PERIOD, Dimension.AGENCY, Dimension.GROUP, Dimension.CASE_TYPE)
WIDTH, ROW, LEFT, BAR = 900, 26, 150, 18
MOST_DRAWN = 24
FILLS = {
    "assisted": "#0b6b36",
    "not_assisted": "#4d5966",
    "unexplained": "#9d1c1c",
    "withdrawn": "#aab4be",
    "open_in_time": "#1a73c9",
    "overdue": "#d9480f",
    "clock_unknown": "#c9a227",
    "held": "#6741a8",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """One part of a bar."""

    column: str
    count: int
    x: float
    width: float
    fill: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """One line of the picture."""

    label: str
    y: int
    total: int
    pieces: tuple[Piece, ...]


def pages(desk: Desk) -> Pages:
    """The one page."""
    found = Pages(desk, "court_balance", "/court/balance")

    @found.get("", Right.COURT_WORK)
    def court_balance(visit: Visit) -> Response:
        asked = visit.asked("by", 20) or Dimension.PERIOD.value
        if asked not in {one.value for one in BY}:
            raise InvalidQuery("by")
        by = Dimension(asked)
        newest = visit.asked("newest", 1) == "1"
        read = read_balance(visit.context, now=visit.now, by=by, scope=Scope(court=party_of(visit)), newest=newest)
        lines = [(label_of(one, by), one) for one in read.sheet.lines]
        bars = drawn(lines[-MOST_DRAWN:])
        return visit.page(
            "court/balance.html",
            by=by.value,
            choices=[(one.value, dimension_word(one)) for one in BY],
            newest=newest,
            lines=lines,
            sheet=read.sheet,
            place=read.place,
            columns=COLUMNS,
            bars=bars,
            fills=FILLS,
            size=(WIDTH, ROW * len(bars) + 8, LEFT, BAR),
        )

    return found


def dimension_word(by: Dimension) -> str:
    """What it is drawn up by."""
    return {
        Dimension.PERIOD: t("按月", "by month"),
        Dimension.AGENCY: t("按部门", "by agency"),
        Dimension.GROUP: t("按特定群体", "by specific group"),
        Dimension.CASE_TYPE: t("按案件类型", "by case type"),
    }[by]


def label_of(line: BalanceLine, by: Dimension) -> str:
    """A line's name in words."""
    code = str(getattr(line, by.value))
    if by is Dimension.PERIOD:
        return code
    none = {Dimension.AGENCY: t("尚未分派", "not routed yet")}.get(by, t("无", "none"))
    return none if code == "-" else word(code, by.value) or region(code)


def drawn(lines: list[tuple[str, BalanceLine]]) -> list[Bar]:
    """The picture's bars, all to one scale."""
    most = max((line.accounted for _, line in lines), default=0) or 1
    found = []
    for at, (label, line) in enumerate(lines):
        x, pieces = float(LEFT), []
        for column in COLUMNS:
            count = getattr(line, column)
            if count:
                width = round((WIDTH - LEFT - 60) * count / most, 2)
                pieces.append(Piece(column=column, count=count, x=round(x, 2), width=width, fill=FILLS[column]))
                x += width
        found.append(Bar(label=label, y=4 + at * ROW, total=line.accounted, pieces=tuple(pieces)))
    return found
