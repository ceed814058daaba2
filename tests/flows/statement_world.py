"""What the tests of statements share: a manifest and lines of civil affairs, sent, read and compared."""

import json
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from gateway.evidence.receipt import Receipt
from gateway.flows.statement_intake import Arrived, take
from gateway.flows.statement_read import LinesRead, read_waiting
from gateway.flows.statement_reconcile import reconcile_fresh
from gateway.store import findings
from gateway.store.findings import Kept
from tests.builders import an_id_number
from tests.gateway_world import CIVIL_AFFAIRS, World

DOCUMENT = "黔高法〔2022〕98号"


def a_line(**changes: Any) -> dict[str, Any]:
    """600 yuan of the minimum living guarantee for March, paid on the tenth, to the beneficiary of r-1."""
    line = {
        "need_id": "r-1:1",
        "id_type": "111",
        "id_number": an_id_number(),
        "name": "测试甲",
        "programme": "MLG",
        "status": "PAID",
        "amount_fen": 60_000,
        "paid_on": "2026-03-10",
        "month_from": "2026-03",
        "payee": "BENEFICIARY",
        "account": "6222020200012345678",
    }
    return {name: value for name, value in (line | changes).items() if value is not None}


def ndjson(lines: Sequence[Any]) -> bytes:
    """The file of a ledger."""
    return b"".join(json.dumps(one, ensure_ascii=False).encode() + b"\n" for one in lines)


def manifest(body: bytes, count: int, **changes: Any) -> dict[str, Any]:
    """What civil affairs in Nanming signs for March: complete, of persons referred."""
    data = {
        "statement_id": "s-1",
        "agreement_document": DOCUMENT,
        "agency": "civil_affairs",
        "period_from": "2026-03",
        "period_to": "2026-03",
        "covers": "PAID",
        "complete": True,
        "format": "NDJSON",
        "lines": count,
        "size": len(body),
        "sha256": sha256(body).hexdigest(),
    }
    return {name: value for name, value in (data | changes).items() if value is not None}


def submit(world: World, data: dict[str, Any], office_id: str = CIVIL_AFFAIRS) -> Receipt:
    """The manifest alone."""
    return world.accept(world.offices[office_id].partner.sign("statement.submitted", data, now=world.now))


def send(
    world: World, ledger: Sequence[Any], *, office_id: str = CIVIL_AFFAIRS, body: bytes | None = None, **changes: Any
) -> Arrived:
    """Manifest and file; not read yet."""
    raw = ndjson(ledger) if body is None else body
    data = manifest(raw, len(ledger), **changes)
    submit(world, data, office_id)
    party = world.offices[office_id].partner.party_id
    return take(world.context, party, data["statement_id"], 0, raw, now=world.now)


def state(world: World, ledger: Sequence[Any], **changes: Any) -> list[LinesRead]:
    """Sent, read and compared."""
    send(world, ledger, **changes)
    read = read_waiting(world.context, now=world.now)
    reconcile_fresh(world.context, now=world.now)
    return read


def found(world: World) -> list[Kept]:
    """The open findings that statements led to."""
    with world.store.reading() as connection:
        return [one for one in findings.listed(connection) if one.finding.evidence.get("statement")]


def codes(world: World) -> list[str]:
    """Their codes."""
    return sorted(one.finding.code for one in found(world))
