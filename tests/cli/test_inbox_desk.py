"""经办台 `inbox list`, `open`, `answer`, `sheet`, `import`: what a clerk does one by one, over the network."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import Result

from gateway.cli import inbox_list
from gateway.cli.inbox_desk import ClerkDesk
from gateway.store import tables as t
from tests.builders import an_id_number
from tests.cli.installed import GATEWAY, TODAY, Installed, a_row, fill, ndjson, party_of, put_office
from tests.cli.test_inbox import HELPED, NOW_IN_CHINA, ON_THE_WAY, cells, handed_over, replies, states
from tests.gateway_world import a_referral_body

BIRTH = TODAY.replace(year=TODAY.year - 9, day=1)
CHILD = a_referral_body()["person"] | {
    "id_number": an_id_number(BIRTH),
    "birth_date": BIRTH.isoformat(),
    "guardian": {"name": "测试乙", "relation": "51", "id_type": "111", "id_number": an_id_number(serial=77)},
}
SOON = f"{TODAY + timedelta(days=9):%Y-%m-%d}"


@pytest.fixture
def desk(installed: Installed) -> Iterator[Installed]:
    """Two handoffs wait."""
    with installed.serving():
        handed_over(installed, 1, 2)
        yield installed


def listed(installed: Installed, *more: str, **changes: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(installed.inbox("list", "--json", *more, **changes).stdout)
    return found


def withdraw(installed: Installed, number: int) -> None:
    data = {"referral_id": f"r-{number}", "reason": "报送有误"}
    sent = installed.send(ndjson(installed.folder / "w.ndjson", {"type": "referral.withdrawn", "data": data}))
    assert sent.exit_code == 0, sent.stderr
    installed.dispatch()


def amend(installed: Installed, number: int, **changes: Any) -> None:
    """The court's own file: the whole referral, what it amends and why."""
    with installed.context() as context, context.store.reading() as connection:
        asked = sa.select(t.referrals.c.message_id).where(t.referrals.c.referral_id == f"r-{number}")
        amends = connection.scalar(asked)
    data = a_row(number, needs=[{"programme": "PSY"}]) | changes | {"amends": amends, "amendment_reason": "登记有误"}
    sent = installed.send(ndjson(installed.folder / "a.ndjson", {"type": "referral.amended", "data": data}))
    assert sent.exit_code == 0, sent.stderr
    installed.dispatch()


def answer(installed: Installed, *arguments: str, **changes: str) -> Result:
    return installed.inbox("answer", *arguments, **changes)


# --- list ---


def test_minors_lead_then_urgent_ones_then_deadlines_and_what_was_withdrawn_is_last(desk: Installed) -> None:
    handed_over(desk, 3, urgency="URGENT_48H")
    handed_over(desk, 4, urgency="URGENT_24H")
    handed_over(desk, 5, person=CHILD, guardian_consent_ref="测试同意书1号")
    withdraw(desk, 1)
    order = [(row["referral"], row["minor"], row["withdrawn"]) for row in listed(desk)]
    assert order == [
        ("r-5", True, False),
        ("r-4", False, False),
        ("r-3", False, False),
        ("r-2", False, False),
        ("r-1", False, True),
        ("r-1", False, True),
    ]


def test_the_same_is_listed_without_a_command(desk: Installed) -> None:
    assert json.loads(desk.inbox("--json").stdout) == listed(desk)
    assert desk.inbox().stdout == desk.inbox("list").stdout


def test_what_is_overdue_is_marked(desk: Installed) -> None:
    assert desk.inbox("open", "1").exit_code == 0
    own = desk.folder / "womens_federation"
    options = {
        "url": desk.url,
        "party": party_of("womens_federation"),
        "key": own / "own.pem",
        "gateway": GATEWAY,
        "gateway_keys": desk.folder / "gateway-keys.json",
        "journal": own / "journal.sqlite",
    }
    clerk = ClerkDesk(options=options)
    letters, _ = clerk.waiting()
    moments = [NOW_IN_CHINA, NOW_IN_CHINA + timedelta(days=60)]
    marked = [[line.is_overdue for line in inbox_list.listed(clerk, letters, moment)] for moment in moments]
    assert marked == [[False], [True]]
    (row,) = [line.as_row() for line in inbox_list.listed(clerk, letters, moments[1])]
    assert row[6].endswith("超期 overdue")


