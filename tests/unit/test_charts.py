"""Charts: every figure is written out, parts are told apart without colour, what was left out is not drawn as zero."""

import re
from xml.etree import ElementTree

import pytest
from markupsafe import Markup

from gateway.web.pages.charts import Bar, Series, Stack, bars, lines, stacked

HOSTILE = ("<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>")
STYLED = re.compile(r"style=|<style|<script|on[a-z]+=\"")


def a_bar(label: str = "刑事", value: float | None = 12, shown: str = "12 件") -> Bar:
    return Bar(label=label, value=value, shown=shown)


def every(text: str = "案件类型") -> list[Markup]:
    """One of each sort, with this as every text of it."""
    stack = Stack(label=text, values=[3, 1], shown=[text, "1"])
    return [
        bars("a", text, text, [a_bar(text, shown=text)]),
        stacked("b", text, text, [text, "其他"], [stack]),
        lines("c", text, text, ["2024-01", "2024-02"], [Series(label=text, values=[1, 2])]),
    ]


def tree(chart: Markup) -> ElementTree.Element:
    return ElementTree.fromstring(chart)


def widths(chart: Markup) -> list[float]:
    return [float(one.attrib["width"]) for one in tree(chart).iter("rect")]


def words(chart: Markup) -> list[str]:
    return [one.text or "" for one in tree(chart).iter("text")]


@pytest.mark.parametrize("at", range(3))
def test_a_chart_is_named_and_told_in_words_and_holds_no_style(at: int) -> None:
    chart = every()[at]
    root = tree(chart)
    title, desc = root.find("title"), root.find("desc")
    assert title is not None and desc is not None
    assert (title.text, desc.text) == ("案件类型", "案件类型")
    assert root.attrib["aria-labelledby"].split() == [title.attrib["id"], desc.attrib["id"]]
    assert root.attrib["role"] == "img"
    assert STYLED.search(chart) is None


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("at", range(3))
def test_hostile_words_come_out_as_words(hostile: str, at: int) -> None:
    chart = every(hostile)[at]
    assert hostile not in chart
    assert tree(chart).findtext("title") == hostile


def test_bars_are_as_long_as_their_values_and_each_says_its_value() -> None:
    chart = bars("a", "t", "d", [a_bar("甲", 40, "40 件"), a_bar("乙", 10, "10 件"), a_bar("丙", 0, "0 件")])
    long, short, none = widths(chart)
    assert (round(long / short, 1), none) == (4.0, 0)
    assert {"甲", "乙", "丙", "40 件", "10 件", "0 件"} <= set(words(chart))


def test_what_was_left_out_has_no_bar_and_says_so() -> None:
    chart = bars("a", "t", "d", [a_bar("甲", 40, "40 件"), a_bar("乙", None, "<5 略")])
    assert len(widths(chart)) == 1
    assert "<5 略" in words(chart)


def test_parts_differ_by_pattern_and_not_by_colour_alone() -> None:
    parts = ["予以救助", "不予救助", "中止", "终结"]
    stack = Stack(label="甲", values=[5, 4, 3, 2], shown=["5", "4", "3", "2"])
    chart = stacked("b", "t", "d", parts, [stack])
    patterns = [one.attrib["id"] for one in tree(chart).iter("pattern")]
    assert patterns == ["b-slope", "b-dots"]
    assert all(chart.count(f"url(#{name})") == 2 for name in patterns)  # in the bar and in the legend
    assert {*parts, "5 / 4 / 3 / 2"} <= set(words(chart))


def test_two_charts_of_one_page_share_no_id() -> None:
    found = [one.attrib["id"] for chart in every() for one in tree(chart).iter() if "id" in one.attrib]
    assert len(found) == len(set(found))


def test_a_month_that_was_left_out_breaks_the_line() -> None:
    months = ["2024-01", "2024-02", "2024-03", "2024-04", "2024-05"]
    whole = lines("c", "t", "d", months, [Series(label="x", values=[1, 2, 3, 4, 5])])
    broken = lines("c", "t", "d", months, [Series(label="x", values=[1, 2, None, 4, 5])])

    def drawn(chart: Markup) -> int:
        return max(one.attrib["d"].count("M") for one in tree(chart).iter("path"))

    assert (drawn(whole), drawn(broken)) == (4, 2)


def test_lines_differ_by_dash_and_mark() -> None:
    both = [Series(label="审结", values=[1, 2]), Series(label="救助", values=[1, 1])]
    chart = lines("c", "t", "d", ["2024-01", "2024-02"], both)
    dashes = {one.attrib["stroke-dasharray"] for one in tree(chart).iter("path") if "stroke-dasharray" in one.attrib}
    assert dashes == {"none", "7 4"}
    assert list(tree(chart).iter("circle")) and list(tree(chart).iter("rect"))


@pytest.mark.parametrize(
    ("most", "top"), [(0, "4"), (3, "4"), (5, "6"), (52, "60"), (99, "100"), (101, "200"), (1234, "2,000")]
)
def test_the_scale_ends_at_a_round_number_above_the_highest(most: int, top: str) -> None:
    chart = lines("c", "t", "d", ["2024-01", "2024-02"], [Series(label="x", values=[0, most])])
    assert top in words(chart)


def test_of_many_months_only_some_are_written() -> None:
    months = [f"{2000 + at // 12}-{at % 12 + 1:02d}" for at in range(120)]
    chart = lines("c", "t", "d", months, [Series(label="x", values=[1] * 120)])
    assert len([one for one in words(chart) if one in months]) <= 12


@pytest.mark.parametrize("items", [[], [a_bar(value=None, shown="")], [a_bar(value=0, shown="0")]])
def test_nothing_at_all_is_still_a_picture(items: list[Bar]) -> None:
    assert tree(bars("a", "t", "d", items)).tag == "svg"
    assert tree(lines("c", "t", "d", [], [Series(label="x", values=[])])).tag == "svg"


def test_a_label_too_long_for_its_place_is_cut_with_a_sign() -> None:
    chart = bars("a", "t", "d", [a_bar("很长" * 40)])
    assert any(one.startswith("很长") and one.endswith("…") for one in words(chart))
