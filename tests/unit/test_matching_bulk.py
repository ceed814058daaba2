"""批量比对 A population at once finds what comparing everybody with everybody finds; nobody of the province is held."""

import csv
from itertools import combinations
from pathlib import Path

from gateway.domain.regions import load_regions
from gateway.flows.read_referral import read_referral
from gateway.matching.bulk import MOST_IN_BLOCK, PARTS, FullBlock, matches
from gateway.matching.decide import MatchKind, MatchVerdict, compare
from gateway.matching.record import PersonRecord, record_from, record_of
from gateway.matching.weights import load_weights
from gateway.sandbox.province import referrals
from tests.builders import an_id_number

REGIONS, WEIGHTS = load_regions(), load_weights()
BORN = "1986-01-01"


def a_record(name: str, number: str | None = None, birth: str | None = BORN, **more: str) -> PersonRecord:
    kind = None if number is None else "414" if number.startswith("E") else "111"
    return record_from(regions=REGIONS, name=name, id_type=kind, id_number=number, birth=birth, region="520102", **more)


def some_people() -> list[PersonRecord]:
    """Everybody several times, with and without numbers and birth dates, in some other writing."""
    people = []
    for serial, name in enumerate(("刘晓红", "刘晓明", "王小红", "劉曉紅", "Anna Lee", "Lee Anna", "买买提艾力")):
        number = an_id_number(serial=serial)
        guardian = ((an_id_number(serial=90), "刘桂兰"),)
        people += [
            a_record(name, number, phone="13900000000"),
            a_record(name, number),
            a_record(name, None, phone="13900000000"),
            a_record(name, None, None),
            a_record(name, number[:15] + number[16] + number[15] + number[17]),
            a_record(name, f"E1234567{serial}", certificate=f"{number}41"),
            a_record(name, None, "1986-01-02"),
            record_from(
                regions=REGIONS, name=name, id_type="111", id_number=number, birth=BORN, has_guardian=True,
                relatives=guardian,
            ),
            a_record(name, an_id_number(serial=90), None),
        ]  # fmt: skip
    return people


def test_a_population_at_once_finds_what_comparing_everybody_finds() -> None:
    people = some_people()
    brute = {
        (one, other): compare(people[one], people[other], WEIGHTS) for one, other in combinations(range(len(people)), 2)
    }
    expected = {pair: (r.verdict, r.kind) for pair, r in brute.items() if r.verdict is not MatchVerdict.NEW}
    found = [(one.at, one.other) for one in matches(people, WEIGHTS)]
    assert len(found) == len(set(found))
    assert {(one.at, one.other): (one.verdict, one.kind) for one in matches(people, WEIGHTS)} == expected


def test_parts_given_to_several_processes_are_the_whole() -> None:
    people = some_people()
    apart = [pair for part in PARTS for pair in matches(people, WEIGHTS, parts=(part,))]
    assert sorted(apart) == sorted(matches(people, WEIGHTS))


def test_a_block_too_large_to_compare_is_told() -> None:
    people = [a_record(f"人{chr(0x4E00 + n)}{chr(0x5E00 + n)}", None, None, phone="13900000000") for n in range(600)]
    told: list[FullBlock] = []
    assert list(matches(people, WEIGHTS, full=told.append)) == []
    assert [block.size for block in told] == [600]
    assert told[0].size > MOST_IN_BLOCK


def test_nobody_of_the_synthetic_province_is_held_but_those_who_are_one_person() -> None:
    """Whoever is found alike is one person under one number: what was planted."""
    filed = [read_referral(one.data, court=one.court) for one in referrals()]
    people = [record_of(referral.person, regions=REGIONS) for referral in filed]
    assert len(people) > 900
    found = list(matches(people, WEIGHTS))
    assert found
    assert {(one.verdict, one.kind) for one in found} == {(MatchVerdict.SAME, MatchKind.IDENTICAL)}
    assert all(people[one.at].number == people[one.other].number for one in found)


def test_the_hard_cases_are_told_in_a_table() -> None:
    rows = list(csv.DictReader((Path(__file__).parent / "hard_cases.csv").open(encoding="utf-8")))
    assert {row["verdict"] for row in rows} == {verdict.value for verdict in MatchVerdict}
    assert {row["kind"] for row in rows} == {kind.value for kind in MatchKind}