def test_the_list_is_for_people_too_and_names_nobody(desk: Installed) -> None:
    shown = desk.inbox("list").stdout
    assert ("心理疏导 PSY" in shown, "待签收 new" in shown, "r-2" in shown) == (True, True, True)
    assert [secret for secret in ("测试甲", "529999", "13900000000") if secret in shown] == []


# --- open ---


def test_one_handoff_is_shown_with_its_person_in_both_languages_and_signed_for(desk: Installed) -> None:
    result = desk.inbox("open", "1")
    assert result.exit_code == 0, result.stderr
    for said in ("姓名 Name", "测试甲", "救助项目 Programme", "心理疏导 PSY"):
        assert said in result.stdout
    assert "已签收 retrieved 1" in result.stderr
    assert [row["referral"] for row in listed(desk)] == ["r-2"]
    assert states(desk)[0] == "received"


def test_a_look_signs_for_nothing(desk: Installed) -> None:
    assert "测试甲" in desk.inbox("open", "1", "--peek").stdout
    assert (len(listed(desk)), replies(desk)) == (2, [])


def test_it_is_found_by_its_number_its_id_or_its_referral(desk: Installed) -> None:
    row = listed(desk)[0]
    names = (str(row["seq"]), row["message_id"], row["referral"])
    shown = [desk.inbox("open", name, "--peek").stdout for name in names]
    assert shown[0] == shown[1] == shown[2]


def test_what_is_not_there_is_told(desk: Installed) -> None:
    result = desk.inbox("open", "99")
    assert (result.exit_code, "nothing is called 99" in result.output) == (2, True)


def test_what_was_opened_can_still_be_shown_and_is_signed_for_once(desk: Installed) -> None:
    first, again = desk.inbox("open", "1"), desk.inbox("open", "1")
    assert (again.exit_code, again.stdout) == (0, first.stdout)
    assert "sent before 1" in again.stderr
    assert [row["code"] for row in replies(desk)] == ["RECEIVED"]


def test_a_handoff_with_several_needs_shows_each(desk: Installed) -> None:
    handed_over_twice(desk)
    shown = desk.inbox("open", "r-3", "--peek").stdout
    assert shown.count("测试甲") == 1
    assert ("事项 need r-3:1" in shown, "临时庇护转介 DVS" in shown) == (True, True)


def handed_over_twice(desk: Installed) -> None:
    """One handoff with two needs."""
    row = a_row(3, needs=[{"programme": "PSY"}, {"programme": "DVS"}])
    assert desk.send(ndjson(desk.folder / "two.ndjson", row)).exit_code == 0
    desk.dispatch()


def test_for_machines_the_fields_come_with_their_keys_and_headings(desk: Installed) -> None:
    found = json.loads(desk.inbox("open", "1", "--peek", "--json").stdout)
    ((first, *_),) = ([cell for cell in row if cell["key"] == "name"] for row in found["rows"])
    assert first == {"key": "name", "heading": "姓名 Name", "value": "测试甲1"}


def test_a_withdrawn_handoff_says_so_first(desk: Installed) -> None:
    withdraw(desk, 1)
    result = desk.inbox("open", "r-1", "--peek")
    assert "法院已撤回" in result.stderr


def test_a_withdrawal_itself_can_be_signed_for(desk: Installed) -> None:
    withdraw(desk, 1)
    (number,) = [row["seq"] for row in listed(desk) if row["type"] == "handoff.withdrawn"]
    result = desk.inbox("open", str(number))
    assert (result.exit_code, "handoff_id" in result.stdout) == (0, True), result.stderr


# --- amended by the court ---


