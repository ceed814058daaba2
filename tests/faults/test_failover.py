"""主备切换 The primary is killed under load, its standby promoted: nothing a party has a receipt for is lost, nothing
is done twice, nobody gets a 500, and every process finds the new primary by itself.

The judge is who took part: the courts' journals, the agency's notebook, the answers a prober got over plain HTTP.
"""

import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from gateway.cli.demo_world import GATEWAY
from gateway.client import Client
from gateway.client.wire import Wire
from gateway.envelope.message import Envelope, new_id
from gateway.envelope.signing import MESSAGE_TYP, sign
from gateway.errors import PartnerUnreachable, StoreUnavailable
from tests.faults.cluster import Cluster, cluster, referral, rows_of, wait_for
from tests.postgres import running_pair

COURTS = ("cn/court/520100", "cn/court/520200", "cn/court/520300")
PROBER = "cn/court/520500"
EACH = 10_000
"""Numbers set aside for each court."""
BEFORE, AFTER = 60, 60
"""Receipts handed out before the kill and after the promotion."""
BEHAVIOUR = """
delivered_after = 0.2
disposition_after = 0.5
decision_after = 0.8
payment_after = 1.0
no_receipt = 0.02
"""


@dataclass
class Load:
    """Courts that send one referral after the other, to whichever node answers, and a prober beside them."""

    gateway: Cluster
    addresses: list[str]
    stopping: threading.Event = field(default_factory=threading.Event)
    receipts: dict[str, str] = field(default_factory=dict)
    """By referral, as the client returned them."""
    unknown: list[str] = field(default_factory=list)
    """Why attempts ended without an answer that proves anything."""
    failures: list[BaseException] = field(default_factory=list)
    probed: list[tuple[int, str | None, bytes]] = field(default_factory=list)
    """Status, Retry-After and body of each answer to one message, sent again and again."""

    def __post_init__(self) -> None:
        jobs = [(self._court, (at, court)) for at, court in enumerate(COURTS, start=1)] + [(self._probe, ())]
        self.threads = [threading.Thread(target=self._guarded, args=job) for job in jobs]
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        """After what each is at has been answered."""
        self.stopping.set()
        for thread in self.threads:
            thread.join(30)
            assert not thread.is_alive()

    def _guarded(self, job: Any, arguments: tuple[Any, ...]) -> None:
        try:
            job(*arguments)
        except BaseException as error:  # told by the test, in its own thread
            self.failures.append(error)

    def _court(self, at: int, court: str) -> None:
        clients = [self.gateway.client(court, url, journal=f"court-{at}") for url in self.addresses]
        for number in range(at * EACH, (at + 1) * EACH):
            if self.stopping.is_set():
                return
            self.receipts[f"r-{number}"] = self._until_answered(clients, number)

    def _until_answered(self, clients: list[Client], number: int) -> str:
        turn = number
        while True:
            try:
                return clients[turn % 2].send(**referral(number)).receipt
            except PartnerUnreachable as error:
                self.unknown.append(error.note)
                turn += 1
                self.stopping.wait(0.1)

    def _probe(self) -> None:
        said = referral(9)
        now = self.gateway.world.clock()
        envelope = Envelope(
            id=new_id(now),
            source=PROBER,
            type=said["type_"],
            time=now,
            recipient=GATEWAY,
            subject=said["subject"],
            seq=1,
            data=said["data"],
        )
        jws = sign(envelope.to_payload(), self.gateway.world.key(PROBER), MESSAGE_TYP)
        headers = {"Content-Type": "application/jose"}
        with requests.Session() as session:
            while not self.stopping.wait(0.05):
                for address in self.addresses:
                    answer = session.post(f"{address}/v1/messages", data=jws, headers=headers, timeout=30)
                    self.probed.append((answer.status_code, answer.headers.get("Retry-After"), answer.content))


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_killed_under_load_the_primary_takes_nothing_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running_pair() as pair, cluster(tmp_path, pair.new_database()) as gateway:
        addresses = [gateway.serve("serve-1"), gateway.serve("serve-2")]
        gateway.agency(addresses[0], behaviour=BEHAVIOUR)
        gateway.work("work")
        load = Load(gateway, addresses)
        wait_for(lambda: len(load.receipts) >= BEFORE)
        pair.kill_primary()
        wait_for(lambda: load.unknown and statuses(load) >= {503})
        promoted_at = len(load.receipts)
        pair.promote()
        wait_for(lambda: len(load.receipts) >= promoted_at + AFTER)
        load.stop()
        with suppress(AssertionError):  # what never comes is counted
            wait_for(lambda: at_agency(gateway).keys() >= {*load.receipts, "r-9"}, seconds=40)
        counts = four_counts(gateway, load)
        with capsys.disabled():
            print(f"\nfailover: {len(load.receipts)} receipts, " + " ".join(f"{k} {v}" for k, v in counts.items()))
        assert [counts[name] for name in ("lost", "unexpected", "duplicated")] == [0, 0, 0]
        assert counts["recovered"] > 0

        wait_for(lambda: outbox_states(gateway) == {"relayed"})
        assert load.failures == []
        assert statuses(load) == {200, 202, 503}
        assert all(again for status, again, _ in load.probed if status == 503)
        assert len({body for status, _, body in load.probed if status != 503}) == 1
        require_same_receipts_from_every_node(gateway, addresses)
        require_once_in_the_new_primary(gateway)
        require_no_surprise(gateway)


