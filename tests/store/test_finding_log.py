"""对账日志 A page of findings follows from indexes, on both engines, and paging through loses and repeats nothing."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.domain.lifecycle import FindingState
from gateway.domain.person import SpecificGroup
from gateway.store import finding_days, finding_log, findings
from gateway.store import tables as t
from gateway.store.clock import to_ms
from gateway.store.engine import Store
from gateway.store.finding_days import Part
from gateway.store.finding_log import Asked, Order
from tests.store.test_findings import a_finding

NOW = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)
COURTS = ("cn/court/520100", "cn/court/520300", "cn/court/520400", "cn/court/520500")
EVERY = tuple(FindingState)
GROUPS = ("", "WOMAN", "MINOR WOMAN", "DISABLED", "DISABLED ELDERLY WOMAN", "MINOR", "", "DISABLED WOMAN")
"""Of the eight referrals' people."""
ASKED = [
    Asked(),
    Asked(states=EVERY),
    Asked(codes=("DUP_PAYMENT",)),
    Asked(codes=("DUP_PAYMENT", "MM_AMOUNT")),
    Asked(courts=(COURTS[0],)),
    Asked(courts=COURTS),
    Asked(courts=(COURTS[1],), codes=("MM_AMOUNT",)),
    Asked(office="office-1"),
    Asked(must_act="office-2"),
    Asked(must_act="operator"),
    Asked(assigned_to="somebody", states=EVERY),
    Asked(referral_id="r-3", states=EVERY),
    Asked(statement="s-1@p"),
    Asked(statement="s-1@p", states=EVERY, codes=("MM_AMOUNT",)),
    Asked(group=SpecificGroup.MINOR),
    Asked(group=SpecificGroup.DISABLED, states=EVERY),
    Asked(group=SpecificGroup.WOMAN, codes=("MM_AMOUNT",), courts=COURTS[:2], states=EVERY),
    Asked(group=SpecificGroup.WOMAN, office="office-0"),
    Asked(due_before=NOW),
    Asked(due_from=NOW, due_before=NOW + timedelta(days=2)),
]


@pytest.fixture
def log(store: Store) -> Iterator[Store]:
    """Forty findings about eight referrals of four courts."""
    store.write(_fill)
    yield store


def _fill(connection: sa.Connection) -> None:
    referrals = [_referral(at) for at in range(8)]
    needs = [_need(at) for at in range(8)]
    connection.execute(t.referrals.insert(), referrals)
    connection.execute(t.needs.insert(), needs)
    made = [
        a_finding(
            "DUP_PAYMENT" if at % 3 else "MM_AMOUNT",
            f"r-{at % 8}",
            need_id=f"r-{at % 8}:1",
            subject=str(at) if at < 28 else f"s-1@p|{at}",
            stake_fen=at % 5,
            must_act=("operator", "office-1", "office-2")[at % 3],
            due_at=None if at % 4 == 0 else NOW + timedelta(days=at % 7 - 3),
        )
        for at in range(40)
    ]
    findings.open_now(connection, [(one, "v1") for one in made[:28]], now=NOW)
    findings.open_now(connection, [(one, "v1") for one in made[28:]], now=NOW, origin=findings.STATEMENT)
    f = t.findings
    states = {"assigned": (5, 11, 17), "decided": (6, 12), "closed": (7, 13, 19)}
    for state, subjects in states.items():
        changed = f.update().where(f.c.subject.in_([str(at) for at in subjects])).values(state=state)
        connection.execute(changed)
    connection.execute(f.update().where(f.c.state == "assigned").values(assigned_to="somebody", assigned_due_at=5))
    connection.execute(f.update().where(f.c.state == "closed").values(closed_at=to_ms(NOW + timedelta(1))))


def _referral(at: int) -> dict[str, Any]:
    return {
        "referral_id": f"r-{at}",
        "court": COURTS[at % 4],
        "document": "d",
        "agreement_row": 1,
        "version": 1,
        "message_id": f"m-{at}",
        "case_number": "x",
        "decision": "ASSIST",
        "decided_amount_fen": 1,
        "advance_fen": 0,
        "cap_exceeded_reason": False,
        "urgency": "NORMAL",
        "holds": "",
        "needs_accepted": 1,
        "groups": GROUPS[at],
        "is_minor": at in (2, 5),
        "has_custody": False,
        "id_type": "111",
        "has_birth_date": True,
        "synthetic": True,
        "concluded_on": "2026-01-01",
        "accepted_at": at,
    }


