"""The analytical engines find in a statement what plain SQL finds, to the letter."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from gateway.bulk.columns import EXPECTATION, LINE
from gateway.domain.agreement import Channel
from gateway.flows.statement_engines import DUCKDB, SPARK, SQL, Analytical, compare, engine_named
from gateway.flows.statement_export import export_expectations, export_lines
from gateway.flows.statement_read import read_waiting
from gateway.flows.statement_reconcile import Engine, scope_of
from gateway.store import statements
from gateway.store import tables as t
from tests.builders import an_id_number
from tests.flows.statement_world import a_line, send
from tests.gateway_world import DISABLED_PERSONS, World

OTHER = "civil_affairs-520103"


@pytest.fixture
def world(sqlite_url: str) -> Iterator[World]:
    made = World(sqlite_url)
    made.add_office("civil_affairs", Channel.MAILBOX, "520103")
    yield made
    made.close()


def numbered(number: int, **changes: Any) -> dict[str, Any]:
    """A referral of another person and case."""
    person = {
        "name": "测试乙",
        "id_type": "111",
        "id_number": an_id_number(serial=number),
        "sex": "2",
        "birth_date": "1986-01-01",
        "household_registration_region": "520102",
        "residence": "测试路2号",
    }
    case = f"（2026）黔01司救执{number}号"
    group = f"（2025）黔0102民初{number}号"
    return {
        "referral_id": f"r-{number}",
        "case_number": case,
        "original_case_group": group,
        "person": person,
        **changes,
    }


def told(world: World, number: int, programme: str = "MLG", *, paid: bool = True) -> None:
    handoff = world.hand_over(**numbered(number, needs=[{"programme": programme}]))
    months = {"abaf0028": "202603", "abaf0029": "202612"} if programme == "MLG" else {}
    world.answer(handoff, "30", xj_amount="600.00", **months)
    if paid:
        world.answer(handoff, "40", xj_amount="600.00")


def line(number: int, **changes: Any) -> dict[str, Any]:
    own = {"need_id": f"r-{number}:1", "id_number": an_id_number(serial=number), "account": str(number)}
    return a_line(**{**own, **changes})


def a_province(world: World) -> None:
    """Every kind of doubt that a statement leads to, and honest lines beside them."""
    for number in (1, 2, 3, 4):
        told(world, number)
    told(world, 5, "TMP_E")
    told(world, 6, "TMP_E", paid=False)
    world.hand_over(**numbered(7))
    world.hand_over(**numbered(8))
    send(
        world,
        [
            line(1),
            line(2, amount_fen=61_000),
            line(3, id_number=an_id_number(serial=33)),
            line(5, programme="TMP_E", amount_fen=50_000, month_from=None),
            line(6, programme="TMP_E", amount_fen=60_000, month_from=None),
            line(7),
            line(8, need_id=None),
            line(20, need_id=None),
            line(20, need_id=None, paid_on="2026-03-11"),
            line(21, need_id=None, account="shared"),
            line(22, need_id=None, account="shared"),
            line(23, need_id=None),
            line(24, need_id=None, programme="DST"),
            line(25, need_id=None),
        ],
    )
    send(world, [line(23, need_id=None, account="x"), line(1, need_id=None)], office_id=OTHER)
    dead = line(25, need_id=None, programme="LSD", status="DECEASED", amount_fen=None, month_from=None)
    ledger = [line(24, need_id=None, programme="LSD", account="y"), dead | {"paid_on": "2026-01-02"}]
    agency = {"agency": "disabled_persons", "period_from": "2026-01"}
    send(world, ledger, office_id=DISABLED_PERSONS, **agency)


def found_by(world: World, engine: str) -> list[tuple[Any, ...]]:
    """What all statements lead to, from an empty file of findings."""
    world.change(t.findings.delete())
    with world.store.reading() as connection:
        every = statements.in_force(connection)
    for statement in every:
        compare(world.context, statement, engine, now=world.now)
    return sorted(
        tuple(row[name] for name in ("key", "evidence", "stake_fen", "must_act", "code"))
        for row in world.rows(t.findings)
    )


@pytest.fixture
def read(world: World) -> World:
    a_province(world)
    read_waiting(world.context, now=world.now)
    return world


def test_duckdb_finds_what_plain_sql_finds(read: World) -> None:
    plain = found_by(read, SQL)
    assert {row[4] for row in plain} == {
        "MISS_ABSENT_FROM_STATEMENT",
        "MM_AMOUNT",
        "MM_PERSON",
        "MM_ROSTER",
        "DUP_PAYMENT",
        "DUP_SAME_PROGRAMME_PERIOD",
        "DUP_EXCLUSIVE_PROGRAMMES",
        "SHARED_ACCOUNT",
        "PAID_DECEASED",
    }
    assert found_by(read, DUCKDB) == plain


def test_a_large_roster_takes_the_analytical_engine_by_itself(read: World) -> None:
    with read.store.reading() as connection:
        statement = statements.in_force(connection)[0]
    assert type(engine_named(read.context, statement, "auto")) is Engine
    small = replace(read.context, roster_lines=10)
    assert type(engine_named(small, statement, "auto")) is Analytical


def test_the_exported_files_have_the_engines_columns_and_no_number(read: World, tmp_path: Any) -> None:
    with read.store.reading() as connection:
        statement = statements.in_force(connection)[0]
        scope = scope_of(connection, read.context, statement, now=read.now)
        assert scope is not None
        assert export_lines(connection, [statement], tmp_path / "lines.csv") == 14
        assert export_expectations(connection, scope, tmp_path / "expectations.csv") == 8
    lines, expectations = ((tmp_path / f"{name}.csv").read_text() for name in ("lines", "expectations"))
    assert lines.splitlines()[0].split(",") == list(LINE)
    assert expectations.splitlines()[0].split(",") == list(EXPECTATION)
    assert "529999" not in lines + expectations


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_spark_finds_what_plain_sql_finds(world: World) -> None:
    pytest.importorskip("pyspark", reason="the extra `cluster` is not installed: make cluster")
    told(world, 1)
    told(world, 2)
    world.hand_over(**numbered(7))
    ledger = [
        line(1, amount_fen=61_000),
        line(7),
        line(21, need_id=None, account="s"),
        line(22, need_id=None, account="s"),
    ]
    send(world, ledger)
    read_waiting(world.context, now=world.now)
    plain = found_by(world, SQL)
    assert {row[4] for row in plain} == {"MISS_ABSENT_FROM_STATEMENT", "MM_AMOUNT", "MM_ROSTER", "SHARED_ACCOUNT"}
    assert found_by(world, SPARK) == plain
