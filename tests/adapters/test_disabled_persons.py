"""残联适配器 Handoffs as XML checked by the shipped XSD, replies read without trust, the sheet and the samples."""

import logging
import re
import traceback
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

import adapters.disabled_persons
from adapters.disabled_persons.adapter import DisabledPersons
from adapters.disabled_persons.codes import DISABILITY_GRADES, DISABILITY_KINDS, PAYEES, REASONS, SEXES, STATUSES, steps
from adapters.disabled_persons.document import (
    BYTES_MAX,
    NAMESPACE,
    PROBLEM_LIMIT,
    XSD,
    is_writable,
    new_root,
    qualified,
    read_document,
    write_document,
)
from adapters.disabled_persons.results import ResultSchema
from gateway.domain.handoff import Handoff, HandoffNeed, Loss, Outcome
from gateway.domain.person import Disability, Person, WomenClass
from gateway.domain.referral import Survey, SurveyMode
from gateway.domain.replies import TERMINAL, DenialReason, ReceiptCode, ReplyCode, denial_reasons_for
from gateway.errors import DeniedWithoutReason, MalformedXml, SchemaInvalid
from gateway.ports import Adapter
from gateway.workbook.sheets import IDENTITY_KEYS, REPLY_COLUMNS
from tests.adapters.builders import (
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

FEDERATION = DisabledPersons()
AGENCY = "disabled_persons"
FOLDER = Path(adapters.disabled_persons.__file__).parent
SAMPLES = FOLDER / "samples"
AT = datetime(2024, 8, 26, 2, 0, tzinfo=UTC)
SECRET = "王示例529999199001010027"
"""Stands for anything a sender may write: no error may repeat it."""


def a_result(
    inside: str = "", *, code: str = "B1", need: str | None = "N-1", at: str = "2024-08-26T10:00:00+08:00"
) -> str:
    about = "" if need is None else f' need="{need}"'
    return f'<Result code="{code}"{about}><At>{at}</At>{inside}</Result>'


def a_reply(*results: str, prolog: str = "", handoff: str = "H-2024-0001") -> str:
    inside = "".join(results or [a_result()])
    return f'{prolog}<HandoffReply xmlns="{NAMESPACE}" version="1.0" handoff="{handoff}">{inside}</HandoffReply>'


def interpret(body: Any) -> tuple[Outcome, ...]:
    return FEDERATION.interpret(body, sent(a_handoff(AGENCY)))


def refused(body: Any) -> MalformedXml:
    """Why a body is refused; and that the refusal, its cause and its trace repeat nothing of it."""
    with pytest.raises(MalformedXml) as refusal:
        interpret(body)
    error = refusal.value
    told = "".join(traceback.format_exception(error)) + repr(error.problems) + repr(error.ids) + str(error)
    assert PERSON_ID not in told
    assert SECRET[:3] not in told
    assert error.__cause__ is None
    assert error.__context__ is None
    return error


def pointers(body: str) -> list[tuple[str, str]]:
    return [(problem.pointer, problem.code) for problem in refused(body).problems]


def tree(text: str) -> etree._Element:
    return read_document(text, "Handoff")


def element_names() -> set[str]:
    return set(re.findall(r'<xs:element name="(\w+)"', XSD.read_text("utf-8")))


def test_it_is_an_adapter_for_the_federation_in_xml() -> None:
    assert isinstance(FEDERATION, Adapter)
    assert (FEDERATION.agency, FEDERATION.content_type) == (AGENCY, "application/xml")
    draft = FEDERATION.translate(a_handoff(AGENCY))
    assert (draft.content_type, type(draft.body)) == ("application/xml", str)


# --- out ---


def test_every_field_of_a_handoff_is_carried_or_noted_as_lost() -> None:
    assert unaccounted(FEDERATION, a_handoff(AGENCY)) == []


@pytest.mark.parametrize("women_class", [WomenClass.W2, WomenClass.W4])
@pytest.mark.parametrize("is_minor", [False, True])
def test_what_the_mask_withholds_changes_nothing_in_the_output(is_minor: bool, women_class: WomenClass) -> None:
    assert leaking(FEDERATION, a_handoff(AGENCY, is_minor=is_minor, person=a_person(women_class=women_class))) == []


def test_money_household_offence_and_protection_have_no_element() -> None:
    assert {loss.pointer for loss in FEDERATION.translate(a_handoff(AGENCY)).losses} == {
        "/case_type",
        "/decided_amount_fen",
        "/paid_at",
        "/ground_code",
        "/verification_authorization",
        "/custody",
        "/person/ethnic_group",
        "/person/household",
        "/person/women_class",
        "/person/protection_order",
        "/person/safety_flag",
    }


def test_what_was_withheld_is_not_noted_a_second_time() -> None:
    assert FEDERATION.translate(masked(a_handoff(AGENCY))).losses == ()


def test_what_is_not_stated_is_left_out() -> None:
    root = tree(FEDERATION.translate(a_bare_handoff(AGENCY)).body)
    assert [etree.QName(child).localname for child in root] == [
        "Agreement",
        "Agency",
        "Office",
        "Region",
        "Court",
        "Issued",
        "Urgency",
        "Minor",
        "NoPublicNotice",
        "Beneficiary",
        "Need",
        "Need",
        "Need",
    ]


def test_a_need_says_whether_the_federation_reviews_or_decides() -> None:
    needs = some_needs("ASD", "LSD", "NSD", "DCERT", "NOT_LISTED")
    root = tree(FEDERATION.translate(a_bare_handoff(AGENCY, needs=needs)).body)
    assert [need.get("step") for need in root.iterfind(qualified("Need"))] == [
        "DECIDE",
        "REVIEW",
        "REVIEW",
        "DECIDE",
        "DECIDE",
    ]
    assert {code for code, step in steps().items() if step == "REVIEW"} == {"LSD", "NSD"}


def test_markup_in_a_text_is_text() -> None:
    words = "<Officer>&amp; ]]> <!DOCTYPE x> \"'"
    body = FEDERATION.translate(
        a_bare_handoff(AGENCY, needs=(HandoffNeed(need_id="N-1", programme="ASD", note=words),))
    )
    assert FEDERATION.sheet_rows(body.body)[0]["need_note"] == words


def test_line_breaks_and_blanks_of_a_text_are_kept() -> None:
    survey = Survey(mode=SurveyMode.ON_SITE, date=date(2024, 7, 30), investigators=("甲", "乙"), summary=" 一\n\n 二 ")
    body = FEDERATION.translate(a_bare_handoff(AGENCY, survey=survey)).body
    assert FEDERATION.sheet_rows(body)[0]["survey"] == " 一\n\n 二 "


@pytest.mark.parametrize("character", ["\ufffe", "\uffff", "\x00", "\ud800"])
def test_a_character_xml_cannot_write_is_replaced_and_noted(character: str) -> None:
    draft = FEDERATION.translate(a_bare_handoff(AGENCY, person=Person(name=f"王{character}示例")))
    assert FEDERATION.sheet_rows(draft.body)[0]["name"] == "王\ufffd示例"
    assert draft.losses == (Loss(pointer="/person/name", reason="truncated"),)


def test_rare_characters_of_names_are_kept() -> None:
    draft = FEDERATION.translate(a_bare_handoff(AGENCY, person=Person(name="𠮷𬎆·示例")))
    assert (FEDERATION.sheet_rows(draft.body)[0]["name"], draft.losses) == ("𠮷𬎆·示例", ())


def test_a_text_longer_than_its_element_is_cut_and_noted() -> None:
    draft = FEDERATION.translate(a_bare_handoff(AGENCY, person=Person(residence="路" * 2001, name="王" * 200)))
    assert len(FEDERATION.sheet_rows(draft.body)[0]["residence"]) == 2000
    assert draft.losses == (Loss(pointer="/person/residence", reason="truncated"),)


@pytest.mark.parametrize(
    "broken",
    [
        {"handoff_id": f"H {SECRET}"},
        {"office_region": SECRET},
        {"needs": ()},
        {"person": Person(disability=Disability(kind=8))},
        {"person": Person(sex=SECRET)},
    ],
)
def test_a_handoff_the_xsd_has_no_form_for_is_our_mistake_and_named_without_its_content(broken: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="the mapping makes no valid document") as refusal:
        FEDERATION.translate(a_bare_handoff(AGENCY, **broken))
    assert SECRET not in "".join(traceback.format_exception(refusal.value))


# --- back ---


def test_an_approval_comes_back_with_amount_and_period() -> None:
    inside = (
        '<Amount currency="CNY">1234.5</Amount><From>2024-09-15</From><Until>2025-08-31</Until>'
        "<Officer>周示例</Officer>"
    )
    assert interpret(a_reply(a_result(inside, code="D1"))) == (
        Outcome(
            code=ReplyCode.APPROVED,
            raw_code="D1",
            at=AT,
            need_id="N-1",
            programme="ASD",
            amount_fen=123_450,
            starts_on=date(2024, 9, 15),
            ends_on=date(2025, 8, 31),
            officer="周示例",
        ),
    )


def test_every_element_of_a_result_reaches_the_outcome() -> None:
    inside = (
        '<Amount currency="CNY">1</Amount><Delivered>轮椅</Delivered><From>2024-09-01</From><Until>2024-09-30</Until>'
        "<Reason>L02</Reason><Explanation>三级</Explanation><JudicialAidCounted>false</JudicialAidCounted>"
        "<NextDue>2024-10-01</NextDue><ForwardedTo>民政</ForwardedTo><SuggestedAgency>civil_affairs</SuggestedAgency>"
        "<SuggestedRegion>520103</SuggestedRegion><Missing>甲</Missing><Missing>乙</Missing><Payee>Z2</Payee>"
        f"<PersonNumber>{PERSON_ID}</PersonNumber><Officer>周示例</Officer>"
    )
    assert interpret(a_reply(a_result(inside, code="D4"))) == (
        Outcome(
            code=ReplyCode.DENIED,
            raw_code="D4",
            at=AT,
            need_id="N-1",
            programme="ASD",
            amount_fen=100,
            service="轮椅",
            starts_on=date(2024, 9, 1),
            ends_on=date(2024, 9, 30),
            reason=DenialReason.GRADE_INSUFFICIENT,
            text="三级",
            judicial_aid_counted=False,
            next_due=date(2024, 10, 1),
            forwarded_to="民政",
            suggested_agency="civil_affairs",
            suggested_region="520103",
            missing=("甲", "乙"),
            payee="GUARDIAN",
            person_id_number=PERSON_ID,
            officer="周示例",
        ),
    )


def test_the_shape_and_the_xsd_name_the_same_elements_of_a_result() -> None:
    schema = etree.parse(XSD).getroot()
    xs = "{http://www.w3.org/2001/XMLSchema}"
    result = next(node for node in schema.iterfind(f"{xs}complexType") if node.get("name") == "Result")
    named = {node.get("name") for tag in ("element", "attribute") for node in result.iter(f"{xs}{tag}")}
    assert named == set(ResultSchema().fields)


def test_several_answers_keep_their_order_and_their_needs() -> None:
    outcomes = interpret(a_reply(a_result(need="N-3", code="D3"), a_result(need=None, code="A1"), a_result(need="N-2")))
    assert [(outcome.need_id, outcome.programme, outcome.code) for outcome in outcomes] == [
        ("N-3", "LSD", ReplyCode.APPROVED),
        (None, None, ReceiptCode.RECEIVED),
        ("N-2", "REHAB", ReplyCode.ACCEPTED),
    ]


def test_a_reply_may_use_a_prefix_comments_and_cdata() -> None:
    body = (
        '<?xml version="1.0" encoding="GB2312"?><?sheet a?><!-- c --><d:HandoffReply xmlns:d="urn:xianjie:dp:1.0" '
        'version="1.0" handoff="H-2024-0001"><d:Result code="B1"><d:At>2024-08-26T02:00:00Z</d:At>'
        "<d:Officer>周<!-- 不在其中 -->示<?x y?><![CDATA[<例>]]></d:Officer></d:Result></d:HandoffReply>"
    )
    assert [outcome.officer for outcome in interpret(body)] == ["周示<例>"]


def test_a_code_nobody_knows_is_kept_in_the_agencys_own_word_and_never_guessed() -> None:
    (outcome,) = interpret(a_reply(a_result(code="审批中")))
    assert (outcome.code, outcome.raw_code) == (None, "审批中")


def test_a_denial_for_a_reason_nobody_knows_keeps_that_reason_and_its_text() -> None:
    (outcome,) = interpret(a_reply(a_result("<Reason>X1</Reason><Explanation>另有规定</Explanation>", code="D2")))
    assert (outcome.code, outcome.raw_code, outcome.reason, outcome.text) == (None, "DENIED/X1", None, "另有规定")


@pytest.mark.parametrize("inside", ["", "<Reason>L01</Reason>", "<Explanation>无证</Explanation>"])
@pytest.mark.parametrize("code", ["D2", "D4"])
def test_a_denial_without_reason_and_text_is_refused(code: str, inside: str) -> None:
    with pytest.raises(DeniedWithoutReason) as refusal:
        interpret(a_reply(a_result(), a_result(inside, code=code, need="N-2")))
    assert [problem.pointer for problem in refusal.value.problems] == ["/Result/1"]
    assert refusal.value.ids == {"need_id": "N-2"}


@pytest.mark.parametrize(
    ("inside", "problem"),
    [
        ("<NextDue>2024-02-30</NextDue>", ("/Result/0/NextDue", "not_a_day")),
        ("<From>2024-09-01</From><Until>2024-08-31</Until>", ("/Result/0/Until", "out_of_range")),
        ('<Amount currency="CNY">999999999999</Amount>', ("/Result/0/Amount", "out_of_range")),
        ("<Payee>Z7</Payee>", ("/Result/0/Payee", "unknown_code")),
        ("<Officer>甲\n乙</Officer>", ("/Result/0/Officer", "control_character")),
        ("<Officer>甲\u202e乙</Officer>", ("/Result/0/Officer", "control_character")),
        ("<Explanation> \u200b </Explanation>", ("/Result/0/Explanation", "blank")),
        ("<Missing>甲</Missing><Missing> </Missing>", ("/Result/0/Missing/1", "blank")),
    ],
)
def test_what_an_xsd_cannot_say_is_still_checked(inside: str, problem: tuple[str, str]) -> None:
    with pytest.raises(SchemaInvalid) as refusal:
        interpret(a_reply(a_result(inside)))
    assert [(found.pointer, found.code) for found in refusal.value.problems] == [problem]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (a_reply(handoff="H-2024-0002"), ("/handoff", "invalid")),
        (a_reply(a_result(need="N-9")), ("/Result/0/need", "invalid")),
        (a_reply(a_result(at="2024-08-26T25:00:00Z")), ("/Result/0/At", "not_a_moment")),
    ],
)
def test_a_reply_about_something_else_is_refused(body: str, problem: tuple[str, str]) -> None:
    with pytest.raises(SchemaInvalid) as refusal:
        interpret(body)
    assert [(found.pointer, found.code) for found in refusal.value.problems] == [problem]