def _need(at: int) -> dict[str, Any]:
    return {
        "need_id": f"r-{at}:1",
        "referral_id": f"r-{at}",
        "court": COURTS[at % 4],
        "programme": "MLG",
        "step": 0,
        "state": "in_progress",
        "state_at": 1,
        "priority": 1,
        "accepted_at": at,
        "office_id": f"office-{at % 2}",
    }


def keys(store: Store, asked: Asked, length: int) -> list[str]:
    """All pages of this length, one after another."""
    found: list[str] = []
    after = None
    with store.reading() as connection:
        while True:
            page = finding_log.search(connection, asked, after=after, length=length)
            found += [one.key for one in page.findings]
            if page.next is None:
                return found
            after = page.next


def fitting(store: Store, asked: Asked) -> set[str]:
    """What is asked, told row by row from the findings, the referrals and the needs themselves."""
    with store.reading() as connection:
        of = {row.referral_id: row for row in connection.execute(sa.select(t.referrals))}
        offices = {row.need_id: row.office_id for row in connection.execute(sa.select(t.needs))}
        rows = connection.execute(sa.select(t.findings)).all()
    found = set()
    for row in rows:
        due = row.due_at if row.assigned_due_at is None else row.assigned_due_at
        if (
            row.state in asked.states
            and row.code in (asked.codes or (row.code,))
            and of[row.referral_id].court in (asked.courts or COURTS)
            and asked.referral_id in (None, row.referral_id)
            and asked.statement in (None, row.subject.partition("|")[0] if row.origin == "statement" else "")
            and asked.office in (None, row.must_act, offices[row.need_id])
            and asked.must_act in (None, row.must_act)
            and asked.assigned_to in (None, row.assigned_to)
            and (asked.group is None or asked.group in of[row.referral_id].groups.split())
            and (asked.due_from is None or (due is not None and due >= to_ms(asked.due_from)))
            and (asked.due_before is None or (due is not None and due < to_ms(asked.due_before)))
        ):
            found.add(row.key)
    return found


@pytest.mark.parametrize("order", list(Order))
def test_pages_lose_and_repeat_nothing_whatever_is_asked(log: Store, order: Order) -> None:
    for asked in ASKED:
        assert set(keys(log, replace(asked, order=order), 3)) == fitting(log, asked)
        whole = keys(log, replace(asked, order=order), 1000)
        assert keys(log, replace(asked, order=order), 3) == whole
        assert len(set(whole)) == len(whole)
        assert sorted(whole) == sorted(keys(log, asked, 1000))
        assert whole or asked.due_from


def test_each_order_is_the_order_it_says(log: Store) -> None:
    with log.reading() as connection:
        found = {order: finding_log.search(connection, Asked(order=order), length=100).findings for order in Order}
    stakes = [one.kept.finding.stake_fen for one in found[Order.STAKE]]
    assert stakes == sorted(stakes, reverse=True)
    minors = [one.is_minor for one in found[Order.MINORS]]
    assert minors == sorted(minors, reverse=True)
    assert True in minors
    dues = [one.kept.assigned_due_at or one.kept.finding.due_at for one in found[Order.DUE]]
    told = [due for due in dues if due is not None]
    assert (told, dues[: len(told)]) == (sorted(told), told)


def test_counts_are_those_of_the_pages(log: Store) -> None:
    with log.reading() as connection:
        for asked in [one for one in ASKED if one.group is None and one.due_before is None]:
            whole = replace(asked, codes=())
            listed = [one.kept.finding.code for one in finding_log.search(connection, whole, length=1000).findings]
            assert finding_log.counts(connection, asked) == {code: listed.count(code) for code in sorted(set(listed))}


def test_an_office_is_asked_by_what_it_must_do_and_by_its_needs(log: Store) -> None:
    with log.reading() as connection:
        found = finding_log.search(connection, Asked(office="office-1", states=EVERY), length=100).findings
    assert {(one.kept.finding.must_act == "office-1", one.kept.finding.need_id) for one in found} >= {
        (True, "r-4:1"),
        (False, "r-1:1"),
    }
    theirs = [one for one in found if one.kept.finding.must_act != "office-1"]
    assert {one.kept.finding.need_id for one in theirs} == {"r-1:1", "r-3:1", "r-5:1", "r-7:1"}


