"""当时所知 Whatever came in later, a past morning is found again word for word."""

import json
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.domain.agreement import Channel
from gateway.domain.reconciliation.as_known import rules_in_force, said_by
from gateway.domain.reconciliation.balance import BalanceLine
from gateway.errors import ConfigError, DeniedWithoutReason, XianjieError
from gateway.evidence.checkpoint import LogKey
from gateway.evidence.merkle import root_at
from gateway.failpoints import arm, disarm
from gateway.flows import account, operate
from gateway.flows.accept import accept
from gateway.flows.as_known import as_known, moment
from gateway.flows.audit.trouble import What
from gateway.flows.context import Context
from gateway.flows.cutoff import cut_off
from gateway.flows.holidays import load_notice
from gateway.flows.reconcile import reconcile_all, would_find
from gateway.flows.reroute import reroute
from gateway.flows.rerun import rerun
from gateway.flows.sequence import publish
from gateway.store import history, leases, log, runs
from gateway.store import tables as t
from gateway.store.history import KnownAt
from gateway.store.witness import WitnessFile
from gateway.transport.answer import Answer, NoAnswer, NoAnswerReason
from tests.builders import an_id_number
from tests.flows import test_adjudicate, test_court_money, test_exchanges, test_reserve
from tests.flows.test_holidays import a_notice
from tests.gateway_world import AGREEMENT, CIVIL_AFFAIRS, GATEWAY, World, a_referral_body

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PERSON: dict[str, Any] = a_referral_body()["person"]
LENGTH = timedelta(seconds=15)
APPROVED: dict[str, Any] = {"xj_amount": "650.00", "abaf0028": "202603", "abaf0029": "202702"}
PAID: dict[str, Any] = {"xj_amount": "650.00", "abaf0028": "202603", "abaf0029": "202603", "xj_payee": "1"}
DENIED: dict[str, Any] = {"xj_reason": "701", "xj_reason_text": "家庭人均收入超过标准"}


@dataclass
class Page:
    """What one moment's own run said."""

    known: KnownAt
    as_of: datetime
    said: list[str]
    balance: tuple[BalanceLine, ...]


@dataclass
class Diary:
    """A world in which every step is written down as it was known then."""

    world: World
    pages: list[Page] = field(default_factory=list)

    def note(self) -> None:
        """Looks, as a run would look at this moment."""
        with self.world.store.reading() as connection:
            log.hold_still(connection)
            known = history.here(connection, now=self.world.now)
        said, balance = look_at(self.world.context, self.world.now)
        self.pages.append(Page(known=known, as_of=self.world.now, said=said, balance=balance))

    def read_again(self) -> None:
        """Every page, long afterwards: word for word the same."""
        for page in self.pages:
            with as_known(self.world.context, page.known) as past:
                assert look_at(past, page.as_of) == (page.said, page.balance)


def look_at(context: Context, now: datetime) -> tuple[list[str], tuple[BalanceLine, ...]]:
    said = [said_by(finding, version) for finding, version in would_find(context, as_of=now, now=now)]
    return said, account.balance(context, as_of=now, now=now)


@pytest.fixture
def diary(world: World) -> Diary:
    return Diary(world)


def another(serial: int) -> dict[str, Any]:
    return PERSON | {"id_number": an_id_number(serial=serial)}


def pay(world: World, referral_id: str, payment_id: str, amount_fen: int = 2_000_000) -> None:
    body = {
        "referral_id": referral_id,
        "payment_id": payment_id,
        "amount_fen": amount_fen,
        "paid_on": "2026-03-03",
        "payee": "BENEFICIARY",
    }
    world.accept(world.court.sign("judicial_assistance.paid", body, now=world.now))


def withdraw(world: World, referral_id: str) -> None:
    body = {"referral_id": referral_id, "reason": "报送有误"}
    world.accept(world.court.sign("referral.withdrawn", body, now=world.now))


def unreachable(_: bytes) -> Answer:
    raise NoAnswer(NoAnswerReason.NO_CONNECTION, may_have_arrived=False)


def sent_on(world: World) -> None:
    world.dispatch()
    for office_id in world.offices:
        if office_id != "womens_federation-520102":
            world.deliver(office_id)


