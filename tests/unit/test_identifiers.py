"""Identity numbers: what is refused, what is only remarked on, what is normalised."""

from collections.abc import Iterable
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.identifiers import (
    DisabilityCertificate,
    DisabilityKind,
    IdType,
    Sex,
    Verdict,
    check_identity,
    check_uscc,
    is_synthetic,
    parse_disability_certificate,
    resident_birth_date,
    resident_sex,
    upgrade_15,
)
from gateway.domain.regions import load_regions
from gateway.domain.values import InvalidValue

SYNTHETIC = "529999199001010019"
STANDARD_EXAMPLES = ["11010519491231002X", "440524188001010014"]
"""The two examples printed in GB 11643 itself."""
USCC = "91350100M000100Y43"
"""The example printed with GB 32100."""


def resident(region: str = "520102", born: str = "18850101", order: str = "001") -> str:
    """An honest number of nobody alive; its check digit is worked out the long way, by trying all eleven."""
    body = region + born + order
    return next(
        body + last
        for last in "0123456789X"
        if sum((2 ** (17 - place) % 11) * (10 if char == "X" else int(char)) for place, char in enumerate(body + last))
        % 11
        == 1
    )


def check(number: str, id_type: IdType = IdType.RESIDENT_ID, *, allow_synthetic: bool = False) -> Verdict:
    return check_identity(id_type, number, regions=load_regions(), allow_synthetic=allow_synthetic)


def another(digits: str, present: str) -> Iterable[str]:
    return (digit for digit in digits if digit != present)


@pytest.mark.parametrize("number", [resident(), resident("522301", "18840229", "120"), resident("520000")])
def test_a_good_resident_id_is_accepted_without_a_remark(number: str) -> None:
    assert Verdict(normal=number) == check(number)


@pytest.mark.parametrize("number", STANDARD_EXAMPLES)
def test_the_numbers_printed_in_the_standard_have_a_good_check_digit(number: str) -> None:
    assert Verdict(normal=number, warnings=("region_unknown",)) == check(number)


def test_every_single_wrong_digit_is_noticed() -> None:
    number = resident()
    unnoticed = [
        (place, digit)
        for place in range(17)
        for digit in another("0123456789" if place else "123456789", number[place])
        if check(number[:place] + digit + number[place + 1 :]).is_acceptable
    ]
    assert [] == unnoticed


def test_every_other_check_character_is_refused() -> None:
    number = resident()
    found = {check(number[:17] + last).errors for last in another("0123456789X", number[17])}
    assert {("identity_check_digit",)} == found


@given(
    born=st.dates(min_value=date(1900, 1, 1), max_value=date(2026, 11, 24)),
    order=st.integers(min_value=0, max_value=999),
)
def test_birth_date_and_sex_are_read_back_from_any_number(born: date, order: int) -> None:
    number = resident("529999", born.strftime("%Y%m%d"), f"{order:03d}")
    assert check(number, allow_synthetic=True).is_acceptable
    assert (born, Sex.MALE if order % 2 else Sex.FEMALE) == (resident_birth_date(number), resident_sex(number))


@pytest.mark.parametrize("born", ["19900229", "20231301", "19900100", "00000101", "18000101"])
def test_a_birth_date_that_never_was_is_refused(born: str) -> None:
    assert ("identity_date",) == check(resident(born=born)).errors


def test_both_faults_of_one_number_are_told_together() -> None:
    number = resident(born="19900229")
    broken = number[:17] + next(iter(another("0123456789", number[17])))
    assert ("identity_date", "identity_check_digit") == check(broken).errors


@pytest.mark.parametrize(
    "number",
    [
        "",
        "5",
        resident()[:17],
        resident() + "0",
        "X" * 18,
        "０1",
        " " + resident(),
        resident()[:6] + "①" * 12,
        "٥" * 18,
    ],
)
def test_a_number_without_the_form_is_refused_and_draws_no_remark_on_its_region(number: str) -> None:
    verdict = check(number)
    assert ("identity_form",) == verdict.errors
    assert set() == set(verdict.warnings) - {"normalised"}


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        ("440305", "region_unknown"),
        ("990101", "region_unknown"),
        ("522401", "region_abolished"),
        ("522200", "region_abolished"),
    ],
)
def test_a_region_that_is_unknown_or_gone_is_only_a_warning(region: str, expected: str) -> None:
    assert Verdict(normal=resident(region), warnings=(expected,)) == check(resident(region))


