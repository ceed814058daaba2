"""妇联适配器 Flat handoffs in a clerk's words, the answers to them, the sheet with its safety flag, and the samples."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import adapters.womens_federation
from adapters.womens_federation.adapter import HIDDEN, WomensFederation
from adapters.womens_federation.codes import (
    GROUPS,
    ID_TYPES,
    LEGAL_BASES,
    PAYEES,
    REASONS,
    SEXES,
    STATUSES,
    SURVEY_MODES,
    TABLES,
    URGENCIES,
    WOMEN_CLASSES,
)
from gateway.domain.handoff import Handoff, Loss, Outcome
from gateway.domain.identifiers import IdType, Sex
from gateway.domain.person import Person, SpecificGroup, WomenClass
from gateway.domain.referral import LegalBasis, SurveyMode, Urgency
from gateway.domain.replies import TERMINAL, DenialReason, ReceiptCode, ReplyCode, denial_reasons_for, load_replies
from gateway.errors import DeniedWithoutReason, SchemaInvalid
from gateway.ports import Adapter
from gateway.workbook.sheets import IDENTITY_KEYS, REPLY_COLUMNS
from schemas.womens_federation import HANDOFF
from tests.adapters.builders import (
    DAUGHTER_ID,
    MOTHER_ID,
    PERSON_ID,
    a_bare_handoff,
    a_person,
    a_row,
    leaking,
    masked,
    sent,
    some_needs,
    unaccounted,
)
from tests.adapters.builders import a_handoff as any_handoff

FEDERATION = WomensFederation()
FOLDER = Path(adapters.womens_federation.__file__).parent
SAMPLES = FOLDER / "samples"
AT = datetime(2024, 8, 26, 2, 0, tzinfo=UTC)


def a_handoff(**overrides: Any) -> Handoff:
    return any_handoff("womens_federation", **overrides)


def bare(**overrides: Any) -> Handoff:
    return a_bare_handoff("womens_federation", **overrides)


def an_answer(**fields: Any) -> dict[str, Any]:
    """An approval of 10,000 yuan once; None leaves a field out."""
    answer = {
        "事项编号": "N-1",
        "办理结果": "予以救助",
        "办理时间": "2024-08-26T10:00:00+08:00",
        "金额": "10000.00",
        **fields,
    }
    return {name: value for name, value in answer.items() if value is not None}


def a_reply(*answers: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"转办编号": "H-2024-0001", "反馈": list(answers or [an_answer()]), **fields}


def interpret(*answers: dict[str, Any]) -> tuple[Outcome, ...]:
    return FEDERATION.interpret(a_reply(*answers), sent(a_handoff()))


def problems(body: Any) -> list[tuple[str, str]]:
    """What a reply is refused for."""
    with pytest.raises(SchemaInvalid) as refusal:
        FEDERATION.interpret(body, sent(a_handoff()))
    return [(problem.pointer, problem.code) for problem in refusal.value.problems]


def rows_of(handoff: Handoff) -> list[dict[str, str]]:
    return [dict(row) for row in FEDERATION.sheet_rows(FEDERATION.translate(handoff).body)]


def test_it_is_an_adapter_for_the_womens_federation_in_json() -> None:
    assert isinstance(FEDERATION, Adapter)
    assert (FEDERATION.agency, FEDERATION.content_type) == ("womens_federation", "application/json")
    assert FEDERATION.translate(a_handoff()).content_type == "application/json"


# --- out ---


def test_every_field_of_a_handoff_is_carried_or_noted_as_lost() -> None:
    # other programmes than the builder's, whose canary is one of them
    assert unaccounted(FEDERATION, a_handoff(needs=some_needs("CAN2", "LEG"))) == []


@pytest.mark.parametrize("women_class", [WomenClass.W2, WomenClass.W4])
@pytest.mark.parametrize("is_minor", [False, True])
def test_what_the_mask_withholds_changes_nothing_in_the_output(is_minor: bool, women_class: WomenClass) -> None:
    handoff = a_handoff(is_minor=is_minor, person=a_person(women_class=women_class))
    assert leaking(FEDERATION, handoff) == []


def test_illness_means_and_the_case_have_no_field_even_if_no_mask_withheld_them() -> None:
    losses = FEDERATION.translate(a_handoff()).losses
    assert {loss.pointer for loss in losses if loss.reason == "no_field"} == {
        "/case_number",
        "/case_type",
        "/decision",
        "/decided_amount_fen",
        "/paid_at",
        "/ground_code",
        "/survey/summary",
        "/verification_authorization",
        "/custody",
        "/attachments",
        "/person/ethnic_group",
        "/person/household",
        "/person/disability",
    }


def test_that_someone_is_disabled_is_left_out_of_the_groups_and_said_to_be() -> None:
    draft = FEDERATION.translate(a_handoff())
    assert draft.body["特定群体"] == ["妇女"]
    assert Loss(pointer="/person/specific_groups", reason="code_coarsened") in draft.losses
    assert "残疾" not in json.dumps(draft.body, ensure_ascii=False)


def test_groups_that_all_have_a_word_lose_nothing() -> None:
    groups = frozenset({SpecificGroup.WOMAN, SpecificGroup.MINOR, SpecificGroup.ELDERLY})
    draft = FEDERATION.translate(bare(person=Person(specific_groups=groups)))
    assert (draft.body["特定群体"], draft.losses) == (["未成年人", "老年人", "妇女"], ())


def test_only_the_disabled_group_leaves_no_empty_list() -> None:
    draft = FEDERATION.translate(bare(person=Person(specific_groups=frozenset({SpecificGroup.DISABLED}))))
    assert "特定群体" not in draft.body
    assert [loss.pointer for loss in draft.losses] == ["/person/specific_groups"]


def test_what_was_withheld_is_not_noted_a_second_time() -> None:
    groups = frozenset({SpecificGroup.WOMAN})
    assert FEDERATION.translate(masked(a_handoff(person=a_person(specific_groups=groups)))).losses == ()


@pytest.mark.parametrize("handoff", [a_handoff(), masked(a_handoff()), bare()], ids=["full", "masked", "bare"])
def test_what_is_sent_fits_the_shape(handoff: Handoff) -> None:
    assert HANDOFF.validate(FEDERATION.translate(handoff).body) == {}


def test_a_row_is_flat_but_for_the_list_of_needs() -> None:
    body = FEDERATION.translate(a_handoff()).body
    nested = [name for name, value in body.items() if not isinstance(value, str)]
    assert nested == ["特定群体", "调查人", "事项"]


def test_what_is_not_stated_is_left_out() -> None:
    assert set(FEDERATION.translate(bare()).body) == {
        "转办编号",
        "移送编号",
        "会签文件",
        "承办部门",
        "承办单位",
        "承办地区",
        "移送法院",
        "转办时间",
        "紧急程度",
        "未成年人",
        "不得公示",
        "事项",
    }


@pytest.mark.parametrize(("flag", "said"), [(True, "是"), (False, "否")])
def test_a_protection_order_that_was_denied_is_something_else_than_none_stated(flag: bool, said: str) -> None:
    body = FEDERATION.translate(bare(person=Person(protection_order=flag, safety_flag=flag))).body
    assert (body["人身安全保护令"], body["安全保护"]) == (said, said)
    assert "人身安全保护令" not in FEDERATION.translate(bare()).body


@pytest.mark.parametrize("women_class", list(WomenClass))
def test_every_class_of_women_in_hardship_travels(women_class: WomenClass) -> None:
    handoff = masked(a_handoff(person=a_person(women_class=women_class)))
    assert FEDERATION.translate(handoff).body["困难妇女类别"] == women_class.value


def test_moments_are_china_time_with_their_offset() -> None:
    body = FEDERATION.translate(a_handoff()).body
    assert (body["转办时间"], body["反馈期限"]) == ("2024-08-20T09:30:00.000+08:00", "2024-08-22T09:30:00.000+08:00")


def test_a_programme_nobody_lists_travels_without_a_name() -> None:
    (item,) = FEDERATION.translate(bare(needs=some_needs("NEW"))).body["事项"]
    assert item == {"事项编号": "N-1", "项目代码": "NEW", "事项说明": "家庭无固定收入，需求1"}


# --- back ---


def test_an_approval_comes_back_with_its_amount() -> None:
    assert interpret(an_answer(经办人="周示例")) == (
        Outcome(
            code=ReplyCode.APPROVED,
            raw_code="予以救助",
            at=AT,
            need_id="N-1",
            programme="CAN2",
            amount_fen=1_000_000,
            officer="周示例",
        ),
    )


def test_a_denial_comes_back_with_reason_and_text() -> None:
    (outcome,) = interpret(an_answer(办理结果="不予救助", 不予理由="未确诊", 书面说明="无诊断证明"))
    assert (outcome.code, outcome.reason, outcome.text) == (ReplyCode.DENIED, DenialReason.NOT_DIAGNOSED, "无诊断证明")


def test_several_answers_keep_their_order_and_their_needs() -> None:
    outcomes = interpret(
        an_answer(事项编号="N-2", 办理结果="已帮扶"),
        an_answer(事项编号=None, 办理结果="已签收"),
        {**an_answer(办理结果="已发放")},
    )
    assert [(outcome.need_id, outcome.programme, outcome.code) for outcome in outcomes] == [
        ("N-2", "PSY", ReplyCode.SERVICE_DELIVERED),
        (None, None, ReceiptCode.RECEIVED),
        ("N-1", "CAN2", ReplyCode.PAID),
    ]


def test_a_null_need_is_the_whole_handoff() -> None:
    assert interpret({**an_answer(), "事项编号": None})[0].need_id is None


def test_two_words_for_one_thing_are_both_read_and_kept_as_written() -> None:
    first, second = interpret(an_answer(办理结果="已转办"), an_answer(办理结果="已转介"))
    assert (first.code, second.code) == (ReplyCode.FORWARDED, ReplyCode.FORWARDED)
    assert (first.raw_code, second.raw_code) == ("已转办", "已转介")


def test_a_word_nobody_knows_is_kept_and_never_guessed() -> None:
    (outcome,) = interpret(an_answer(办理结果="同意"))
    assert (outcome.code, outcome.raw_code, outcome.amount_fen) == (None, "同意", 1_000_000)


def test_a_denial_for_a_reason_nobody_knows_keeps_that_reason_and_its_text() -> None:
    (outcome,) = interpret(an_answer(办理结果="不予救助", 不予理由="名单外", 书面说明="说明"))
    assert (outcome.code, outcome.raw_code, outcome.reason, outcome.text) == (None, "DENIED/名单外", None, "说明")


@pytest.mark.parametrize("given_up", [{}, {"不予理由": "未确诊"}, {"书面说明": "无诊断证明"}])
def test_a_denial_without_reason_and_text_is_refused(given_up: dict[str, str]) -> None:
    with pytest.raises(DeniedWithoutReason) as refusal:
        interpret(an_answer(), an_answer(办理结果="不予救助", 事项编号="N-2", **given_up))
    assert [problem.pointer for problem in refusal.value.problems] == ["/反馈/1"]
    assert refusal.value.ids == {"need_id": "N-2"}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"办理时间": "2024-08-26 10:00"}, ("/反馈/0/办理时间", "not_a_moment")),
        ({"办理时间": None}, ("/反馈/0/办理时间", "required")),
        ({"金额": 10_000}, ("/反馈/0/金额", "not_text")),
        ({"金额": "1万元"}, ("/反馈/0/金额", "pattern")),
        ({"金额": "999999999999.00"}, ("/反馈/0/金额", "out_of_range")),
        ({"起始日期": "2024-09-31"}, ("/反馈/0/起始日期", "not_a_day")),
        ({"起始日期": "2024-09-02", "截止日期": "2024-09-01"}, ("/反馈/0/截止日期", "out_of_range")),
        ({"事项编号": "N-9"}, ("/反馈/0/事项编号", "invalid")),
        ({"领款人": "邻居"}, ("/反馈/0/领款人", "unknown_code")),
        ({"办理结果": None}, ("/反馈/0/办理结果", "required")),
        ({"办理结果": 1}, ("/反馈/0/办理结果", "not_text")),
        ({"办理结果": "长" * 33}, ("/反馈/0/办理结果", "too_long")),
        ({"需补材料": "户口簿"}, ("/反馈/0/需补材料", "not_list")),
        ({"需补材料": ["户口簿", 1]}, ("/反馈/0/需补材料/1", "not_text")),
        ({"建议地区": "贵阳"}, ("/反馈/0/建议地区", "pattern")),
        ({"书面说明": "a\x00"}, ("/反馈/0/书面说明", "control_character")),
        ({"姓名": "王示例"}, ("/反馈/0/?", "unknown_field")),
        ({"王示例": "x"}, ("/反馈/0/?", "unknown_field")),
        ({"result": "x"}, ("/反馈/0/result", "unknown_field")),
    ],
)
def test_a_bad_field_is_named_in_its_own_word_and_its_value_is_not(
    change: dict[str, Any], problem: tuple[str, str]
) -> None:
    assert problems(a_reply(an_answer(**change))) == [problem]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (a_reply(反馈=[]), ("/反馈", "too_few")),
        (a_reply(反馈="已签收"), ("/反馈", "not_list")),
        (a_reply(反馈=["已签收"]), ("/反馈/0", "not_object")),
        (a_reply(转办编号="H-2024-0002"), ("/转办编号", "invalid")),
        ([an_answer()], ("", "not_object")),
        ("已签收", ("", "not_object")),
        (None, ("", "not_object")),
    ],
)
def test_a_body_that_is_no_reply_to_this_handoff_is_refused(body: Any, problem: tuple[str, str]) -> None:
    assert problems(body) == [problem]


def test_an_empty_body_names_all_that_is_missing() -> None:
    assert problems({}) == [("/反馈", "required"), ("/转办编号", "required")]


# --- codes ---


def test_there_is_a_word_for_every_answer_reason_and_payee() -> None:
    assert {ours for _, ours, _ in STATUSES.rows} == {*ReceiptCode, *ReplyCode}
    assert {ours for _, ours, _ in REASONS.rows} == denial_reasons_for("womens_federation")
    assert {ours for _, ours, _ in PAYEES.rows} == {"BENEFICIARY", "GUARDIAN", "AGENT", "OTHER"}


def test_the_word_written_is_the_one_the_sheet_offers() -> None:
    layers = ("receipt", "case", "denial", "denial_womens_federation")
    offered = {entry.code: entry.zh for entry in load_replies() if entry.layer in layers}
    assert {code: STATUSES.theirs(code) for code in (*ReceiptCode, *ReplyCode)} | {
        reason: REASONS.theirs(reason) for reason in denial_reasons_for("womens_federation")
    } == offered


def test_every_code_of_a_referral_has_a_word() -> None:
    assert set(URGENCIES) == set(Urgency)
    assert set(LEGAL_BASES) == set(LegalBasis)
    assert set(SURVEY_MODES) == set(SurveyMode)
    assert set(SEXES) == set(Sex)
    assert set(WOMEN_CLASSES) == set(WomenClass)
    assert set(ID_TYPES) == set(IdType)
    assert set(GROUPS) == set(SpecificGroup) - {SpecificGroup.DISABLED}


# --- the sheet ---


def test_the_handoff_part_has_one_row_per_need_and_a_cell_per_column() -> None:
    keys = [key for key, _ in FEDERATION.sheet_columns()]
    rows = rows_of(a_handoff())
    assert [(row["handoff_id"], row["need_id"]) for row in rows] == [("H-2024-0001", "N-1"), ("H-2024-0001", "N-2")]
    assert all(sorted(row) == sorted(keys) for row in rows)
    assert all(type(cell) is str and cell for row in rows for cell in row.values())


def test_no_column_of_the_handoff_part_could_be_taken_for_an_answer() -> None:
    own = {key for key, _ in FEDERATION.sheet_columns()}
    assert own & {key for key, _ in REPLY_COLUMNS} == set(IDENTITY_KEYS)


def test_a_clerk_reads_words_and_china_time() -> None:
    first, _ = rows_of(a_handoff())
    expected = {
        "programme": "两癌救助 CAN2",
        "urgency": "48小时内",
        "reply_by": "2024-08-22 09:30",
        "women_class": "W4 重病或残疾",
        "id_type": "111 居民身份证",
        "phone": "13800000001",
        "residence": "贵州省贵阳市南明区示例路1号",
        "guardian": "李示例 13800000002",
        "survey": "实地走访 2024-07-30 赵示例、钱示例",
        "court_contact": "孙示例 0851-80000000",
    }
    assert {key: first[key] for key in expected} == expected


def test_with_the_safety_flag_the_sheet_does_not_say_where_she_is() -> None:
    handoff = a_handoff(person=a_person(safety_flag=True, women_class=WomenClass.W2))
    person = handoff.person
    assert person.guardian is not None
    for row in rows_of(handoff):
        assert (row["phone"], row["residence"], row["guardian"]) == (HIDDEN, HIDDEN, person.guardian.name)
        shown = " ".join(row.values())
        assert [told for told in (person.phone, person.residence, person.guardian.phone) if str(told) in shown] == []
        assert row["court_contact"] == "孙示例 0851-80000000"


def test_with_the_safety_flag_the_signed_message_still_says_it() -> None:
    body = FEDERATION.translate(a_handoff(person=a_person(safety_flag=True))).body
    assert (body["联系电话"], body["居住地址"]) == ("13800000001", "贵州省贵阳市南明区示例路1号")


def test_a_bare_handoff_leaves_cells_empty() -> None:
    row = rows_of(bare())[0]
    assert (row["name"], row["id_type"], row["women_class"], row["survey"], row["guardian"]) == ("", "", "", "", "")
    assert (row["reply_by"], row["phone"], row["safety"]) == ("", "", "")


@pytest.mark.parametrize("result", [*ReplyCode, *ReceiptCode])
def test_every_result_of_the_sheet_comes_back_as_itself(result: ReplyCode | ReceiptCode) -> None:
    row = a_row(a_handoff(), result=TABLES.statuses.theirs(result), reason="未确诊", text="书面说明")
    (outcome,) = FEDERATION.interpret(FEDERATION.sheet_reply(row), sent(a_handoff()))
    assert (outcome.code, outcome.reason) == (result, DenialReason.NOT_DIAGNOSED)


def test_a_filled_row_says_the_same_as_a_reply() -> None:
    row = a_row(
        a_handoff(),
        text="第一行\n第二行",
        next_due="2024-09-20",
        forwarded_to="南明区法律援助中心",
        suggested_agency="civil_affairs",
        suggested_region="520103",
        missing="户口簿、诊断证明",
        service="临时住宿",
    )
    assert FEDERATION.interpret(FEDERATION.sheet_reply(row), sent(a_handoff())) == (
        Outcome(
            code=ReplyCode.APPROVED,
            raw_code="予以救助",
            at=AT,
            need_id="N-1",
            programme="CAN2",
            amount_fen=65_000,
            service="临时住宿",
            starts_on=date(2024, 9, 1),
            ends_on=date(2025, 8, 31),
            text="第一行\n第二行",
            next_due=date(2024, 9, 20),
            forwarded_to="南明区法律援助中心",
            suggested_agency="civil_affairs",
            suggested_region="520103",
            missing=("户口簿", "诊断证明"),
            payee="BENEFICIARY",
            officer="周示例",
        ),
    )


def test_a_row_with_nothing_but_a_result_is_an_answer_without_empty_fields() -> None:
    row = {"handoff_id": "H-2024-0001", "result": "已签收", "at": "2024-08-26 10:00"}
    assert FEDERATION.sheet_reply(row) == {
        "转办编号": "H-2024-0001",
        "反馈": [{"办理结果": "已签收", "办理时间": "2024-08-26T10:00:00.000+08:00"}],
    }


def test_a_denial_in_the_sheet_needs_reason_and_text_too() -> None:
    body = FEDERATION.sheet_reply(a_row(a_handoff(), result="不予救助"))
    with pytest.raises(DeniedWithoutReason):
        FEDERATION.interpret(body, sent(a_handoff()))


def test_a_reason_only_another_agency_has_is_refused_in_the_sheet() -> None:
    with pytest.raises(SchemaInvalid):
        FEDERATION.sheet_reply(a_row(a_handoff(), result="DENIED", reason="NO_CERTIFICATE", text="无证"))


@settings(max_examples=60, deadline=None)
@given(
    fen=st.integers(0, 10**13),
    text=st.text(st.characters(codec="utf-8", categories=("L", "N", "P")), min_size=1, max_size=40),
)
def test_any_amount_and_any_words_survive_the_sheet(fen: int, text: str) -> None:
    row = a_row(a_handoff(), amount_yuan=f"{fen // 100}.{fen % 100:02d}", text=text)
    (outcome,) = FEDERATION.interpret(FEDERATION.sheet_reply(row), sent(a_handoff()))
    assert (outcome.amount_fen, outcome.text) == (fen, text)


# --- samples and README ---

CARRIED = {
    ReplyCode.RETURNED: ("missing",),
    ReplyCode.NOT_IN_SCOPE: ("suggested_agency",),
    ReplyCode.NOT_IN_REGION: ("suggested_region",),
    ReplyCode.FORWARDED: ("forwarded_to",),
    ReplyCode.ALREADY_COVERED: ("starts_on",),
    ReplyCode.IN_PUBLIC_NOTICE: ("ends_on",),
    ReplyCode.APPROVED: ("amount_fen",),
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
    (outcome,) = FEDERATION.interpret(read_sample(f"reply_{code.value.lower()}.json"), sent(a_handoff()))
    owed = () if isinstance(code, ReceiptCode) or code in TERMINAL else ("next_due",)
    expected = (*CARRIED.get(code, ()), *owed) if isinstance(code, ReplyCode) else ()
    assert outcome.code is code
    assert [name for name in expected if not getattr(outcome, name)] == []


def test_the_sample_of_an_unknown_word_stays_unknown() -> None:
    (outcome,) = FEDERATION.interpret(read_sample("reply_unknown_code.json"), sent(a_handoff()))
    assert (outcome.code, outcome.raw_code) == (None, "持续跟进")


def test_the_sample_handoff_is_what_is_sent_today() -> None:
    assert read_sample("handoff.json") == FEDERATION.translate(masked(a_handoff())).body


def test_the_samples_hold_nobody_real() -> None:
    handoff, paid = read_sample("handoff.json"), read_sample("reply_paid.json")
    assert (handoff["证件号码"], handoff["监护人证件号码"]) == (PERSON_ID, MOTHER_ID)
    assert paid["反馈"][0]["证件号码"] == PERSON_ID
    assert DAUGHTER_ID not in (SAMPLES / "handoff.json").read_text("utf-8")


def test_the_readme_names_every_loss_and_the_federations_own_reasons() -> None:
    readme = (FOLDER / "README.md").read_text("utf-8")
    words = {f"`{loss.pointer}`" for loss in FEDERATION.translate(a_handoff()).losses}
    own = denial_reasons_for("womens_federation") - denial_reasons_for("nobody")
    words |= {REASONS.theirs(reason) for reason in own}
    assert [word for word in sorted(words) if word not in readme] == []
