"""名册核对 Both engines find exactly what the definition says in plain Python, on anything that can be written down."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.bulk import duckdb_engine, spark_engine
from gateway.bulk.columns import EXPECTATION, LINE, Doubt
from gateway.bulk.definition import definition
from gateway.bulk.rules import RuleRows, rule_rows
from gateway.domain.coexistence import load_coexistence
from gateway.domain.programmes import load_programmes
from gateway.domain.reconciliation.explain import templates
from tests.bulk.reference import reconcile

RULES = RuleRows(exclusive=(("DST", "MLG", "CX03"), ("MLG", "DST", "CX03")), one_time=(("CAN2", "D07"),))
MARCH = 2026 * 12 + 2
Row = dict[str, Any]

maybe = st.none() | st.sampled_from(["p-1", "p-2", "p-3"])
expectation = st.fixed_dictionaries(
    {
        "person_key": maybe,
        "household_key": st.sampled_from([None, "h-1", "h-2"]),
        "agency": st.sampled_from(["civil_affairs", "disabled_persons"]),
        "programme": st.sampled_from(["MLG", "DST", "CAN2"]),
        "status": st.sampled_from(["PAID", "APPROVED", "ASKED", "REFUSED", "ENDED"]),
        "amount_fen": st.sampled_from([100, 200]),
    }
)
line = st.fixed_dictionaries(
    {
        "agency": st.sampled_from(["civil_affairs", "disabled_persons"]),
        "office_id": st.sampled_from(["o-1", "o-2"]),
        "need_id": st.sampled_from([None, "n-0", "n-1", "n-9"]),
        "person_key": maybe,
        "household_key": st.sampled_from([None, "h-1", "h-2"]),
        "account_key": st.sampled_from([None, "a-1", "a-2"]),
        "programme": st.sampled_from(["MLG", "DST", "CAN2"]),
        "status": st.sampled_from(["PAID", "PAID", "ACTIVE", "STOPPED", "RETURNED", "DECEASED"]),
        "amount_fen": st.sampled_from([100, 200]),
        "m_from": st.integers(MARCH, MARCH + 2),
        "span": st.integers(0, 1),
        "paid_on": st.sampled_from([20260310, 20260410]),
    }
)


def complete(expected: Sequence[Row], listed: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """With ids, in the order of the columns."""
    ours = [
        {
            "expectation_id": f"e-{at}",
            "referral_id": f"r-{at}",
            "need_id": f"n-{at}",
            "office_id": "o-1",
            "m_from": MARCH,
            "m_until": MARCH,
            **row,
        }
        for at, row in enumerate(expected)
    ]
    theirs = [
        {"statement_id": "s", "line": at, "m_until": row["m_from"] + row["span"], **row}
        for at, row in enumerate(listed, start=1)
    ]
    return ours, theirs


def write(folder: Path, ours: Sequence[Row], theirs: Sequence[Row]) -> tuple[Path, Path]:
    paths = folder / "ours.csv", folder / "theirs.csv"
    for path, columns, rows in ((paths[0], EXPECTATION, ours), (paths[1], LINE, theirs)):
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(columns)
            writer.writerows([["" if row[name] is None else row[name] for name in columns] for row in rows])
    return paths


def by_duckdb(folder: Path, ours: Sequence[Row], theirs: Sequence[Row]) -> list[Doubt]:
    expectations, lines = write(folder, ours, theirs)
    return list(duckdb_engine.reconcile([expectations], [lines], RULES, memory="500MB", spill=folder))


@settings(max_examples=60, deadline=None)
@given(st.lists(expectation, max_size=3), st.lists(line, max_size=7))
def test_the_embedded_engine_finds_what_the_definition_says(
    tmp_path_factory: pytest.TempPathFactory, expected: list[Row], listed: list[Row]
) -> None:
    ours, theirs = complete(expected, listed)
    found = by_duckdb(tmp_path_factory.mktemp("roster"), ours, theirs)
    assert set(found) == reconcile(ours, theirs, RULES)
    assert len(found) == len(set(found))


def a_roster(seed: int, size: int = 400) -> tuple[list[Row], list[Row]]:
    """A bigger one: every kind of doubt among many who agree."""
    rng = Random(seed)
    expected = [
        {
            "person_key": f"p-{at}" if rng.random() < 0.9 else None,
            "household_key": f"h-{at // 3}" if rng.random() < 0.5 else None,
            "agency": "civil_affairs",
            "programme": rng.choice(["MLG", "DST", "CAN2"]),
            "status": rng.choice(["PAID", "PAID", "PAID", "APPROVED", "ASKED", "REFUSED", "ENDED"]),
            "amount_fen": 100 * rng.randrange(1, 5),
        }
        for at in range(size)
    ]
    listed = []
    for at, row in enumerate(expected):
        for _ in range(rng.choice([0, 1, 1, 1, 2])):
            listed.append(
                {
                    "agency": "civil_affairs",
                    "office_id": rng.choice(["o-1", "o-1", "o-2"]),
                    "need_id": rng.choice([f"n-{at}", f"n-{at}", None, f"n-{size + at}"]),
                    "person_key": rng.choice([row["person_key"], row["person_key"], f"p-{rng.randrange(size)}", None]),
                    "household_key": rng.choice([row["household_key"], None]),
                    "account_key": rng.choice([None, f"a-{rng.randrange(size)}"]),
                    "programme": rng.choice([row["programme"], row["programme"], "MLG"]),
                    "status": rng.choice(["PAID"] * 6 + ["ACTIVE", "STOPPED", "RETURNED", "DECEASED"]),
                    "amount_fen": rng.choice([row["amount_fen"], row["amount_fen"], 700]),
                    "m_from": MARCH + rng.randrange(3),
                    "span": rng.randrange(2),
                    "paid_on": 20260310,
                }
            )
    return complete(expected, listed)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A local cluster of two."""
    pytest.importorskip("pyspark", reason="the extra `cluster` is not installed: make cluster")
    folder = tmp_path_factory.mktemp("spark")
    made = spark_engine.open_session(
        "local[2]",
        **{
            "spark.ui.enabled": "false",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.sql.shuffle.partitions": "2",
            "spark.sql.warehouse.dir": str(folder),
            "spark.local.dir": str(folder),
        },
    )
    made.sparkContext.setLogLevel("ERROR")
    yield made
    made.stop()


