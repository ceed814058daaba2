"""Which office must help: the nearest of the right agency, by the right place, each choice with its reason."""

from typing import Any

import pytest

from gateway.domain.agreement import Office
from gateway.domain.programmes import load_programmes
from gateway.domain.referral import RequestedNeed, Urgency
from gateway.domain.regions import RegionLevel, load_regions
from gateway.domain.routing import (
    OfficeIndex,
    Place,
    PlaceRule,
    Routed,
    Unroutable,
    UnroutableCode,
    next_step,
    place_for,
    priority,
    programme_of,
    route,
    route_step,
    steps_of,
)
from tests.builders import a_person, a_profile, an_office

REGIONS = load_regions()
PROGRAMMES = load_programmes()
BOTH = frozenset({"civil_affairs", "disabled_persons"})
NANMING, GUIYANG, GUIZHOU, ZUNYI_COUNTY = "520102", "520100", "520000", "520302"


def routed(*offices: Office, need: RequestedNeed | None = None, **changes: Any) -> Routed | Unroutable:
    """The route of one need of a person of Nanming."""
    honest: dict[str, Any] = {
        "person": a_person(),
        "urgency": Urgency.NORMAL,
        "place_of_event": None,
        "profile": a_profile(),
        "programmes": PROGRAMMES,
        "regions": REGIONS,
        "offices": OfficeIndex(offices or (an_office(),)),
        "agencies_with_adapter": BOTH,
    }
    (found,) = route([need or RequestedNeed(programme="MLG")], **(honest | changes))
    return found


def office_of(found: Routed | Unroutable) -> str:
    assert isinstance(found, Routed), found
    return found.office_id


# --- the nearest office ---


def test_the_county_office_comes_before_those_above_it() -> None:
    offices = [an_office(region=region) for region in (GUIZHOU, GUIYANG, NANMING)]
    assert "civil_affairs-520102" == office_of(routed(*offices))


def test_without_a_county_office_the_prefecture_helps() -> None:
    offices = [an_office(region=region) for region in (GUIZHOU, GUIYANG, ZUNYI_COUNTY)]
    assert "civil_affairs-520100" == office_of(routed(*offices))


def test_without_either_the_province_helps() -> None:
    assert "civil_affairs-520000" == office_of(routed(an_office(region=GUIZHOU), an_office(region=ZUNYI_COUNTY)))


def test_an_office_of_a_neighbouring_county_is_never_taken() -> None:
    found = routed(an_office(region="520103"))
    assert Unroutable(programme="MLG", code=UnroutableCode.NO_OFFICE) == found


def test_an_office_of_another_agency_is_never_taken() -> None:
    found = routed(an_office("disabled_persons"))
    assert Unroutable(programme="MLG", code=UnroutableCode.NO_OFFICE) == found


def test_an_office_of_a_party_the_agreement_does_not_name_gets_nothing() -> None:
    stranger = an_office(party_id="cn/other/520102")
    assert Unroutable(programme="MLG", code=UnroutableCode.NO_OFFICE) == routed(stranger)
    assert "civil_affairs-520100" == office_of(routed(stranger, an_office(region=GUIYANG)))


def test_a_paused_office_is_chosen_all_the_same() -> None:
    assert "civil_affairs-520102" == office_of(routed(an_office(paused=True), an_office(region=GUIYANG)))


def test_of_two_offices_of_one_region_the_smaller_id_is_taken_and_the_choice_is_told() -> None:
    found = routed(an_office(office_id="b"), an_office(office_id="a"))
    assert "a" == office_of(found)
    assert isinstance(found, Routed)
    assert "choices=2" in found.because


def test_an_office_listed_under_an_abolished_code_serves_what_took_it_over() -> None:
    nearest = OfficeIndex([an_office(region="522400")]).nearest("civil_affairs", "520502", REGIONS)
    assert nearest is not None
    assert ("civil_affairs-522400", RegionLevel.PREFECTURE) == (nearest.office.office_id, nearest.level)


def test_every_choice_says_why() -> None:
    found = routed(an_office(region=GUIYANG))
    assert isinstance(found, Routed)
    expected = "programme=MLG;agency=civil_affairs;region=520102;by=household_registration;level=prefecture;distance=1"
    assert expected == found.because


# --- the place (R02) ---


def test_a_need_goes_where_the_household_is_registered() -> None:
    person = a_person(household_registration_region=ZUNYI_COUNTY, residence=NANMING)
    found = routed(an_office(), an_office(region=ZUNYI_COUNTY), person=person, place_of_event=NANMING)
    assert "civil_affairs-520302" == office_of(found)


@pytest.mark.parametrize("urgency", [Urgency.URGENT_24H, Urgency.URGENT_48H])
def test_an_urgent_need_goes_where_it_happened(urgency: Urgency) -> None:
    offices = (an_office(), an_office(region=ZUNYI_COUNTY))
    found = routed(*offices, urgency=urgency, place_of_event=ZUNYI_COUNTY)
    assert "civil_affairs-520302" == office_of(found)


@pytest.mark.parametrize("place", [None, "520199", "nowhere"])
def test_an_urgent_need_without_a_known_place_goes_home(place: str | None) -> None:
    found = place_for(a_person(), urgency=Urgency.URGENT_24H, place_of_event=place, regions=REGIONS)
    assert Place(region=NANMING, by=PlaceRule.HOUSEHOLD_REGISTRATION) == found


