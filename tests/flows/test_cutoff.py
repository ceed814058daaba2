"""截止核对 Whatever row is deleted, changed or slipped in by SQL is named by the next cut-off; honest work never."""

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from gateway.domain.agreement import Party, PartyKind
from gateway.envelope.algorithms import Algorithm
from gateway.envelope.keyring import SigningKey
from gateway.flows.audit.trouble import Trouble, What
from gateway.flows.cutoff import CutOff, cut_off
from gateway.flows.operate import release
from gateway.flows.reconcile import reconcile_all
from gateway.store import directory
from gateway.store import tables as t
from tests.builders import an_id_number
from tests.flows.test_amend import amend
from tests.gateway_world import CIVIL_AFFAIRS, COURT, World

ROTATED = timedelta(days=14)


def cut(world: World) -> CutOff:
    return cut_off(world.context, now=world.now)


def a_busy_day(world: World) -> None:
    """One referral paid by its court and its office, one withdrawn after its handoff, one held, amended and released, a
    key rotated, an office paused: everything the gateway writes by itself."""
    handoff = world.hand_over()
    world.answer(handoff, "40", xj_amount="650.00", abaf0028="202603", abaf0029="202603", xj_payee="1")
    world.accept(world.court.sign("judicial_assistance.paid", a_payment(), now=world.now))
    world.hand_over(
        referral_id="r-2",
        case_number="（2026）黔01司救执2号",
        original_case_group="（2025）黔0102民初2号",
        person=a_person(serial=2),
    )
    world.accept(world.court.sign("referral.withdrawn", {"referral_id": "r-2", "reason": "测试"}, now=world.now))
    world.refer(referral_id="r-3", case_number="（2026）黔01司救执3号")
    amend(world, "r-3", custody="由村委会代管")
    amend(world, "r-3", custody="由姑姑代管")
    release(world.context, "r-3", who="测试员", why="另一原案件", now=world.now)
    world.dispatch()
    rotate(world)
    world.change_office(CIVIL_AFFAIRS, batch=5)
    world.store.write(lambda c: directory.set_paused(c, CIVIL_AFFAIRS, paused=True, now=world.now))
    reconcile_all(world.context, now=world.now)


def a_person(serial: int) -> dict[str, object]:
    return {
        "name": "测试乙",
        "id_type": "111",
        "id_number": an_id_number(serial=serial),
        "sex": "2",
        "birth_date": "1986-01-01",
        "phone": "13900000001",
        "household_registration_region": "520102",
        "residence": "测试路2号",
    }


def a_payment() -> dict[str, object]:
    return {
        "referral_id": "r-1",
        "payment_id": "p-1",
        "amount_fen": 2_000_000,
        "paid_on": "2026-03-02",
        "payee": "BENEFICIARY",
    }


def rotate(world: World) -> None:
    """The neighbour court's key ends in a fortnight and another is registered."""
    fresh = SigningKey.generate(Algorithm.ED25519, world.neighbour.party_id).public_key(not_before=world.now)
    old = world.neighbour.key.kid
    end = world.now + ROTATED
    world.store.write(lambda c: directory.add_key(c, fresh, now=world.now))
    world.store.write(lambda c: directory.end_key(c, old, at=end, now=world.now))


@pytest.fixture
def busy(world: World) -> World:
    a_busy_day(world)
    return world


def test_an_honest_day_has_no_trouble_however_often_it_is_looked_at(busy: World) -> None:
    assert [cut(busy).troubles for _ in range(2)] == [(), ()]
    assert len(busy.rows(t.cutoffs)) == 2


def first(world: World, table: sa.Table, **where: object) -> dict[str, object]:
    return next(row for row in world.rows(table) if all(row[name] == value for name, value in where.items()))


Tamper = Callable[[World], tuple[sa.Executable, Trouble]]


def inbox_row_deleted(world: World) -> tuple[sa.Executable, Trouble]:
    row = first(world, t.inbox, type="referral.submitted")
    gone = Trouble(table="inbox", ref=str(row["message_id"]), what=What.MISSING, referral_id="r-1")
    return t.inbox.delete().where(t.inbox.c.row == row["row"]), gone


