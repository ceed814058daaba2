"""A case can be erased: nobody reads it any more, everything it did still adds up and the log still verifies."""

from base64 import b64decode
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.envelope.message import digest
from gateway.errors import (
    CaseErased,
    ConfigError,
    IllegalMove,
    ReferralUnknown,
    SameIdDifferentBytes,
    StillRetained,
)
from gateway.evidence.entry import read
from gateway.evidence.merkle import inclusion_proof, leaf_hash, root_at, verify_inclusion
from gateway.flows.accept import Accepted, accept_many
from gateway.flows.account import balance, fate
from gateway.flows.audit.trouble import What
from gateway.flows.cutoff import cut_off
from gateway.flows.erase import Erased, erase
from gateway.flows.reconcile import reconcile_all
from gateway.store import inbox, log
from gateway.store import tables as t
from gateway.store.engine import Store
from gateway.store.erasure import scrub
from gateway.store.vault import WRAPPED
from tests.gateway_world import COURT, World, a_referral_body

WHO, WHY = "档案员甲", "期满清除"
YEARS = timedelta(days=3 * 366 + 1)
PAID: dict[str, Any] = {"xj_amount": "650.00", "abaf0028": "202603", "abaf0029": "202603", "xj_payee": "1"}


def finish(world: World) -> tuple[bytes, bytes]:
    """A referral helped to its end; the court's bytes and the office's last answer's."""
    asked = world.court.sign("referral.submitted", a_referral_body(), now=world.now)
    world.accept(asked)
    world.dispatch()
    world.deliver()
    handoff = world.offices["civil_affairs-520102"].received[-1]
    told = world.answer_bytes(handoff, "40", **PAID)
    world.accept(told)
    assert world.states() == ["assisted"]
    return asked, told


def erased(world: World, **changes: Any) -> Erased:
    return erase(world.context, "r-1", **{"who": WHO, "why": WHY, "now": world.now, **changes})


def wrapped_key(world: World) -> str:
    (row,) = [row for row in world.rows(t.case_keys) if row["referral_id"] == "r-1"]
    assert row["wrapped"].startswith(WRAPPED)
    return str(row["wrapped"])


def sealed(world: World, table: sa.Table) -> list[str]:
    with world.store.reading() as connection:
        return list(connection.scalars(sa.select(table.c.jws).order_by(table.c.row)))


# --- when it may be done ---


def test_a_case_is_erased_only_after_three_years(world: World) -> None:
    finish(world)
    with pytest.raises(StillRetained, match="P08: 2029-03-03"):
        erased(world)
    world.wait(timedelta(days=3 * 365))
    with pytest.raises(StillRetained):
        erased(world)
    world.wait(timedelta(days=2))
    assert erased(world).referral_id == "r-1"


def test_the_term_begins_with_the_last_thing_recorded(world: World) -> None:
    finish(world)
    world.wait(YEARS - timedelta(days=5))
    paid = {"referral_id": "r-1", "payment_id": "p-1", "amount_fen": 2_000_000, "paid_on": "2026-03-02"}
    world.accept(
        world.court.sign("judicial_assistance.paid", {**paid, "payee": "BENEFICIARY"}, now=world.now, subject="r-1")
    )
    world.wait(timedelta(days=10))
    with pytest.raises(StillRetained):
        erased(world)


def test_a_courts_order_sets_the_term_aside_and_is_named(world: World) -> None:
    finish(world)
    done = erased(world, court_order="（2026）黔01行初1号")
    (decision,) = [row for row in world.rows(t.decisions) if row["what"] == "case_erased"]
    assert (decision["decision_id"], decision["who"], decision["subject"]) == (done.decision_id, WHO, "r-1")
    assert decision["why"] == f"court order （2026）黔01行初1号: {WHY}"


def test_a_case_in_which_somebody_has_to_act_is_not_erased(world: World) -> None:
    world.refer()
    for step in (world.dispatch, world.deliver, lambda: world.wait(YEARS)):
        with pytest.raises(IllegalMove):
            erased(world, court_order="1")
        step()
    with pytest.raises(IllegalMove, match="a need is open"):
        erased(world)


def test_a_held_case_is_not_erased(world: World) -> None:
    finish(world)
    world.refer(referral_id="r-2")
    assert world.states("r-2") == ["held"]
    world.wait(YEARS)
    with pytest.raises(IllegalMove):
        erase(world.context, "r-2", who=WHO, why=WHY, now=world.now)


