"""Statements as the console reads them: a part is a part, a name's findings are its own, the index is walked."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from gateway.domain.lifecycle import FindingState, StatementState
from gateway.domain.reconciliation.values import Finding
from gateway.store import finding_log, findings, statement_desk
from gateway.store import tables as t
from gateway.store.statement_desk import Asked, Part
from tests.flows.statement_world import a_line, send, state
from tests.gateway_world import CIVIL_AFFAIRS, World

PARTY = "cn/agency/civil_affairs.520102"
NEAR = Part(region="520102", offices=(CIVIL_AFFAIRS,), parties=(PARTY,))
FAR = Part(region="5203", offices=(), parties=())


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    made = World(database_url)
    yield made
    made.close()


def ids(world: World, asked: Asked, *, before: int | None = None, limit: int = 10) -> list[str]:
    with world.store.reading() as connection:
        found = statement_desk.listed(connection, asked, before=before, limit=limit)
    return [one.statement_id for one, _ in found]


def put(world: World, *subjects: str) -> None:
    """Open findings of statements, about these."""
    found = [
        Finding(
            code="MM_ROSTER", rule_id="x", referral_id=None, need_id=None, subject=one, evidence={}, must_act="operator"
        )
        for one in subjects
    ]
    pairs = [(one, "rules") for one in found]
    world.store.write(lambda connection: findings.open_now(connection, pairs, now=world.now, origin="statement"))


def test_the_newest_come_first_and_every_filter_narrows(world: World) -> None:
    for number in (1, 2, 3):
        send(world, [a_line(amount_fen=number)], statement_id=f"s-{number}", period_to=f"2026-0{number + 2}")
    state(world, [a_line()], statement_id="s-4", office=CIVIL_AFFAIRS)
    assert ids(world, Asked()) == ["s-4", "s-3", "s-2", "s-1"]
    assert ids(world, Asked(), limit=2) == ["s-4", "s-3"]
    assert ids(world, Asked(month="2026-05")) == ["s-3"]
    assert ids(world, Asked(party="cn/agency/none")) == []
    assert ids(world, Asked(state=StatementState.AWAITING_LINES)) == []
    assert ids(world, Asked(part=NEAR)) == ["s-4", "s-3", "s-2", "s-1"]
    assert ids(world, Asked(part=FAR)) == []


@pytest.mark.parametrize("own", ["s_1", "s%1", "S-1", "s-1"])
def test_findings_are_counted_for_the_very_name_and_what_follows_it(world: World, own: str) -> None:
    put(world, own, f"{own}|a", f"{own}|b", "sx1|a", f"{own}2", f"{own}2|a", f"{own}}}", "s-1@x|a", "S-1@x|a")
    with world.store.reading() as connection:
        found = statement_desk.doubts(connection, [own])
    assert found == {own: {("MM_ROSTER", FindingState.OPEN): 3}}


def test_findings_of_no_court_are_not_of_somebodys_courts(world: World) -> None:
    put(world, "s-1@p|a")
    with world.store.reading() as connection:
        assert statement_desk.doubts(connection, ["s-1@p"], ["cn/court/520100"]) == {"s-1@p": {}}


def test_bad_lines_go_on_behind_a_number(world: World) -> None:
    state(world, [a_line(status="GONE")] * 3)
    with world.store.reading() as connection:
        (one,) = statement_desk.named(connection, "s-1", Asked())
        found = [statement_desk.bad_lines(connection, one.row, after=after, limit=2) for after in (0, 2)]
        assert statement_desk.received(connection, [one]) == {one.row: world.now}
    assert [[line["line"] for line in page] for page in found] == [[1, 2], [3]]


def test_listing_and_counting_the_findings_of_one_statement_walk_their_index(sqlite_url: str) -> None:
    world = World(sqlite_url)
    put(world, "s-1@p|a")
    seen: list[str] = []
    with world.store.reading() as connection:

        def note(_c: object, _cursor: object, statement: str, parameters: object, *_more: object) -> None:
            if "findings.of_statement = " in statement and not statement.startswith("EXPLAIN"):
                plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
                seen.extend(str(row[3]) for row in plan)

        sa.event.listen(connection, "before_cursor_execute", note)
        statement_desk.doubts(connection, ["s-1@p"])
        for codes in ((), ("MM_ROSTER",), ("MM_ROSTER", "MM_AMOUNT")):
            finding_log.search(connection, finding_log.Asked(statement="s-1@p", codes=codes), after=(0, 0, 0))
        finding_log.counts(connection, finding_log.Asked(statement="s-1@p"))
    world.close()
    assert len(seen) >= 4
    assert [one for one in seen if "findings" in one and "ix_findings_statement" not in one] == []


def test_a_run_of_another_origin_finds_no_doubt_of_a_statement(world: World) -> None:
    found = Finding(
        code="SEQ_GAP", rule_id="x", referral_id=None, need_id=None, subject="s-1@p|a", evidence={}, must_act="operator"
    )
    world.store.write(lambda connection: findings.open_now(connection, [(found, "rules")], now=world.now))
    assert [row["of_statement"] for row in world.rows(t.findings)] == [None]