def inbox_bytes_changed(world: World) -> tuple[sa.Executable, Trouble]:
    row = first(world, t.inbox, type="handoff.outcome")
    wrong = Trouble(table="inbox", ref=str(row["message_id"]), what=What.ALTERED, referral_id="r-1", column="jws")
    return t.inbox.update().where(t.inbox.c.row == row["row"]).values(jws="a.b.c"), wrong


def inbox_receipt_changed(world: World) -> tuple[sa.Executable, Trouble]:
    row = first(world, t.inbox, type="handoff.outcome")
    wrong = Trouble(table="inbox", ref=str(row["message_id"]), what=What.ALTERED, column="receipt")
    return t.inbox.update().where(t.inbox.c.row == row["row"]).values(receipt="a.b.c"), wrong


def inbox_digest_changed(world: World) -> tuple[sa.Executable, Trouble]:
    row = first(world, t.inbox, type="referral.submitted")
    wrong = Trouble(table="inbox", ref=str(row["message_id"]), what=What.ALTERED, referral_id="r-1", column="digest")
    return t.inbox.update().where(t.inbox.c.row == row["row"]).values(digest="0" * 64), wrong


def outbox_row_deleted(world: World) -> tuple[sa.Executable, Trouble]:
    row = first(world, t.outbox, type="handoff.issued")
    gone = Trouble(table="outbox", ref=str(row["message_id"]), what=What.MISSING, referral_id="r-1")
    return t.outbox.delete().where(t.outbox.c.row == row["row"]), gone


def outbox_recipient_changed(world: World) -> tuple[sa.Executable, Trouble]:
    row = first(world, t.outbox, type="handoff.withdrawn")
    wrong = Trouble(table="outbox", ref=str(row["message_id"]), what=What.ALTERED, referral_id="r-2", column="type")
    return t.outbox.update().where(t.outbox.c.row == row["row"]).values(type="handoff.issued"), wrong


def receipt_deleted(world: World) -> tuple[sa.Executable, Trouble]:
    row = first(world, t.receipts, rung="relay")
    gone = Trouble(table="receipts", ref=f"{row['message_id']}:relay", what=What.MISSING)
    return t.receipts.delete().where(t.receipts.c.row == row["row"]), gone


def receipt_changed(world: World) -> tuple[sa.Executable, Trouble]:
    row = first(world, t.receipts, rung="relay")
    wrong = Trouble(table="receipts", ref=f"{row['message_id']}:relay", what=What.ALTERED, column="jws")
    return t.receipts.update().where(t.receipts.c.row == row["row"]).values(jws="a.b.c"), wrong


def decision_reworded(world: World) -> tuple[sa.Executable, Trouble]:
    row = first(world, t.decisions, what="hold_released")
    wrong = Trouble(table="decisions", ref=str(row["decision_id"]), what=What.ALTERED)
    return t.decisions.update().where(t.decisions.c.row == row["row"]).values(who="别人"), wrong


def decision_deleted(world: World) -> tuple[sa.Executable, Trouble]:
    row = first(world, t.decisions, what="hold_released")
    gone = Trouble(table="decisions", ref=str(row["decision_id"]), what=What.MISSING)
    return t.decisions.delete().where(t.decisions.c.row == row["row"]), gone


def decision_slipped_in(world: World) -> tuple[sa.Executable, Trouble]:
    row = {"decision_id": "d-1", "at": 1, "who": "x", "what": "hold_released", "subject": "r-1", "why": "y"}
    return t.decisions.insert().values(**row), Trouble(table="decisions", ref="d-1", what=What.UNLOGGED)


def referral_deleted(world: World) -> tuple[sa.Executable, Trouble]:
    gone = Trouble(table="referrals", ref="r-1", what=What.MISSING, referral_id="r-1")
    return t.referrals.delete().where(t.referrals.c.referral_id == "r-1"), gone


