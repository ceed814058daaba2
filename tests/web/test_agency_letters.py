"""来件 Reminders, inquiries and matches at the portal: listed without a person, opened on record, answered once."""

import re
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.domain.access import Role
from gateway.domain.adjudication import Resolution
from gateway.domain.agreement import Channel
from gateway.domain.reconciliation.findings import doubt
from gateway.flows.adjudicate import adjudicate
from gateway.flows.match_resolve import resolve
from gateway.flows.reconcile import reconcile_due
from gateway.store import agency_desk, findings
from gateway.store import tables as t
from tests.gateway_world import CIVIL_AFFAIRS, World, a_referral_body
from tests.web.agency_desk import CIVIL, DISABLED, HOSTILE, clerk_of, form_name, handoff_id, holding, second_office
from tests.web.people import Somebody, somebody

PERSON = a_referral_body()["person"]
ASKED = {name: PERSON[name] for name in ("name", "id_type", "id_number", "sex", "birth_date")}


def inquire(world: World, **person: str) -> str:
    """The court asks civil affairs; the letter's id."""
    body = {
        "inquiry_id": "i-1",
        "agreement_document": "黔高法〔2022〕98号",
        "case_number": "（2026）黔01司救执1号",
        "person": ASKED | {"household_registration_region": "520102"} | person,
        "programmes": ["MLG", "DST"],
        "legal_basis": "STATUTORY_DUTY",
        "notice_given_at": "2026-02-28",
    }
    world.accept(world.court.sign("inquiry.asked", body, now=world.now))
    return letter_of(world, "inquiry.forwarded")


def letter_of(world: World, type_: str) -> str:
    return next(row["message_id"] for row in world.rows(t.outbox) if row["type"] == type_)


def answer(clerk: Somebody, letter: str, what: str = "inquiry", **fields: str) -> Any:
    path = f"/agency/letters/{letter}"
    form = fields.pop("form", None) or form_name(clerk.get(path).text)
    return clerk.post(f"{path}/{what}", {"form": form, **fields}, follow=False)


def sent(world: World, type_: str) -> int:
    return [row["type"] for row in world.rows(t.inbox)].count(type_)


def test_an_inquiry_is_listed_without_the_person_and_opened_on_record(world: World) -> None:
    letter = inquire(world)
    clerk = clerk_of(world, holding(world))
    listed = clerk.get("/agency/letters").text
    assert letter in listed and "协查来函" in listed and "测试甲" not in listed
    page = clerk.get(f"/agency/letters/{letter}").text
    assert "测试甲" in page and PERSON["id_number"] in page
    (viewed,) = [row for row in world.rows(t.decisions) if row["what"] == "letter_viewed"]
    assert viewed["subject"] == "i-1" and "测试甲" not in str(viewed)


def waiting(clerk: Somebody, path: str = "/agency", words: str = "催办与其他来件") -> str:
    """What stands beside the entry in the head, and whether the page is its own."""
    entry = re.search(rf'<a href="/agency/letters"( aria-current="page")?>{words}([^<]*)</a>', clerk.get(path).text)
    assert entry is not None
    return f"{entry[2]}{' here' if entry[1] else ''}".strip()


def test_the_head_of_every_page_leads_to_the_letters_and_counts_those_nobody_took(world: World) -> None:
    world.change_office(CIVIL_AFFAIRS, channel=Channel.MAILBOX, url=None)
    other = second_office(world)
    clerk = clerk_of(world, holding(world))
    assert (waiting(clerk), waiting(clerk, "/agency/letters")) == ("", "here")
    letter = inquire(world)
    someone_else = clerk_of(world, clerk.site, name="other", office_ids=(other,))
    another_party = clerk_of(world, clerk.site, DISABLED)
    assert [waiting(one) for one in (clerk, someone_else, another_party)] == ["1", "", ""]
    assert (waiting(clerk, "/account"), waiting(clerk, f"/agency/letters/{letter}")) == ("1", "1 here")
    clerk.post(f"/agency/letters/{letter}/read")
    assert waiting(clerk, "/agency/sheets") == ""
    clerk.client.set_cookie("xianjie_language", "en")
    assert waiting(clerk, words="Reminders and letters") == ""


def test_letters_that_are_pushed_to_an_offices_own_server_are_not_counted(world: World) -> None:
    clerk = clerk_of(world, holding(world))
    assert inquire(world) in clerk.get("/agency/letters").text
    assert waiting(clerk) == ""


