"""Regions: what a code names, what is above it, what replaced it."""

from collections.abc import Iterable
from datetime import date

import pytest

from gateway.domain.regions import EDITION, Region, RegionLevel, Regions, load_regions, regions_from_rows
from gateway.errors import ConfigError

PROVINCES = 34
PREFECTURES = 9
COUNTIES = 88


def codes(regions: Iterable[Region | None]) -> list[str | None]:
    return [region.code if region else None for region in regions]


def a_region(code: str, level: RegionLevel, parent: str, replaced_by: str | None = None) -> Region:
    return Region(code=code, name_zh="某地", level=level, parent=parent, replaced_by=replaced_by)


def current(level: RegionLevel) -> list[str]:
    rows = [load_regions().get(f"{number:06d}") for number in range(520000, 530000)]
    return [row.code for row in rows if row and row.level is level and row.replaced_by is None]


def test_guizhou_has_nine_prefectures_and_eighty_eight_counties() -> None:
    assert (PREFECTURES, COUNTIES) == (len(current(RegionLevel.PREFECTURE)), len(current(RegionLevel.COUNTY)))


def test_every_province_level_region_of_the_country_is_known() -> None:
    names = [load_regions().get(f"{number}0000") for number in range(11, 83)]
    assert PROVINCES == len([region for region in names if region])


def test_a_county_has_its_prefecture_and_province_above_it() -> None:
    assert ["520102", "520100", "520000"] == codes(load_regions().ancestors("520102"))


def test_a_prefecture_has_no_county_and_a_province_stands_alone() -> None:
    regions = load_regions()
    assert [None, "520500", "520000"] == codes(regions.ancestors("520500"))
    assert [None, None, "520000"] == codes(regions.ancestors("520000"))


def test_an_abolished_prefecture_is_followed_to_the_one_that_took_over() -> None:
    assert [None, "520500", "520000"] == codes(load_regions().ancestors("522400"))


def test_a_county_of_an_abolished_prefecture_keeps_its_new_prefecture_though_the_county_is_not_guessed() -> None:
    assert [None, "520600", "520000"] == codes(load_regions().ancestors("522201"))


def test_every_parent_in_the_table_is_in_the_table_too() -> None:
    regions = load_regions()
    parents = {region.parent for code in current(RegionLevel.COUNTY) if (region := regions.get(code))}
    assert set() == {parent for parent in parents if regions.get(parent) is None}


def test_a_county_elsewhere_is_unknown_and_its_province_is_not() -> None:
    regions = load_regions()
    province = regions.province_of("440305")
    assert regions.get("440305") is None
    assert province is not None
    assert "广东省" == province.name_zh


@pytest.mark.parametrize("code", ["", "52", "5201022", "05201０", "000000", "990102", "529999"])
def test_a_code_that_is_none_leads_nowhere_or_to_no_county(code: str) -> None:
    county, prefecture, _ = load_regions().ancestors(code)
    assert (None, None) == (county, prefecture)
    assert load_regions().get(code) is None


def test_the_synthetic_prefix_is_in_no_list() -> None:
    regions = load_regions()
    assert (None, False) == (regions.get("529999"), regions.is_abolished("529999"))


@pytest.mark.parametrize(
    ("code", "expected"),
    [("522200", True), ("522201", True), ("522401", True), ("520102", False), ("522301", False), ("440305", False)],
)
def test_a_code_is_abolished_with_its_prefecture(code: str, expected: bool) -> None:
    assert expected is load_regions().is_abolished(code)


def test_an_abolished_code_may_stand_on_an_old_paper_only() -> None:
    regions = load_regions()
    expected = [True, False]
    for code in ("522400", "522401"):
        assert expected == [regions.exists_at(code, day) for day in (date(2008, 1, 1), EDITION)]


def test_a_listed_code_exists_and_an_unknown_one_does_not() -> None:
    regions = load_regions()
    assert [True, False] == [regions.exists_at(code, EDITION) for code in ("520102", "529999")]


@pytest.mark.parametrize(
    ("outer", "inner", "expected"),
    [
        ("520000", "520102", True),
        ("520100", "520102", True),
        ("520102", "520102", True),
        ("520200", "520102", False),
        ("520102", "520100", False),
        ("520500", "522401", True),
        ("522400", "520502", True),
        ("520000", "440305", False),
    ],
)
def test_a_region_contains_what_lies_in_it_today(outer: str, inner: str, expected: bool) -> None:
    assert expected is load_regions().contains(outer, inner)


def test_a_code_listed_twice_is_refused() -> None:
    guizhou = a_region("520000", RegionLevel.PROVINCE, "000000")
    with pytest.raises(ConfigError):
        Regions([guizhou, guizhou])


@pytest.mark.parametrize("target", ["520900", "522200"], ids=["unlisted", "itself"])
def test_a_replacement_that_leads_nowhere_is_refused(target: str) -> None:
    with pytest.raises(ConfigError):
        Regions([a_region("522200", RegionLevel.PREFECTURE, "520000", target)])


def test_two_regions_that_replace_each_other_are_refused() -> None:
    one = a_region("522200", RegionLevel.PREFECTURE, "520000", "520600")
    other = a_region("520600", RegionLevel.PREFECTURE, "520000", "522200")
    with pytest.raises(ConfigError):
        Regions([one, other])


def test_a_chain_of_replacements_is_followed_to_its_end() -> None:
    regions = Regions(
        [
            a_region("520000", RegionLevel.PROVINCE, "000000"),
            a_region("522200", RegionLevel.PREFECTURE, "520000", "522900"),
            a_region("522900", RegionLevel.PREFECTURE, "520000", "520600"),
            a_region("520600", RegionLevel.PREFECTURE, "520000"),
        ]
    )
    assert [None, "520600", "520000"] == codes(regions.ancestors("522200"))


@pytest.mark.parametrize(
    ("code", "level"),
    [("520102", RegionLevel.PREFECTURE), ("520000", RegionLevel.COUNTY), ("52010", RegionLevel.COUNTY)],
)
def test_a_code_that_contradicts_its_level_is_refused(code: str, level: RegionLevel) -> None:
    with pytest.raises(ConfigError):
        a_region(code, level, "520000")


def test_an_unknown_level_in_the_table_is_refused() -> None:
    row = {"code": "520000", "name_zh": "贵州省", "level": "kingdom", "parent": "000000", "replaced_by": ""}
    with pytest.raises(ConfigError):
        regions_from_rows([row])