STORY: list[Callable[[World], object]] = [
    lambda w: w.refer(),
    sent_on,
    lambda w: w.refer(referral_id="r-2", person=another(1), unenforced_balance_fen=1),
    lambda w: w.refer(
        referral_id="r-3",
        person=another(2) | {"household_registration_region": "520302"},
        case_number="（2026）黔01司救执3号",
    ),
    sent_on,
    lambda w: w.answer(first(w), "10"),
    lambda w: pay(w, "r-1", "p-1"),
    lambda w: pay(w, "r-1", "p-2"),
    lambda w: w.add_office("civil_affairs", w.context.snapshot(w.now).offices[CIVIL_AFFAIRS].channel, "520302"),
    sent_on,
    lambda w: operate.release(w.context, "r-2", who="法官甲", why="已核实", now=w.now),
    sent_on,
    lambda w: w.refer(w.neighbour, referral_id="r-4", case_number="（2026）黔03司救民7号"),
    lambda w: w.answer(first(w), "30", **APPROVED),
    lambda w: w.load_agreement(AGREEMENT.replace("version = 1", "version = 2")),
    lambda w: w.answer(first(w), "40", **PAID),
    lambda w: w.answer(first(w), "41"),
    lambda w: w.answer(first(w), "10", at=w.now - 20 * DAY),
    sent_on,
    lambda w: withdraw(w, "r-2"),
    lambda w: w.refer(referral_id="r-5", person=another(4), needs=[{"programme": "MLG"}, {"programme": "PSY"}]),
    sent_on,
    lambda w: withdraw(w, "r-5"),
    lambda w: w.accept(w.answer_bytes(first(w), "40", **PAID)),
]


def first(world: World) -> Any:
    return world.offices[CIVIL_AFFAIRS].received[0]


def test_every_morning_of_a_long_story_is_found_again_word_for_word(diary: Diary) -> None:
    world = diary.world
    for number, step in enumerate(STORY):
        step(world)
        world.wait(3 * DAY if number % 3 else 2 * HOUR)
        diary.note()
    diary.read_again()
    assert len({tuple(page.said) for page in diary.pages}) > len(STORY) // 2
    assert len({page.balance for page in diary.pages}) > len(STORY) // 2


OTHER_DESKS: list[Callable[[World], object]] = [
    lambda w: w.add_office("civil_affairs", Channel.MAILBOX, "520103"),
    lambda w: w.add_office("disabled_persons", Channel.MAILBOX, "520103"),
    lambda w: test_exchanges.ask(w),
    lambda w: test_exchanges.tell(w),
    lambda w: test_exchanges.answer(w, test_exchanges.CIVIL, "MLG", "ACTIVE", since="2025-01-01", amount_fen=60_000),
    lambda w: test_exchanges.answer(w, "disabled_persons-520103", "ASD", "UNKNOWN"),
    lambda w: w.refer(),
    lambda w: test_court_money.plan(w),
    lambda w: pay(w, "r-1", "p-1"),
    lambda w: test_court_money.visit(w),
    sent_on,
    lambda w: test_reserve.ask(w, "v-1"),
    lambda w: test_reserve.end(w, "v-1", "released"),
    lambda w: w.answer(first(w), "13"),
    lambda w: reroute(w.context, "r-1:1", who="法官甲", why="他辖区", office_id=test_exchanges.CIVIL, now=w.now),
    sent_on,
    lambda w: w.refer(w.neighbour, referral_id="r-2", case_number="（2026）黔03司救民7号"),
    lambda w: reconcile_all(w.context, now=w.now),
    lambda w: test_adjudicate.turn(w),
    lambda w: load_notice(w.context, a_notice(2027), who="管理员", why="国办通知", replace=False, now=w.now),
    lambda w: withdraw(w, "r-1"),
]


def test_what_other_desks_said_and_did_is_found_again_too(diary: Diary) -> None:
    for number, step in enumerate(OTHER_DESKS):
        step(diary.world)
        diary.world.wait(9 * DAY if number % 5 == 4 else 2 * HOUR)
        diary.note()
    diary.read_again()
    assert len({tuple(page.said) for page in diary.pages}) > len(OTHER_DESKS) // 3


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_in_whatever_order_the_past_stays_what_it_was(sqlite_world: World, seed: int) -> None:
    diary, dice = Diary(sqlite_world), random.Random(seed)
    for step in range(60):
        happen(sqlite_world, dice, step)
        sqlite_world.wait(timedelta(hours=dice.randrange(1, 100)))
        if dice.random() < 0.4:
            diary.note()
    diary.read_again()
    assert len({tuple(page.said) for page in diary.pages}) > 5