def test_an_amended_handoff_is_shown_signed_for_and_answered_as_it_stands(desk: Installed) -> None:
    amend(desk, 1, contact={"name": "测试法官乙", "phone": "0851-00000009"})
    (line,) = [row for row in listed(desk) if row["type"] == "handoff.amended"]
    assert (line["referral"], line["needs"], line["state"]) == ("r-1", ["r-1:1"], "new")
    result = desk.inbox("open", "r-1")
    assert "法院已更正" in result.stderr and "0851-00000009" in result.stdout and "0851-00000000" not in result.stdout
    assert [row["referral"] for row in listed(desk)] == ["r-2"]
    result = answer(desk, "r-1", "--code", "服务已提供", "--service", "心理疏导三次", "--officer", "测试经办")
    assert result.exit_code == 0, result.stderr
    assert states(desk)[0] == "assisted"


def test_the_sheet_holds_what_was_amended_and_is_answered_by_the_handoff(desk: Installed) -> None:
    amend(desk, 1, contact={"name": "测试法官乙", "phone": "0851-00000009"})
    sheet = desk.folder / "amended.xlsx"
    assert desk.inbox("sheet", sheet).exit_code == 0
    assert sorted(cells(sheet, "need_id")) == ["r-1:1", "r-2:1"]
    assert any("0851-00000009" in one for one in cells(sheet, "court_contact"))


def test_an_amendment_may_be_opened_by_its_own_number(desk: Installed) -> None:
    amend(desk, 1, contact={"name": "测试法官乙", "phone": "0851-00000009"})
    (number,) = [row["seq"] for row in listed(desk) if row["type"] == "handoff.amended"]
    shown = json.loads(desk.inbox("open", str(number), "--peek", "--json").stdout)
    assert (shown["type"], shown["amended"]) == ("handoff.issued", True)


# --- answer ---


def test_one_answer_is_checked_shown_and_sent(desk: Installed) -> None:
    result = answer(desk, "1", "--code", "服务已提供", "--service", "心理疏导三次", "--officer", "测试经办")
    assert result.exit_code == 0, result.stderr
    assert ("服务内容 Service" in result.stdout, "心理疏导三次" in result.stdout) == (True, True)
    assert "已报送 sent 1" in result.stderr
    assert states(desk)[0] == "assisted"
    assert [row["referral"] for row in listed(desk)] == ["r-2"]


def test_it_may_be_answered_after_it_was_opened_and_left_the_mailbox(desk: Installed) -> None:
    """Dated by the day alone, as a clerk does, though it was signed for at some hour of that day."""
    desk.inbox("open", "1")
    assert answer(desk, "1", "--code", "ACCEPTED", "--next-due", SOON).exit_code == 0
    assert [(row["code"], row["problem"]) for row in replies(desk)] == [("RECEIVED", None), ("ACCEPTED", None)]
    assert answer(desk, "r-1", "--code", "已发放", "--amount", "650").exit_code == 0
    assert states(desk)[0] == "assisted"


def test_the_same_answer_twice_is_sent_once(desk: Installed) -> None:
    said = ("1", "--code", "受理", "--next-due", SOON)
    first, again = answer(desk, *said), answer(desk, *said)
    assert (again.exit_code, "sent before 1" in again.stderr, first.stdout == again.stdout) == (0, True, True)
    assert len(replies(desk)) == 1


def test_by_the_sheet_or_by_the_line_the_same_answer_is_the_same_message(desk: Installed) -> None:
    sheet = desk.folder / "sheet.xlsx"
    desk.inbox("sheet", sheet)
    said = {**ON_THE_WAY, "officer": "测试经办"}
    assert desk.inbox("import", fill(sheet, said)).exit_code == 0
    options = {"result": "--code", "at": "--at", "next_due": "--next-due", "officer": "--officer"}
    again = answer(desk, "r-1", *(word for key, option in options.items() for word in (option, said[key])))
    assert (again.exit_code, "sent before 1" in again.stderr) == (0, True), again.stderr
    assert len(replies(desk)) == 1


