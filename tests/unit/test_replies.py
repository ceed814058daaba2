"""The enums of answers and their table say the same."""

from enum import StrEnum

import pytest

from gateway.domain.replies import (
    TERMINAL,
    ClueAnswer,
    DenialReason,
    ReceiptCode,
    ReplyCode,
    denial_reasons_for,
    is_terminal,
    load_replies,
)

AGENCIES = ("civil_affairs", "disabled_persons", "womens_federation")


def codes_of(layer: str) -> list[str]:
    return [entry.code for entry in load_replies() if entry.layer == layer]


@pytest.mark.parametrize(
    ("layer", "enum"), [("receipt", ReceiptCode), ("case", ReplyCode), ("clue_answer", ClueAnswer)]
)
def test_an_enum_is_its_layer_of_the_table(layer: str, enum: type[StrEnum]) -> None:
    assert codes_of(layer) == [member.value for member in enum]


def test_denial_reasons_are_all_denial_layers_together() -> None:
    expected = [entry.code for entry in load_replies() if entry.layer.startswith("denial")]
    assert expected == [reason.value for reason in DenialReason]


def test_what_is_terminal_in_the_table_is_terminal_in_the_code() -> None:
    assert {(entry.layer, entry.code) for entry in load_replies() if entry.terminal} == {
        ("case" if isinstance(code, ReplyCode) else "clue_answer", code.value) for code in TERMINAL
    }


@pytest.mark.parametrize("code", list(ReceiptCode))
def test_a_receipt_never_ends_the_matter(code: ReceiptCode) -> None:
    assert not is_terminal(code)


@pytest.mark.parametrize("code", [ReplyCode.FORWARDED, ReplyCode.APPROVED, ReplyCode.RETURNED, ReplyCode.UNREACHABLE])
def test_an_answer_that_leaves_the_person_unhelped_keeps_the_clock_open(code: ReplyCode) -> None:
    assert not is_terminal(code)


def test_a_clue_answered_by_helping_is_done_and_by_informing_is_not() -> None:
    assert [True, False] == [is_terminal(ClueAnswer.ASSISTED), is_terminal(ClueAnswer.INFORMED_PERSON)]


def test_each_agency_has_the_common_reasons_and_its_own() -> None:
    common = {DenialReason(code) for code in codes_of("denial")}
    for agency in AGENCIES:
        own = {DenialReason(code) for code in codes_of(f"denial_{agency}")}
        assert own
        assert common | own == denial_reasons_for(agency)


def test_an_agency_cannot_give_another_agencys_reason() -> None:
    assert DenialReason.NO_CERTIFICATE not in denial_reasons_for("womens_federation")


def test_a_fourth_agency_has_the_common_reasons() -> None:
    assert {DenialReason(code) for code in codes_of("denial")} == denial_reasons_for("medical_security")


def test_every_answer_has_a_chinese_name() -> None:
    assert [] == [entry.code for entry in load_replies() if not entry.zh]
