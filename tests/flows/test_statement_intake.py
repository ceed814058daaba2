"""A statement's file: in pieces, whole or not at all, line by line, resumed after a kill, and nobody's number kept."""

from base64 import b64decode
from collections.abc import Iterator
from hashlib import sha256
from io import BytesIO
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.domain.lifecycle import StatementState
from gateway.errors import RuleBlocked, SchemaInvalid, StatementDiffers, StatementMisplaced, StatementUnknown
from gateway.flows.cutoff import cut_off
from gateway.flows.statement_intake import look, take
from gateway.flows.statement_read import read_lines, read_waiting
from gateway.store import statements
from gateway.store import tables as t
from gateway.store.vault import SEALED
from gateway.workbook.statement_columns import COLUMNS, SHEET
from gateway.workbook.writing import Sheet, write_workbook
from gateway.worker import Worker
from tests.builders import an_id_number
from tests.flows.statement_world import a_line, manifest, ndjson, send, state, submit
from tests.gateway_world import CIVIL_AFFAIRS, World

PARTY = "cn/agency/civil_affairs.520102"


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    made = World(database_url)
    yield made
    made.close()


@pytest.fixture
def small(sqlite_url: str) -> Iterator[World]:
    made = World(sqlite_url)
    yield made
    made.close()


def lines(world: World) -> list[dict[str, Any]]:
    return world.rows(t.statement_lines)


def unnamed(count: int, **changes: Any) -> list[dict[str, Any]]:
    """Lines about people the gateway may or may not know."""
    return [
        a_line(need_id=None, id_number=an_id_number(serial=number % 99), account=str(number), **changes)
        for number in range(count)
    ]


def test_a_file_comes_in_pieces_and_a_piece_twice_changes_nothing(world: World) -> None:
    body = ndjson(unnamed(3))
    submit(world, manifest(body, 3))
    first = take(world.context, PARTY, "s-1", 0, body[:100], now=world.now)
    assert (first.received, first.state) == (100, StatementState.AWAITING_LINES)
    assert take(world.context, PARTY, "s-1", 0, body[:100], now=world.now).received == 100
    with pytest.raises(StatementMisplaced):
        take(world.context, PARTY, "s-1", 200, body[200:], now=world.now)
    last = take(world.context, PARTY, "s-1", 100, body[100:], now=world.now)
    assert (last.received, last.state) == (len(body), StatementState.RECEIVED)
    assert [one.kept for one in read_waiting(world.context, now=world.now)] == [3]
    assert world.rows(t.statement_parts) == []


def test_another_file_than_the_signed_one_is_refused_whole(world: World) -> None:
    body = ndjson(unnamed(3))
    submit(world, manifest(body, 3))
    wrong = body.replace(b"60000", b"60001")
    with pytest.raises(StatementDiffers):
        take(world.context, PARTY, "s-1", 0, wrong, now=world.now)
    assert (world.rows(t.statement_parts), lines(world)) == ([], [])
    assert look(world.context, PARTY, "s-1")[1].refused_because == "sha256"
    assert take(world.context, PARTY, "s-1", 0, body, now=world.now).state is StatementState.RECEIVED


def test_more_bytes_than_were_signed_are_refused(small: World) -> None:
    body = ndjson(unnamed(1))
    submit(small, manifest(body, 1))
    with pytest.raises(StatementDiffers):
        take(small.context, PARTY, "s-1", 0, body + b"\n", now=small.now)


def test_a_stranger_gets_the_answer_of_nobody(small: World) -> None:
    submit(small, manifest(b"", 0))
    with pytest.raises(StatementUnknown):
        look(small.context, "cn/agency/womens_federation.520102", "s-1")


def test_lines_may_come_inline(world: World) -> None:
    body = ndjson(unnamed(2))
    receipt = submit(world, manifest(body, 2, inline=body.decode()))
    assert receipt.answer == {"statement_id": "s-1", "state": "received"}
    assert [one.kept for one in read_waiting(world.context, now=world.now)] == [2]


def test_what_is_inline_must_be_what_is_signed_for(small: World) -> None:
    body = ndjson(unnamed(2))
    with pytest.raises(SchemaInvalid):
        submit(small, manifest(body, 2, inline=body.decode(), sha256="0" * 64))


@pytest.mark.parametrize(
    "changes",
    [
        {"agency": "womens_federation"},
        {"office": "civil_affairs-520103"},
        {"region": "520103"},
        {"period_to": "2026-02"},
        {"programmes": ["NONE"]},
        {"size": 2**39},
    ],
)
def test_a_manifest_of_what_is_not_its_own_is_refused(small: World, changes: dict[str, Any]) -> None:
    with pytest.raises(SchemaInvalid):
        submit(small, manifest(b"", 0, **changes))