def test_a_colleague_at_another_machine_is_told_that_it_was_said_before(desk: Installed) -> None:
    """Both have fetched it before either answers; one journal each."""
    other = {"XIANJIE_JOURNAL": str(desk.folder / "colleague.sqlite")}
    assert listed(desk) == listed(desk, **other)
    for who in ({}, other):
        assert desk.inbox("open", "1", **who).exit_code == 0
    said = ("1", "--code", "已发放", "--amount", "650", "--from", "2024-09-01", "--payee", "本人")
    assert answer(desk, *said).exit_code == 0
    second = answer(desk, *said, **other)
    assert (second.exit_code, "[repeats_earlier_answer]" in second.stderr) == (0, True), second.stderr
    with desk.context() as context, context.store.reading() as connection:
        assert connection.scalar(sa.select(t.needs.c.paid_fen).where(t.needs.c.need_id == "r-1:1")) == 65_000


def test_a_check_shows_and_sends_nothing(desk: Installed) -> None:
    result = answer(desk, "1", "--code", "受理", "--check")
    assert (result.exit_code, "受理" in result.stdout, replies(desk)) == (0, True, [])
    found = json.loads(answer(desk, "1", "--code", "受理", "--check", "--json").stdout)
    assert (found["check"], found["fields"]["result"]) == (True, "受理")


def test_a_denial_without_reasons_is_stopped_before_it_is_sent(desk: Installed) -> None:
    result = answer(desk, "1", "--code", "不予救助", "--reason", "其他")
    assert (result.exit_code, "[denied_without_reason]" in result.stderr, "--text" in result.stderr) == (1, True, True)
    assert replies(desk) == []
    assert answer(desk, "1", "--code", "不予救助", "--reason", "其他", "--text", "本人已由其他单位服务").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--code", "好的"), "--code [unknown_code]"),
        (("--code", "已发放", "--amount", "六百"), "--amount [pattern]"),
        (("--code", "受理", "--at", "昨天"), "--at [not_a_moment]"),
        (("--code", "予以救助", "--from", "2024-09-01", "--to", "2024-08-01"), "--to [out_of_range]"),
        (("--code", "已转办", "--suggested-region", "贵阳"), "--suggested-region [pattern]"),
        (("--code", "不予救助", "--reason", "等级不符", "--text", "无"), "--reason [unknown_code]"),
    ],
)
def test_what_cannot_be_read_is_told_by_its_option(desk: Installed, arguments: tuple[str, ...], told: str) -> None:
    result = answer(desk, "1", *arguments)
    assert (result.exit_code, told in result.stderr, replies(desk)) == (1, True, []), result.stderr


def test_of_several_needs_one_has_to_be_named(desk: Installed) -> None:
    handed_over_twice(desk)
    unnamed, unknown = answer(desk, "r-3", "--code", "受理"), answer(desk, "r-3", "--code", "受理", "--need", "r-9:1")
    assert [one.exit_code for one in (unnamed, unknown)] == [2, 2]
    assert "r-3:1 r-3:2" in unnamed.output
    assert answer(desk, "r-3", "--code", "受理", "--need", "r-3:2").exit_code == 0


def test_without_a_result_there_is_nothing_to_send(desk: Installed) -> None:
    result = answer(desk, "1")
    assert (result.exit_code, "服务已提供" in result.output) == (2, True)


@pytest.mark.parametrize("agency", ["civil_affairs", "disabled_persons"])
def test_every_agency_answers_in_its_own_format(installed: Installed, agency: str) -> None:
    put_office(installed, agency, "mailbox")
    with installed.serving():
        handed_over(installed, 1, agency=agency)
        shown = installed.inbox("open", "1", agency=agency)
        assert (shown.exit_code, "测试甲" in shown.stdout) == (0, True), shown.output
        result = answer(installed, "1", "--code", "受理", "--next-due", SOON, agency=agency)
        assert result.exit_code == 0, result.stderr
    assert states(installed) == ["accepted_by_agency"]