def happen(world: World, dice: random.Random, step: int) -> None:
    """One thing of many; what the state tables do not allow just now does not happen."""
    office = world.offices[CIVIL_AFFAIRS]
    office.fault = unreachable if dice.random() < 0.2 else None
    referral_id = f"r-{dice.randrange(max(step, 1))}"
    issued = [one for one in office.received if one.envelope.type == "handoff.issued"]
    region = dice.choice(["520102", "520302"])
    held: dict[str, Any] = dice.choice([{}, {"unenforced_balance_fen": 1}])
    things: list[Callable[[], object]] = [
        lambda: world.refer(
            referral_id=f"r-{step}",
            case_number=f"（2026）黔01司救执{step + 1}号",
            person=another(dice.randrange(20)) | {"household_registration_region": region},
            **held,
        ),
        lambda: sent_on(world),
        lambda: sent_on(world),
        lambda: world.answer(dice.choice(issued), dice.choice(["01", "10", "11", "13", "20", "41", "51", "90"])),
        lambda: world.answer(dice.choice(issued), "31", **dice.choice([{}, DENIED])),
        lambda: world.answer(dice.choice(issued), "30", **APPROVED),
        lambda: world.answer(dice.choice(issued), "40", **PAID),
        lambda: pay(world, referral_id, f"p-{step}", dice.choice([2_000_000, 1_500_000])),
        lambda: withdraw(world, referral_id),
        lambda: operate.release(world.context, referral_id, who="法官甲", why="已核实", now=world.now),
        lambda: operate.uphold(world.context, referral_id, who="法官甲", why="报送有误", now=world.now),
    ]
    try:
        dice.choice(things)()
    except (XianjieError, IndexError, DeniedWithoutReason):
        return


# --- which moment ---


@pytest.fixture
def signing(world: World) -> World:
    object.__setattr__(world.context, "log_key", LogKey.generate(GATEWAY))
    return world


@pytest.fixture
def sign(signing: World, tmp_path: Path) -> Callable[[], int]:
    """What the sequencer does."""
    witness = WitnessFile(tmp_path / "state")

    def sign() -> int:
        world = signing
        lease = world.store.write(lambda c: leases.take(c, "sequencer", owner="one", now=world.now, length=LENGTH))
        assert lease is not None
        done = publish(world.context, witness, lease, now=world.now)
        return done.size if done else 0

    return sign


def test_a_time_stands_for_the_last_checkpoint_before_it(signing: World, sign: Callable[[], int]) -> None:
    world = signing
    world.hand_over()
    size, signed_at = sign(), world.now
    world.wait(60 * DAY)
    late = rerun(world.context, as_of=world.now, now=world.now)
    assert (late.known.size, late.known.at, late.as_of) == (size, signed_at, world.now)
    assert late.found
    world.answer(first(world), "40", **PAID)
    sign()
    early = rerun(world.context, as_of=signed_at + HOUR, now=world.now)
    assert (early.found, early.known) == ((), late.known)
    again = rerun(world.context, as_of=late.as_of - timedelta(seconds=1), now=world.now)
    assert {finding.key for finding in again.since.cured} <= {finding.key for finding in late.found}
    assert again.since.cured


def test_a_checkpoint_is_named_by_its_size_and_its_root_is_the_signed_one(
    signing: World, sign: Callable[[], int]
) -> None:
    signing.refer()
    size = sign()
    signing.refer(referral_id="r-2", person=another(1))
    sign()
    done = rerun(signing.context, size=size, now=signing.now)
    with signing.store.reading() as connection:
        hashes = log.hashes(connection)
        assert done.known.root == root_at(hashes, size).hex()
    assert moment(signing.context, size=size + 1) == done.known
    with as_known(signing.context, done.known) as past, past.store.reading() as connection:
        assert [row.referral_id for row in connection.execute(sa.select(t.referrals))] == ["r-1"]


def test_what_is_not_kept_is_not_guessed(signing: World, sign: Callable[[], int]) -> None:
    with pytest.raises(ConfigError, match="no checkpoint"):
        rerun(signing.context, as_of=signing.now, now=signing.now)
    signing.refer()
    sign()
    with pytest.raises(ConfigError, match="kept since"):
        rerun(signing.context, as_of=signing.now - DAY, now=signing.now)
    with pytest.raises(ConfigError, match="no such run"):
        rerun(signing.context, run_id="none", now=signing.now)


def test_the_past_is_only_read_and_leaves_nothing_behind(world: World) -> None:
    world.refer()
    with world.store.reading() as connection:
        known = history.here(connection, now=world.now)
    world.refer(referral_id="r-2", person=another(1))
    with as_known(world.context, known) as past:
        with past.store.reading() as connection:
            assert connection.scalar(sa.select(sa.func.count()).select_from(t.referrals)) == 1
        with pytest.raises(TypeError, match="only read"):
            past.store.write(history.marks)
    for _ in range(10):
        assert [row["referral_id"] for row in world.rows(t.referrals)] == ["r-1", "r-2"]


