"""归一与键 What is written two ways and means the same is one text; a key says nothing without the secret."""

from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.domain.identifiers import IdType, check_identity
from gateway.domain.regions import load_regions
from gateway.matching.differ import one_edit, other_order, transposed
from gateway.matching.keyed import secret_name
from gateway.matching.keys import BlockKind, probing_keys, stored_keys
from gateway.matching.normalise import fold_name, fold_number, fold_phone, holder_of, plain_name
from gateway.matching.record import PersonRecord, record_from
from tests.builders import an_id_number

REGIONS = load_regions()
SECRET, OTHER = b"s" * 32, b"t" * 32


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("刘晓红", "劉曉紅"),
        ("刘 晓 红", "刘晓红"),
        ("刘　晓红", "刘晓红"),
        ("刘\u200b晓红", "刘晓红"),
        ("李昇", "李升"),
        ("\uf9d1", "六"),
        ("买买提·艾力", "买买提•艾力"),
        ("买买提・艾力", "买买提艾力"),
        ("José María", "JOSE MARIA"),
        ("Ｊｏｓｅ", "jose"),
        ("O'Neil", "ONEIL"),
    ],
)
def test_one_name_written_two_ways_is_one(one: str, other: str) -> None:
    assert fold_name(plain_name(one)) == fold_name(plain_name(other))


@given(st.text(max_size=20))
def test_a_name_that_was_folded_stays_as_it_is(text: str) -> None:
    once = fold_name(plain_name(text))
    assert fold_name(plain_name(once)) == once


@given(st.text(max_size=20))
@example("A´")
def test_a_number_that_was_folded_stays_as_it_is(text: str) -> None:
    once = fold_number("111", text, regions=REGIONS)
    if once is not None:
        again = fold_number("111", once.text, regions=REGIONS)
        assert again is not None
        assert again.text == once.text


@given(st.from_regex(r"[0-9]{17}[0-9X]", fullmatch=True) | st.dates(date(1900, 1, 1)).map(an_id_number))
def test_the_short_way_to_a_proven_number_agrees_with_the_long_one(number: str) -> None:
    found = fold_number("111", number, regions=REGIONS)
    verdict = check_identity(IdType.RESIDENT_ID, number, regions=REGIONS, allow_synthetic=True)
    assert found is not None
    assert found.is_proven == verdict.is_acceptable


def test_a_number_of_fifteen_digits_is_the_one_of_eighteen() -> None:
    old = fold_number("111", "529999860101002", regions=REGIONS)
    assert old is not None
    assert (old.text, old.was_15, old.is_proven) == (an_id_number(), True, True)


def test_hong_kong_and_macau_numbers_are_one_kind_and_a_booklet_proves_nobody() -> None:
    kinds = [fold_number(kind, "H12345678", regions=REGIONS) for kind in ("420", "421", "516")]
    assert {found.kind for found in kinds if found} == {"HM"}
    booklet = fold_number("113", "520102001", regions=REGIONS)
    assert booklet is not None
    assert not booklet.is_proven


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("139 0000 0000", "13900000000"),
        ("+86 139-0000-0000", "13900000000"),
        ("008613900000000", "13900000000"),
        ("０８５１－８７６５４３２１", "085187654321"),
        ("12345", None),
        ("", None),
        (None, None),
    ],
)
def test_a_telephone_is_its_digits(text: str | None, found: str | None) -> None:
    assert fold_phone(text) == found


def test_a_certificate_holds_its_holders_number() -> None:
    assert holder_of(f"{an_id_number()}41B1") == an_id_number()
    assert holder_of("nonsense") is None


@given(st.text("ab", max_size=5), st.text("ab", max_size=5))
def test_differences_are_symmetric(one: str, other: str) -> None:
    for differs in (one_edit, transposed, other_order):
        assert differs(one, other) == differs(other, one)
        assert not differs(one, one)


def test_one_edit_is_a_letter_replaced_left_out_or_put_in() -> None:
    assert one_edit("abc", "abd")
    assert one_edit("abc", "ac")
    assert one_edit("", "a")
    assert not one_edit("abc", "adef")
    assert not one_edit("abc", "acb")
    assert transposed("abc", "acb")


def a_record(**changes: str) -> PersonRecord:
    said = {"name": "刘晓红", "id_type": "111", "id_number": an_id_number(), "birth": "1986-01-01", "region": "520102"}
    told = {name: text or None for name, text in (said | changes).items()}
    return record_from(regions=REGIONS, **told)  # type: ignore[arg-type]


def test_keys_of_one_secret_meet_and_those_of_another_do_not() -> None:
    one, other = a_record(), a_record(name="劉曉紅")
    assert set(stored_keys(one, SECRET)) & set(probing_keys(other, SECRET))
    assert not set(stored_keys(one, SECRET)) & set(probing_keys(other, OTHER))
    assert secret_name(SECRET) != secret_name(OTHER)


@pytest.mark.parametrize(
    ("changes", "meets"),
    [
        ({"birth": "1987-01-01", "id_number": ""}, BlockKind.NAME_DAY),
        ({"birth": "1986-12-30", "id_number": ""}, BlockKind.NAME_YEAR),
        ({"name": "刘晓虹", "id_number": ""}, BlockKind.BIRTH_FIRST),
        ({"name": "柳晓红", "id_number": ""}, BlockKind.BIRTH_LAST),
        ({"birth": "", "id_number": ""}, BlockKind.NAME_REGION),
    ],
)
def test_an_error_in_one_trait_leaves_another_block_whole(changes: dict[str, str], meets: BlockKind) -> None:
    one, other = a_record(), a_record(**changes)
    common = set(stored_keys(one, SECRET)) & set(probing_keys(other, SECRET))
    assert meets in {kind for kind, _ in common}


def test_no_trait_stands_in_a_key() -> None:
    shown = str(stored_keys(a_record(), SECRET))
    assert [part for part in ("刘", "1986", "529999", "520102") if part in shown] == []