def test_a_second_statement_of_the_same_months_names_the_one_it_replaces(world: World) -> None:
    submit(world, manifest(b"", 0))
    with pytest.raises(RuleBlocked) as refused:
        submit(world, manifest(b"", 0, statement_id="s-2"))
    assert [problem.code for problem in refused.value.problems] == ["statement_exists"]
    submit(world, manifest(b"", 0, statement_id="s-2", replaces="s-1"))
    with pytest.raises(RuleBlocked) as refused:
        submit(world, manifest(b"", 0, statement_id="s-3", replaces="s-1"))
    assert [problem.code for problem in refused.value.problems] == ["statement_cannot_replace"]


def test_every_bad_line_is_named_and_sinks_no_other(world: World) -> None:
    good = unnamed(1)[0]
    ledger: list[Any] = [
        good,
        good | {"status": "GONE"},
        good | {"amount_fen": -1},
        good | {"programme": "500"},
        good | {"programme": "XXX"},
        good | {"need_id": "r-9:1"},
        good | {"paid_on": "2026-05-10"},
        good | {"id_number": "123"},
        good | {"unknown": 1},
        {key: value for key, value in good.items() if key != "id_number"},
        good | {"office": "civil_affairs-520103"},
    ]
    body = ndjson(ledger) + b'{"status":\n[]\n'
    state(world, [0] * 13, body=body)
    statement, seen = look(world.context, PARTY, "s-1")
    with world.store.reading() as connection:
        bad = statements.bad_lines(connection, statement.row, limit=100)
    assert (seen.kept, seen.bad) == (13, 12)
    assert [(one["line"], one["code"], one["pointer"]) for one in bad] == [
        (2, "unknown_code", "/status"),
        (3, "out_of_range", "/amount_fen"),
        (4, "code_ambiguous", "/programme"),
        (5, "unknown_code", "/programme"),
        (6, "reference_unknown", "/need_id"),
        (7, "outside_period", "/paid_on"),
        (8, "id_unusable", "/id_number"),
        (9, "unknown_field", "/unknown"),
        (10, "reference_missing", "/need_id"),
        (11, "outside_statement", "/office"),
        (12, "malformed_json", ""),
        (13, "not_object", ""),
    ]


HEADING = "需求编号,姓名,证件号码,项目,状态,金额（元）,发放日期,所属月起,账号"
GOOD = f"r-1:1,测试甲,{an_id_number()},110,已发放,600.00,2026-03-10,202603,622202"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_ledger_in_csv_is_read_in_the_encodings_offices_use(small: World, encoding: str) -> None:
    small.hand_over()
    state(small, [0], body=f"{HEADING}\r\n{GOOD}\r\n".encode(encoding), format="CSV")
    (row,) = lines(small)
    assert (row["need_id"], row["programme"], row["amount_fen"], row["month_from"], row["problem"]) == (
        "r-1:1",
        "MLG",
        60_000,
        "2026-03",
        None,
    )
    assert row["person_matches"] == 1


def test_hostile_csv_costs_its_own_lines_only(small: World) -> None:
    small.hand_over()
    body = "\n".join(
        [
            HEADING,
            GOOD,
            GOOD.replace("测试甲", "=cmd|' /C calc'!A0"),
            GOOD.replace("测试甲", '"never closed'),
            GOOD.replace("测试甲", "a\0b"),
            GOOD + ",one,too,many",
            "x" * 70_000,
            GOOD.replace("600.00", "六百"),
            "",
            GOOD.replace("测试甲", '"甲,乙"'),
        ]
    )
    state(small, [0] * 8, body=body.encode(), format="CSV")
    assert [(row["line"], row["problem"]) for row in lines(small)] == [
        (2, None),
        (3, "formula_not_value"),
        (4, "malformed_line"),
        (5, "control_character"),
        (6, "too_many"),
        (7, "too_large"),
        (8, "pattern"),
        (10, None),
    ]


def test_a_file_that_is_no_ledger_waits_for_another(small: World) -> None:
    send(small, [], body=b"a,b,c\n1,2,3\n", format="CSV")
    assert read_waiting(small.context, now=small.now) == []
    seen = look(small.context, PARTY, "s-1")[1]
    assert (seen.state, seen.refused_because) == (StatementState.AWAITING_LINES, "file_unreadable")


def test_a_filled_workbook_is_read(small: World) -> None:
    small.hand_over()
    cells = {"need_id": "r-1:1", "status": "已发放", "amount_yuan": "600", "paid_on": "2026/3/10", "payee": "本人"}
    made = BytesIO()
    columns = [(key, f"{zh}\n{english}") for key, zh, english, _ in COLUMNS]
    write_workbook(made, [Sheet(title=SHEET, columns=columns, rows=[cells, cells | {"paid_on": "never"}])])
    state(small, [0, 0], body=made.getvalue(), format="XLSX")
    assert [(row["line"], row["amount_fen"], row["paid_on"], row["problem"]) for row in lines(small)] == [
        (3, 60_000, "2026-03-10", None),
        (4, 60_000, None, "not_a_day"),
    ]