def test_counting_letters_walks_what_lies_in_the_mailbox(world: World) -> None:
    inquire(world)
    plans: list[str] = []
    with world.store.reading() as connection:

        def note(_c: object, _cursor: object, statement: str, parameters: object, *_more: object) -> None:
            if not statement.startswith("EXPLAIN"):
                plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
                plans.extend(str(row[3]) for row in plan)

        sa.event.listen(connection, "before_cursor_execute", note)
        agency_desk.untaken_letters(connection, CIVIL, [CIVIL_AFFAIRS], whole=True)
    assert len(plans) == 1 and "ix_outbox_mailbox (recipient=?)" in plans[0], plans


def test_an_inquiry_is_answered_programme_by_programme_and_a_double_click_is_one_message(world: World) -> None:
    letter = inquire(world)
    clerk = clerk_of(world, holding(world))
    form = form_name(clerk.get(f"/agency/letters/{letter}").text)
    fields = {"MLG-answer": "ACTIVE", "MLG-as_of": "2026-03-01", "MLG-amount_yuan": "600"}
    for _ in range(2):
        assert answer(clerk, letter, form=form, **fields).status_code == 303
    assert sent(world, "inquiry.answered") == 1
    (row,) = world.rows(t.inquiry_answers)
    assert (row["programme"], row["answer"], row["amount_fen"]) == ("MLG", "ACTIVE", 60_000)
    answer(clerk, letter, **{"DST-answer": "NEVER", "DST-as_of": "2026-03-01"})
    assert "正在享受" in clerk.get(f"/agency/letters/{letter}").text
    assert [row["type"] for row in world.rows(t.outbox)].count("inquiry.result") == 1


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({}, "MLG-answer"),
        ({"DST-answer": "NEVER", "DST-as_of": "2026-12-31"}, "DST-as_of"),
        ({"DST-answer": "NEVER"}, "DST-as_of"),
        ({"MLG-answer": "ACTIVE", "MLG-as_of": "昨天"}, "MLG-as_of"),
        ({"MLG-answer": "好", "MLG-as_of": "2026-03-01"}, "MLG-answer"),
        ({"MLG-answer": "ACTIVE", "MLG-as_of": "2026-03-01", "MLG-amount_yuan": "许多"}, "MLG-amount_yuan"),
    ],
)
def test_what_is_wrong_with_an_answer_stands_at_its_field(world: World, fields: dict[str, str], wrong: str) -> None:
    letter = inquire(world)
    refused = answer(clerk_of(world, holding(world)), letter, **fields)
    assert refused.status_code == 422 and f'id="{wrong}-wrong"' in refused.text
    assert sent(world, "inquiry.answered") == 0


def match_between(world: World) -> tuple[str, str]:
    """A doubt about two offices of the party, and both told: the first one's letter, the other office."""
    world.hand_over()
    other = second_office(world)
    found = doubt(
        "DUP_SAME_PROGRAMME_PERIOD",
        "D08",
        referral_id="r-1",
        need_id="r-1:1",
        must_act=other,
        subject="statement|s-1:1",
        offices=[CIVIL_AFFAIRS, other],
        programmes=["MLG", "MLG"],
        from_month="2026-03",
    )
    world.store.write(lambda c: findings.open_now(c, [(found, "v1")], now=world.now, origin="statement"))
    adjudicate(world.context, now=world.now)
    return letter_of(world, "match.notice"), other


def test_a_match_is_answered_with_a_disposition_and_its_reason(world: World) -> None:
    letter, _ = match_between(world)
    clerk = clerk_of(world, holding(world))
    assert "同项目同期重复" in clerk.get(f"/agency/letters/{letter}").text
    refused = answer(clerk, letter, "match", disposition="STOP_MINE", reason="经查")
    assert refused.status_code == 422 and 'id="stops_by-wrong"' in refused.text
    form = form_name(clerk.get(f"/agency/letters/{letter}").text)
    for _ in range(2):
        done = answer(
            clerk, letter, "match", form=form, disposition="LAWFUL_BOTH", reason="两项依据不同", evidence="文号1"
        )
        assert done.status_code == 303, done.text
    assert [row["code"] for row in world.rows(t.dispositions)] == ["LAWFUL_BOTH"]


