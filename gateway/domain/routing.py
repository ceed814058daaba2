"""路由 Which office must help: need → programme → organ of the route → office, each choice with its `because`.

Rules: by household registration, an urgent need by place of event (R02); the nearest office on the GB/T 2260 tree,
county, then prefecture, then province, among the offices of parties the agreement names. A serial route is walked in
order (R07); an organ we have no adapter for is reached by the lead agency forwarding, so without an adapter of the lead
agency nothing is sent. A paused office is chosen all the same: its messages wait in its queue. What has no office is a
value, never dropped.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gateway.domain.agreement import AgreementProfile, Office
from gateway.domain.person import Person
from gateway.domain.programmes import Programme, need_code_index
from gateway.domain.referral import RequestedNeed, Urgency
from gateway.domain.regions import CODE_FORM, Region, RegionLevel, Regions

_LEVELS = (RegionLevel.COUNTY, RegionLevel.PREFECTURE, RegionLevel.PROVINCE)
_URGENCY_RANK = {Urgency.URGENT_24H: 0, Urgency.URGENT_48H: 1, Urgency.NORMAL: 2}


class UnroutableCode(StrEnum):
    """Why no office was found; kept on the need and shown in the finding MISS_UNROUTABLE."""

    UNKNOWN_PROGRAMME = "unknown_programme"
    PROGRAMME_NOT_IN_AGREEMENT = "programme_not_in_agreement"
    NO_ADAPTER = "no_adapter"
    NO_OFFICE = "no_office"
    REGION_UNKNOWN = "region_unknown"


class PlaceRule(StrEnum):
    """By which place a need is routed (R02)."""

    HOUSEHOLD_REGISTRATION = "household_registration"
    PLACE_OF_EVENT = "place_of_event"
    SENT_ON = "sent_on"
    """To the region of the office it was sent on to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """The region a need is routed by, and which rule chose it."""

    region: str
    by: PlaceRule


@dataclass(frozen=True, kw_only=True, slots=True)
class Routed:
    """An office for one step of one need. steps: every organ of the programme's route; agency is `steps[step]`."""

    programme: str
    agency: str
    office_id: str
    step: int
    steps: tuple[str, ...]
    because: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Unroutable:
    """No office, and why; programme None when the need names none we know."""

    programme: str | None
    code: UnroutableCode


@dataclass(frozen=True, kw_only=True, slots=True)
class Nearest:
    """The office found, how many levels above the asked region it stands, and how many offices stood equally near."""

    office: Office
    level: RegionLevel
    distance: int
    choices: int


class OfficeIndex:
    """承办单位 by agency and region; where several serve one region the smallest id is taken and the count is told."""

    def __init__(self, offices: Iterable[Office]) -> None:
        self._by_place: dict[str, dict[str, list[Office]]] = {}
        for office in sorted(offices, key=lambda office: office.office_id):
            self._by_place.setdefault(office.agency, {}).setdefault(office.region, []).append(office)

    def nearest(
        self, agency: str, region: str, regions: Regions, *, named: Callable[[str], bool] | None = None
    ) -> Nearest | None:
        """The agency's office for the region or the nearest level above; abolished codes count as their successors.

        named: whether the agreement names a party (by party id); without it every office counts.
        """
        by_region = self._current(agency, regions, named)
        lowest = next((index for index, level in enumerate(_LEVELS) if level is _level_of(region)), 0)
        for index, above in enumerate(regions.ancestors(region)):
            found = by_region.get(above.code) if above is not None else None
            if found:
                return Nearest(office=found[0], level=_LEVELS[index], distance=index - lowest, choices=len(found))
        return None

    def above(
        self, office: Office, regions: Regions, *, named: Callable[[str], bool] | None = None
    ) -> tuple[Office, ...]:
        """The same agency's offices for the regions above the office's own, nearest first."""
        by_region = self._current(office.agency, regions, named)
        own = _current_code(office.region, regions)
        higher = (one.code for one in regions.ancestors(office.region) if one is not None and one.code != own)
        return tuple(by_region[code][0] for code in higher if by_region.get(code))

    def _current(self, agency: str, regions: Regions, named: Callable[[str], bool] | None) -> dict[str, list[Office]]:
        found: dict[str, list[Office]] = {}
        for region, offices in self._by_place.get(agency, {}).items():
            bound = [office for office in offices if named is None or named(office.party_id)]
            found.setdefault(_current_code(region, regions), []).extend(bound)
        return {region: sorted(offices, key=lambda office: office.office_id) for region, offices in found.items()}


def route(
    needs: Sequence[RequestedNeed],
    *,
    person: Person,
    urgency: Urgency,
    place_of_event: str | None,
    profile: AgreementProfile,
    programmes: Mapping[str, Programme],
    regions: Regions,
    offices: OfficeIndex,
    agencies_with_adapter: frozenset[str],
) -> tuple[Routed | Unroutable, ...]:
    """The first step of every need, in the order of the needs."""
    place = place_for(person, urgency=urgency, place_of_event=place_of_event, regions=regions)
    found: list[Routed | Unroutable] = []
    for need in needs:
        programme = programme_of(need, programmes)
        if programme is None:
            found.append(Unroutable(programme=None, code=UnroutableCode.UNKNOWN_PROGRAMME))
            continue
        found.append(
            route_step(
                programme,
                next_step(programme, None, agencies_with_adapter),
                place=place,
                profile=profile,
                regions=regions,
                offices=offices,
                agencies_with_adapter=agencies_with_adapter,
            )
        )
    return tuple(found)