def test_a_message_on_its_way_keeps_a_case(world: World) -> None:
    world.hand_over()
    data = {"referral_id": "r-1", "reason": "MISTAKE"}
    world.accept(world.court.sign("referral.withdrawn", data, now=world.now, subject="r-1"))
    world.change(t.needs.update().values(state="cancelled"))
    world.wait(YEARS)
    with pytest.raises(IllegalMove, match="on its way"):
        erased(world)


def test_nobody_erases_without_a_name_and_a_reason_or_what_is_not_there(world: World) -> None:
    finish(world)
    world.wait(YEARS)
    for changes in ({"who": " "}, {"why": ""}, {"why": "长" * 501}, {"why": "长" * 490, "court_order": "号" * 20}):
        with pytest.raises(ConfigError):
            erased(world, **changes)
    with pytest.raises(ReferralUnknown):
        erase(world.context, "r-9", who=WHO, why=WHY, now=world.now)
    assert wrapped_key(world)


def test_what_was_stored_unsealed_has_to_be_sealed_before(world: World) -> None:
    asked, _ = finish(world)
    world.change(t.inbox.update().where(t.inbox.c.type == "referral.submitted").values(jws=asked.decode()))
    world.wait(YEARS)
    with pytest.raises(ConfigError, match="keys rewrap"):
        erased(world)


# --- what is gone ---


def test_nobody_reads_an_erased_case_again(world: World) -> None:
    asked, _ = finish(world)
    before = sealed(world, t.inbox)
    message_id = world.rows(t.inbox)[0]["message_id"]
    world.wait(YEARS)
    erased(world)
    assert sealed(world, t.inbox) == before
    with world.store.reading() as connection:
        assert inbox.bytes_of(connection, [(COURT, message_id)]) == {}
    twin = world.twin()
    try:
        with twin.store.reading() as connection:
            assert inbox.bytes_of(connection, [(COURT, message_id)]) == {}
    finally:
        twin.store.close()
    (key,) = world.rows(t.case_keys)
    assert (key["wrapped"], key["erased_at"] is not None) == (None, True)
    assert asked.decode() not in "".join(before)


def test_what_was_made_from_the_person_goes_too(world: World) -> None:
    finish(world)
    assert world.rows(t.identity_keys)
    world.wait(YEARS)
    erased(world)
    assert world.rows(t.identity_keys) == []
    assert [row["person_key"] for row in world.rows(t.referrals)] == [None]
    assert [row["echo_key"] for row in world.rows(t.handoffs)] == [None]
    assert {row["raw_code"] for row in world.rows(t.replies)} == {"erased"}


def test_the_deleted_key_is_in_no_file_of_the_database(sqlite_world: World) -> None:
    world = sqlite_world
    finish(world)
    key = wrapped_key(world)
    folder = Path(sa.make_url(world.url).database or "").parent

    def everything() -> bytes:
        return b"".join(path.read_bytes() for path in folder.iterdir())

    assert key.encode() in everything()
    world.wait(YEARS)
    assert erased(world).scrubbed
    assert key.encode() not in everything()
    assert b64decode(key.removeprefix(WRAPPED)) not in everything()


def test_a_long_reader_is_not_waited_for_for_ever(sqlite_world: World) -> None:
    world = sqlite_world
    other = Store(world.url)
    try:
        with other.reading() as connection:
            connection.execute(sa.select(t.inbox.c.row)).all()
            world.refer()
            assert scrub(world.store, patience=0.0) is False
        assert scrub(world.store) is True
    finally:
        other.close()


def test_no_other_case_loses_anything(world: World) -> None:
    finish(world)
    world.refer(referral_id="r-2", case_number="（2026）黔01司救执2号", original_case_group="（2025）黔0102民初2号")
    before = [row for row in world.rows(t.inbox) if row["subject"] == "r-2"]
    world.wait(YEARS)
    erased(world)
    assert [row for row in world.rows(t.inbox) if row["subject"] == "r-2"] == before
    assert before[0]["jws"].count(".") == 2
    assert world.dispatch().handoffs == 1


# --- what stays ---


