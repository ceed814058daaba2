"""Case numbers: one grammar for assistance, a looser one for original cases."""

from datetime import date

import pytest

from gateway.domain.case_number import (
    PROVINCE_OF_CHARACTER,
    REGION_OF_COURT,
    TYPE_OF_CHARACTER,
    CaseNumber,
    CaseType,
    CourtLevel,
    OriginalCaseNumber,
    agrees_with_court,
    court_level,
    parse_case_number,
    parse_original_case_number,
    province_of_court,
)
from gateway.domain.regions import load_regions
from gateway.domain.rules import read_table
from gateway.domain.values import InvalidValue

TODAY = date(2026, 11, 24)


def a_number(*, court_prefix: str = "黔01", serial: int = 1, year: int = 2024, sub: int | None = None) -> CaseNumber:
    return CaseNumber(year=year, court_prefix=court_prefix, case_type=CaseType.ENFORCEMENT, serial=serial, sub=sub)


@pytest.mark.parametrize(
    "text", ["（2024）黔01司救执1号", "(2024)黔01司救执1号", "（2024)黔01司救执1号", "(2024)黔01司救执0001号"]
)
def test_one_case_has_one_stored_spelling(text: str) -> None:
    number = parse_case_number(text)
    assert (a_number(), "（2024）黔01司救执1号") == (number, number.text)


def test_a_sub_number_is_kept() -> None:
    number = parse_case_number("(2024)黔0102司救民12号之3")
    assert (12, 3, "（2024）黔0102司救民12号之3") == (number.serial, number.sub, number.text)


@pytest.mark.parametrize(("character", "expected"), TYPE_OF_CHARACTER.items())
def test_every_case_type_is_read(character: str, expected: CaseType) -> None:
    assert expected is parse_case_number(f"（2024）黔司救{character}1号").case_type


def test_the_case_types_are_those_of_the_table() -> None:
    rows = read_table("case_types")
    assert [row["code_name"] for row in rows] == [kind.value for kind in CaseType]
    assert {row["abbreviation_zh"]: row["code_name"] for row in rows} == {
        f"司救{character}": kind.value for character, kind in TYPE_OF_CHARACTER.items()
    }


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "case_number_form"),
        ("（2024）黔01司救执1", "case_number_form"),
        ("2024黔01司救执1号", "case_number_form"),
        ("见（2024）黔01司救执1号", "case_number_form"),
        ("（2024）黔01司救执1号。", "case_number_form"),
        ("（2024）黔01司救执1号\n", "case_number_form"),
        (" （2024）黔01司救执1号", "case_number_form"),
        ("（2024）黔01执1号", "case_number_form"),
        ("（2024）黔01司救执１号", "case_number_form"),
        ("（２０２４）黔01司救执1号", "case_number_form"),
        ("（2024）黔01021司救执1号", "case_number_form"),
        ("（2024）黔01司救执1号之", "case_number_form"),
        ("（2024）黔01司救执12345678号", "case_number_form"),
        ("（2024）黔01司救商1号", "case_number_type"),
        ("（2024）哈01司救执1号", "case_number_court"),
        ("（2013）黔01司救执1号", "case_number_year"),
        ("（2027）黔01司救执1号", "case_number_year"),
        ("（2024）黔01司救执0号", "case_number_serial"),
        ("（2024）黔01司救执1号之0", "case_number_serial"),
    ],
)
def test_a_wrong_number_says_what_is_wrong(text: str, code: str) -> None:
    with pytest.raises(InvalidValue, match=f"^{code}$"):
        parse_case_number(text, today=TODAY)


def test_without_a_day_a_year_to_come_is_not_noticed() -> None:
    assert 2027 == parse_case_number("（2027）黔01司救执1号").year


def test_this_years_number_is_accepted_on_new_years_day() -> None:
    assert 2026 == parse_case_number("（2026）黔01司救执1号", today=date(2026, 1, 1)).year


@pytest.mark.parametrize(
    ("prefix", "level", "province"),
    [
        ("最高法", CourtLevel.SUPREME, None),
        ("黔", CourtLevel.HIGH, "520000"),
        ("黔01", CourtLevel.INTERMEDIATE, "520000"),
        ("黔0102", CourtLevel.BASIC, "520000"),
        ("京73", CourtLevel.INTERMEDIATE, "110000"),
        ("兵0301", CourtLevel.BASIC, "650000"),
        ("黔1", CourtLevel.UNKNOWN, "520000"),
        ("黔010", CourtLevel.UNKNOWN, "520000"),
    ],
)
def test_level_and_province_follow_from_the_abbreviation(prefix: str, level: CourtLevel, province: str | None) -> None:
    number = parse_case_number(f"（2024）{prefix}司救执1号")
    assert (level, province) == (number.court_level, number.province)