@pytest.mark.parametrize("home", [None, "520199", ""])
def test_a_need_without_a_known_home_is_unroutable_and_not_lost(home: str | None) -> None:
    found = routed(person=a_person(household_registration_region=home))
    assert Unroutable(programme="MLG", code=UnroutableCode.REGION_UNKNOWN) == found


def test_a_home_in_a_province_known_by_name_only_is_a_place_without_office() -> None:
    found = routed(person=a_person(household_registration_region="510104"))
    assert Unroutable(programme="MLG", code=UnroutableCode.NO_OFFICE) == found


# --- programmes, adapters, agreements ---


def test_a_plain_need_code_finds_its_programme() -> None:
    assert programme_of(RequestedNeed(need_code="LIVING"), PROGRAMMES) == PROGRAMMES["MLG"]
    assert "civil_affairs-520102" == office_of(routed(need=RequestedNeed(need_code="LIVING")))


def test_a_programme_code_wins_over_a_need_code() -> None:
    assert PROGRAMMES["DST"] == programme_of(RequestedNeed(programme="DST", need_code="LIVING"), PROGRAMMES)


@pytest.mark.parametrize("need", [RequestedNeed(programme="XXX"), RequestedNeed(need_code="XXX"), RequestedNeed()])
def test_a_need_nobody_knows_is_unroutable(need: RequestedNeed) -> None:
    assert Unroutable(programme=None, code=UnroutableCode.UNKNOWN_PROGRAMME) == routed(need=need)


def test_a_programme_outside_the_agreement_is_unroutable() -> None:
    found = routed(profile=a_profile(programmes=frozenset({"DST"})))
    assert Unroutable(programme="MLG", code=UnroutableCode.PROGRAMME_NOT_IN_AGREEMENT) == found


def test_an_agency_without_adapter_is_unroutable() -> None:
    found = routed(agencies_with_adapter=frozenset({"womens_federation"}))
    assert Unroutable(programme="MLG", code=UnroutableCode.NO_ADAPTER) == found


def test_needs_keep_their_order_and_one_failure_stops_no_other() -> None:
    needs = [RequestedNeed(programme="CAN2"), RequestedNeed(programme="XXX"), RequestedNeed(programme="MLG")]
    found = route(
        needs,
        person=a_person(),
        urgency=Urgency.NORMAL,
        place_of_event=None,
        profile=a_profile(),
        programmes=PROGRAMMES,
        regions=REGIONS,
        offices=OfficeIndex([an_office()]),
        agencies_with_adapter=BOTH,
    )
    assert ["CAN2", None, "MLG"] == [step.programme for step in found]
    assert [Unroutable, Unroutable, Routed] == [type(step) for step in found]


# --- serial routes (R07, R08) ---


def test_a_serial_route_starts_with_the_organ_that_reviews() -> None:
    found = routed(an_office(), an_office("disabled_persons"), need=RequestedNeed(programme="LSD"))
    assert isinstance(found, Routed)
    assert ("disabled_persons", 0) == (found.agency, found.step)
    assert ("disabled_persons", "civil_affairs") == found.steps


def test_the_second_step_goes_to_the_organ_that_decides() -> None:
    programme = PROGRAMMES["LSD"]
    found = route_step(
        programme,
        next_step(programme, 0, BOTH),
        place=Place(region=NANMING, by=PlaceRule.HOUSEHOLD_REGISTRATION),
        profile=a_profile(),
        regions=REGIONS,
        offices=OfficeIndex([an_office(), an_office("disabled_persons")]),
        agencies_with_adapter=BOTH,
    )
    assert isinstance(found, Routed)
    assert ("civil_affairs", 1, "civil_affairs-520102") == (found.agency, found.step, found.office_id)


def test_after_the_last_organ_there_is_no_step() -> None:
    assert next_step(PROGRAMMES["LSD"], 1, BOTH) is None
    assert next_step(PROGRAMMES["MLG"], 0, BOTH) is None


def test_an_organ_without_adapter_is_left_to_the_lead_agency_to_forward_to() -> None:
    medical = PROGRAMMES["MED"]
    assert ("civil_affairs", "medical_security") == steps_of(medical)
    assert (0, None) == (next_step(medical, None, BOTH), next_step(medical, 0, BOTH))
    assert "civil_affairs-520102" == office_of(routed(need=RequestedNeed(programme="MED")))


def test_without_the_lead_agency_nothing_is_sent_to_the_first_organ() -> None:
    found = routed(
        an_office("disabled_persons"),
        need=RequestedNeed(programme="LSD"),
        agencies_with_adapter=frozenset({"disabled_persons"}),
    )
    assert Unroutable(programme="LSD", code=UnroutableCode.NO_ADAPTER) == found


# --- the queue (R05) ---


def test_minors_lead_the_queue_and_then_the_shorter_term() -> None:
    order = [
        priority(minor, urgency)
        for minor in (True, False)
        for urgency in (Urgency.URGENT_24H, Urgency.URGENT_48H, Urgency.NORMAL)
    ]
    assert sorted(set(order)) == order