def statuses(load: Load) -> set[int]:
    return {status for status, _, _ in load.probed}


def at_agency(gateway: Cluster) -> dict[str, int]:
    """How many handoffs of each referral the agency wrote down."""
    return dict(gateway.notebook("SELECT referral, count(*) FROM handoffs GROUP BY referral"))


def outbox_states(gateway: Cluster) -> set[str]:
    return {row["state"] for row in gateway.rows("SELECT DISTINCT state FROM outbox")}


@dataclass(frozen=True)
class Journalled:
    """One message as its court's journal has it."""

    effect: str
    message_id: str
    jws: str
    state: str
    attempts: int
    receipt: str | None


def journalled(gateway: Cluster) -> Iterator[Journalled]:
    for at in range(1, len(COURTS) + 1):
        columns = "effect, message_id, jws, state, attempts, receipt"
        for row in rows_of(gateway.journal(f"court-{at}"), f"SELECT {columns} FROM entries ORDER BY entry"):
            yield Journalled(*row)


def four_counts(gateway: Cluster, load: Load) -> dict[str, int]:
    """Lost, unexpected, duplicated, recovered: of what courts hold receipts for, and what the agency has."""
    entries = list(journalled(gateway))
    tried = {entry.effect for entry in entries} | {"r-9"}
    promised = {entry.effect for entry in entries if entry.receipt} | {"r-9"}
    assert promised >= load.receipts.keys()
    there = at_agency(gateway)
    return {
        "lost": len(promised - there.keys()),
        "unexpected": len(there.keys() - tried),
        "duplicated": sum(count > 1 for count in there.values()),
        "recovered": sum(entry.attempts > 1 and entry.effect in there for entry in entries),
    }


def require_same_receipts_from_every_node(gateway: Cluster, addresses: list[str]) -> None:
    """Whoever asks again, of whichever node, gets the first receipt's very bytes."""
    kept = [entry for entry in journalled(gateway) if entry.receipt]
    body = "\n".join(entry.jws for entry in kept).encode()
    for address in addresses:
        wire = Wire(address, verify_tls=True, timeout=30)
        lines = wire.post_lines("/v1/messages/batch", body, "application/x-ndjson")
        assert [line.decode() for line in lines] == [entry.receipt for entry in kept]


def require_once_in_the_new_primary(gateway: Cluster) -> None:
    """Each message with a receipt has one row, and the log holds it once."""
    promised = {entry.message_id for entry in journalled(gateway) if entry.receipt}
    rows = [row["message_id"] for row in gateway.rows("SELECT message_id FROM inbox")]
    assert len(rows) == len(set(rows))
    assert promised <= set(rows)
    leaves = [row["ref"] for row in gateway.rows("SELECT ref FROM log_leaves WHERE kind = 'message'")]
    assert len(leaves) == len(set(leaves))
    assert promised <= set(leaves)
    question = "SELECT (SELECT size FROM log_head) AS size, count(*) AS n, max(leaf_index) AS last FROM log_leaves"
    (found,) = gateway.rows(question)
    assert found["size"] == found["n"] == found["last"] + 1


def require_no_surprise(gateway: Cluster) -> None:
    """Every process lives; none answered 500 or met an error it did not expect."""
    assert gateway.running.dead() == []
    for name in ("serve-1", "serve-2", "work"):
        lines = gateway.log(name)
        assert [line for line in lines if is_a_surprise(line)] == []
        assert {line["status"] for line in lines if line["event"] == "request"} <= {200, 202, 503}


def is_a_surprise(line: dict[str, Any]) -> bool:
    """An exception that is not the database being away."""
    return line.get("error_code") != StoreUnavailable.code and ("exceptions" in line or "failed" in line["event"])
