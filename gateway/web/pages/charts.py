"""图表 Charts as SVG inside the page: bars, stacked bars, lines over months. Drawn here, without a script or a style.

Rules: what a chart says it says in words and numbers too, in its `<title>`, its `<desc>` and beside each mark; parts of
a bar are told apart by pattern and legend, lines by dash and mark, so that neither colour nor a screen is needed. What
was left out (None) is written as left out, never drawn as nothing. `name` makes ids of one page's charts different.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from unicodedata import east_asian_width

from markupsafe import Markup

WIDTH = 760
ROW, BAR, HEAD, FOOT = 26, 16, 10, 26
GAP, CHARACTER = 8, 7
MOST_LABEL, LEAST_LABEL = 340, 60
MOST_VALUE = 220
LINE_HEIGHT, LINE_LEFT, LINE_RIGHT, LINE_FOOT = 190, 60, 34, 32
LEGEND = 24
MOST_TICKS = 12
_JOINT = " / "
INK, GRID = "#16202c", "#d5dbe1"
FILLS = ("#0b4f8a", "#ffffff", "#7aa7cf", "#ffffff", "#3d4a57", "#ffffff")
MARKS = ("", "slope", "", "dots", "", "cross")
DASHES = ("", "7 4", "2 3", "10 3 2 3")
_PATTERNS = {
    "slope": '<path d="M0 8L8 0" stroke="{ink}" stroke-width="1.5"/>',
    "dots": '<circle cx="4" cy="4" r="1.6" fill="{ink}"/>',
    "cross": '<path d="M0 0L8 8M0 8L8 0" stroke="{ink}" stroke-width="1"/>',
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """One bar. value None: left out; shown: the value as it is written."""

    label: str
    value: float | None
    shown: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Stack:
    """One bar of several parts, in the order of the legend; shown: each part as it is written."""

    label: str
    values: Sequence[float | None]
    shown: Sequence[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """One line over the same months as the others."""

    label: str
    values: Sequence[float | None]


def bars(name: str, title: str, desc: str, items: Sequence[Bar]) -> Markup:
    """Lying bars, each with its label before and its value behind it."""
    left = _label_room([one.label for one in items])
    most = max((one.value or 0 for one in items), default=0)
    room = WIDTH - left - _value_room([one.shown for one in items])
    drawn = []
    for index, one in enumerate(items):
        y, length = HEAD + index * ROW, _part(one.value, most, room)
        drawn.append(_label(one.label, left, y))
        if one.value is not None:
            drawn.append(_rect(left, y, length, FILLS[0]))
        drawn.append(_text(left + length + GAP, y + BAR - 3, one.shown))
    drawn.append(_axis(left, HEAD - 4, HEAD + len(items) * ROW - 4))
    return _picture(name, title, desc, HEAD + len(items) * ROW + GAP, drawn)


def stacked(name: str, title: str, desc: str, parts: Sequence[str], items: Sequence[Stack]) -> Markup:
    """Lying bars of several parts, told apart by pattern; the legend says which is which."""
    left = _label_room([one.label for one in items])
    most = max((sum(value or 0 for value in one.values) for one in items), default=0)
    room = WIDTH - left - _value_room([_JOINT.join(one.shown) for one in items])
    drawn, top = [_legend(name, parts)], HEAD + LEGEND
    for index, one in enumerate(items):
        y, x = top + index * ROW, float(left)
        drawn.append(_label(one.label, left, y))
        for part, value in enumerate(one.values):
            length = _part(value, most, room)
            if length:
                drawn.append(_filled(name, part, x, y, length))
            x += length
        drawn.append(_text(x + GAP, y + BAR - 3, _JOINT.join(one.shown)))
    drawn.append(_axis(left, top - 4, top + len(items) * ROW - 4))
    return _picture(name, title, desc, top + len(items) * ROW + GAP, drawn, patterns=len(parts))


def lines(name: str, title: str, desc: str, months: Sequence[str], series: Sequence[Series]) -> Markup:
    """Lines over months, each with its own dash and mark; a month that was left out breaks the line."""
    most = _round_up(max((value or 0 for one in series for value in one.values), default=0))
    bottom = HEAD + LEGEND + LINE_HEIGHT
    step = (WIDTH - LINE_LEFT - LINE_RIGHT) / max(1, len(months) - 1)
    drawn = [_lines_legend(series)]
    for tick in range(5):
        y = bottom - tick * LINE_HEIGHT / 4
        drawn.append(_grid(LINE_LEFT, y, WIDTH - LINE_RIGHT))
        drawn.append(_text(LINE_LEFT - GAP, y + 4, f"{most * tick / 4:,g}", anchor="end"))
    every = -(-len(months) // MOST_TICKS)
    for index, month in enumerate(months):
        if index % every == 0:
            drawn.append(_text(LINE_LEFT + index * step, bottom + 18, month, anchor="middle"))
    for number, one in enumerate(series):
        points = [
            None if value is None else (LINE_LEFT + at * step, bottom - _part(value, most, LINE_HEIGHT))
            for at, value in enumerate(one.values)
        ]
        drawn += _line(number, points)
    return _picture(name, title, desc, bottom + LINE_FOOT, drawn)


# --- parts ---


def _picture(name: str, title: str, desc: str, height: float, drawn: Sequence[Markup], *, patterns: int = 0) -> Markup:
    return Markup(
        '<svg class="chart" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" '
        'aria-labelledby="{n}-title {n}-desc"><title id="{n}-title">{title}</title><desc id="{n}-desc">{desc}</desc>'
        "{defs}{body}</svg>"
    ).format(
        w=WIDTH, h=_n(height), n=name, title=title, desc=desc, defs=_defs(name, patterns), body=Markup("").join(drawn)
    )


def _defs(name: str, parts: int) -> Markup:
    used = [mark for part, mark in enumerate(MARKS) if part < parts and mark]
    made = [
        Markup('<pattern id="{}-{}" width="8" height="8" patternUnits="userSpaceOnUse">{}</pattern>').format(
            name,
            mark,
            Markup(_PATTERNS[mark].format(ink=INK)),  # noqa: S704 - our own words
        )
        for mark in used
    ]
    return Markup("<defs>{}</defs>").format(Markup("").join(made)) if made else Markup("")


def _filled(name: str, part: int, x: float, y: float, length: float) -> Markup:
    at = part % len(FILLS)
    drawn = _rect(x, y, length, FILLS[at])
    return drawn + _rect(x, y, length, f"url(#{name}-{MARKS[at]})") if MARKS[at] else drawn


def _rect(x: float, y: float, width: float, fill: str) -> Markup:
    return Markup('<rect x="{}" y="{}" width="{}" height="{}" fill="{}" stroke="{}" stroke-width="0.8"/>').format(
        _n(x), _n(y), _n(width), BAR, fill, INK
    )


def _text(x: float, y: float, text: str, *, anchor: str = "start") -> Markup:
    return Markup('<text x="{}" y="{}" text-anchor="{}">{}</text>').format(_n(x), _n(y), anchor, text)


def _label(label: str, left: float, y: float) -> Markup:
    return _text(left - GAP, y + BAR - 3, _shortened(label), anchor="end")


def _axis(x: float, top: float, bottom: float) -> Markup:
    return Markup('<path d="M{x} {t}V{b}" stroke="{ink}" fill="none"/>').format(
        x=_n(x), t=_n(top), b=_n(bottom), ink=INK
    )


def _grid(x: float, y: float, end: float) -> Markup:
    return Markup('<path d="M{} {}H{}" stroke="{}" fill="none"/>').format(_n(x), _n(y), _n(end), GRID)


def _legend(name: str, parts: Sequence[str]) -> Markup:
    drawn, x = Markup(""), 4.0
    for index, part in enumerate(parts):
        drawn += _filled(name, index, x, HEAD - 4, 22) + _text(x + 28, HEAD + BAR - 7, part)
        x += 28 + _width(part) + 24
    return drawn


def _lines_legend(series: Sequence[Series]) -> Markup:
    drawn, x = Markup(""), 4.0
    for number, one in enumerate(series):
        for mark in _line(number, [(x, HEAD + 4), (x + 30, HEAD + 4)]):
            drawn += mark
        drawn += _text(x + 38, HEAD + 8, one.label)
        x += 38 + _width(one.label) + 24
    return drawn


def _line(number: int, points: Sequence[tuple[float, float] | None]) -> list[Markup]:
    """The line between neighbours that are there, and a mark at each point."""
    dash, ink = DASHES[number % len(DASHES)], FILLS[0] if number % 2 == 0 else FILLS[4]
    parts = [f"M{_n(a[0])} {_n(a[1])}L{_n(b[0])} {_n(b[1])}" for a, b in pairwise(points) if a and b]
    path = Markup('<path d="{}" stroke="{}" stroke-width="2" stroke-dasharray="{}" fill="none"/>').format(
        "".join(parts), ink, dash or "none"
    )
    return [path, *(_point(number, *point, ink) for point in points if point is not None)]


def _point(number: int, x: float, y: float, ink: str) -> Markup:
    if number % 2 == 0:
        return Markup('<circle cx="{}" cy="{}" r="3" fill="{}"/>').format(_n(x), _n(y), ink)
    return Markup('<rect x="{}" y="{}" width="6" height="6" fill="#ffffff" stroke="{}"/>').format(
        _n(x - 3), _n(y - 3), ink
    )


def _part(value: float | None, most: float, room: float) -> float:
    return room * value / most if value and most else 0.0


def _round_up(value: float) -> float:
    """The next number a scale of four steps reads well by."""
    if value <= 4:
        return 4
    size = float(f"1e{len(str(int(value))) - 1}")
    return next(step * size for step in (1, 2, 4, 6, 8, 10, 12) if step * size >= value)


def _label_room(labels: Sequence[str]) -> float:
    return min(MOST_LABEL, max(LEAST_LABEL, max((_width(_shortened(one)) for one in labels), default=0) + 2 * GAP))


def _value_room(shown: Sequence[str]) -> float:
    return min(MOST_VALUE, max((_width(one) for one in shown), default=0) + 3 * GAP)


def _shortened(label: str) -> str:
    while _width(label) > MOST_LABEL - 2 * GAP:
        label = label.rstrip("…")[:-1] + "…"
    return label


def _width(text: str) -> int:
    """About how wide a text is: a Chinese character takes two."""
    return sum(CHARACTER * (2 if east_asian_width(character) in "WF" else 1) for character in text)


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