def amount_changed(world: World) -> tuple[sa.Executable, Trouble]:
    wrong = Trouble(table="referrals", ref="r-1", what=What.ALTERED, referral_id="r-1", column="decided_amount_fen")
    return t.referrals.update().where(t.referrals.c.referral_id == "r-1").values(decided_amount_fen=1), wrong


def need_deleted(world: World) -> tuple[sa.Executable, Trouble]:
    gone = Trouble(table="needs", ref="r-1:1", what=What.MISSING, referral_id="r-1")
    return t.needs.delete().where(t.needs.c.need_id == "r-1:1"), gone


def need_state_changed(world: World) -> tuple[sa.Executable, Trouble]:
    wrong = Trouble(table="needs", ref="r-1:1", what=What.ALTERED, referral_id="r-1", column="state")
    return t.needs.update().where(t.needs.c.need_id == "r-1:1").values(state="closed"), wrong


def move_deleted(world: World) -> tuple[sa.Executable, Trouble]:
    row = [one for one in world.rows(t.need_moves) if one["need_id"] == "r-1:1"][1]
    gone = Trouble(table="need_moves", ref="r-1:1", what=What.MISSING, referral_id="r-1")
    return t.need_moves.delete().where(t.need_moves.c.row == row["row"]), gone


def handoff_deleted(world: World) -> tuple[sa.Executable, Trouble]:
    row = first(world, t.handoffs, referral_id="r-1")
    gone = Trouble(table="handoffs", ref=str(row["handoff_id"]), what=What.MISSING, referral_id="r-1")
    return t.handoffs.delete().where(t.handoffs.c.row == row["row"]), gone


def answer_deleted(world: World) -> tuple[sa.Executable, Trouble]:
    row = first(world, t.replies, referral_id="r-1")
    gone = Trouble(table="replies", ref=str(row["message_id"]), what=What.MISSING, referral_id="r-1")
    return t.replies.delete().where(t.replies.c.row == row["row"]), gone


def answer_changed(world: World) -> tuple[sa.Executable, Trouble]:
    row = first(world, t.replies, referral_id="r-1")
    wrong = Trouble(table="replies", ref=str(row["reply_id"]), what=What.ALTERED, referral_id="r-1")
    return t.replies.update().where(t.replies.c.row == row["row"]).values(amount_fen=99), wrong


def payment_deleted(world: World) -> tuple[sa.Executable, Trouble]:
    gone = Trouble(table="court_payments", ref="p-1", what=What.MISSING, referral_id="r-1")
    return t.court_payments.delete(), gone


def payment_changed(world: World) -> tuple[sa.Executable, Trouble]:
    wrong = Trouble(table="court_payments", ref="p-1", what=What.ALTERED, referral_id="r-1")
    return t.court_payments.update().values(amount_fen=1), wrong


def payment_slipped_in(world: World) -> tuple[sa.Executable, Trouble]:
    row = {
        "payment_id": "p-9",
        "court": COURT,
        "referral_id": "r-3",
        "amount_fen": 1,
        "paid_on": "2026-03-02",
        "payee": "AGENT",
    }
    extra = Trouble(table="court_payments", ref="p-9", what=What.UNLOGGED, referral_id="r-3")
    return t.court_payments.insert().values(**row), extra


def key_slipped_in(world: World) -> tuple[sa.Executable, Trouble]:
    key = SigningKey.generate(Algorithm.ED25519, COURT)
    row = first(world, t.party_keys, party_id=COURT) | {"kid": key.kid, "jwk": json.dumps(key.public_jwk())}
    return t.party_keys.insert().values(**row), Trouble(table="party_keys", ref=key.kid, what=What.UNLOGGED)


def key_made_longer(world: World) -> tuple[sa.Executable, Trouble]:
    kid = world.neighbour.key.kid
    wrong = Trouble(table="party_keys", ref=kid, what=What.ALTERED, column="not_after")
    return t.party_keys.update().where(t.party_keys.c.kid == kid).values(not_after=None), wrong


