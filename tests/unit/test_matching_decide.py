"""认定 The hard cases, labelled, and what holds of any two records whatever they say."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.regions import load_regions
from gateway.errors import ConfigError
from gateway.matching.compare import outcomes, waterfall
from gateway.matching.decide import MatchResult, MatchVerdict, compare
from gateway.matching.record import PersonRecord, record_from
from gateway.matching.weights import load_weights, weights_from
from tests.builders import an_id_number

REGIONS, WEIGHTS = load_regions(), load_weights()
HARD = list(csv.DictReader((Path(__file__).parent / "hard_cases.csv").open(encoding="utf-8")))
HONEST = {
    "name": "刘晓红",
    "type": "111",
    "number": an_id_number(),
    "birth": "1986-01-01",
    "sex": "2",
    "region": "520102",
    "phone": "13900000000",
}


def a_record(**said: str) -> PersonRecord:
    """刘晓红, a woman of forty, with some things said otherwise. guardian, household: `number:name`."""
    told = HONEST | said
    beside = [told[role] for role in ("guardian", "household") if told.get(role)]
    return record_from(
        regions=REGIONS,
        name=told["name"],
        id_type=told["type"],
        id_number=told["number"] or None,
        birth=told["birth"] or None,
        sex=told["sex"] or None,
        region=told["region"] or None,
        certificate=told.get("certificate"),
        phone=told["phone"] or None,
        has_guardian=bool(told.get("guardian")),
        relatives=tuple((number, name) for number, _, name in (text.partition(":") for text in beside)),
    )


def read(text: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in text.split(";")) if text else {}


def judged(one: PersonRecord, other: PersonRecord) -> MatchResult:
    return compare(one, other, WEIGHTS)


@pytest.mark.parametrize("case", HARD, ids=[row["case"] for row in HARD])
def test_a_hard_case_comes_out_as_labelled(case: dict[str, str]) -> None:
    found = judged(a_record(**read(case["one"])), a_record(**read(case["other"])))
    assert (found.verdict.value, found.kind.value) == (case["verdict"], case["kind"])


def test_the_waterfall_tells_every_point_and_nothing_of_the_persons() -> None:
    one, other = a_record(name="劉曉紅"), a_record(sex="1")
    found = judged(one, other)
    told = found.waterfall(WEIGHTS)
    assert told.score == found.score
    assert told.as_json() == [
        ["name", "variant", 43],
        ["birth", "exact", 43],
        ["sex", "different", -17],
        ["number", "same", 70],
        ["region", "county", 16],
        ["phone", "same", 31],
        ["household", "cap", -7],
    ]
    assert [step.zh for step in told.steps][:2] == ["姓名繁简或异体相同", "出生日期相同"]


@pytest.mark.parametrize("wrong", ["name,exact,0,1,a,b,c", "name,exact,2,1,a,b,c", "name,exact,x,1,a,b,c"])
def test_weights_that_are_no_shares_are_refused(wrong: str) -> None:
    with pytest.raises(ConfigError):
        weights_from(f"field,outcome,m,u,zh,en,source\n{wrong}\n", "name,points,zh,en\nsame_from,1,a,b\n")


names = st.sampled_from(["刘晓红", "劉曉紅", "刘晓明", "刘红", "王小红", "买买提·艾力", "Anna Lee", "Lee Anna", ""])
numbers = st.sampled_from(
    [
        an_id_number(),
        an_id_number(serial=1),
        an_id_number(serial=2),
        "529999860101002",
        "529999198601010038",
        "E1234567",
        "",
    ]
)
births = st.sampled_from(["1986-01-01", "1986-01-02", "1986-10-01", "1960-01-01", ""])
records = st.builds(
    a_record,
    name=names,
    number=numbers,
    type=st.sampled_from(["111", "414", "113", "516", "000"]),
    birth=births,
    sex=st.sampled_from(["1", "2", ""]),
    region=st.sampled_from(["520102", "520103", "520502", "430102", ""]),
    phone=st.sampled_from(["13900000000", "13900000001", ""]),
    certificate=st.sampled_from(["", f"{an_id_number()}41", f"{an_id_number(serial=1)}42"]),
    guardian=st.sampled_from(["", f"{an_id_number(serial=2)}:刘桂兰", ":刘桂兰"]),
)  # fmt: skip


@given(records, records)
def test_a_comparison_is_the_same_whichever_comes_first(one: PersonRecord, other: PersonRecord) -> None:
    assert judged(one, other) == judged(other, one)


@given(records, records)
def test_nobody_is_the_same_without_a_number_or_a_certificate_in_common(one: PersonRecord, other: PersonRecord) -> None:
    if judged(one, other).verdict is MatchVerdict.SAME:
        by_number = one.is_proven and other.is_proven and (one.kind, one.number) == (other.kind, other.number)
        by_certificate = bool({one.certificate, one.number} & {other.certificate, other.number} - {None})
        assert by_number or by_certificate
        assert one.name == other.name
        assert None in (one.birth, other.birth) or one.birth == other.birth


@given(records, records)
def test_two_proven_resident_ids_are_two_people_but_for_one_name_and_birthday(
    one: PersonRecord, other: PersonRecord
) -> None:
    proven = one.is_proven and other.is_proven and one.kind == other.kind == "111"
    if proven and one.number != other.number and one.certificate is None:
        assert judged(one, other).verdict is not MatchVerdict.SAME
        if one.name != other.name and not {one.number, other.number} & {
            n for r in (one, other) for n, _ in r.relatives
        }:
            assert judged(one, other).verdict is MatchVerdict.NEW


@given(records, records)
def test_the_steps_of_a_waterfall_add_up(one: PersonRecord, other: PersonRecord) -> None:
    told = waterfall(outcomes(one, other), WEIGHTS)
    assert told.score == sum(step.points for step in told.steps) == judged(one, other).score


@given(records)
def test_a_record_is_the_same_after_it_was_kept(record: PersonRecord) -> None:
    assert PersonRecord.unpack(record.pack()) == record


def test_every_outcome_of_the_table_has_words() -> None:
    assert all(zh and en for zh, en in WEIGHTS.words.values())
    assert set(WEIGHTS.points) == set(WEIGHTS.words)


def test_a_case_that_differs_from_itself_is_no_hard_case() -> None:
    assert len({row["case"] for row in HARD}) == len(HARD)