def route_step(
    programme: Programme,
    step: int | None,
    *,
    place: Place | None,
    profile: AgreementProfile,
    regions: Regions,
    offices: OfficeIndex,
    agencies_with_adapter: frozenset[str],
) -> Routed | Unroutable:
    """The office for one step of the route; step as `next_step` gave it (None: nobody can be reached)."""
    if programme.code not in profile.programmes:
        return Unroutable(programme=programme.code, code=UnroutableCode.PROGRAMME_NOT_IN_AGREEMENT)
    if step is None or programme.lead_agency not in agencies_with_adapter:
        return Unroutable(programme=programme.code, code=UnroutableCode.NO_ADAPTER)
    steps = steps_of(programme)
    if steps[step] not in agencies_with_adapter:
        return Unroutable(programme=programme.code, code=UnroutableCode.NO_ADAPTER)
    if place is None:
        return Unroutable(programme=programme.code, code=UnroutableCode.REGION_UNKNOWN)
    nearest = offices.nearest(steps[step], place.region, regions, named=profile.names)
    if nearest is None:
        return Unroutable(programme=programme.code, code=UnroutableCode.NO_OFFICE)
    return Routed(
        programme=programme.code,
        agency=steps[step],
        office_id=nearest.office.office_id,
        step=step,
        steps=steps,
        because=_because(programme.code, steps[step], place, nearest, regions),
    )


def programme_of(need: RequestedNeed, programmes: Mapping[str, Programme]) -> Programme | None:
    """The programme a need asks for, by its code or else by its plain need code."""
    code = need.programme
    if code is None and need.need_code is not None:
        code = need_code_index(programmes).get(need.need_code)
    return None if code is None else programmes.get(code)


def steps_of(programme: Programme) -> tuple[str, ...]:
    """Every organ of the route in order; the lead agency alone where the route is not serial."""
    return programme.serial_route or (programme.lead_agency,)


def next_step(programme: Programme, step: int | None, agencies_with_adapter: frozenset[str]) -> int | None:
    """The step after `step` (None: the first) whose organ we can reach; None when no such organ is left."""
    first = 0 if step is None else step + 1
    steps = steps_of(programme)
    return next((index for index in range(first, len(steps)) if steps[index] in agencies_with_adapter), None)


def place_for(person: Person, *, urgency: Urgency, place_of_event: str | None, regions: Regions) -> Place | None:
    """Where the need belongs (R02): urgent and the place known → there; else the household registration, if known."""
    if urgency is not Urgency.NORMAL and place_of_event is not None and is_known(place_of_event, regions):
        return Place(region=place_of_event, by=PlaceRule.PLACE_OF_EVENT)
    home = person.household_registration_region
    if home is None or not is_known(home, regions):
        return None
    return Place(region=home, by=PlaceRule.HOUSEHOLD_REGISTRATION)


def is_known(region: str, regions: Regions) -> bool:
    """Whether the list places the code: listed, abolished, or of a province the list knows by name only.

    A code that is absent although the list goes into its province is a slip of the pen.
    """
    if regions.get(region) is not None or regions.is_abolished(region):
        return True
    return regions.province_of(region) is not None and regions.get(f"{region[:2]}0100") is None


def priority(is_minor: bool, urgency: Urgency) -> int:
    """Place in the queue, smaller is sooner: minors first (R05), then the shorter term."""
    return (0 if is_minor else len(_URGENCY_RANK)) + _URGENCY_RANK[urgency]


def pressing(place: int) -> tuple[bool, Urgency]:
    """(minor, urgency) of a place in the queue that `priority` made."""
    rank = place % len(_URGENCY_RANK)
    return place < len(_URGENCY_RANK), next(one for one, its in _URGENCY_RANK.items() if its == rank)


def _because(programme: str, agency: str, place: Place, nearest: Nearest, regions: Regions) -> str:
    parts = {
        "programme": programme,
        "agency": agency,
        "region": place.region,
        "by": place.by,
        "level": nearest.level,
        "distance": str(nearest.distance),
    }
    if regions.is_abolished(place.region):
        parts["now"] = _current_code(place.region, regions)
    if nearest.choices > 1:
        parts["choices"] = str(nearest.choices)
    return ";".join(f"{key}={value}" for key, value in parts.items())


def _current_code(region: str, regions: Regions) -> str:
    lowest: Region | None = next((above for above in regions.ancestors(region) if above is not None), None)
    if lowest is None or not (regions.is_abolished(region) or regions.get(region)):
        return region
    return lowest.code


def _level_of(region: str) -> RegionLevel | None:
    if not CODE_FORM.fullmatch(region):
        return None
    if region.endswith("0000"):
        return RegionLevel.PROVINCE
    return RegionLevel.PREFECTURE if region.endswith("00") else RegionLevel.COUNTY