def test_a_row_changed_by_hand_shows_in_the_past_as_it_was(world: World) -> None:
    world.refer()
    with world.store.reading() as connection:
        known = history.here(connection, now=world.now)
    world.change(t.needs.update().values(paid_fen=7, state="assisted"))
    world.change(t.needs.update().values(paid_fen=8))
    with as_known(world.context, known) as past, past.store.reading() as connection:
        (need,) = connection.execute(sa.select(t.needs)).mappings()
    assert (need["state"], need["paid_fen"]) == ("accepted", None)
    assert len(world.rows(t.row_changes)) == 2


def test_a_holiday_notice_loaded_later_was_not_known(world: World) -> None:
    world.hand_over()
    with world.store.reading() as connection:
        known = history.here(connection, now=world.now)
    before = world.context.calendar.published_years
    load_notice(world.context, a_notice(max(before) + 1), who="管理员", why="国办通知", replace=False, now=world.now)
    assert world.context.calendar.published_years != before
    with as_known(world.context, known) as past:
        assert past.calendar.published_years == before


# --- whole runs ---


def the_runs(world: World) -> list[runs.ReconcileRun]:
    with world.store.reading() as connection:
        return runs.newest(connection, limit=10)


def test_a_whole_run_is_kept_and_found_again(world: World) -> None:
    world.hand_over()
    world.wait(90 * DAY)
    reconcile_all(world.context, now=world.now)
    world.answer(first(world), "40", **PAID)
    world.refer(referral_id="r-2", person=another(1))
    reconcile_all(world.context, now=world.now)
    _, run = the_runs(world)
    done = rerun(world.context, run_id=run.run_id, now=world.now)
    assert (done.same, done.proven, done.changed_rules, done.as_of) == (True, True, (), run.at)
    assert (sum(run.counts.values()), run.referrals) == (len(done.found), 1)
    assert done.found
    assert done.since.cured


def test_facts_that_are_not_those_of_the_log_are_told(world: World) -> None:
    world.refer()
    reconcile_all(world.context, now=world.now)
    world.refer(referral_id="r-2", person=another(1))
    (run,) = the_runs(world)
    later = {**run.known.marks, "inbox": run.known.marks["inbox"] + 1}
    assert cut_off(world.context, now=world.now).troubles == ()
    world.change(t.reconcile_runs.update().values(marks=json.dumps(later)))
    assert not rerun(world.context, run_id=run.run_id, now=world.now).proven
    (trouble,) = cut_off(world.context, now=world.now).troubles
    assert (trouble.table, trouble.ref, trouble.what) == ("reconcile_runs", run.run_id, What.ALTERED)
    world.change(t.reconcile_runs.delete())
    (trouble,) = cut_off(world.context, now=world.now).troubles
    assert (trouble.ref, trouble.what) == (run.run_id, What.MISSING)


def test_a_run_rests_on_a_leaf_that_names_what_it_found(world: World) -> None:
    world.refer()
    reconcile_all(world.context, now=world.now)
    (run,) = the_runs(world)
    decision = world.rows(t.decisions)[-1]
    assert (decision["what"], decision["subject"]) == ("reconciled", run.run_id)
    assert run.digest in decision["why"]
    assert run.known.root in decision["why"]


def test_what_comes_in_while_a_run_lasts_is_not_in_what_is_kept(world: World) -> None:
    world.hand_over()
    world.wait(90 * DAY)
    twin, came_in = world.twin(), threading.Event()

    def meanwhile(name: str) -> None:
        """Another process takes an answer just after this one's first commit."""
        if name == "store.committed" and not came_in.is_set():
            came_in.set()
            accept(world.answer_bytes(first(world), "40", **PAID), twin, now=world.now)

    arm(meanwhile)
    try:
        reconcile_all(world.context, now=world.now)
    finally:
        disarm()
        twin.store.close()
    (run,) = the_runs(world)
    done = rerun(world.context, run_id=run.run_id, now=world.now)
    assert done.same
    assert done.found
    assert done.since.cured


def test_rules_that_changed_since_are_named(world: World) -> None:
    world.refer()
    reconcile_all(world.context, now=world.now)
    (run,) = the_runs(world)
    older = {**rules_in_force(), "rules/coexistence": "0" * 64}
    world.change(t.reconcile_runs.update().values(rules=json.dumps(older)))
    assert rerun(world.context, run_id=run.run_id, now=world.now).changed_rules == ("rules/coexistence",)
