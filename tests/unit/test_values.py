"""Money in fen, masked numbers, refused values."""

import pytest

from gateway.domain.values import InvalidValue, mask_id, yuan


@pytest.mark.parametrize(
    ("fen", "expected"),
    [
        (0, "0.00"),
        (5, "0.05"),
        (100, "1.00"),
        (123456, "1,234.56"),
        (-5, "-0.05"),
        (-123456, "-1,234.56"),
        (10**19 + 1, "100,000,000,000,000,000.01"),
    ],
)
def test_fen_are_shown_as_yuan_without_losing_one(fen: int, expected: str) -> None:
    assert expected == yuan(fen)


def test_a_masked_resident_id_shows_its_first_and_last_four() -> None:
    assert "5299**********0019" == mask_id("529999199001010019")


@pytest.mark.parametrize("number", ["", "A", "12345678"])
def test_a_number_too_short_to_hide_is_starred_whole(number: str) -> None:
    assert "*" * len(number) == mask_id(number)


def test_a_mask_keeps_the_length_of_the_number() -> None:
    assert [9, 15, 18, 20] == [len(mask_id("9" * length)) for length in (9, 15, 18, 20)]


def test_an_invalid_value_tells_its_code_and_is_a_value_error() -> None:
    with pytest.raises(ValueError, match=r"^identity_form$") as caught:
        raise InvalidValue("identity_form")
    assert "identity_form" == caught.value.code  # type: ignore[attr-defined]
