"""对账承诺 `commit`: a court and an office learn from one command whether anything is missing, and which message."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import Result

from gateway.store import tables as t
from tests.cli.installed import COURT, Installed, a_row, ndjson, party_of


@pytest.fixture
def exchanged(installed: Installed) -> Iterator[Installed]:
    """Three referrals were sent, and what they led to was fetched by the women's federation."""
    with installed.serving():
        rows = [a_row(number, needs=[{"programme": "PSY"}]) for number in (1, 2, 3)]
        assert installed.send(ndjson(installed.folder / "rows.ndjson", *rows)).exit_code == 0
        assert installed.dispatch() == 3
        assert installed.inbox("--json").exit_code == 0
        yield installed


def commit(installed: Installed, *arguments: str, name: str = "court", **changes: str) -> Result:
    party = COURT if name == "court" else party_of(name)
    return installed.as_partner(name, party, "commit", *arguments, **changes)


def told(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def lose(installed: Installed, name: str, statement: str) -> None:
    with closing(sqlite3.connect(installed.folder / name / "journal.sqlite")) as base, base:
        assert base.execute(statement).rowcount == 1


def change(installed: Installed, statement: sa.Executable) -> None:
    with installed.context() as context:
        context.store.write(lambda connection: connection.execute(statement))


def test_where_nothing_is_missing_it_says_so_and_ends_well(exchanged: Installed) -> None:
    for name in ("court", "womens_federation"):
        result = commit(exchanged, name=name)
        assert (result.exit_code, "nothing is missing or changed" in result.stderr) == (0, True)


def test_a_machine_reads_roots_counts_and_the_commitment(exchanged: Installed) -> None:
    found = told(commit(exchanged, "--json", "--cutoff", "2026-03-31T23:59:59+08:00"))
    assert (found["whole"], found["cutoff"]) == (True, "2026-03-31T15:59:59+00:00")
    sent = found["streams"][0]
    assert (sent["direction"], sent["proven"], sent["differences"]) == ("to_gateway", 3, [])
    assert sent["ours"] == sent["gateway"]
    with exchanged.context() as context, context.store.reading() as connection:
        kept = connection.execute(sa.select(t.inbox.c.message_id).where(t.inbox.c.type == "commitment.submitted"))
        assert kept.scalars().all() == [found["message_id"]]


def test_only_comparing_sends_nothing(exchanged: Installed) -> None:
    assert told(commit(exchanged, "--json", "--check"))["message_id"] is None
    with exchanged.context() as context, context.store.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(t.commitments)).scalar() == 0


def test_a_row_lost_at_the_court_is_named_and_the_command_fails(exchanged: Installed) -> None:
    lose(exchanged, "court", "delete from entries where seq = 2")
    result = commit(exchanged)
    assert result.exit_code == 1
    assert "№2 我方缺失 missing here" in result.stderr


def test_a_row_lost_at_the_office_is_named(exchanged: Installed) -> None:
    lose(exchanged, "womens_federation", "delete from received where seq = 3")
    change(exchanged, t.outbox.update().values(state="retrieved"))
    (one,) = told(commit(exchanged, "--json", name="womens_federation"))["streams"][1]["differences"]
    assert (one["seq"], one["kind"], one["ours"]) == (3, "missing_ours", [])


def test_a_row_deleted_at_the_gateway_is_named_to_both(exchanged: Installed) -> None:
    change(exchanged, t.inbox.delete().where(t.inbox.c.seq == 1))
    result = commit(exchanged, "--json")
    (one,) = told(result)["streams"][0]["differences"]
    assert (result.exit_code, one["seq"], one["kind"]) == (1, 1, "missing_theirs")
    (finding,) = exchanged.json("findings", "--code", "PAIR_MISMATCH")
    evidence = finding["evidence"]
    assert (evidence["party"], evidence["seq"], evidence["kind"]) == (COURT, 1, "missing_at_gateway")
    assert evidence["message_id"] == [one["ours"][0]["message_id"]]


def test_the_cut_off_names_the_same_row_and_who_owes_a_commitment(exchanged: Installed) -> None:
    change(exchanged, t.inbox.delete().where(t.inbox.c.seq == 1))
    commit(exchanged)
    result = exchanged.run("cutoff")
    assert (result.exit_code, "missing_at_gateway" in result.stdout) == (1, True)
    assert f"overdue {party_of('womens_federation')} from_gateway: 从未承诺 never committed" in result.stderr
    pairs = {(one["party"], one["direction"]): one for one in exchanged.json("cutoff")["pairs"]}
    pair = pairs[COURT, "to_gateway"]
    assert (pair["state"], [row["seq"] for row in pair["rows"]]) == ("differs", [1])


def test_what_is_on_its_way_is_shown_and_is_no_failure(exchanged: Installed) -> None:
    lose(exchanged, "womens_federation", "delete from received where seq = 3")
    result = commit(exchanged, name="womens_federation")
    assert (result.exit_code, "在途 in transit" in result.stdout, "available" in result.stdout) == (0, True, True)


@pytest.mark.parametrize("moment", ["yesterday", "2026-03-31", "2026-03-31T23:59:59"])
def test_a_cut_off_is_a_moment_with_its_zone(exchanged: Installed, moment: str) -> None:
    assert commit(exchanged, "--cutoff", moment).exit_code == 2


def test_a_gateway_out_of_reach_is_worth_another_try(installed: Installed) -> None:
    assert commit(installed).exit_code == 3
