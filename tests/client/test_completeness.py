"""A client's journal against a real gateway over HTTP: what is missing or changed on either side is named.

Rows are deleted and changed by SQL: in the gateway's database, and in the journal's own file.
"""

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from math import ceil, log2
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.client import Client, Reckoning
from gateway.client.completeness import Books, OverHttp, body_of, compare
from gateway.domain.agreement import Channel
from gateway.envelope.signing import VerifiedMessage
from gateway.errors import CommitmentContradicted, PartnerUnreachable, TrustError, UnknownMessageType
from gateway.evidence.completeness import Commitment, Direction, Numbered, PairTree, middle
from gateway.store import findings
from gateway.store import tables as t
from gateway.web.server import open_server
from gateway.web.site import create_site
from tests.client.test_with_gateway import Here, Road, a_referral, lost
from tests.gateway_world import COURT, GATEWAY, START, Partner, World

TO, FROM = Direction.TO_GATEWAY, Direction.FROM_GATEWAY
OTHER = sha256(b"other").hexdigest()
MAILBOX = "civil_affairs-520102"


on_both_engines = pytest.mark.parametrize("here", ["sqlite_url", "postgres_url"], indirect=True, ids=["sqlite", "pg"])
"""For rows of the gateway; rows of a journal are SQLite's anyway."""


@pytest.fixture
def here(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Here]:
    """As in `test_with_gateway`; civil affairs fetches what is for it."""
    logging.getLogger("waitress").setLevel(logging.CRITICAL)
    world = World(request.getfixturevalue(getattr(request, "param", "sqlite_url")))
    world.change_office(MAILBOX, channel=Channel.MAILBOX, url=None)
    road = Road(create_site(world.context, lambda: world.now, public_url=None).wsgi_app)
    server = open_server(road, host="127.0.0.1", port=0, threads=4)  # type: ignore[arg-type]
    thread = threading.Thread(target=_listen, args=(server,))
    thread.start()
    yield Here(world, road, f"http://127.0.0.1:{server.effective_port}", tmp_path)
    server.task_dispatcher.shutdown(timeout=5)
    for channel in list(server._map.values()):
        channel.close()
    thread.join(10)
    world.close()
    assert not thread.is_alive()


def _listen(server: Any) -> None:
    with suppress(OSError):  # its sockets are closed under it at the end
        server.asyncore.loop(timeout=0.05, map=server._map)


