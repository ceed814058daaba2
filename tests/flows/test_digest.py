"""日报 Each morning everybody is told once, of their own alone, in counts and ids."""

import json
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from gateway.domain.calendar import china_day
from gateway.envelope.signing import verify
from gateway.flows import operate
from gateway.flows.cutoff import cut_off
from gateway.flows.digest import DIGEST_TYPE, MOST_IDS, court_json, digests, morning_of, office_json, send_digests
from gateway.flows.mailbox import pull
from gateway.flows.notice import Notice, send
from gateway.flows.reconcile import reconcile_all
from gateway.store import checkpoints, history, log
from gateway.store import tables as t
from gateway.worker import next_morning
from tests.builders import an_id_number
from tests.gateway_world import CIVIL_AFFAIRS, COURT, NEIGHBOUR, World, a_referral_body

DAY = timedelta(days=1)
PERSON: dict[str, Any] = a_referral_body()["person"]
OTHER = PERSON | {
    "name": "测试丙",
    "id_number": an_id_number(date(1971, 3, 4), serial=5),
    "birth_date": "1971-03-04",
}


def sent(world: World) -> list[dict[str, Any]]:
    return [row for row in world.rows(t.outbox) if row["type"] == DIGEST_TYPE]


def told(world: World, party_id: str) -> dict[str, Any]:
    """What lies in a court's mailbox."""
    (found,) = [jws for _, jws in pull(world.context, party_id, after=0, limit=10)]
    message = verify(found.encode(), world.keyring, recipient=party_id, now=world.now)
    assert message.envelope.type == DIGEST_TYPE
    data: dict[str, Any] = message.envelope.data
    return data


def late(world: World) -> None:
    """One need handed over and not answered for three months; one of the neighbour's, held."""
    world.hand_over()
    world.refer(
        world.neighbour,
        referral_id="r-2",
        case_number="（2026）黔03司救民7号",
        person=OTHER,
        unenforced_balance_fen=1,
    )
    world.wait(90 * DAY)
    reconcile_all(world.context, now=world.now)


def test_a_court_is_told_its_own_balance_who_is_late_and_what_is_in_doubt(world: World) -> None:
    late(world)
    send_digests(world.context, now=world.now)
    mine, theirs = told(world, COURT), told(world, NEIGHBOUR)
    assert (mine["balance"]["total"]["accepted"], mine["balance"]["total"]["overdue"]) == (1, 1)
    assert mine["overdue"] == [{"must_act": CIVIL_AFFAIRS, "count": 1, "needs": ["r-1:1"]}]
    assert [(one["referrals"], one["count"]) for one in mine["findings"]] == [(["r-1"], 1)]
    assert (theirs["balance"]["total"]["held"], theirs["overdue"], theirs["findings"]) == (1, [], [])
    assert mine["read_at"]["tree_size"] > 0


def test_an_office_is_told_what_waits_for_it(world: World) -> None:
    late(world)
    send_digests(world.context, now=world.now)
    world.deliver()
    data = world.offices[CIVIL_AFFAIRS].received[-1].envelope.data
    assert [(one["count"], one["needs"]) for one in data["overdue"]] == [(1, ["r-1:1"])]
    assert [one["needs"] for one in data["findings"]] == [["r-1:1"]]
    assert "balance" not in data


def test_nobody_is_told_twice_a_day_and_everybody_again_the_next(world: World) -> None:
    late(world)
    assert send_digests(world.context, now=world.now) == 3
    world.wait(timedelta(minutes=1))
    assert send_digests(world.context, now=world.now) == 0
    world.wait(DAY)
    assert send_digests(world.context, now=world.now) == 3


def test_what_a_fall_left_out_is_sent_by_the_next_run(sqlite_world: World) -> None:
    world = sqlite_world
    late(world)
    early = Notice(to=COURT, type=DIGEST_TYPE, subject=None, effect=f"{china_day(world.now)}:{COURT}", data={})
    world.store.write(lambda connection: send(connection, world.context, [early], now=world.now))
    assert send_digests(world.context, now=world.now) == 2
    assert len(sent(world)) == 3


def test_the_turn_comes_at_eight_in_china() -> None:
    eight = morning_of(date(2026, 3, 4))
    assert next_morning(eight - timedelta(seconds=1)) == eight
    assert next_morning(eight) == eight + DAY
    assert china_day(eight) == date(2026, 3, 4)


def test_where_nothing_happened_nobody_is_told_anything(sqlite_world: World) -> None:
    assert send_digests(sqlite_world.context, now=sqlite_world.now) == 0


def test_nobody_is_named_and_nothing_of_another_s_case_is_told(sqlite_world: World) -> None:
    world = sqlite_world
    late(world)
    operate.release(world.context, "r-2", who="法官甲", why="已核实", now=world.now)
    world.refer(
        referral_id="r-3",
        case_number="（2026）黔01司救执8号",
        original_case_group="（2024）黔0102民初9号",
        person=OTHER,
    )
    reconcile_all(world.context, now=world.now)
    found = digests(world.context, now=world.now)
    assert {one.referral_id for one in found.courts[COURT].doubts} == {"r-1", "r-3"}
    assert "DUP_OPEN_REFERRAL" in {one.code for one in found.courts[COURT].doubts}
    text = json.dumps(court_json(found.courts[COURT], found), ensure_ascii=False)
    office = json.dumps(office_json(CIVIL_AFFAIRS, found.offices[CIVIL_AFFAIRS], found), ensure_ascii=False)
    for secret in ("r-2", NEIGHBOUR, "测试", PERSON["id_number"]):
        assert (secret in text, secret in office) == (False, False)


def test_a_long_list_is_cut_and_counted(sqlite_world: World) -> None:
    late(sqlite_world)
    found = digests(sqlite_world.context, now=sqlite_world.now)
    (one,) = found.courts[COURT].late
    many = [replace(one, need_id=f"n-{number}") for number in range(MOST_IDS + 5)]
    (line,) = court_json(replace(found.courts[COURT], late=many), found)["overdue"]
    assert (line["count"], len(line["needs"])) == (MOST_IDS + 5, MOST_IDS)


def test_a_past_morning_is_drawn_up_as_it_was_known_then(sqlite_world: World) -> None:
    world = sqlite_world
    late(world)
    with world.store.reading() as connection:
        head, marks = log.head(connection), history.marks(connection)

    def sign(connection: Any) -> None:
        checkpoints.put(connection, epoch=head.epoch, size=head.size, root=head.root, note="", fence=1, now=world.now)
        history.keep(connection, epoch=head.epoch, size=head.size, reached=marks, now=world.now)

    world.store.write(sign)
    then = digests(world.context, now=world.now)
    world.wait(2 * DAY)
    world.accept(world.court.sign("referral.withdrawn", {"referral_id": "r-1", "reason": "报送有误"}, now=world.now))
    reconcile_all(world.context, now=world.now)
    again = digests(world.context, now=world.now, day=china_day(world.now) - DAY)
    assert again.courts[COURT].lines == then.courts[COURT].lines
    assert again.courts[COURT].doubts == then.courts[COURT].doubts
    assert again.offices.keys() == then.offices.keys() == {CIVIL_AFFAIRS}


def test_a_cut_off_finds_nothing_wrong_with_digests(sqlite_world: World) -> None:
    late(sqlite_world)
    send_digests(sqlite_world.context, now=sqlite_world.now)
    assert cut_off(sqlite_world.context, now=sqlite_world.now, witness=None).troubles == ()