def test_the_log_of_an_erased_case_still_verifies(world: World) -> None:
    asked, told = finish(world)
    with world.store.reading() as connection:
        old = log.head(connection)
    world.wait(YEARS)
    done = erased(world)
    with world.store.reading() as connection:
        head, hashes = log.head(connection), log.hashes(connection)
        places = list(log.entries(connection, 0, head.size))
        assert root_at(hashes, old.size) == old.root
        assert root_at(hashes, head.size) == head.root
        for place in places:
            assert leaf_hash(place.entry.encode()) == place.leaf_hash
            proof = inclusion_proof(hashes, place.index, head.size)
            assert verify_inclusion(place.leaf_hash, index=place.index, size=head.size, proof=proof, root=head.root)
    messages = {read(place.entry.encode()).digest for place in places if place.kind == "message"}
    assert {digest(asked), digest(told)} <= messages
    assert done.decision_id in {place.ref for place in places if place.kind == "decision"}


def test_whoever_sent_a_message_of_it_gets_the_first_receipt_again(world: World) -> None:
    asked, told = finish(world)
    first = {row["digest"]: row["receipt"] for row in world.rows(t.inbox)}
    world.wait(YEARS)
    erased(world)
    for raw in (asked, told):
        assert world.accept(raw).jws == first[digest(raw)]


def test_the_books_balance_as_before(world: World) -> None:
    finish(world)
    before = balance(world.context, as_of=world.now, now=world.now)
    world.wait(YEARS)
    erased(world)
    (line,) = balance(world.context, as_of=world.now, now=world.now)
    assert (line.accepted, line.assisted) == (before[0].accepted, before[0].assisted) == (1, 1)
    assert fate(world.context, "r-1", court=COURT, now=world.now).needs[0].state == "assisted"
    reconcile_all(world.context, now=world.now)


def test_the_next_cut_off_finds_nothing_wrong_with_an_erased_case(world: World) -> None:
    finish(world)
    world.wait(YEARS)
    erased(world)
    assert cut_off(world.context, now=world.now).troubles == ()


@pytest.mark.parametrize("row_gone", [False, True])
def test_a_key_that_somebody_deleted_without_a_decision_is_named_by_the_next_cut_off(
    world: World, row_gone: bool
) -> None:
    finish(world)
    k = t.case_keys
    world.change(k.delete() if row_gone else k.update().values(wrapped=None, erased_at=0))
    found = cut_off(world.context, now=world.now).troubles
    assert {(one.table, one.what, one.column) for one in found} >= {
        ("inbox", What.ALTERED, "jws"),
        ("outbox", What.ALTERED, "jws"),
    }


# --- afterwards ---


def test_nothing_new_is_added_to_an_erased_case(world: World) -> None:
    finish(world)
    handoff = world.offices["civil_affairs-520102"].received[-1]
    world.wait(YEARS)
    erased(world)
    rows = len(world.rows(t.inbox))
    late = world.answer_bytes(handoff, "90")
    neighbour = world.court.sign(
        "referral.submitted",
        a_referral_body(
            referral_id="r-2", case_number="（2026）黔01司救执2号", original_case_group="（2025）黔0102民初2号"
        ),
        now=world.now,
    )
    with pytest.raises(CaseErased) as caught:
        world.accept(late)
    assert (caught.value.status, caught.value.ids) == (410, {"referral_id": "r-1"})
    assert world.accept(neighbour).message_id
    assert len(world.rows(t.inbox)) == rows + 1


def test_what_was_refused_and_accepted_together_costs_each_other_nothing(world: World) -> None:
    finish(world)
    handoff = world.offices["civil_affairs-520102"].received[-1]
    world.wait(YEARS)
    erased(world)
    fresh = world.court.sign(
        "referral.submitted",
        a_referral_body(
            referral_id="r-2", case_number="（2026）黔01司救执2号", original_case_group="（2025）黔0102民初2号"
        ),
        now=world.now,
    )
    found = accept_many([world.answer_bytes(handoff, "90"), fresh], world.context, now=world.now)
    assert [type(one) for one in found] == [CaseErased, Accepted]


def test_a_case_is_erased_once(world: World) -> None:
    finish(world)
    world.wait(YEARS)
    erased(world)
    with pytest.raises(CaseErased):
        erased(world)
    assert len([row for row in world.rows(t.decisions) if row["what"] == "case_erased"]) == 1


def test_other_bytes_under_an_erased_messages_id_are_refused_as_ever(world: World) -> None:
    finish(world)
    message_id = world.rows(t.inbox)[0]["message_id"]
    world.wait(YEARS)
    erased(world)
    other = world.court.sign("referral.submitted", a_referral_body(referral_id="r-3"), now=world.now, id=message_id)
    with pytest.raises(SameIdDifferentBytes):
        world.accept(other)