# --- without trust ---

BILLION = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    "prolog",
    [
        f"<!DOCTYPE {SECRET}>",
        "<!DOCTYPE HandoffReply>",
        '<!DOCTYPE HandoffReply SYSTEM "http://127.0.0.1:9/x.dtd">',
        f'<!DOCTYPE HandoffReply [<!ENTITY e "{SECRET}">]>',
        f'<!DOCTYPE HandoffReply [<!ENTITY e0 "{SECRET}">{BILLION}<!ENTITY e "&e9;">]>',
        '<!DOCTYPE HandoffReply [<!ENTITY % p SYSTEM "http://127.0.0.1:9/p">%p;]>',
        '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE HandoffReply>',
    ],
    ids=["name", "empty", "external", "internal entity", "billion laughs", "parameter entity", "other encoding"],
)
def test_a_document_type_is_refused_whatever_is_in_it(prolog: str) -> None:
    assert refused(a_reply(a_result("<Officer>&e;</Officer>"), prolog=prolog)).note == "document type"
    assert refused(a_reply(a_result(), prolog=prolog)).note == "document type"


def test_an_entity_that_names_a_file_brings_nothing_in(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    prolog = f'<!DOCTYPE HandoffReply [<!ENTITY e SYSTEM "{secret.as_uri()}">]>'
    assert refused(a_reply(a_result("<Officer>&e;</Officer>"), prolog=prolog)).note == "document type"


def test_a_document_type_hidden_in_another_encoding_is_not_one() -> None:
    hidden = '<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE HandoffReply+AD4-'
    assert refused(a_reply(prolog=hidden)).note == "not well-formed"


def test_a_file_that_is_included_or_named_as_schema_is_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.xsd"
    secret.write_text(SECRET)
    include = f'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="{secret.as_uri()}" parse="text"/>'
    assert pointers(a_reply(a_result(include))) == [("/Result/0", "invalid")]
    assert pointers(a_reply(a_result(f"<Officer>{include}</Officer>")))[0] == ("/Result/0/Officer", "invalid")
    hint = (
        '<Officer xmlns:i="http://www.w3.org/2001/XMLSchema-instance" '
        f'i:schemaLocation="{NAMESPACE} {secret.as_uri()}">周示例</Officer>'
    )
    assert [outcome.officer for outcome in interpret(a_reply(a_result(hint)))] == ["周示例"]


@pytest.mark.parametrize(
    "body",
    [
        "",
        " ",
        SECRET,
        "{}",
        "<HandoffReply",
        f"<{SECRET}>",
        a_reply()[:-1],
        a_reply() + a_reply(),
        a_reply(a_result("<Officer>&e;</Officer>")),
        a_reply(a_result(f"<Officer>&{SECRET};</Officer>")),
        a_reply(a_result("<Officer>&#0;</Officer>")),
        a_reply(a_result("<Officer>\x00</Officer>")),
        a_reply(a_result("<Officer>\ud800</Officer>")),
        a_reply(a_result("<x:Officer>甲</x:Officer>")),
        a_reply(a_result('<Amount currency="CNY" currency="CNY">1</Amount>')),
        "<a>" * 20_000,
    ],
)
def test_what_is_not_well_formed_is_refused_with_a_line_number_only(body: str) -> None:
    error = refused(body)
    assert (error.note, list(error.ids), error.problems) == ("not well-formed", ["line"], ())


@pytest.mark.parametrize("body", [None, 1, b"<HandoffReply/>", {"HandoffReply": {}}, ["<HandoffReply/>"]])
def test_what_is_not_a_text_is_refused(body: Any) -> None:
    assert [(problem.pointer, problem.code) for problem in refused(body).problems] == [("", "not_text")]


@pytest.mark.parametrize("filling", ["a" * BYTES_MAX, "甲" * (BYTES_MAX // 3 + 1)])
def test_what_is_larger_than_a_message_may_be_is_refused(filling: str) -> None:
    assert refused(a_reply(a_result(f"<!-- {filling} -->"))).note == "too large"


@pytest.mark.parametrize("namespace", ["", "urn:xianjie:dp:2.0", "urn:xianjie:dp:1.0/", f"urn:{PERSON_ID}"])
def test_another_namespace_is_refused(namespace: str) -> None:
    assert refused(a_reply().replace(NAMESPACE, namespace)).note == "root element"


def test_a_handoff_is_not_a_reply() -> None:
    assert refused(FEDERATION.translate(a_handoff(AGENCY)).body).note == "root element"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (a_reply(a_result(f"<Officer>{'甲' * 201}</Officer>")), ("/Result/0/Officer", "too_long")),
        (a_reply(a_result(), a_result("<Officer/>")), ("/Result/1/Officer", "too_short")),
        (a_reply(a_result('<Amount currency="USD">1</Amount>')), ("/Result/0/Amount", "unknown_code")),
        (a_reply(a_result('<Amount currency="CNY">1.234</Amount>')), ("/Result/0/Amount", "pattern")),
        (a_reply(a_result("<Amount>1</Amount>")), ("/Result/0/Amount", "required")),
        (
            a_reply(a_result("<JudicialAidCounted>1</JudicialAidCounted>")),
            ("/Result/0/JudicialAidCounted", "unknown_code"),
        ),
        (a_reply(a_result(at="2024-08-26T10:00:00")), ("/Result/0/At", "pattern")),
        (a_reply(a_result("<Missing>甲</Missing><Missing/>")), ("/Result/0/Missing/1", "too_short")),
        (a_reply(a_result(f"<{SECRET[:3]}/>")), ("/Result/0/?", "invalid")),
        (a_reply(a_result('<Officer lang="zh">甲</Officer>')), ("/Result/0/Officer", "invalid")),
        (a_reply(a_result(f"<Officer>甲</Officer>{SECRET}")), ("/Result/0", "invalid")),
        (a_reply(a_result("<Officer>甲</Officer><From>2024-09-01</From>")), ("/Result/0/From", "invalid")),
        (a_reply(a_result(code="")), ("/Result/0", "too_short")),
        (a_reply().replace(' code="B1"', ""), ("/Result/0", "required")),
        (a_reply().replace('"1.0"', '"1.1"'), ("", "unknown_code")),
        (a_reply().replace(">2024", f' x="{SECRET}">2024'), ("/Result/0/At", "invalid")),
        (a_reply(*[""]), ("", "invalid")),
    ],
)
def test_what_the_xsd_forbids_is_named_by_its_element(body: str, problem: tuple[str, str]) -> None:
    assert pointers(body)[0] == problem


def test_a_broken_document_gets_the_first_few_problems_only() -> None:
    assert len(pointers(a_reply(*[a_result("<Officer/>")] * 150))) == PROBLEM_LIMIT


def test_nothing_of_a_refused_document_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        refused(f"<{SECRET}>")
        refused(a_reply(a_result(f"<Officer>{SECRET * 20}</Officer>")))
    assert SECRET not in caplog.text


def test_threads_do_not_see_each_others_problems() -> None:
    good, long, wrong = (
        a_reply(),
        a_reply(a_result(f"<Officer>{'甲' * 201}</Officer>")),
        a_reply(a_result(), a_result("<Payee/>")),
    )

    def told(body: str) -> list[tuple[str, str]]:
        try:
            interpret(body)
        except MalformedXml as error:
            return [(problem.pointer, problem.code) for problem in error.problems]
        return []

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(told, [good, long, wrong] * 100))
    assert found == [[], [("/Result/0/Officer", "too_long")], [("/Result/1/Payee", "too_short")]] * 100


# --- the XSD ---


def test_the_xsd_lies_beside_the_code_and_is_found_as_a_resource() -> None:
    assert files("adapters.disabled_persons").joinpath("xjdp-1.0.xsd").read_bytes() == XSD.read_bytes()


def test_every_element_of_a_handoff_in_the_xsd_is_written() -> None:
    full = tree(FEDERATION.translate(a_handoff(AGENCY)).body)
    written = {etree.QName(node).localname for node in full.iter(etree.Element)}
    only_in_replies = {"HandoffReply", "Result"} | {name for name in ResultSchema().fields if name[0].isupper()}
    assert element_names() - only_in_replies == written


def test_a_document_we_make_wrongly_is_not_sent() -> None:
    with pytest.raises(ValueError, match="invalid"):
        write_document(new_root("HandoffReply", handoff="H-1"))


@given(character=st.characters())
def test_xml_can_write_just_the_characters_it_is_said_to(character: str) -> None:
    element = etree.Element("a")
    try:
        element.text = character
        readable = etree.fromstring(etree.tostring(element)).text == character
    except ValueError:
        readable = False
    assert is_writable(character) is readable


# --- codes ---


def test_there_is_a_code_for_every_answer_reason_and_payee() -> None:
    assert {ours for _, ours, _ in STATUSES.rows} == {*ReceiptCode, *ReplyCode}
    assert {ours for _, ours, _ in REASONS.rows} == denial_reasons_for(AGENCY)
    assert {ours for _, ours, _ in PAYEES.rows} == {"BENEFICIARY", "GUARDIAN", "AGENT", "OTHER"}


def test_sight_is_one_and_hearing_is_two() -> None:
    assert (DISABILITY_KINDS["1"], DISABILITY_KINDS["2"]) == ("视力残疾", "听力残疾")
    assert (set(DISABILITY_KINDS), set(DISABILITY_GRADES), set(SEXES)) == (set("1234567"), set("1234"), set("0129"))


# --- the sheet ---


def test_the_handoff_part_has_one_row_per_need_and_a_cell_per_column() -> None:
    keys = [key for key, _ in FEDERATION.sheet_columns()]
    rows = FEDERATION.sheet_rows(FEDERATION.translate(a_handoff(AGENCY)).body)
    assert [(row["handoff_id"], row["need_id"]) for row in rows] == [("H-2024-0001", f"N-{n}") for n in (1, 2, 3)]
    assert all(sorted(row) == sorted(keys) for row in rows)
    assert all(type(cell) is str and cell for row in rows for cell in row.values())


def test_no_column_of_the_handoff_part_could_be_taken_for_an_answer() -> None:
    own = {key for key, _ in FEDERATION.sheet_columns()}
    assert own & {key for key, _ in REPLY_COLUMNS} == set(IDENTITY_KEYS)


def test_a_clerk_reads_words_and_china_time() -> None:
    row = FEDERATION.sheet_rows(FEDERATION.translate(a_handoff(AGENCY)).body)[2]
    expected = {
        "programme": "困难残疾人生活补贴 LSD",
        "step": "审核",
        "reply_by": "2024-08-22 09:30",
        "sex": "女",
        "disability": "智力残疾 二级",
        "minor": "否",
        "no_public_notice": "是",
        "guardian": "李示例 13800000002",
        "court_contact": "孙示例 0851-80000000",
    }
    assert {key: row[key] for key in expected} == expected


def test_a_bare_handoff_leaves_cells_empty() -> None:
    row = FEDERATION.sheet_rows(FEDERATION.translate(a_bare_handoff(AGENCY)).body)[0]
    assert {key for key, cell in row.items() if cell} == {
        "handoff_id",
        "need_id",
        "programme",
        "step",
        "urgency",
        "minor",
        "no_public_notice",
    }


@pytest.mark.parametrize("result", [*ReplyCode, *ReceiptCode])
def test_every_result_of_the_sheet_comes_back_as_itself(result: ReplyCode | ReceiptCode) -> None:
    row = a_row(a_handoff(AGENCY), result=result.value, reason="NO_CERTIFICATE", text="书面说明")
    (outcome,) = interpret(FEDERATION.sheet_reply(row))
    assert (outcome.code, outcome.reason) == (result, DenialReason.NO_CERTIFICATE)


def test_a_filled_row_says_the_same_as_a_reply() -> None:
    row = a_row(
        a_handoff(AGENCY),
        starts_on="2024-09-15",
        text="第一行\n第二行 <&>",
        next_due="2024-09-20",
        forwarded_to="南明区民政局",
        suggested_agency="civil_affairs",
        suggested_region="520103",
        missing="户口簿、授权书",
        service="轮椅一台",
    )
    assert interpret(FEDERATION.sheet_reply(row)) == (
        Outcome(
            code=ReplyCode.APPROVED,
            raw_code="D1",
            at=AT,
            need_id="N-1",
            programme="ASD",
            amount_fen=65_000,
            service="轮椅一台",
            starts_on=date(2024, 9, 15),
            ends_on=date(2025, 8, 31),
            text="第一行\n第二行 <&>",
            next_due=date(2024, 9, 20),
            forwarded_to="南明区民政局",
            suggested_agency="civil_affairs",
            suggested_region="520103",
            missing=("户口簿", "授权书"),
            payee="BENEFICIARY",
            officer="周示例",
        ),
    )


def test_a_row_about_the_whole_handoff_names_no_need() -> None:
    (outcome,) = interpret(FEDERATION.sheet_reply(a_row(a_handoff(AGENCY), need_id="", result="已签收")))
    assert (outcome.need_id, outcome.code) == (None, ReceiptCode.RECEIVED)


def test_a_cell_xml_cannot_write_is_refused_by_its_column() -> None:
    with pytest.raises(SchemaInvalid) as refusal:
        FEDERATION.sheet_reply(a_row(a_handoff(AGENCY), text="说明\uffff"))
    assert [(problem.pointer, problem.code) for problem in refusal.value.problems] == [("/text", "control_character")]


def test_a_denial_in_the_sheet_needs_reason_and_text_too() -> None:
    with pytest.raises(DeniedWithoutReason):
        interpret(FEDERATION.sheet_reply(a_row(a_handoff(AGENCY), result="不予救助", reason="等级不符")))


def test_a_reason_only_another_agency_has_is_refused_in_the_sheet() -> None:
    with pytest.raises(SchemaInvalid):
        FEDERATION.sheet_reply(a_row(a_handoff(AGENCY), result="DENIED", reason="NOT_HOUSEHOLD", text="非家庭成员"))


@settings(max_examples=60, deadline=None)
@given(
    fen=st.integers(0, 10**13),
    text=st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Sm")), min_size=1, max_size=40),
)
def test_any_amount_and_any_words_survive_the_sheet(fen: int, text: str) -> None:
    row = a_row(a_handoff(AGENCY), amount_yuan=f"{fen // 100}.{fen % 100:02d}", text=text)
    (outcome,) = interpret(FEDERATION.sheet_reply(row))
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


def read_sample(name: str) -> str:
    return (SAMPLES / name).read_text("utf-8")


def test_there_is_a_sample_of_every_reply_there_is() -> None:
    names = {path.stem.removeprefix("reply_") for path in SAMPLES.glob("reply_*.xml")}
    assert names == {code.value.lower() for code in (*ReplyCode, *ReceiptCode)} | {"unknown_code"}


@pytest.mark.parametrize("code", [*ReplyCode, *ReceiptCode])
def test_a_sample_reply_says_what_its_name_says_and_carries_what_it_must(code: ReplyCode | ReceiptCode) -> None:
    (outcome,) = interpret(read_sample(f"reply_{code.value.lower()}.xml"))
    owed = () if isinstance(code, ReceiptCode) or code in TERMINAL else ("next_due",)
    expected = (*CARRIED.get(code, ()), *owed) if isinstance(code, ReplyCode) else ()
    assert outcome.code is code
    assert [name for name in expected if not getattr(outcome, name)] == []


def test_the_sample_of_an_unknown_code_stays_unknown() -> None:
    (outcome,) = interpret(read_sample("reply_unknown_code.xml"))
    assert (outcome.code, outcome.raw_code) == (None, "Q7")


def test_the_sample_handoff_is_what_is_sent_today() -> None:
    handoff: Handoff = masked(a_handoff(AGENCY))
    assert read_sample("handoff.xml") == FEDERATION.translate(handoff).body


def test_the_samples_hold_nobody_real() -> None:
    numbers = {
        node.text or ""
        for node in tree(read_sample("handoff.xml")).iter(qualified("IdentityNumber"), qualified("Certificate"))
    }
    assert len(numbers) == 3
    assert all(number.startswith("529999") for number in numbers)


def test_the_readme_names_every_loss() -> None:
    readme = (FOLDER / "README.md").read_text("utf-8")
    losses = FEDERATION.translate(a_handoff(AGENCY)).losses
    assert [loss.pointer for loss in losses if f"`{loss.pointer}`" not in readme] == []