def test_an_invented_person_is_refused_by_a_production_profile() -> None:
    assert Verdict(normal=SYNTHETIC, errors=("synthetic_identity",)) == check(SYNTHETIC)


def test_an_invented_person_is_accepted_without_a_remark_where_the_profile_allows() -> None:
    assert Verdict(normal=SYNTHETIC) == check(SYNTHETIC, allow_synthetic=True)


def test_an_invented_person_still_needs_a_good_check_digit() -> None:
    assert ("identity_check_digit",) == check(SYNTHETIC[:17] + "0", allow_synthetic=True).errors


@pytest.mark.parametrize("disguise", ["５２９９９９199001010019", "529999900101001"])
def test_an_invented_person_in_disguise_is_noticed(disguise: str) -> None:
    assert is_synthetic(disguise)
    assert "synthetic_identity" in check(disguise).errors


def test_an_invented_number_is_refused_under_every_kind_it_fits() -> None:
    assert ("synthetic_identity",) == check(SYNTHETIC, IdType.HOUSEHOLD_BOOKLET).errors


def test_full_width_digits_and_a_small_x_are_normalised_with_a_warning() -> None:
    number = next(found for order in range(99) if (found := resident(order=f"{order:03d}")).endswith("X"))
    written = number[:-1].translate({ord(str(digit)): chr(0xFF10 + digit) for digit in range(10)}) + "x"
    assert Verdict(normal=number, warnings=("normalised",)) == check(written)


def test_nothing_but_width_and_case_is_normalised() -> None:
    assert [("identity_form",)] * 3 == [
        check(number, IdType.PASSPORT).errors for number in ("E 12345678", "E-12345678", "Eı12345678")
    ]


def test_an_old_number_of_fifteen_digits_is_upgraded_for_matching() -> None:
    number = resident(born="19000315", order="123")
    assert Verdict(normal=number, warnings=("legacy_15_digits",)) == check(number[:6] + number[8:17])


def test_an_old_number_keeps_every_remark() -> None:
    number = resident("522401", "19000315", "123")
    verdict = check((number[:6] + number[8:17]).replace("1", "１", 1))
    assert ("normalised", "legacy_15_digits", "region_abolished") == verdict.warnings


def test_an_old_number_with_an_unreal_date_is_refused_as_it_stands() -> None:
    expected = Verdict(normal="520102000230123", errors=("identity_date",), warnings=("legacy_15_digits",))
    assert expected == check("520102000230123")


def test_birth_date_and_sex_are_read_from_an_old_number() -> None:
    assert (date(1900, 3, 15), Sex.FEMALE) == (
        resident_birth_date("520102000315124"),
        resident_sex("520102000315124"),
    )


@pytest.mark.parametrize(
    ("number", "code"), [("52010200031512", "identity_form"), ("520102000230123", "identity_date")]
)
def test_what_is_no_old_number_is_not_upgraded(number: str, code: str) -> None:
    with pytest.raises(InvalidValue, match=f"^{code}$"):
        upgrade_15(number)


def test_no_birth_date_is_read_from_a_passport() -> None:
    with pytest.raises(InvalidValue, match="identity_form"):
        resident_birth_date("E12345678")
    with pytest.raises(InvalidValue, match="identity_form"):
        resident_sex("E12345678")


@pytest.mark.parametrize(
    ("id_type", "number"),
    [
        (IdType.HOUSEHOLD_BOOKLET, "003456789"),
        (IdType.BIRTH_CERTIFICATE, "U520000001"),
        (IdType.PASSPORT, "E12345678"),
        (IdType.HONG_KONG, "HJ1234567"),
        (IdType.MACAU, "MA1234567"),
        (IdType.HONG_KONG_MACAU_PERMIT, "H1234567801"),
        (IdType.TAIWAN_PERMIT, "12345678"),
        (IdType.NONE_YET, ""),
    ],
)
def test_every_other_kind_of_paper_is_accepted(id_type: IdType, number: str) -> None:
    assert Verdict(normal=number) == check(number, id_type)


@pytest.mark.parametrize("id_type", [kind for kind in IdType if kind is not IdType.NONE_YET])
def test_a_paper_without_a_number_is_refused(id_type: IdType) -> None:
    assert ("identity_form",) == check("", id_type).errors


def test_an_infant_without_a_paper_has_no_number() -> None:
    assert ("number_not_expected",) == check("U520000001", IdType.NONE_YET).errors