def test_how_a_match_was_resolved_is_appealed_once_from_the_letter_that_tells_it(world: World) -> None:
    asked, other = match_between(world)
    site = holding(world)
    clerk, stranger = clerk_of(world, site), clerk_of(world, site, DISABLED)
    assert "/appeal" not in clerk.get(f"/agency/letters/{asked}").text
    early = answer(clerk, asked, "appeal", reason="不接受")
    assert early.status_code == 409 and "illegal_move" in early.text
    (match,) = world.rows(t.matches)
    resolve(
        world.context, match["match_id"], Resolution.DUPLICATE, stops="A", who="tester", why="经查重复", now=world.now
    )
    letter = letter_of(world, "match.resolved")
    page = clerk.get(f"/agency/letters/{letter}").text
    assert f"/agency/letters/{letter}/appeal" in page and "确认重复" in page
    refused = answer(clerk, letter, "appeal", reason="", evidence=HOSTILE[0])
    assert refused.status_code == 422 and 'id="reason-wrong"' in refused.text
    assert "&lt;script&gt;alert" in refused.text and HOSTILE[0] not in refused.text
    for person in (stranger, clerk_of(world, site, name="limited", office_ids=(other,))):
        assert person.post(f"/agency/letters/{letter}/appeal", {"form": "x", "reason": "x"}).status_code == 404
    assert world.rows(t.dispositions) == []
    form = form_name(clerk.get(f"/agency/letters/{letter}").text)
    for _ in range(2):
        done = answer(clerk, letter, "appeal", form=form, reason="本单位给付依据不同", evidence="文号1\r\n文号2")
        assert "said=match_appeal_sent" in done.headers["Location"], done.text
    assert [(row["code"], row["side"]) for row in world.rows(t.dispositions)] == [("APPEAL", "A")]
    assert sent(world, "match.appealed") == 1
    page = clerk.get(f"/agency/letters/{letter}").text
    assert "已申诉" in page and "/appeal" not in page
    adjudicate(world.context, now=world.now)
    assert [(row["state"], row["round"]) for row in world.rows(t.matches)] == [("notified", 2)]


def test_a_reminder_leads_to_its_handoff_and_is_taken_as_read(world: World) -> None:
    world.change_office(CIVIL_AFFAIRS, channel=Channel.MAILBOX, url=None)
    world.refer()
    world.dispatch()
    for _ in range(40):
        world.wait(timedelta(hours=12))
        reconcile_due(world.context, now=world.now)
    letter = letter_of(world, "handoff.reminder")
    clerk = clerk_of(world, holding(world))
    (row,) = world.rows(t.handoffs)
    page = clerk.get(f"/agency/letters/{letter}").text
    assert f"/agency/handoffs/{row['handoff_id']}" in page and "催办" in page
    assert "已阅" in clerk.post(f"/agency/letters/{letter}/read").text
    clerk.post(f"/agency/letters/{letter}/read")
    assert sent(world, "message.retrieved") == 1
    assert {one["message_id"]: one["state"] for one in world.rows(t.outbox)}[letter] == "retrieved"
    assert "超期" in clerk.get("/agency").text


def test_another_party_and_a_clerk_of_another_office_find_nothing(world: World) -> None:
    letter = inquire(world)
    other = second_office(world)
    site = holding(world)
    path = f"/agency/letters/{letter}"
    for person in (clerk_of(world, site, DISABLED), clerk_of(world, site, office_ids=(other,))):
        assert person.get(path).status_code == 404
        assert [
            person.post(f"{path}/{one}", {"form": "x"}).status_code for one in ("read", "inquiry", "match", "appeal")
        ] == [404] * 4
        assert letter not in person.get("/agency/letters").text
    assert somebody(world, site, Role.RECONCILER).get(path).status_code == 403


def test_a_handoff_is_no_letter_and_an_inquiry_is_no_match(world: World) -> None:
    message = world.hand_over()
    letter = inquire(world)
    clerk = clerk_of(world, holding(world))
    assert clerk.get(f"/agency/letters/{message.envelope.id}").status_code == 404
    for act in ("match", "appeal"):
        assert clerk.post(f"/agency/letters/{letter}/{act}", {"form": "x"}).status_code == 404
    assert handoff_id(message) in clerk.get("/agency").text


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_words_come_out_as_words(world: World, hostile: str) -> None:
    letter = inquire(world, name=hostile)
    clerk = clerk_of(world, holding(world, CIVIL))
    clerk.client.set_cookie("xianjie_language", "en")
    page = clerk.get(f"/agency/letters/{letter}").text
    assert hostile not in page and "What is asked" in page
    refused = answer(clerk, letter, **{"MLG-answer": hostile, "MLG-as_of": hostile, "DST-since": hostile})
    assert refused.status_code == 422 and hostile not in refused.text