def test_a_need_that_goes_to_another_office_takes_its_findings_along(log: Store) -> None:
    moved = t.needs.update().where(t.needs.c.need_id == "r-1:1").values(office_id="office-9")
    asked = Asked(office="office-9", states=EVERY)
    assert keys(log, asked, 3) == []
    log.write(lambda connection: connection.execute(moved))
    found = keys(log, asked, 3)
    assert {key.split("|")[1] for key in found} == {"r-1"}
    assert set(found) == fitting(log, asked)
    assert set(keys(log, replace(asked, office="office-1"), 3)) == fitting(log, replace(asked, office="office-1"))


@pytest.mark.parametrize("narrow", [Asked(referral_id="r-1"), Asked(statement="s-1@p"), Asked(courts=COURTS[:2])])
def test_an_office_is_asked_beside_whatever_else_is(log: Store, narrow: Asked) -> None:
    whole = replace(narrow, states=EVERY)
    with log.reading() as connection:
        every = finding_log.search(connection, whole, length=100).findings
        found = finding_log.search(connection, replace(whole, office="office-1"), length=100).findings
    theirs = {"r-1:1", "r-3:1", "r-5:1", "r-7:1"}
    mine = [one for one in every if one.kept.finding.must_act == "office-1" or one.kept.finding.need_id in theirs]
    assert found == tuple(mine)


def test_what_no_index_orders_is_looked_for_in_stretches_until_it_is_found(
    log: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Asked(courts=COURTS, group=SpecificGroup.MINOR, order=Order.STAKE)
    whole = keys(log, asked, 1000)
    monkeypatch.setattr(finding_log, "STRETCH", 8)
    with log.reading() as connection:
        pages = [finding_log.search(connection, asked, length=3)]
        while (after := pages[-1].next) is not None:
            pages.append(finding_log.search(connection, asked, after=after, length=3))
    assert any(page.goes_on for page in pages)
    assert keys(log, asked, 3) == whole


def test_no_page_reads_all_findings(log: Store) -> None:
    """On SQLite, which tells its plan: every walk seeks in an index."""
    if log.engine.dialect.name != "sqlite":
        return
    plans: list[str] = []
    with log.reading() as connection:
        asked = [replace(one, order=order) for one in ASKED for order in Order]
        for stream in [stream for one in asked for stream in finding_log._streams(one)]:
            statement = stream.entries((0, 0, 0), 51)
            text = str(statement.compile(log.engine, compile_kwargs={"literal_binds": True}))
            plans += [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")]
    assert [plan for plan in plans if plan.startswith("SCAN findings")] == []


def test_what_was_open_and_what_came_and_went_adds_up_code_by_code(log: Store) -> None:
    before, later = NOW - timedelta(days=1), NOW + timedelta(days=2)
    with log.reading() as connection:
        days = finding_days.compare(connection, before, later, None)
        assert all(one.then + one.opened - one.closed == one.later for one in days)
        assert {one.code: (one.then, one.opened, one.closed, one.cured) for one in days} == {
            "DUP_PAYMENT": (0, 26, 3, 3),
            "MM_AMOUNT": (0, 14, 0, 0),
        }
        mine = finding_days.compare(connection, before, later, (COURTS[0],))
        region = finding_days.compare(connection, before, later, COURTS)
        assert (sum(one.opened for one in mine), sum(one.opened for one in region)) == (10, 40)
        closed, older = finding_days.listed(connection, Part.CLOSED, "DUP_PAYMENT", before, later, None)
        assert ([one.kept.finding.subject for one in closed], older) == (["7", "13", "19"], None)
        assert finding_days.doubtful(connection, before, None) == 0


def test_a_finding_that_was_closed_and_is_open_again_is_told_apart(log: Store) -> None:
    def come_back(connection: sa.Connection) -> None:
        row = connection.execute(sa.select(t.findings).where(t.findings.c.subject == "7")).mappings().one()
        again = a_finding(
            row["code"], row["referral_id"], need_id=row["need_id"], subject="7", stake_fen=2, must_act=row["must_act"]
        )
        cured = t.findings.update().where(t.findings.c.subject == "7").values(closed_because="cured")
        connection.execute(cured)
        findings.open_now(connection, [(again, "v1")], now=NOW + timedelta(days=4))

    log.write(come_back)
    with log.reading() as connection:
        days = finding_days.compare(connection, NOW + timedelta(days=3), NOW + timedelta(days=5), None)
        assert {one.code: one.again for one in days} == {"DUP_PAYMENT": 1, "MM_AMOUNT": 0}
        assert finding_days.doubtful(connection, NOW + timedelta(days=3), None) == 1