def office_moved(world: World) -> tuple[sa.Executable, Trouble]:
    wrong = Trouble(table="offices", ref=CIVIL_AFFAIRS, what=What.ALTERED)
    elsewhere = t.offices.update().where(t.offices.c.office_id == CIVIL_AFFAIRS)
    return elsewhere.values(url="https://elsewhere.invalid/"), wrong


def office_resumed(world: World) -> tuple[sa.Executable, Trouble]:
    wrong = Trouble(table="offices", ref=CIVIL_AFFAIRS, what=What.ALTERED, column="paused")
    return t.offices.update().where(t.offices.c.office_id == CIVIL_AFFAIRS).values(paused=False), wrong


def party_deleted(world: World) -> tuple[sa.Executable, Trouble]:
    gone = Trouble(table="parties", ref=world.auditor.party_id, what=What.MISSING)
    return t.parties.delete().where(t.parties.c.party_id == world.auditor.party_id), gone


def agreement_reworded(world: World) -> tuple[sa.Executable, Trouble]:
    row = world.rows(t.agreements)[0]
    wrong = Trouble(table="agreements", ref=f"agreement:{row['sha256']}", what=What.ALTERED)
    return t.agreements.update().values(body=row["body"] + "\n# "), wrong


def attempt_deleted(world: World) -> tuple[sa.Executable, Trouble]:
    row = world.rows(t.attempts)[0]
    gone = Trouble(table="attempts", ref=f"{row['message_id']}:1", what=What.MISSING, referral_id="r-1")
    return t.attempts.delete().where(t.attempts.c.row == row["row"]), gone


def counter_set_back(world: World) -> tuple[sa.Executable, Trouble]:
    party = world.offices[CIVIL_AFFAIRS].partner.party_id
    wrong = Trouble(table="counters", ref=party, what=What.ALTERED, column="last_seq")
    return t.counters.update().where(t.counters.c.recipient == party).values(last_seq=1), wrong


def identity_key_deleted(world: World) -> tuple[sa.Executable, Trouble]:
    row = first(world, t.identity_keys, referral_id="r-2")
    wrong = Trouble(table="identity_keys", ref="r-2", what=What.ALTERED, referral_id="r-2")
    return t.identity_keys.delete().where(t.identity_keys.c.row == row["row"]), wrong


def amendment_deleted(world: World) -> tuple[sa.Executable, Trouble]:
    row = world.rows(t.referral_amendments)[-1]
    gone = Trouble(
        table="referral_amendments", ref=str(row["message_id"]), what=What.MISSING, referral_id=row["referral_id"]
    )
    return t.referral_amendments.delete().where(t.referral_amendments.c.row == row["row"]), gone


def older_version_made_the_newest(world: World) -> tuple[sa.Executable, Trouble]:
    row = world.rows(t.referral_amendments)[0]
    wrong = Trouble(
        table="referral_amendments",
        ref=str(row["message_id"]),
        what=What.ALTERED,
        referral_id=row["referral_id"],
        column="version",
    )
    return t.referral_amendments.update().where(t.referral_amendments.c.row == row["row"]).values(version=9), wrong


def version_set_back(world: World) -> tuple[sa.Executable, Trouble]:
    wrong = Trouble(table="referrals", ref="r-3", what=What.ALTERED, referral_id="r-3", column="version")
    return t.referrals.update().where(t.referrals.c.referral_id == "r-3").values(version=1), wrong


TAMPERS: list[Tamper] = [
    attempt_deleted,
    counter_set_back,
    identity_key_deleted,
    inbox_row_deleted,
    inbox_bytes_changed,
    inbox_receipt_changed,
    inbox_digest_changed,
    outbox_row_deleted,
    outbox_recipient_changed,
    receipt_deleted,
    receipt_changed,
    decision_reworded,
    decision_deleted,
    decision_slipped_in,
    referral_deleted,
    amount_changed,
    need_deleted,
    need_state_changed,
    move_deleted,
    handoff_deleted,
    answer_deleted,
    answer_changed,
    payment_deleted,
    payment_changed,
    payment_slipped_in,
    amendment_deleted,
    older_version_made_the_newest,
    version_set_back,
    key_slipped_in,
    key_made_longer,
    office_moved,
    office_resumed,
    party_deleted,
    agreement_reworded,
]


