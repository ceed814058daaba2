"""Programmes are data: leads, serial routes, need words."""

from dataclasses import replace

import pytest

from gateway.domain.programmes import (
    AgencyCode,
    Programme,
    ProgrammeKind,
    index_programmes,
    load_programmes,
    need_code_index,
    programmes_from_rows,
)
from gateway.domain.rules import read_table
from gateway.errors import ConfigError

NEED_WORDS = {
    "LIVING": "MLG",
    "MEDICAL": "MED",
    "SCHOOL": "EDU",
    "DISABILITY_SUBSIDY": "LSD",
    "NURSING": "NSD",
    "DEVICE": "ASD",
    "REHABILITATION": "REHAB",
    "CHILD": "DFU",
    "ORPHAN": "ORP",
    "EMERGENCY": "TMP_U",
    "HARDSHIP": "TMP_E",
    "SHELTER": "DVS",
    "PSYCHOLOGY": "PSY",
    "LEGAL": "LEG",
    "MEDIATION": "MEDIATE",
    "CANCER": "CAN2",
    "JOB": "EMP",
    "HOUSING": "HSG",
}


def a_programme(code: str = "HEAT", *need_codes: str) -> Programme:
    return Programme(
        code=code,
        name_zh="取暖救助",
        english="heating aid",
        lead_agency=AgencyCode("housing"),
        kind=ProgrammeKind.SPECIAL_FORWARDED,
        one_time=False,
        need_codes=need_codes,
    )


def test_the_minimum_living_guarantee_is_led_by_civil_affairs_under_two_of_its_codes() -> None:
    living = load_programmes()["MLG"]
    assert ("civil_affairs", ("110", "120"), ()) == (
        living.lead_agency,
        living.civil_affairs_codes,
        living.serial_route,
    )


def test_disability_subsidies_are_reviewed_by_the_federation_and_decided_by_civil_affairs() -> None:
    programmes = load_programmes()
    expected = ("disabled_persons", "civil_affairs")
    assert [expected, expected] == [programmes[code].serial_route for code in ("LSD", "NSD")]


def test_only_the_aid_for_two_cancers_is_granted_once() -> None:
    assert ["CAN2"] == [code for code, programme in load_programmes().items() if programme.one_time]


def test_every_lead_agency_is_on_its_own_serial_route() -> None:
    assert [] == [p.code for p in load_programmes().values() if p.serial_route and p.lead_agency not in p.serial_route]


def test_every_programme_has_both_names() -> None:
    assert [] == [p.code for p in load_programmes().values() if not (p.name_zh and p.english)]


def test_a_plain_need_word_leads_to_one_programme() -> None:
    assert NEED_WORDS == need_code_index(load_programmes())


def test_a_programme_of_a_fourth_agency_is_only_data() -> None:
    programme = a_programme("HEAT", "HEATING")
    assert {"HEAT": programme} == index_programmes([programme])
    assert {"HEATING": "HEAT"} == need_code_index({"HEAT": programme})


@pytest.mark.parametrize(
    "pair",
    [
        (a_programme("A"), a_programme("A")),
        (a_programme("A", "WARM"), a_programme("B", "WARM")),
        (a_programme("A", "B"), a_programme("B")),
    ],
    ids=["same programme", "same need word", "need word that is a programme"],
)
def test_a_word_with_two_meanings_is_refused(pair: tuple[Programme, Programme]) -> None:
    with pytest.raises(ConfigError):
        index_programmes(pair)


def test_a_route_that_leaves_out_the_lead_agency_is_refused() -> None:
    with pytest.raises(ConfigError):
        replace(a_programme(), serial_route=(AgencyCode("civil_affairs"),))


def test_a_programme_without_a_lead_is_refused() -> None:
    with pytest.raises(ConfigError):
        replace(a_programme(), lead_agency=AgencyCode(""))


@pytest.mark.parametrize("changes", [{"one_time": "maybe"}, {"kind": "charity"}])
def test_a_row_that_cannot_be_read_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        programmes_from_rows([read_table("programmes")[0] | changes])
