"""民政适配器 Handoffs in civil affairs' own field names, its replies, its sheet and its samples."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import adapters.civil_affairs
from adapters.civil_affairs.adapter import CivilAffairs
from adapters.civil_affairs.codes import KNOWN_UNUSED, PAYEES, REASONS, STATUSES, benefit_codes
from gateway.domain.handoff import Loss, Outcome
from gateway.domain.person import HouseholdMember, Person, WomenClass
from gateway.domain.replies import TERMINAL, DenialReason, ReceiptCode, ReplyCode, denial_reasons_for
from gateway.errors import DeniedWithoutReason, SchemaInvalid
from gateway.ports import Adapter
from gateway.workbook.sheets import IDENTITY_KEYS, REPLY_COLUMNS
from schemas.civil_affairs import HANDOFF
from tests.adapters.builders import (
    DAUGHTER_ID,
    MOTHER_ID,
    PERSON_ID,
    a_bare_handoff,
    a_handoff,
    a_person,
    a_row,
    leaking,
    masked,
    sent,
    some_needs,
    unaccounted,
)

CIVIL_AFFAIRS = CivilAffairs()
FOLDER = Path(adapters.civil_affairs.__file__).parent
SAMPLES = FOLDER / "samples"
AT = datetime(2024, 8, 26, 2, 0, tzinfo=UTC)


def a_result(**fields: Any) -> dict[str, Any]:
    """An approval of 650 yuan a month for a year; None leaves a field out."""
    result = {
        "xj_need": "N-1",
        "xj_status": "30",
        "xj_at": "2024-08-26T10:00:00+08:00",
        "abaf0028": "202409",
        "abaf0029": "202508",
        "xj_amount": "650.00",
        **fields,
    }
    return {name: value for name, value in result.items() if value is not None}


def a_reply(*results: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"xj_handoff": "H-2024-0001", "xj_results": list(results or [a_result()]), **fields}


def interpret(*results: dict[str, Any]) -> tuple[Outcome, ...]:
    return CIVIL_AFFAIRS.interpret(a_reply(*results), sent(a_handoff()))


def problems(body: Any) -> list[tuple[str, str]]:
    """What a reply is refused for."""
    with pytest.raises(SchemaInvalid) as refusal:
        CIVIL_AFFAIRS.interpret(body, sent(a_handoff()))
    return [(problem.pointer, problem.code) for problem in refusal.value.problems]


def test_it_is_an_adapter_for_civil_affairs_in_json() -> None:
    assert isinstance(CIVIL_AFFAIRS, Adapter)
    assert (CIVIL_AFFAIRS.agency, CIVIL_AFFAIRS.content_type) == ("civil_affairs", "application/json")
    assert CIVIL_AFFAIRS.translate(a_handoff()).content_type == "application/json"


# --- out ---


def test_the_systems_own_fields_hold_what_they_say() -> None:
    body = CIVIL_AFFAIRS.translate(a_handoff()).body
    assert {name: value for name, value in body.items() if not name.startswith("xj_")} == {
        "abax9999": "520102",
        "axdf0002": "王示例",
        "axdf0004": PERSON_ID,
        "axdf0005": 3,
        "abaf0004": "贵州省贵阳市南明区",
    }
    assert body["xj_judicial_aid"] == "30000.50"
    assert [item["abaf0005"] for item in body["xj_items"]] == [need.note for need in a_handoff().needs]


def test_every_field_of_a_handoff_is_carried_or_noted_as_lost() -> None:
    assert unaccounted(CIVIL_AFFAIRS, a_handoff()) == []


@pytest.mark.parametrize("women_class", [WomenClass.W2, WomenClass.W4])
@pytest.mark.parametrize("is_minor", [False, True])
def test_what_the_mask_withholds_changes_nothing_in_the_output(is_minor: bool, women_class: WomenClass) -> None:
    handoff = a_handoff(is_minor=is_minor, person=a_person(women_class=women_class))
    assert leaking(CIVIL_AFFAIRS, handoff) == []


def test_offence_facts_and_what_protects_a_woman_have_no_field() -> None:
    losses = CIVIL_AFFAIRS.translate(a_handoff()).losses
    assert {loss.pointer for loss in losses if loss.reason == "no_field"} == {
        "/case_type",
        "/ground_code",
        "/person/women_class",
        "/person/protection_order",
        "/person/safety_flag",
    }


def test_what_was_withheld_is_not_noted_a_second_time() -> None:
    assert CIVIL_AFFAIRS.translate(masked(a_handoff(needs=some_needs("LIM")))).losses == ()


@pytest.mark.parametrize(
    "handoff", [a_handoff(), masked(a_handoff()), a_bare_handoff()], ids=["full", "masked", "bare"]
)
def test_what_is_sent_fits_the_shape(handoff: Any) -> None:
    assert HANDOFF.validate(CIVIL_AFFAIRS.translate(handoff).body) == {}


def test_a_survey_without_its_summary_fits_the_shape() -> None:
    body = CIVIL_AFFAIRS.translate(masked(a_handoff(is_minor=True))).body
    assert body["xj_survey"] == {
        "xj_mode": "ON_SITE",
        "xj_date": "2024-07-30",
        "xj_investigators": ["赵示例", "钱示例"],
    }
    assert HANDOFF.validate(body) == {}


def test_what_is_not_stated_is_left_out() -> None:
    assert set(CIVIL_AFFAIRS.translate(a_bare_handoff()).body) == {
        "xj_handoff",
        "xj_referral",
        "xj_document",
        "xj_agency",
        "xj_office",
        "abax9999",
        "xj_court",
        "xj_issued",
        "xj_urgency",
        "xj_minor",
        "xj_no_public_notice",
        "xj_items",
    }


def test_an_amount_of_nothing_is_an_amount() -> None:
    assert CIVIL_AFFAIRS.translate(a_handoff(decided_amount_fen=0)).body["xj_judicial_aid"] == "0.00"


@pytest.mark.parametrize(
    ("programme", "fields", "is_coarser"),
    [
        ("MLG", {"xj_candidates": ["110", "120"]}, True),
        ("DST", {"xj_candidates": ["131", "132"]}, True),
        ("LIM", {"abax6002": "600"}, False),
        ("REH", {"abax6002": "650"}, False),
        ("TMP_U", {"abax6002": "500"}, True),
        ("TMP_E", {"abax6002": "500"}, True),
        ("LSD", {}, False),
        ("NOT_LISTED", {}, False),
    ],
)
def test_the_benefit_code_is_sent_only_where_it_is_certain(
    programme: str, fields: dict[str, Any], is_coarser: bool
) -> None:
    draft = CIVIL_AFFAIRS.translate(a_bare_handoff(needs=some_needs(programme)))
    (item,) = draft.body["xj_items"]
    assert {name: item[name] for name in item if name in ("abax6002", "xj_candidates")} == fields
    assert item["xj_programme"] == programme
    assert draft.losses == ((Loss(pointer="/needs/0/programme", reason="code_coarsened"),) if is_coarser else ())


def test_a_coarser_benefit_code_is_noted_at_its_own_need() -> None:
    losses = CIVIL_AFFAIRS.translate(a_bare_handoff(needs=some_needs("LIM", "MLG", "MED", "TMP_E"))).losses
    assert [loss.pointer for loss in losses] == ["/needs/1/programme", "/needs/3/programme"]


def test_every_known_benefit_code_is_used_or_listed_as_unused() -> None:
    used = {code for benefit in benefit_codes().values() for code in benefit.codes}
    assert used | set(KNOWN_UNUSED) == {"110", "120", "131", "132", "500", "600", "650", "660"}
    assert not used & set(KNOWN_UNUSED)


def test_the_household_counts_the_beneficiary_once() -> None:
    alone = HouseholdMember(name="王示例", relation="01")
    mother = HouseholdMember(name="李示例", relation="52")

    def size(*members: HouseholdMember) -> Any:
        person = Person(household=members)
        return CIVIL_AFFAIRS.translate(a_bare_handoff(person=person)).body.get("axdf0005")

    assert (size(), size(mother), size(alone), size(alone, mother)) == (None, 2, 1, 2)


@pytest.mark.parametrize("region", ["529999", "520100", "520000"])
def test_an_address_down_to_the_county_or_none_but_the_code_always(region: str) -> None:
    body = CIVIL_AFFAIRS.translate(a_bare_handoff(person=Person(household_registration_region=region))).body
    assert "abaf0004" not in body
    assert body["xj_person"] == {"xj_registration_region": region}


# --- back ---


def test_an_approval_comes_back_with_amount_and_period() -> None:
    assert interpret(a_result(xj_officer="周示例")) == (
        Outcome(
            code=ReplyCode.APPROVED,
            raw_code="30",
            at=AT,
            need_id="N-1",
            programme="MLG",
            amount_fen=65_000,
            starts_on=date(2024, 9, 1),
            ends_on=date(2025, 8, 31),
            officer="周示例",
        ),
    )


def test_a_denial_comes_back_with_reason_text_and_whether_judicial_aid_was_counted() -> None:
    (outcome,) = interpret(a_result(xj_status="31", xj_reason="701", xj_reason_text="超标", xj_income_counted=True))
    assert (outcome.code, outcome.reason, outcome.text, outcome.judicial_aid_counted) == (
        ReplyCode.DENIED,
        DenialReason.INCOME_OVER,
        "超标",
        True,
    )


def test_several_answers_keep_their_order_and_their_needs() -> None:
    outcomes = interpret(
        a_result(xj_need="N-3"), a_result(xj_need=None, xj_status="01"), a_result(xj_need="N-2", xj_status="40")
    )
    assert [(outcome.need_id, outcome.programme, outcome.code) for outcome in outcomes] == [
        ("N-3", "MED", ReplyCode.APPROVED),
        (None, None, ReceiptCode.RECEIVED),
        ("N-2", "TMP_U", ReplyCode.PAID),
    ]


def test_a_null_need_is_the_whole_handoff() -> None:
    assert interpret({**a_result(), "xj_need": None})[0].need_id is None


@pytest.mark.parametrize(
    ("first", "last", "days"),
    [
        ("202402", "202402", (date(2024, 2, 1), date(2024, 2, 29))),
        ("202302", "202302", (date(2023, 2, 1), date(2023, 2, 28))),
        ("202412", "202501", (date(2024, 12, 1), date(2025, 1, 31))),
        ("202409", None, (date(2024, 9, 1), None)),
        (None, "202409", (None, date(2024, 9, 30))),
    ],
)
def test_a_benefit_runs_by_whole_months(first: str | None, last: str | None, days: tuple[Any, Any]) -> None:
    (outcome,) = interpret(a_result(abaf0028=first, abaf0029=last))
    assert (outcome.starts_on, outcome.ends_on) == days


def test_a_code_nobody_knows_is_kept_in_the_agencys_own_word_and_never_guessed() -> None:
    (outcome,) = interpret(a_result(xj_status="核发中"))
    assert (outcome.code, outcome.raw_code, outcome.amount_fen) == (None, "核发中", 65_000)


def test_a_denial_for_a_reason_nobody_knows_keeps_that_reason_and_its_text() -> None:
    (outcome,) = interpret(a_result(xj_status="31", xj_reason="788", xj_reason_text="其他情形"))
    assert (outcome.code, outcome.raw_code, outcome.reason, outcome.text) == (None, "DENIED/788", None, "其他情形")


@pytest.mark.parametrize("given_up", [{}, {"xj_reason": "701"}, {"xj_reason_text": "超标"}])
def test_a_denial_without_reason_and_text_is_refused(given_up: dict[str, str]) -> None:
    with pytest.raises(DeniedWithoutReason) as refusal:
        interpret(a_result(), a_result(xj_status="31", xj_need="N-2", **given_up))
    assert [problem.pointer for problem in refusal.value.problems] == ["/xj_results/1"]
    assert refusal.value.ids == {"need_id": "N-2"}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"xj_at": "2024-08-26 10:00"}, ("/xj_results/0/xj_at", "not_a_moment")),
        ({"xj_amount": 650}, ("/xj_results/0/xj_amount", "not_text")),
        ({"xj_amount": "-650.00"}, ("/xj_results/0/xj_amount", "pattern")),
        ({"xj_amount": "999999999999.00"}, ("/xj_results/0/xj_amount", "out_of_range")),
        ({"abaf0028": "202413"}, ("/xj_results/0/abaf0028", "pattern")),
        ({"abaf0029": "202408"}, ("/xj_results/0/abaf0029", "out_of_range")),
        ({"xj_need": "N-9"}, ("/xj_results/0/xj_need", "invalid")),
        ({"xj_payee": "7"}, ("/xj_results/0/xj_payee", "unknown_code")),
        ({"xj_status": None}, ("/xj_results/0/xj_status", "required")),
        ({"xj_status": 30}, ("/xj_results/0/xj_status", "not_text")),
        ({"xj_status": "a" * 33}, ("/xj_results/0/xj_status", "too_long")),
        ({"xj_next_due": "2024-09-31"}, ("/xj_results/0/xj_next_due", "not_a_day")),
        ({"xj_missing": "户口簿"}, ("/xj_results/0/xj_missing", "not_list")),
        ({"xj_income_counted": "false"}, ("/xj_results/0/xj_income_counted", "not_boolean")),
        ({"xj_reason_text": "a\x00"}, ("/xj_results/0/xj_reason_text", "control_character")),
        ({"xj_extra": "王示例"}, ("/xj_results/0/xj_extra", "unknown_field")),
        ({"王示例": "x"}, ("/xj_results/0/?", "unknown_field")),
    ],
)
def test_a_bad_field_is_named_and_its_value_is_not(change: dict[str, Any], problem: tuple[str, str]) -> None:
    assert problems(a_reply(a_result(**change))) == [problem]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (a_reply(xj_results=[]), ("/xj_results", "too_few")),
        (a_reply(xj_handoff="H-2024-0002"), ("/xj_handoff", "invalid")),
        ([a_result()], ("", "not_object")),
        ("<HandoffReply/>", ("", "not_object")),
        (None, ("", "not_object")),
    ],
)
def test_a_body_that_is_no_reply_to_this_handoff_is_refused(body: Any, problem: tuple[str, str]) -> None:
    assert problems(body) == [problem]


# --- codes ---


def test_there_is_a_code_for_every_answer_reason_and_payee() -> None:
    assert {ours for _, ours, _ in STATUSES.rows} == {*ReceiptCode, *ReplyCode}
    assert {ours for _, ours, _ in REASONS.rows} == denial_reasons_for("civil_affairs")
    assert {ours for _, ours, _ in PAYEES.rows} == {"BENEFICIARY", "GUARDIAN", "AGENT", "OTHER"}


# --- the sheet ---


def test_the_handoff_part_has_one_row_per_need_and_a_cell_per_column() -> None:
    keys = [key for key, _ in CIVIL_AFFAIRS.sheet_columns()]
    rows = CIVIL_AFFAIRS.sheet_rows(CIVIL_AFFAIRS.translate(a_handoff()).body)
    assert [(row["handoff_id"], row["need_id"]) for row in rows] == [("H-2024-0001", f"N-{n}") for n in (1, 2, 3)]
    assert all(sorted(row) == sorted(keys) for row in rows)
    assert all(type(cell) is str and cell for row in rows[:2] for cell in row.values())


def test_no_column_of_the_handoff_part_could_be_taken_for_an_answer() -> None:
    own = {key for key, _ in CIVIL_AFFAIRS.sheet_columns()}
    assert own & {key for key, _ in REPLY_COLUMNS} == set(IDENTITY_KEYS)


def test_a_clerk_reads_words_and_china_time() -> None:
    first, second, _ = CIVIL_AFFAIRS.sheet_rows(CIVIL_AFFAIRS.translate(a_handoff()).body)
    expected = {
        "programme": "最低生活保障 MLG",
        "benefit_code": "110 / 120",
        "reply_by": "2024-08-22 09:30",
        "registration": "贵州省贵阳市南明区",
        "household_size": "3",
        "minor": "否",
        "no_public_notice": "是",
        "guardian": "李示例 13800000002",
        "judicial_aid": "30000.50",
    }
    assert {key: first[key] for key in expected} == expected
    assert second["benefit_code"] == "500"


def test_a_bare_handoff_leaves_cells_empty() -> None:
    rows = CIVIL_AFFAIRS.sheet_rows(CIVIL_AFFAIRS.translate(a_bare_handoff()).body)
    assert (rows[0]["name"], rows[0]["reply_by"], rows[0]["household_size"], rows[0]["survey"]) == ("", "", "", "")


@pytest.mark.parametrize("result", [*ReplyCode, *ReceiptCode])
def test_every_result_of_the_sheet_comes_back_as_itself(result: ReplyCode | ReceiptCode) -> None:
    row = a_row(a_handoff(), result=result.value, reason="INCOME_OVER", text="书面说明")
    (outcome,) = CIVIL_AFFAIRS.interpret(CIVIL_AFFAIRS.sheet_reply(row), sent(a_handoff()))
    assert (outcome.code, outcome.reason) == (result, DenialReason.INCOME_OVER)


def test_a_filled_row_says_the_same_as_a_reply() -> None:
    row = a_row(
        a_handoff(),
        text="第一行\n第二行",
        next_due="2024-09-20",
        forwarded_to="贵阳市医疗保障局",
        suggested_agency="disabled_persons",
        suggested_region="520103",
        missing="户口簿、授权书",
        service="临时住宿",
    )
    assert CIVIL_AFFAIRS.interpret(CIVIL_AFFAIRS.sheet_reply(row), sent(a_handoff())) == (
        Outcome(
            code=ReplyCode.APPROVED,
            raw_code="30",
            at=AT,
            need_id="N-1",
            programme="MLG",
            amount_fen=65_000,
            service="临时住宿",
            starts_on=date(2024, 9, 1),
            ends_on=date(2025, 8, 31),
            text="第一行\n第二行",
            next_due=date(2024, 9, 20),
            forwarded_to="贵阳市医疗保障局",
            suggested_agency="disabled_persons",
            suggested_region="520103",
            missing=("户口簿", "授权书"),
            payee="BENEFICIARY",
            officer="周示例",
        ),
    )


def test_days_of_the_sheet_become_the_months_they_lie_in() -> None:
    row = a_row(a_handoff(), starts_on="2024-09-15", ends_on="2025-08-02")
    (outcome,) = CIVIL_AFFAIRS.interpret(CIVIL_AFFAIRS.sheet_reply(row), sent(a_handoff()))
    assert (outcome.starts_on, outcome.ends_on) == (date(2024, 9, 1), date(2025, 8, 31))


def test_a_denial_in_the_sheet_needs_reason_and_text_too() -> None:
    body = CIVIL_AFFAIRS.sheet_reply(a_row(a_handoff(), result="不予救助"))
    with pytest.raises(DeniedWithoutReason):
        CIVIL_AFFAIRS.interpret(body, sent(a_handoff()))


def test_a_reason_only_another_agency_has_is_refused_in_the_sheet() -> None:
    with pytest.raises(SchemaInvalid):
        CIVIL_AFFAIRS.sheet_reply(a_row(a_handoff(), result="DENIED", reason="NO_CERTIFICATE", text="无证"))


@settings(max_examples=60, deadline=None)
@given(
    fen=st.integers(0, 10**13),
    text=st.text(st.characters(codec="utf-8", categories=("L", "N", "P")), min_size=1, max_size=40),
)
def test_any_amount_and_any_words_survive_the_sheet(fen: int, text: str) -> None:
    row = a_row(a_handoff(), amount_yuan=f"{fen // 100}.{fen % 100:02d}", text=text)
    (outcome,) = CIVIL_AFFAIRS.interpret(CIVIL_AFFAIRS.sheet_reply(row), sent(a_handoff()))
    assert (outcome.amount_fen, outcome.text) == (fen, text)


# --- samples and README ---

CARRIED = {
    ReplyCode.RETURNED: ("missing",),
    ReplyCode.NOT_IN_SCOPE: ("suggested_agency",),
    ReplyCode.NOT_IN_REGION: ("suggested_region",),
    ReplyCode.FORWARDED: ("forwarded_to",),
    ReplyCode.ALREADY_COVERED: ("starts_on",),
    ReplyCode.IN_PUBLIC_NOTICE: ("ends_on",),
    ReplyCode.APPROVED: ("amount_fen", "starts_on", "ends_on"),
    ReplyCode.DENIED: ("reason", "text"),
    ReplyCode.PAID: ("amount_fen", "payee", "person_id_number"),
    ReplyCode.SERVICE_DELIVERED: ("service",),
    ReplyCode.MOVED: ("suggested_region",),
    ReplyCode.STOPPED: ("reason", "ends_on"),
}


def read_sample(name: str) -> Any:
    return json.loads((SAMPLES / name).read_text("utf-8"))


def test_there_is_a_sample_of_every_reply_there_is() -> None:
    names = {path.stem.removeprefix("reply_") for path in SAMPLES.glob("reply_*.json")}
    assert names == {code.value.lower() for code in (*ReplyCode, *ReceiptCode)} | {"unknown_code"}


@pytest.mark.parametrize("code", [*ReplyCode, *ReceiptCode])
def test_a_sample_reply_says_what_its_name_says_and_carries_what_it_must(code: ReplyCode | ReceiptCode) -> None:
    (outcome,) = CIVIL_AFFAIRS.interpret(read_sample(f"reply_{code.value.lower()}.json"), sent(a_handoff()))
    owed = () if isinstance(code, ReceiptCode) or code in TERMINAL else ("next_due",)
    expected = (*CARRIED.get(code, ()), *owed) if isinstance(code, ReplyCode) else ()
    assert outcome.code is code
    assert [name for name in expected if not getattr(outcome, name)] == []


def test_the_sample_of_an_unknown_code_stays_unknown() -> None:
    (outcome,) = CIVIL_AFFAIRS.interpret(read_sample("reply_unknown_code.json"), sent(a_handoff()))
    assert (outcome.code, outcome.raw_code) == (None, "77")


def test_the_sample_handoff_is_what_is_sent_today() -> None:
    assert read_sample("handoff.json") == CIVIL_AFFAIRS.translate(masked(a_handoff())).body


def test_the_samples_hold_nobody_real() -> None:
    handoff = read_sample("handoff.json")
    numbers = {handoff["axdf0004"], *(member["xj_id_number"] for member in handoff["xj_household"])}
    assert numbers == {PERSON_ID, MOTHER_ID, DAUGHTER_ID}
    assert all(number.startswith("529999") for number in numbers)


def test_the_readme_names_every_loss_and_every_code_of_the_tables() -> None:
    readme = (FOLDER / "README.md").read_text("utf-8")
    losses = CIVIL_AFFAIRS.translate(a_handoff()).losses
    words = {f"`{loss.pointer}`" for loss in losses if not loss.pointer.startswith("/needs/")}
    words |= {f"`{code}`" for benefit in benefit_codes().values() for code in (*benefit.codes, *KNOWN_UNUSED)}
    assert [word for word in sorted(words) if word not in readme] == []


def test_the_same_need_twice_in_one_reply_is_two_answers() -> None:
    first, second = interpret(a_result(xj_status="20"), a_result(xj_at="2024-08-27T10:00:00+08:00"))
    assert (first.need_id, second.need_id) == ("N-1", "N-1")
    assert first.at < second.at


def test_a_handoff_of_one_need_cannot_be_answered_about_another() -> None:
    only_first = replace(a_handoff(), needs=some_needs("MLG"))
    with pytest.raises(SchemaInvalid):
        CIVIL_AFFAIRS.interpret(a_reply(a_result(xj_need="N-2")), sent(only_first))