def test_the_answer_for_machines(desk: Installed) -> None:
    found = json.loads(answer(desk, "1", "--code", "受理", "--json").stdout)
    assert (found["sent"], found["sent_before"], found["not_sent"], len(found["message_ids"])) == (1, 0, 0, 1)


def test_while_the_gateway_is_away_the_answer_is_kept_and_goes_later(installed: Installed) -> None:
    with installed.serving():
        handed_over(installed, 1)
        installed.inbox("open", "1")
    assert answer(installed, "1", "--code", "受理").exit_code == 3
    with installed.serving():
        assert answer(installed, "1", "--code", "受理").exit_code == 0
    assert len(replies(installed)) == 2


# --- in hand ---


def test_what_was_opened_and_not_finished_is_in_hand_until_its_last_word(desk: Installed) -> None:
    desk.inbox("open", "1")
    seen = []
    for said in (None, ("--code", "受理"), ("--code", "服务已提供")):
        if said is not None:
            assert answer(desk, "r-1", *said).exit_code == 0
        seen.append([(row["referral"], row["state"]) for row in listed(desk, "--in-hand")])
    assert seen == [
        [("r-1", "opened"), ("r-2", "new")],
        [("r-1", "answered"), ("r-2", "new")],
        [("r-2", "new")],
    ]


def test_a_handoff_in_hand_that_is_withdrawn_is_in_hand_no_more(desk: Installed) -> None:
    desk.inbox("open", "1")
    withdraw(desk, 1)
    assert [row["type"] for row in listed(desk, "--in-hand") if row["referral"] == "r-1"] == ["handoff.withdrawn"]


# --- sheet and import ---


def test_the_sheet_may_hold_what_is_in_hand(desk: Installed) -> None:
    desk.inbox("open", "1")
    waiting, both = desk.folder / "waiting.xlsx", desk.folder / "both.xlsx"
    assert desk.inbox("sheet", waiting).exit_code == 0
    assert desk.inbox("sheet", both, "--in-hand").exit_code == 0
    assert (cells(waiting, "need_id"), cells(both, "need_id")) == (["r-2:1"], ["r-2:1", "r-1:1"])


def test_a_filled_sheet_is_sent_without_naming_the_agency(desk: Installed) -> None:
    sheet = desk.folder / "sheet.xlsx"
    assert json.loads(desk.inbox("sheet", sheet, "--json").stdout) == {"rows": 2, "withdrawn": 0, "written": True}
    result = desk.inbox("import", fill(sheet, HELPED, HELPED), "--json")
    assert json.loads(result.stdout)["sent"] == 2, result.stderr
    assert states(desk) == ["assisted", "assisted"]


def test_a_sheet_somebody_may_have_filled_is_not_overwritten(desk: Installed) -> None:
    sheet = desk.folder / "sheet.xlsx"
    desk.inbox("sheet", sheet)
    before = sheet.read_bytes()
    assert (desk.inbox("sheet", sheet).exit_code, sheet.read_bytes()) == (2, before)


def test_the_old_flags_stand_alone(desk: Installed) -> None:
    for flags in (("--retrieved",), ("--sheet", str(desk.folder / "x.xlsx"))):
        assert desk.inbox(*flags, "list").exit_code == 2
    assert not (desk.folder / "x.xlsx").exists()


def test_what_is_missing_is_named(installed: Installed) -> None:
    result = installed.inbox("list", XIANJIE_PARTY="", XIANJIE_KEY="")
    assert (result.exit_code, "--party" in result.stderr, "--key" in result.stderr) == (2, True, True)


def test_a_party_whose_name_says_no_agency_has_to_name_it(installed: Installed, tmp_path: Path) -> None:
    with installed.serving():
        handed_over(installed, 1)
        sheet = tmp_path / "sheet.xlsx"
        installed.inbox("sheet", sheet)
    result = installed.inbox("import", sheet, XIANJIE_PARTY="cn/agency/wf520102")
    assert (result.exit_code, "known are civil_affairs" in result.stderr) == (2, True), result.stderr
