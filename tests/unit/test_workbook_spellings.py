"""填写习惯 Everything a clerk may write for one value, and what is refused because it could mean two."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from gateway.domain.identifiers import IdType, Sex
from gateway.domain.person import SpecificGroup, WomenClass
from gateway.domain.programmes import load_programmes
from gateway.domain.referral import (
    GROUND_CODES,
    REFUSAL_CODES,
    Decision,
    LegalBasis,
    ReferralAssessment,
    SurveyMode,
    Urgency,
)
from gateway.domain.values import InvalidValue
from gateway.workbook.court_codes import choices, need_of, read_code, words_of
from gateway.workbook.spellings import read_day, read_flag, read_moment, read_texts, read_whole, read_yuan


def code_of(read: Callable[[str], Any], text: str) -> str:
    with pytest.raises(InvalidValue) as refusal:
        read(text)
    return refusal.value.code


@pytest.mark.parametrize(
    "text",
    [
        "2024-09-01",
        "2024-9-1",
        "2024/9/1",
        "2024/09/01",
        "2024.9.1",
        "2024年9月1日",
        "2024年9月1",
        "20240901",
        "２０２４年９月１日",
        " 2024-09-01 ",
    ],
)
def test_a_day_in_every_usual_spelling(text: str) -> None:
    assert read_day(text) == date(2024, 9, 1)


@pytest.mark.parametrize(
    "text", ["", "9/1/2024", "01.09.2024", "24-09-01", "2024-02-30", "2024-9/1", "2024年9月", "202491", "去年", "45536"]
)
def test_what_is_no_day_or_could_be_two_is_refused(text: str) -> None:
    assert code_of(read_day, text) == "not_a_day"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-09-15", "2024-09-15T23:59:59+08:00"),
        ("2024-09-15 18:00", "2024-09-15T18:00:00+08:00"),
        ("2024/9/15 8:05", "2024-09-15T08:05:00+08:00"),
        ("2024年9月15日 18:00:30", "2024-09-15T18:00:30+08:00"),
        ("2024-09-15T18:00", "2024-09-15T18:00:00+08:00"),
        ("２０２４-09-15　18：00", "2024-09-15T18:00:00+08:00"),
        ("2024-09-15T10:00:00Z", "2024-09-15T10:00:00Z"),
        ("2024-09-15T10:00:00.5+09:00", "2024-09-15T10:00:00.5+09:00"),
    ],
)
def test_a_moment_is_china_time_unless_it_says_otherwise(text: str, moment: str) -> None:
    assert read_moment(text) == moment


@pytest.mark.parametrize("text", ["", "18:00", "2024-09-15 25:00", "2024-09-31 10:00", "2024-09-15 下午6点"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    assert code_of(read_moment, text) == "not_a_moment"


@pytest.mark.parametrize(
    ("text", "fen"),
    [
        ("0", 0),
        ("650", 65_000),
        ("650.5", 65_050),
        ("650.50", 65_050),
        ("0.01", 1),
        ("1,234.56", 123_456),
        ("12,345,678", 1_234_567_800),
        ("¥650", 65_000),
        ("￥650元", 65_000),
        ("６５０．５", 65_050),
        ("000650", 65_000),
        ("650.5000", 65_050),
        ("99999999999.99", 9_999_999_999_999),
    ],
)
def test_yuan_become_fen_exactly(text: str, fen: int) -> None:
    assert read_yuan(text) == fen


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "pattern"),
        ("-650", "pattern"),
        ("3万", "pattern"),
        ("650.555", "pattern"),
        ("1,23", "pattern"),
        ("1e3", "pattern"),
        ("六百五十", "pattern"),
        ("650.", "pattern"),
        ("100000000000", "out_of_range"),
    ],
)
def test_an_amount_that_is_not_clear_is_refused(text: str, code: str) -> None:
    assert code_of(read_yuan, text) == code


@pytest.mark.parametrize(("text", "flag"), [("是", True), ("有", True), ("Yes", True), ("否", False), ("无", False)])
def test_yes_and_no(text: str, flag: bool) -> None:
    assert read_flag(text) is flag


@pytest.mark.parametrize("text", ["", "不详", "1", "是否", "√"])
def test_what_is_neither_yes_nor_no_is_refused(text: str) -> None:
    assert code_of(read_flag, text) == "not_boolean"


@pytest.mark.parametrize(("text", "code"), [("-1", "not_integer"), ("1.0", "not_integer"), ("1" * 16, "out_of_range")])
def test_a_count_is_digits_alone(text: str, code: str) -> None:
    assert (read_whole("20480"), code_of(read_whole, text)) == (20_480, code)


def test_several_words_of_one_cell() -> None:
    assert read_texts("赵示例、钱示例,孙示例；李示例\n 周 示例 ;;") == [
        "赵示例",
        "钱示例",
        "孙示例",
        "李示例",
        "周 示例",
    ]
    assert read_texts("、") == []


# --- codes ---


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("decision", Decision),
        ("assessment", ReferralAssessment),
        ("urgency", Urgency),
        ("legal_basis", LegalBasis),
        ("survey_mode", SurveyMode),
        ("ground", GROUND_CODES),
        ("refusal", REFUSAL_CODES),
        ("id_type", IdType),
        ("sex", Sex),
        ("group", SpecificGroup),
        ("women_class", WomenClass),
        ("disability_kind", tuple("1234567")),
        ("disability_grade", tuple("1234")),
    ],
)
def test_a_list_offers_exactly_the_domains_codes(name: str, codes: Any) -> None:
    assert set(words_of(name)) == set(codes)
    assert all(words_of(name).values())


def test_needs_are_every_programme_and_every_need_code() -> None:
    programmes = load_programmes()
    words = {word for programme in programmes.values() for word in programme.need_codes}
    assert set(words_of("need")) == set(programmes) | words


def test_regions_are_those_a_person_can_be_registered_in() -> None:
    regions = words_of("region")
    assert (regions["520102"], "520000" in regions) == ("南明区", False)


@pytest.mark.parametrize("text", ["ASSIST 予以救助", "ASSIST", "assist", "予以救助", "ASSIST  予以"])
def test_a_code_is_read_with_its_word_or_without(text: str) -> None:
    assert read_code("decision", text) == "ASSIST"


def test_every_offered_choice_is_read_back_as_its_code() -> None:
    for name in (
        "decision",
        "ground",
        "refusal",
        "id_type",
        "sex",
        "group",
        "women_class",
        "region",
        "relation",
        "need",
    ):
        assert [read_code(name, choice) for choice in choices(name)] == list(words_of(name))


def test_a_code_that_lost_its_leading_zero_gets_it_back() -> None:
    assert (read_code("relation", "1"), read_code("id_type", "0")) == ("01", "000")


def test_a_closed_list_refuses_what_is_not_in_it() -> None:
    assert code_of(lambda text: read_code("decision", text), "同意") == "unknown_code"
    assert code_of(need_of, "钱") == "unknown_code"


def test_an_open_list_leaves_other_words_as_written() -> None:
    assert (read_code("relation", "81"), read_code("region", "529999")) == ("81", "529999")


def test_a_need_is_a_programme_or_a_plain_need_code() -> None:
    assert (need_of("MLG 最低生活保障"), need_of("LIVING")) == ({"programme": "MLG"}, {"need_code": "LIVING"})