@pytest.mark.timeout(300)
def test_a_local_cluster_finds_the_very_same_in_the_very_same_order(session: Any, tmp_path: Path) -> None:
    ours, theirs = a_roster(1)
    expectations, lines = write(tmp_path, ours, theirs)
    embedded = list(duckdb_engine.reconcile([expectations], [lines], RULES, memory="500MB", spill=tmp_path))
    distributed = list(spark_engine.reconcile(session, [expectations], [lines], RULES))
    assert {one.code for one in embedded} == {code for code, _ in definition().doubts}
    assert set(embedded) == reconcile(ours, theirs, RULES)
    assert embedded == distributed


def test_rosters_may_come_in_several_files_of_either_kind(tmp_path: Path) -> None:
    import duckdb

    ours, theirs = a_roster(3, size=60)
    expectations, lines = write(tmp_path, ours, theirs)
    whole = list(duckdb_engine.reconcile([expectations], [lines], RULES, spill=tmp_path))
    half = len(theirs) // 2
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    _, first = write(tmp_path / "a", ours, theirs[:half])
    _, second = write(tmp_path / "b", ours, theirs[half:])
    columns = ", ".join(f"'{name}': '{kind}'" for name, kind in LINE.items())
    parquet = tmp_path / "second.parquet"
    duckdb.sql(
        f"COPY (SELECT * FROM read_csv('{second}', header=true, nullstr='', columns={{{columns}}})) TO '{parquet}'"
    )
    assert list(duckdb_engine.reconcile([expectations], [first, parquet], RULES, spill=tmp_path)) == whole


def test_every_code_of_the_definition_is_a_finding_that_can_be_told() -> None:
    assert {code for code, _ in definition().doubts} <= templates().keys()


def test_the_rules_come_from_the_tables() -> None:
    rules = rule_rows(load_programmes(), load_coexistence())
    assert ("DST", "MLG", "CX03") in rules.exclusive
    assert ("MLG", "DST", "CX03") in rules.exclusive
    assert rules.one_time == (("CAN2", "D07"),)


def test_an_honest_roster_raises_nothing(tmp_path: Path) -> None:
    expected = [
        {
            "person_key": f"p-{at}",
            "household_key": None,
            "agency": "civil_affairs",
            "programme": "MLG",
            "status": "PAID",
            "amount_fen": 100,
        }
        for at in range(50)
    ]
    listed = [
        {
            **{name: row[name] for name in ("agency", "person_key", "household_key", "programme", "amount_fen")},
            "office_id": "o-1",
            "need_id": f"n-{at}" if at % 2 else None,
            "account_key": f"a-{at}",
            "status": "PAID",
            "m_from": MARCH,
            "span": 0,
            "paid_on": 20260310,
        }
        for at, row in enumerate(expected)
    ]
    ours, theirs = complete(expected, listed)
    assert by_duckdb(tmp_path, ours, theirs) == []


def test_one_key_on_very_many_lines_stalls_nothing(tmp_path: Path) -> None:
    """A register that writes one placeholder for everybody without a number."""
    listed = [
        {
            **dict.fromkeys(("need_id", "household_key", "account_key")),
            "agency": "civil_affairs",
            "office_id": f"o-{at % 3}",
            "person_key": "p-0",
            "programme": ("MLG", "DST")[at % 2],
            "status": "PAID",
            "amount_fen": at,
            "m_from": MARCH + at // 6 % 6,
            "span": 0,
            "paid_on": 20260310,
        }
        for at in range(20_000)
    ]
    ours, theirs = complete([], listed)
    found = by_duckdb(tmp_path, ours, theirs)
    assert sorted(one.code for one in found) == ["DUP_EXCLUSIVE_PROGRAMMES", *["DUP_SAME_PROGRAMME_PERIOD"] * 2]