@pytest.mark.parametrize("prefix", ["筑", "", "黔甲", "黔０１", "黔01021"])
def test_an_abbreviation_of_another_kind_has_no_level(prefix: str) -> None:
    assert CourtLevel.UNKNOWN is court_level(prefix)


def test_an_unknown_character_has_no_province() -> None:
    assert None is province_of_court("筑")


def test_every_province_character_leads_to_a_province_of_the_list() -> None:
    regions = load_regions()
    assert [] == [code for code in PROVINCE_OF_CHARACTER.values() if regions.get(code) is None]


def test_every_province_but_the_three_without_such_courts_has_a_character() -> None:
    provinces = {f"{number}0000" for number in range(11, 83) if load_regions().get(f"{number}0000")}
    assert {"710000", "810000", "820000"} == provinces - set(PROVINCE_OF_CHARACTER.values())


def test_the_certain_courts_are_prefectures_of_the_list() -> None:
    names = [region.name_zh for code in REGION_OF_COURT.values() if (region := load_regions().get(code))]
    assert ["贵阳市", "六盘水市", "遵义市", "毕节市"] == names


@pytest.mark.parametrize(
    ("prefix", "region", "expected"),
    [
        ("黔", "520000", True),
        ("黔", "520100", False),
        ("黔01", "520100", True),
        ("黔01", "520102", False),
        ("黔01", "520300", False),
        ("黔0102", "520102", True),
        ("黔0102", "520103", True),
        ("黔0102", "520302", False),
        ("黔23", "522300", True),
        ("黔23", "520100", True),
        ("黔2301", "522301", True),
        ("黔04", "520100", True),
        ("黔01", "440100", False),
        ("粤03", "440300", True),
        ("最高法", "520100", True),
    ],
)
def test_a_number_disagrees_with_a_court_only_where_that_is_certain(prefix: str, region: str, expected: bool) -> None:
    assert expected is agrees_with_court(prefix, region)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"court_prefix": "黔甲"}, "case_number_court"),
        ({"court_prefix": ""}, "case_number_court"),
        ({"year": 1999}, "case_number_year"),
        ({"serial": 0}, "case_number_serial"),
        ({"sub": 0}, "case_number_serial"),
    ],
)
def test_an_illegal_number_cannot_be_made(changes: dict[str, object], code: str) -> None:
    with pytest.raises(InvalidValue, match=f"^{code}$"):
        a_number(**changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "court", "kind", "serial", "sub"),
    [
        ("（2023）黔0102刑初12号", "黔0102", "刑初", "12", None),
        ("(2023)黔01民终5号", "黔01", "民终", "5", None),
        ("（2021）黔01执恢3号之一", "黔01", "执恢", "3", "一"),
        ("（2021）黔0102执1002号之2", "黔0102", "执", "1002", "2"),
        ("（2015）筑民初字第123号", "筑", "民初", "123", None),
        ("（2009）黔高法民终字第7号", "黔高法", "民终", "7", None),
        ("（2014）云高民一终字第5号", "云高", "民一终", "5", None),
        ("（2020）最高法民申19号", "最高法", "民申", "19", None),
        ("〔2016〕黔01行初8号", "黔01", "行初", "8", None),
        ("(2010)遵市法刑一初字第66-1号", "遵市法", "刑一初", "66-1", None),
    ],
)
def test_an_original_case_is_read_in_old_and_new_spelling(
    text: str, court: str, kind: str, serial: str, sub: str | None
) -> None:
    number = parse_original_case_number(text, today=TODAY)
    expected = OriginalCaseNumber(
        text=f"（{text[1:5]}）{text[6:]}", year=int(text[1:5]), court=court, kind=kind, serial=serial, sub=sub
    )
    assert expected == number


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "original_case_form"),
        ("黔0102刑初12号", "original_case_form"),
        ("（2023）黔0102刑初号", "original_case_form"),
        ("（2023）0102刑初12号", "original_case_form"),
        ("参见（2023）黔0102刑初12号", "original_case_form"),
        ("（2024）黔01司救执1号", "original_case_form"),
        ("（1948）筑民初字第1号", "case_number_year"),
        ("（2027）黔01民终5号", "case_number_year"),
    ],
)
def test_what_is_no_original_case_is_refused(text: str, code: str) -> None:
    with pytest.raises(InvalidValue, match=f"^{code}$"):
        parse_original_case_number(text, today=TODAY)


def test_both_bracket_styles_name_the_same_original_case() -> None:
    assert parse_original_case_number("(2023)黔01民终5号") == parse_original_case_number("（2023）黔01民终5号")