def test_a_handoff_is_named_where_the_need_is_not(small: World) -> None:
    handoff = small.hand_over()
    line = a_line(need_id=None, handoff_id=handoff.envelope.data["xj_handoff"])
    state(small, [line])
    assert [row["need_id"] for row in lines(small)] == ["r-1:1"]


class _Killed(Exception):
    pass


def test_a_reading_that_was_cut_off_goes_on_at_the_last_commit(world: World) -> None:
    send(world, unnamed(35))
    statement, _ = look(world.context, PARTY, "s-1")

    def die(seen: statements.Progress) -> None:
        if seen.position == 20:
            raise _Killed

    def chunks() -> Iterator[bytes]:
        return statements.pieces(world.store, statement)

    with pytest.raises(_Killed):
        read_lines(world.context, statement, chunks, now=world.now, told=die, at_once=10)
    assert len(lines(world)) == 20
    assert [one.kept for one in read_waiting(world.context, now=world.now)] == [35]
    assert [row["line"] for row in lines(world)] == list(range(1, 36))
    assert len(world.rows(t.statement_batches)) == 3
    assert cut_off(world.context, now=world.now).wrong == 0


def test_pieces_are_sealed_and_no_number_or_name_stands_in_any_row(world: World) -> None:
    send(world, unnamed(2))
    (part,) = world.rows(t.statement_parts)
    assert part["body"].startswith(SEALED)
    assert b"529999" not in b64decode(part["body"].removeprefix(SEALED))
    read_waiting(world.context, now=world.now)
    kept = "".join(
        str(world.rows(table)) for table in t.metadata.sorted_tables if table.name.startswith(("statement", "decision"))
    )
    assert "529999" not in kept
    assert "测试甲" not in kept
    assert "6222" not in kept


def test_the_leaf_of_the_log_names_the_file_and_the_lines(small: World) -> None:
    body = ndjson(unnamed(2))
    state(small, unnamed(2))
    (decision,) = [row for row in small.rows(t.decisions) if row["what"] == "statement_read"]
    assert decision["subject"] == f"{PARTY} s-1"
    assert decision["why"].startswith(f"sha256 {sha256(body).hexdigest()} lines 2 bad 0 root ")
    assert [row["why"] for row in small.rows(t.decisions) if row["what"] == "matching_used"] == [
        "P06 黔高法〔2022〕98号 statement"
    ]


_L = t.statement_lines.c


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (t.statement_lines.delete().where(_L.line == 2), ("statement_lines", "s-1:2")),
        (t.statement_lines.update().where(_L.line == 3).values(amount_fen=1), ("statement_lines", "s-1:3")),
        (t.statement_lines.update().where(_L.line == 1).values(person_key=None), ("statement_lines", "s-1:1")),
        (t.statements.update().values(complete=False), ("statements", None)),
        (t.statement_reads.delete(), ("statement_reads", f"{PARTY} s-1")),
        (t.statement_batches.delete(), ("statement_batches", "s-1")),
        (
            t.statement_lines.insert().values(statement_row=1, line=9, mark="0", status="PAID"),
            ("statement_lines", "1:9"),
        ),
    ],
)
def test_a_cut_off_names_what_somebody_changed(
    small: World, change: sa.Executable, named: tuple[str, str | None]
) -> None:
    state(small, unnamed(4))
    assert cut_off(small.context, now=small.now).wrong == 0
    small.change(change)
    troubles = {(one.table, one.ref) for one in cut_off(small.context, now=small.now).troubles}
    assert any(table == named[0] and named[1] in (None, ref) for table, ref in troubles), troubles


def test_a_row_changed_together_with_its_mark_is_named_by_its_batch(small: World) -> None:
    state(small, unnamed(4))
    small.change(t.statement_lines.delete().where(_L.line == 4))
    small.change(t.statement_lines.update().where(_L.line == 2).values(line=4))
    troubles = {(one.table, one.ref) for one in cut_off(small.context, now=small.now).troubles}
    assert ("statement_lines", "s-1:4") in troubles


def test_an_office_of_another_party_gives_no_need(small: World) -> None:
    small.hand_over()
    line = a_line(programme="LSD")
    state(small, [line], office_id="disabled_persons-520102", agency="disabled_persons")
    assert [row["problem"] for row in lines(small)] == ["reference_unknown"]
    assert CIVIL_AFFAIRS not in {row["office_id"] for row in lines(small)}


def test_the_worker_reads_and_compares_what_has_come(small: World) -> None:
    small.hand_over()
    send(small, [a_line()])
    worker = Worker(small.context, small.courier().push, lambda: small.now, "w-1")
    assert worker.statements() == 1
    assert "MM_ROSTER" in small.open_codes()
    assert worker.statements() == 0
