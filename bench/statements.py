"""对账单基准 A million needs against a million lines of a statement, in plain SQL, and how fast a ledger is read.

    python -m bench.statements [--needs N] [--lines N] [--persons] [--postgres URL]

Each measurement is a process of its own, so that its memory is its own. The floor are two plain joins of the same rows:
what the database itself needs to bring both sides together, either way.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa

from bench.table import Measured, show
from bench.world import memory_mib
from gateway.domain.agreement import Channel, Office, Party, PartyKind
from gateway.domain.statement import FIELDS, mark_of, text_of
from gateway.envelope.algorithms import Algorithm
from gateway.envelope.keyring import SigningKey
from gateway.flows.context import Context
from gateway.flows.statement_read import read_lines
from gateway.flows.statement_reconcile import reconcile
from gateway.sandbox.people import resident_id
from gateway.store import directory, statements
from gateway.store import tables as t
from gateway.store.clock import to_ms
from gateway.store.engine import Store
from gateway.store.migrate import migrate
from tests.gateway_world import AGREEMENT, GATEWAY, a_context

NOW = datetime(2026, 4, 2, 1, 0, tzinfo=UTC)
PAID = datetime(2026, 3, 10, 2, 0, tzinfo=UTC)
PARTY, OFFICE = "cn/agency/civil_affairs.520102", "civil_affairs-520102"
CHUNK = 20_000
WRONG_EVERY = 1000
"""One need in so many is absent from the statement, one has another amount, one was never told."""


def open_context(url: str) -> Context:
    """A gateway over the database, with one agency."""
    store = Store(url, answer_within=600)
    return a_context(store, SigningKey.generate(Algorithm.ED25519, GATEWAY))


def make(url: str, needs: int, *, persons: bool) -> None:
    """The rows as the gateway would have written them."""
    context = open_context(url)
    migrate(context.store)
    party = Party(party_id=PARTY, kind=PartyKind.AGENCY, name_zh="基准单位", region="520102")
    office = Office(office_id=OFFICE, party_id=PARTY, agency="civil_affairs", region="520102", channel=Channel.MAILBOX)
    context.store.write(lambda c: directory.add_party(c, party, now=NOW))
    context.store.write(lambda c: directory.put_office(c, office, now=NOW))
    context.store.write(lambda c: directory.load_agreement(c, AGREEMENT, programmes=context.programmes, now=NOW))
    context.store.write(lambda c: put_statement(c, needs, persons=persons))
    with context.store.engine.begin() as connection:
        for start in range(0, needs, CHUNK):
            _put_chunk(connection, range(start, min(start + CHUNK, needs)), persons=persons)
    with context.store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("ANALYZE"))
    context.store.close()


def put_statement(connection: sa.Connection, count: int, *, persons: bool) -> None:
    """The statement, its lines read."""
    row = statements.put(connection, manifest(count), matching=persons)
    read = {"kept": count, "bad": 0, "persons": persons, "accounts": persons, "keyed_under": None, "root": "0" * 64}
    connection.execute(
        t.statement_reads.insert().values(statement_row=row, read_at=to_ms(NOW), decision_id="d-1", **read)
    )


def manifest(count: int, statement_id: str = "s-1") -> dict[str, Any]:
    """As civil affairs signs it."""
    return {
        "statement_id": statement_id,
        "party": PARTY,
        "message_id": f"m-{statement_id}",
        "document": "黔高法〔2022〕98号",
        "agency": "civil_affairs",
        "period_from": "2026-03",
        "period_to": "2026-03",
        "covers": "PAID",
        "complete": True,
        "format": "NDJSON",
        "lines": count,
        "size": 0,
        "sha256": "0" * 64,
    }


def _put_chunk(connection: sa.Connection, numbers: range, *, persons: bool) -> None:
    made = [_rows(number, persons=persons) for number in numbers]
    for table, key in ((t.referrals, "referral"), (t.needs, "need"), (t.replies, "reply"), (t.statement_lines, "line")):
        rows = [one[key] for one in made if key in one]
        if rows:
            connection.execute(table.insert(), rows)
    if persons:
        keys = [
            {"key": one["referral"]["person_key"], "role": "beneficiary", "referral_id": one["referral"]["referral_id"]}
            for one in made
        ]
        connection.execute(t.identity_keys.insert(), keys)


def _rows(number: int, *, persons: bool) -> dict[str, dict[str, Any]]:
    referral_id, kind, at = f"01900000-{number:012d}", number % WRONG_EVERY, to_ms(PAID)
    person = f"{number * 2654435761 % 2**64:016x}" * 4 if persons else None
    told = kind != 3
    found: dict[str, dict[str, Any]] = {
        "referral": {
            "referral_id": referral_id,
            "court": "cn/court/520100",
            "document": "黔高法〔2022〕98号",
            "agreement_row": 1,
            "message_id": referral_id,
            "version": 1,
            "case_number": f"（2026）黔01司救执{number}号",
            "decision": "ASSIST",
            "decided_amount_fen": 2_000_000,
            "advance_fen": 0,
            "cap_exceeded_reason": False,
            "urgency": "NORMAL",
            "groups": "",
            "is_minor": False,
            "has_custody": False,
            "id_type": "111",
            "has_birth_date": True,
            "synthetic": True,
            "concluded_on": "2026-02-20",
            "accepted_at": at - 10**9,
            "needs_accepted": 1,
            "holds": "",
            "person_key": person,
        },
        "need": {
            "need_id": f"{referral_id}:1",
            "referral_id": referral_id,
            "court": "cn/court/520100",
            "programme": "TMP_E",
            "state": "assisted" if told else "under_review",
            "state_at": at,
            "priority": 1,
            "accepted_at": at - 10**9,
            "agency": "civil_affairs",
            "office_id": OFFICE,
            "handoff_id": referral_id,
            "step": 0,
            "issued_at": at - 10**8,
            "paid_at": at if told else None,
            "approved_fen": 60_000 if told else None,
            "paid_fen": 60_000 if told else None,
        },
    }
    if told:
        found["reply"] = {
            "reply_id": f"a-{number}",
            "message_id": f"a-{number}",
            "office": OFFICE,
            "referral_id": referral_id,
            "handoff_id": referral_id,
            "need_id": f"{referral_id}:1",
            "code": "PAID",
            "raw_code": "40",
            "at": at,
            "recorded_at": at,
            "applied": True,
            "has_text": False,
            "programme": "TMP_E",
            "amount_fen": 60_000,
        }
    if kind != 1:
        line = dict.fromkeys(FIELDS) | {
            "line": number + 1,
            "need_id": f"{referral_id}:1",
            "programme": "TMP_E",
            "status": "PAID",
            "amount_fen": 70_000 if kind == 2 else 60_000,
            "paid_on": "2026-03-10",
            "office_id": OFFICE,
            "person_key": person,
            "person_matches": True,
            "account_key": None if person is None else person[:32],
        }
        found["line"] = {"statement_row": 1, **line, "mark": mark_of(text_of(line))}
    return found


def measure_join(url: str) -> dict[str, Any]:
    """The floor: which amounts differ, and which needs have no line; nothing else is asked and nothing is written."""
    context = open_context(url)
    n, line = t.needs.c, t.statement_lines.c
    joined = t.statement_lines.join(t.needs, n.need_id == line.need_id)
    differing = sa.select(sa.func.count()).select_from(joined)
    differing = differing.where(line.statement_row == 1, line.amount_fen != n.paid_fen)
    listed = sa.exists().where(line.statement_row == 1, line.need_id == n.need_id)
    absent = sa.select(sa.func.count()).select_from(t.needs).where(~listed)
    with context.store.reading() as connection:
        began = time.perf_counter()
        found = int(connection.scalar(differing) or 0) + int(connection.scalar(absent) or 0)
        took = time.perf_counter() - began
    context.store.close()
    return {"seconds": took, "found": found}


def measure_reconcile(url: str) -> dict[str, Any]:
    """Both ways, findings written; then once more, which changes nothing."""
    context = open_context(url)
    with context.store.reading() as connection:
        (statement,) = statements.in_force(connection)
    began = time.perf_counter()
    changes = reconcile(context, statement, now=NOW)
    took = time.perf_counter() - began
    again = reconcile(context, statement, now=NOW)
    context.store.close()
    return {"seconds": took, "found": changes.opened, "changed_again": again.opened + again.closed}


def measure_import(url: str, path: str, count: int) -> dict[str, Any]:
    """A ledger from disk into rows."""
    context = open_context(url)
    row = context.store.write(lambda c: statements.put(c, manifest(count, "s-2"), matching=True))
    with context.store.reading() as connection:
        statement = statements.find(connection, PARTY, "s-2")
    assert statement is not None
    assert statement.row == row

    def chunks() -> Iterator[bytes]:
        with Path(path).open("rb") as stream:
            while chunk := stream.read(2**20):
                yield chunk

    began = time.perf_counter()
    done = read_lines(context, statement, chunks, now=NOW)
    took = time.perf_counter() - began
    context.store.close()
    return {"seconds": took, "found": done.kept, "bad": done.bad}


def write_ledger(path: Path, count: int) -> None:
    """A ledger of a roster: people by number, an account each."""
    birth = datetime(1950, 1, 1, tzinfo=UTC).date()
    with path.open("w", encoding="utf-8") as stream:
        for number in range(count):
            person = resident_id(birth + timedelta(days=number // 999), number % 999)
            line = {"id_type": "111", "id_number": person, "name": "测试甲", "programme": "MLG", "status": "PAID"}
            money = {"amount_fen": 60_000, "paid_on": "2026-03-10", "month_from": "2026-03", "account": str(number)}
            stream.write(json.dumps({**line, **money}, ensure_ascii=False) + "\n")


def apart(*arguments: str) -> dict[str, Any]:
    """One measurement in a process of its own; its highest memory in MiB comes along."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.statements", *arguments], check=True, capture_output=True, text=True
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Everything, or one measurement for `apart`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--needs", type=int, default=1_000_000)
    parser.add_argument("--lines", type=int, default=200_000)
    parser.add_argument("--persons", action="store_true")
    parser.add_argument("--postgres")
    parser.add_argument("--one", nargs="*")
    asked = parser.parse_args()
    if asked.one:
        name, url, *rest = asked.one
        work = {"join": measure_join, "reconcile": measure_reconcile, "import": measure_import}[name]
        found = work(url, *([rest[0], int(rest[1])] if rest else []))  # type: ignore[operator]
        found["mib"] = memory_mib(os.getpid())[1]
        print(json.dumps(found))
        return
    with TemporaryDirectory() as folder:
        url = asked.postgres or f"sqlite:///{folder}/bench.sqlite"
        began = time.perf_counter()
        make(url, asked.needs, persons=asked.persons)
        print(f"{asked.needs:,} needs and lines made in {time.perf_counter() - began:.0f} s")
        join, whole, last = (apart("--one", name, url) for name in ("join", "reconcile", "join"))
        join["seconds"] = (join["seconds"] + last["seconds"]) / 2
        ratio = whole["seconds"] / join["seconds"]
        show(
            f"{asked.needs:,} needs × {asked.needs:,} lines",
            [
                Measured(
                    what="plain joins, both ways (floor)",
                    value=join["seconds"],
                    unit="s",
                    note=f"{join['mib']:.0f} MiB",
                ),
                Measured(
                    what="reconciled both ways, findings written",
                    value=whole["seconds"],
                    unit="s",
                    ratio=ratio,
                    against="floor",
                    note=f"{whole['mib']:.0f} MiB, {whole['found']:,} findings, again {whole['changed_again']}",
                ),
            ],
        )
        ledger = Path(folder) / "ledger.ndjson"
        write_ledger(ledger, asked.lines)
        read = apart("--one", "import", url, str(ledger), str(asked.lines))
        rate = asked.lines / read["seconds"]
        show(
            f"a ledger of {asked.lines:,} lines, {ledger.stat().st_size / 2**20:.0f} MiB",
            [
                Measured(
                    what="read into rows", value=rate, unit="lines/s", note=f"{read['mib']:.0f} MiB, {read['bad']} bad"
                )
            ],
        )


if __name__ == "__main__":
    main()