@dataclass(frozen=True, kw_only=True)
class Side:
    """One party at work: the court has sent four referrals, the office has fetched four handoffs."""

    here: Here
    client: Client
    partner: Partner
    name: str

    def commit(self) -> Reckoning:
        return self.client.commit(self.here.world.now)

    def journal(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """What anybody with the file can do."""
        with closing(sqlite3.connect(self.here.folder / f"{self.name}.sqlite")) as base, base:
            return base.execute(statement, values).fetchall()


@pytest.fixture
def court(here: Here) -> Side:
    client = here.client()
    assert len([*client.send_many(a_referral(number) for number in range(1, 5))]) == 4
    return Side(here=here, client=client, partner=here.world.court, name="journal")


@pytest.fixture
def office(here: Here, court: Side) -> Side:
    here.world.dispatch()
    partner = here.world.offices[MAILBOX].partner
    client = here.client(partner, name="office")
    for message in client.inbox():
        client.answer(message, "handoff.retrieved", {})
    return Side(here=here, client=client, partner=partner, name="office")


def named(found: Reckoning) -> list[tuple[str, int, str]]:
    return [(stream.direction.value, one.seq, one.kind.value) for stream in found.streams for one in stream.wrong]


def evidence(world: World) -> list[Mapping[str, Any]]:
    with world.store.reading() as connection:
        return [kept.finding.evidence for kept in findings.listed(connection, code="PAIR_MISMATCH")]


# --- proven ---


@on_both_engines
def test_both_streams_of_both_parties_are_proven_by_two_questions_each(here: Here, court: Side, office: Side) -> None:
    for side, proven in ((court, [4, 0]), (office, [4, 4])):
        before = here.road.requests
        found = side.client.compare(here.world.now)
        assert ([stream.proven for stream in found.streams], named(found)) == (proven, [])
        assert here.road.requests - before == 2


def test_a_commitment_is_a_message_with_a_receipt_and_is_proven_by_the_next(here: Here, court: Side) -> None:
    first, second = court.commit(), court.commit()
    assert (first.is_whole, second.is_whole) == (True, True)
    assert [found.streams[0].proven for found in (first, second)] == [4, 5]
    kept = {row["message_id"] for row in here.world.rows(t.inbox) if row["type"] == "commitment.submitted"}
    assert kept == {first.message_id, second.message_id}
    assert all(row["equal"] for row in here.world.rows(t.commitments))


def test_what_the_gateway_signed_is_kept(court: Side) -> None:
    found = court.commit()
    kept = court.journal("select source, recipient, high_water, root from commitments order by entry")
    assert kept[0] == (COURT, GATEWAY, 4, found.streams[0].theirs.root)
    assert kept[1][:3] == (GATEWAY, COURT, 0)


def test_it_is_told_in_words(court: Side) -> None:
    assert court.commit().sentences()[0] == "报送 to the gateway: 一致 proven 4 · 在途 not proven yet 0 · 有误 wrong 0"
    court.journal("delete from entries where seq = 2")
    (first, second, *_) = court.commit().sentences()
    assert "有误 wrong 1" in first
    assert second.startswith("报送 to the gateway №2 我方缺失 missing here: ")


# --- rows of the journal ---

SENT: list[tuple[str, tuple[Any, ...], str]] = [
    ("delete from entries where seq = ?", (), "missing_ours"),
    ("update entries set jws = jws || 'A' where seq = ?", (), "altered"),
    ("update entries set message_id = 'another' where seq = ?", (), "altered"),
    ("update entries set seq = seq + 50 where seq = ?", (), "missing_ours"),
    ("update entries set state = 'refused' where seq = ?", (), "missing_ours"),
]


@pytest.mark.parametrize(("statement", "values", "kind"), SENT, ids=range(len(SENT)))
@pytest.mark.parametrize("seq", [1, 3, 4])
def test_whatever_is_done_to_a_row_of_what_was_sent_names_it(
    here: Here, court: Side, statement: str, values: tuple[Any, ...], kind: str, seq: int
) -> None:
    ((message_id,),) = court.journal("select message_id from entries where seq = ?", seq)
    court.journal(statement, *values, seq)
    found = court.commit()
    assert ("to_gateway", seq, kind) in named(found)
    (told,) = (one for one in evidence(here.world) if one["seq"] == seq)
    assert (told["party"], told["direction"]) == (COURT, "to_gateway")
    assert message_id in told["message_id"]
    assert any(message_id in line and f"№{seq} " in line for line in found.sentences())


RECEIVED = [
    ("delete from received where seq = ?", "missing_ours"),
    ("update received set jws = jws || 'A' where seq = ?", "altered"),
    ("update received set digest = 'x' where seq = ?", "altered"),
    ("update received set message_id = 'another' where seq = ?", "altered"),
    ("update received set seq = null where seq = ?", "missing_ours"),
]


@pytest.mark.parametrize(("statement", "kind"), RECEIVED, ids=range(len(RECEIVED)))
@pytest.mark.parametrize("seq", [1, 4])
def test_whatever_is_done_to_a_row_of_what_was_received_names_it(
    here: Here, office: Side, statement: str, kind: str, seq: int
) -> None:
    ((message_id,),) = office.journal("select message_id from received where seq = ?", seq)
    office.journal(statement, seq)
    found = office.commit()
    assert named(found) == [("from_gateway", seq, kind)]
    (told,) = evidence(here.world)
    assert (told["party"], told["direction"], told["seq"]) == (office.partner.party_id, "from_gateway", seq)
    assert message_id in told["message_id"]


# --- rows of the gateway ---


def gateway_harms(table: sa.Table) -> list[Callable[[sa.ColumnElement[bool]], sa.Executable]]:
    return [
        lambda where: table.delete().where(where),
        lambda where: table.update().where(where).values(digest=OTHER),
        lambda where: table.update().where(where).values(message_id="another"),
        lambda where: table.update().where(where).values(message_id="two\nlines", digest="张三"),
    ]


@on_both_engines
@pytest.mark.parametrize("harm", range(4))
@pytest.mark.parametrize("seq", [1, 4])
def test_whatever_is_done_to_the_gateways_inbox_names_the_row(here: Here, court: Side, harm: int, seq: int) -> None:
    ((message_id,),) = court.journal("select message_id from entries where seq = ?", seq)
    where = sa.and_(t.inbox.c.source == COURT, t.inbox.c.seq == seq)
    here.world.change(gateway_harms(t.inbox)[harm](where))
    found = court.commit()
    assert named(found) == [("to_gateway", seq, "altered" if harm else "missing_theirs")]
    assert [(one["seq"], one["message_id"][0]) for one in evidence(here.world)] == [(seq, message_id)]


@on_both_engines
@pytest.mark.parametrize("harm", range(4))
@pytest.mark.parametrize("seq", [1, 4])
def test_whatever_is_done_to_the_gateways_outbox_names_the_row(here: Here, office: Side, harm: int, seq: int) -> None:
    ((message_id,),) = office.journal("select message_id from received where seq = ?", seq)
    where = sa.and_(t.outbox.c.recipient == office.partner.party_id, t.outbox.c.seq == seq)
    here.world.change(gateway_harms(t.outbox)[harm](where))
    found = office.commit()
    assert named(found) == [("from_gateway", seq, "altered" if harm else "missing_theirs")]
    assert [(one["seq"], one["message_id"][0]) for one in evidence(here.world)] == [(seq, message_id)]


# --- on its way ---


def test_what_waits_in_the_mailbox_is_on_its_way(here: Here, office: Side) -> None:
    [*here.client().send_many([a_referral(9)])]
    here.world.dispatch()
    found = office.commit()
    (one,) = found.streams[1].differences
    assert (one.seq, one.kind.value, one.theirs[0].state, found.is_whole) == (5, "in_transit", "available", True)
    assert [*office.client.inbox()]
    assert office.commit().streams[1].proven == 5


def test_a_message_whose_answer_was_lost_is_proven_by_the_comparison(here: Here, court: Side) -> None:
    here.road.faults = [lost]
    with pytest.raises(PartnerUnreachable):
        [*court.client.send_many([a_referral(5)])]
    found = court.commit()
    assert (named(found), found.streams[0].proven, found.streams[0].under_way) == ([], 5, ())


def test_a_message_that_never_reached_the_gateway_is_on_its_way_until_it_is_sent_again(here: Here, court: Side) -> None:
    elsewhere = here.client(url="http://127.0.0.1:9")
    with pytest.raises(PartnerUnreachable):
        [*elsewhere.send_many([a_referral(5)])]
    found = court.commit()
    assert [(one.seq, one.kind.value) for one in found.streams[0].differences] == [(5, "in_transit")]
    [*court.client.send_many([a_referral(5)])]
    assert court.commit().streams[0].proven == 6


def test_a_commitment_whose_answer_was_lost_is_sent_again_before_the_next(here: Here, court: Side) -> None:
    here.road.faults = [None, None, lost]
    with pytest.raises(PartnerUnreachable):
        court.commit()
    found = court.commit()
    assert (named(found), found.streams[0].proven) == ([], 5)
    assert court.journal("select state from entries where seq > 4") == [("accepted",)] * 2


def test_a_commitment_that_never_left_fills_its_number_before_the_next(here: Here, court: Side) -> None:
    body = body_of(court.client.compare(here.world.now))
    with pytest.raises(PartnerUnreachable):
        here.client(url="http://127.0.0.1:9").send("commitment.submitted", body, effect="commitment:1")
    assert here.numbers() == [1, 2, 3, 4]
    assert court.commit().streams[0].proven == 5
    assert here.numbers() == [1, 2, 3, 4, 5, 6]


# --- who is asked, and what is believed ---


def test_a_party_sees_its_own_pair_only(here: Here, court: Side, office: Side) -> None:
    neighbour = here.client(here.world.neighbour, name="neighbour")
    found = neighbour.compare(here.world.now)
    assert [(stream.theirs.source, stream.theirs.high_water) for stream in found.streams] == [
        (here.world.neighbour.party_id, 0),
        (GATEWAY, 0),
    ]


def test_an_auditor_commits_to_nothing(here: Here) -> None:
    with pytest.raises(Exception, match="Not allowed"):
        here.client(here.world.auditor, name="auditor").compare(here.world.now)


def test_a_gateway_that_does_not_know_commitments_says_so(here: Here, court: Side) -> None:
    with pytest.raises(UnknownMessageType):
        court.client.send("commitment.unheard_of", {}, effect="x")


def test_a_commitment_of_somebody_else_is_not_believed(here: Here, court: Side, tmp_path: Path) -> None:
    stranger = here.world.neighbour.key.public_key(not_before=START.replace(year=2020))
    misled = here.client(name="misled", gateway_keys=[stranger])
    with pytest.raises(TrustError):
        misled.compare(here.world.now)


def test_an_old_commitment_is_not_believed(here: Here, court: Side) -> None:
    late = here.client(clock=lambda: here.world.now.replace(year=2027))
    with pytest.raises(Exception, match=r"expired|proven"):
        late.compare(here.world.now)


# --- how many questions ---


@dataclass
class Shelf:
    """A gateway with one long stream; it shows rows of narrow ranges, as ours does, or hashes alone."""

    tree: PairTree
    rows: Mapping[int, Numbered]
    narrow: int
    asked: list[tuple[int, int]] = field(default_factory=list)

    def commitment(self, direction: Direction, size: int | None) -> bytes:
        return str(self.tree.high_water if size is None else size).encode()

    def range(self, direction: Direction, start: int, stop: int, *, under: Commitment) -> Mapping[str, Any]:
        self.asked.append((start, stop))
        if stop - start > self.narrow:
            at = middle(start, stop)
            return {"left": self.tree.over(start, at).hex(), "right": self.tree.over(at, stop).hex()}
        found = [self.rows[seq] for seq in range(start + 1, stop + 1) if seq in self.rows]
        return {
            "rows": [{"seq": r.seq, "message_id": r.message_id, "digest": r.digest, "state": r.state} for r in found]
        }

    def prove(self, raw: bytes) -> VerifiedMessage:
        size = int(raw)
        stream = {"source": COURT, "recipient": GATEWAY, "high_water": size, "count": self.tree.count(size)}
        data = {"cutoff": "2026-03-03T01:00:00Z", "streams": [{**stream, "root": self.tree.root(size).hex()}]}
        return _Signed(data)  # type: ignore[return-value]


class _Signed:
    """What a proven commitment looks like to who reads it."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.jws, self.envelope, self.type, self.data = "", self, "commitment.submitted", data


SIZE = 100_000


@pytest.fixture(scope="module")
def long_book() -> list[Numbered]:
    return [
        Numbered(seq=s, message_id=f"m-{s}", digest=sha256(str(s).encode()).hexdigest()) for s in range(1, SIZE + 1)
    ]


@pytest.mark.parametrize("narrow", [1, 256])
@pytest.mark.parametrize("missing", [1, 65_537, 77_777, SIZE])
def test_one_missing_message_among_a_hundred_thousand_is_found_by_few_questions(
    long_book: list[Numbered], narrow: int, missing: int
) -> None:
    theirs = {row.seq: row for row in long_book if row.seq != missing}
    shelf = Shelf(tree=PairTree(theirs.values(), at_least=SIZE), rows=theirs, narrow=narrow)
    held = {row.seq: row for row in long_book}
    books = Books(party_id=COURT, gateway=GATEWAY, rows=lambda _, seq: long_book if seq is None else [held[seq]])
    found = compare(TO, books, shelf, cutoff=START)
    assert [(one.seq, one.kind.value) for one in found.differences] == [(missing, "missing_theirs")]
    assert found.requests <= 2 * ceil(log2(SIZE)) + 2
    assert found.requests == len(shelf.asked) + 1 <= ceil(log2(SIZE)) + 2


def test_a_range_is_asked_under_the_commitment_it_belongs_to() -> None:
    asked: list[tuple[str, Mapping[str, Any]]] = []

    def get(path: str, query: Mapping[str, Any]) -> bytes:
        asked.append((path, query))
        return b"[]"

    gateway = OverHttp(get=get, prove=lambda raw: raw)  # type: ignore[arg-type, return-value]
    signed = PairTree([]).commitment(COURT, GATEWAY, cutoff=START, size=9)
    with pytest.raises(PartnerUnreachable):
        gateway.range(TO, 0, 9, under=signed)
    assert asked == [("/v1/pairs/to_gateway/range", {"lo": 0, "hi": 9, "size": 9, "root": signed.root})]


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"left": "x", "right": OTHER},
        {"left": OTHER, "right": OTHER},
        {"rows": [{"seq": 1}]},
        {"rows": [{"seq": "1", "message_id": "m", "digest": "d", "state": "s"}]},
        {"rows": [{"seq": 77, "message_id": "m", "digest": "d", "state": "s"}]},
    ],
    ids=str,
)
def test_an_answer_that_is_none_proves_nothing(long_book: list[Numbered], answer: Mapping[str, Any]) -> None:
    shelf = Shelf(tree=PairTree(long_book[:10]), rows={}, narrow=1)
    shelf.range = lambda *_, **__: answer  # type: ignore[method-assign]
    books = Books(party_id=COURT, gateway=GATEWAY, rows=lambda *_: long_book[:9])
    with pytest.raises(CommitmentContradicted):
        compare(TO, books, shelf, cutoff=START)