@pytest.mark.parametrize("tamper", TAMPERS, ids=lambda one: one.__name__)
def test_what_was_done_to_one_row_is_told_as_that_row(busy: World, tamper: Tamper) -> None:
    statement, expected = tamper(busy)
    busy.change(statement)
    busy.context.directory.forget()
    busy.wait(timedelta(minutes=1))
    assert expected in cut(busy).troubles


@pytest.mark.parametrize("table", [t.inbox, t.outbox, t.receipts, t.decisions, t.party_keys, t.offices, t.parties])
def test_every_single_row_that_is_logged_is_missed_when_it_goes(busy: World, table: sa.Table) -> None:
    key = table.primary_key.columns[0]
    rows = [row for row in busy.rows(table) if not row.get("evidence_id")]
    assert rows
    for row in rows:
        before = cut(busy).wrong
        busy.change(table.delete().where(key == row[key.name]))
        assert cut(busy).wrong > before
        busy.change(table.insert().values(**row))
        assert cut(busy).wrong == before


def test_a_handoff_that_goes_with_its_message_accuses_no_answer(busy: World) -> None:
    row = first(busy, t.outbox, type="handoff.issued")
    busy.change(t.handoffs.delete().where(t.handoffs.c.message_id == row["message_id"]))
    busy.change(t.outbox.delete().where(t.outbox.c.row == row["row"]))
    assert "replies" not in {one.table for one in cut(busy).troubles}


def test_a_cut_off_that_goes_is_missed_by_the_next(busy: World) -> None:
    made = cut(busy)
    busy.change(t.cutoffs.delete())
    assert Trouble(table="cutoffs", ref=made.cutoff_id, what=What.MISSING) in cut(busy).troubles


def test_a_leaf_that_was_taken_out_is_told_by_the_log_itself(busy: World) -> None:
    busy.change(t.log_leaves.delete().where(t.log_leaves.c.leaf_index == 7))
    assert any(one.table == "log" and "7" in one.ref for one in cut(busy).troubles)


def test_each_trouble_is_an_open_finding_at_once_and_goes_when_it_is_mended(busy: World) -> None:
    row = first(busy, t.court_payments)
    busy.change(t.court_payments.delete())
    cut(busy)
    assert "LOG_ROW_MISSING" in busy.open_codes()
    reconcile_all(busy.context, now=busy.now)
    assert "LOG_ROW_MISSING" in busy.open_codes()
    busy.change(t.court_payments.insert().values(**row))
    busy.wait(timedelta(days=1))
    cut(busy)
    reconcile_all(busy.context, now=busy.now)
    assert "LOG_ROW_MISSING" not in busy.open_codes()


def test_the_log_line_tells_how_many_and_nothing_of_anybody(busy: World, caplog: pytest.LogCaptureFixture) -> None:
    busy.change(t.court_payments.delete())
    with caplog.at_level(logging.INFO):
        cut(busy)
    (line,) = [one for one in caplog.records if one.message == "cut off"]
    assert (line.levelname, line.count) == ("ERROR", 1)  # type: ignore[attr-defined]


def test_a_cut_off_is_a_leaf_itself(busy: World) -> None:
    made = cut(busy)
    assert made.cutoff_id in {row["ref"] for row in busy.rows(t.log_leaves)}


def test_a_party_that_comes_suspended_is_no_trouble(world: World) -> None:
    party = Party(party_id="cn/court/520400", kind=PartyKind.COURT, name_zh="测试法院", region="520400")
    world.store.write(lambda c: directory.add_party(c, replace(party, active=False), now=world.now))
    assert cut(world).troubles == ()