def test_the_kinds_of_paper_are_the_codes_of_the_standard_and_one_of_our_own() -> None:
    assert ["111", "113", "117", "414", "420", "421", "511", "516", "000"] == list(IdType)


def test_the_organisation_code_printed_with_the_standard_is_accepted() -> None:
    assert Verdict(normal=USCC) == check_uscc(USCC)


def test_an_organisation_code_in_small_letters_is_normalised() -> None:
    assert Verdict(normal=USCC, warnings=("normalised",)) == check_uscc(USCC.lower())


def test_every_single_wrong_digit_of_an_organisation_code_is_noticed() -> None:
    unnoticed = [
        place
        for place in range(2, 8)
        for digit in another("0123456789", USCC[place])
        if check_uscc(USCC[:place] + digit + USCC[place + 1 :]).is_acceptable
    ]
    assert [] == unnoticed


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (USCC[:17] + "4", "uscc_check_character"),
        (USCC[:17], "uscc_form"),
        (USCC + "0", "uscc_form"),
        (USCC.replace("M", "I"), "uscc_form"),
        (USCC.replace("350100", "35010A"), "uscc_form"),
        ("", "uscc_form"),
    ],
)
def test_an_organisation_code_that_is_wrong_says_how(text: str, code: str) -> None:
    assert (code,) == check_uscc(text).errors


def test_a_disability_certificate_is_taken_apart() -> None:
    expected = DisabilityCertificate(
        number=f"{SYNTHETIC}42", holder_id=SYNTHETIC, kind=DisabilityKind.LIMB, grade=2, reissue=0
    )
    assert expected == parse_disability_certificate(f"{SYNTHETIC}42", allow_synthetic=True)


@pytest.mark.parametrize(("suffix", "expected"), [("B1", 1), ("b2", 2), ("B12", 12), ("Ｂ３", 3)])
def test_a_reissued_certificate_tells_how_often(suffix: str, expected: int) -> None:
    found = parse_disability_certificate(f"{SYNTHETIC}11{suffix}", allow_synthetic=True)
    assert (expected, f"{SYNTHETIC}11B{expected}") == (found.reissue, found.number)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (SYNTHETIC, "certificate_form"),
        (f"{SYNTHETIC}4", "certificate_form"),
        (f"{SYNTHETIC}42B", "certificate_form"),
        (f"{SYNTHETIC}42B0", "certificate_form"),
        (f"{SYNTHETIC}42C1", "certificate_form"),
        (f"{SYNTHETIC[:17]}042", "certificate_holder"),
        (f"{SYNTHETIC}02", "certificate_kind"),
        (f"{SYNTHETIC}82", "certificate_kind"),
        (f"{SYNTHETIC}40", "certificate_grade"),
        (f"{SYNTHETIC}45", "certificate_grade"),
    ],
)
def test_a_certificate_number_that_is_wrong_says_where(text: str, code: str) -> None:
    with pytest.raises(InvalidValue, match=f"^{code}$"):
        parse_disability_certificate(text, allow_synthetic=True)


def test_a_certificate_of_an_invented_person_is_refused_by_a_production_profile() -> None:
    with pytest.raises(InvalidValue, match="synthetic_identity"):
        parse_disability_certificate(f"{SYNTHETIC}42", allow_synthetic=False)


@pytest.mark.parametrize(
    ("kind_and_grade", "plain", "with_mental"),
    [("41", True, True), ("12", True, True), ("43", False, False), ("53", False, True), ("64", False, True)],
)
def test_severe_is_grade_one_or_two_unless_the_profile_adds_mental_grades(
    kind_and_grade: str, plain: bool, with_mental: bool
) -> None:
    certificate = parse_disability_certificate(SYNTHETIC + kind_and_grade, allow_synthetic=True)
    assert [plain, with_mental] == [certificate.is_severe(includes_mental_grades=switch) for switch in (False, True)]


def test_a_certificate_whose_parts_disagree_cannot_be_made() -> None:
    with pytest.raises(InvalidValue, match="certificate_form"):
        DisabilityCertificate(number=f"{SYNTHETIC}42", holder_id=SYNTHETIC, kind=DisabilityKind.SIGHT, grade=2)


def test_no_refusal_repeats_the_number() -> None:
    with pytest.raises(InvalidValue) as caught:
        parse_disability_certificate(f"{SYNTHETIC}92", allow_synthetic=True)
    assert SYNTHETIC not in str(caught.value)
