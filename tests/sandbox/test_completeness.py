"""A simulated agency commits to its notebook: whatever happens to a row on either side is named, and nothing is lost.

The gateway is whole, behind its web application; rows are deleted and changed by SQL on both sides.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from gateway.client.completeness import Reckoning
from gateway.domain.agreement import Channel
from gateway.flows import deliver as flows_deliver
from gateway.flows.completeness import PairState, pairs_status
from gateway.sandbox.agency import Agency
from gateway.sandbox.agency_config import AgencyConfig, Desk, gateway_keyring, read_config
from gateway.sandbox.behaviour import Behaviour
from gateway.sandbox.notebook import Notebook
from gateway.sandbox.postman import Postman
from gateway.store import findings
from gateway.store import tables as t
from gateway.transport.answer import Answer
from gateway.web.site import create_site
from tests.gateway_world import CIVIL_AFFAIRS, GATEWAY, WOMENS_FEDERATION, World
from tests.pair_world import a_referral
from tests.sandbox.test_agency_process import write_config

HERE = "http://gateway.example"
OTHER = "f" * 64


@dataclass
class Wire:
    """The gateway's addresses, answered in this process. down: nothing answers a POST any more."""

    client: FlaskClient
    down: bool = False

    def post(self, url: str, body: bytes, content_type: str) -> tuple[int, bytes]:
        if self.down:
            raise ConnectionError("down")
        answer = self.client.post(urlsplit(url).path, data=body, content_type=content_type)
        return answer.status_code, answer.get_data()

    def get(self, url: str, token: str, *, timeout: float) -> tuple[int, bytes]:
        answer = self.client.get(url.removeprefix(HERE), headers={"Authorization": f"Bearer {token}"})
        return answer.status_code, answer.get_data()


@dataclass
class Play:
    """A gateway and one simulated agency that has got three handoffs and said everything about them."""

    world: World
    agency: Agency
    wire: Wire
    notebook: Path
    party_id: str

    @property
    def postman(self) -> Postman:
        return self.agency.postman(self.wire)

    def commit(self) -> Reckoning:
        (found,) = self.postman.commit()
        return found

    def change(self, statement: str) -> None:
        with sqlite3.connect(self.notebook) as base:
            assert base.execute(statement).rowcount == 1
        base.close()

    def evidence(self) -> list[Mapping[str, Any]]:
        with self.world.store.reading() as connection:
            return [kept.finding.evidence for kept in findings.listed(connection, code="PAIR_MISMATCH")]

    def states(self) -> set[PairState]:
        with self.world.store.reading() as connection:
            return {one.state for one in pairs_status(connection) if one.party_id == self.party_id}


def a_play(url: str, folder: Path, office_id: str = CIVIL_AFFAIRS, **behaviour: Any) -> Play:
    world = World(url)
    agency, channel = office_id.partition("-")[0], world.context.snapshot(world.now).offices[office_id].channel
    partner = world.offices[office_id].partner
    config = AgencyConfig(
        agency=agency,
        gateway=GATEWAY,
        gateway_url=HERE,
        keyring=gateway_keyring([world.context.key.public_jwk()], GATEWAY),
        desks={partner.party_id: Desk(key=partner.key, channel=channel)},
        behaviour=Behaviour(**behaviour),
        notebook=folder / "notebook.sqlite",
    )
    made = Agency.of(config, lambda: world.now)
    site = create_site(world.context, lambda: world.now, public_url=HERE)
    play = Play(world, made, Wire(site.test_client()), folder / "notebook.sqlite", partner.party_id)
    programme = "PSY" if channel is Channel.MAILBOX else "MLG"
    for number in (1, 2, 3):
        body = {**a_referral(number), "needs": [{"programme": programme, "note": "测试"}]}
        world.accept(world.court.sign("referral.submitted", body, now=world.now))
    world.dispatch()
    deliver(play, office_id)
    return play


def deliver(play: Play, office_id: str = CIVIL_AFFAIRS) -> None:
    world = play.world

    def push(_: str, body: bytes, content_type: str, headers: Mapping[str, str]) -> Answer:
        answer = play.agency.reception.push(headers, body, content_type)
        return Answer(status=answer.status, body=answer.body, content_type=answer.content_type)

    courier = replace(world.courier(), push=push)
    while flows_deliver.deliver(world.context, office_id, courier).sent:
        world.wait(timedelta(seconds=1))
    play.postman.empty_mailboxes(wait=0)
    for _ in range(8):
        world.wait(timedelta(minutes=1))
        play.postman.send_due()


@pytest.fixture
def play(sqlite_url: str, tmp_path: Path) -> Iterator[Play]:
    made = a_play(sqlite_url, tmp_path)
    yield made
    made.agency.notebook.close()
    made.world.close()


def named(found: Reckoning) -> list[tuple[str, int, str]]:
    return [(stream.direction.value, one.seq, one.kind.value) for stream in found.streams for one in stream.wrong]


# --- whole ---


@pytest.mark.parametrize("office_id", [CIVIL_AFFAIRS, WOMENS_FEDERATION])
def test_an_agency_and_the_gateway_hold_the_same(sqlite_url: str, tmp_path: Path, office_id: str) -> None:
    play = a_play(sqlite_url, tmp_path, office_id)
    found = play.commit()
    to, from_ = (stream.proven for stream in found.streams)
    assert (named(found), found.is_whole, from_) == ([], True, 3)
    assert to >= 9
    assert (play.states(), play.evidence()) == ({PairState.PROVEN}, [])
    play.agency.notebook.close()
    play.world.close()


def test_a_commitment_is_numbered_among_the_replies(play: Play) -> None:
    first, second = play.commit(), play.commit()
    assert second.streams[0].ours.high_water == first.streams[0].ours.high_water + 1
    kept = [row for row in play.world.rows(t.inbox) if row["type"] == "commitment.submitted"]
    assert [row["message_id"] for row in kept] == [first.message_id, second.message_id]


# --- rows of the notebook ---

NOTEBOOK = [
    ("delete from received where seq = 2", ("from_gateway", 2, "missing_ours")),
    (f"update received set digest = '{OTHER}' where seq = 2", ("from_gateway", 2, "altered")),
    ("update received set message_id = 'another' where seq = 2", ("from_gateway", 2, "altered")),
    ("update received set seq = null where seq = 3", ("from_gateway", 3, "missing_ours")),
    ("delete from replies where seq = 5", ("to_gateway", 5, "missing_ours")),
    ("update replies set jws = jws || 'A' where seq = 5", ("to_gateway", 5, "altered")),
    ("update replies set message_id = 'another' where seq = 5", ("to_gateway", 5, "altered")),
    ("update replies set done = 'refused' where seq = 5", ("to_gateway", 5, "missing_ours")),
    ("update replies set seq = 6 where seq = 5", ("to_gateway", 5, "missing_ours")),
]


@pytest.mark.parametrize(("statement", "expected"), NOTEBOOK, ids=range(len(NOTEBOOK)))
def test_whatever_is_done_to_a_row_of_the_notebook_names_it(
    play: Play, statement: str, expected: tuple[str, int, str]
) -> None:
    direction, seq, _ = expected
    table = t.outbox if direction == "from_gateway" else t.inbox
    owner = table.c.recipient if direction == "from_gateway" else table.c.source
    (row,) = (row for row in play.world.rows(table) if row[owner.name] == play.party_id and row["seq"] == seq)
    play.change(statement)
    found = play.commit()
    assert expected in named(found)
    (told,) = (one for one in play.evidence() if one["seq"] == seq)
    assert (told["party"], told["direction"]) == (play.party_id, direction)
    assert row["message_id"] in told["message_id"]
    assert PairState.DIFFERS in play.states()


def test_a_commitment_that_was_struck_out_is_named_too(play: Play) -> None:
    first = play.commit()
    play.change("delete from commitments")
    found = play.commit()
    assert named(found) == [("to_gateway", first.streams[0].ours.high_water + 1, "missing_ours")]


# --- rows of the gateway ---


@pytest.mark.parametrize("harm", [lambda table: table.delete(), lambda table: table.update().values(digest=OTHER)])
def test_whatever_is_done_to_a_row_of_the_gateway_names_it(play: Play, harm: Callable[[sa.Table], Any]) -> None:
    sent = sa.and_(t.outbox.c.recipient == play.party_id, t.outbox.c.seq == 1)
    got = sa.and_(t.inbox.c.source == play.party_id, t.inbox.c.seq == 4)
    play.world.change(harm(t.outbox).where(sent))
    play.world.change(harm(t.inbox).where(got))
    assert {(direction, seq) for direction, seq, _ in named(play.commit())} == {("from_gateway", 1), ("to_gateway", 4)}
    assert {(one["direction"], one["seq"]) for one in play.evidence()} == {("from_gateway", 1), ("to_gateway", 4)}


# --- nothing is lost on the way ---


def test_a_commitment_nobody_answered_goes_again_before_the_next(play: Play) -> None:
    play.wire.down = True
    with pytest.raises(ConnectionError):
        play.postman.commit()
    play.wire.down = False
    found = play.commit()
    assert (named(found), found.streams[0].under_way) == ([], ())
    assert [row["type"] for row in play.world.rows(t.inbox)].count("commitment.submitted") == 2


def test_a_reply_that_was_written_is_never_struck_out_by_a_withdrawal(play: Play) -> None:
    """Its number is given: it may have arrived, and without it the count would have a hole for ever."""
    world, court = play.world, play.world.court
    body = {**a_referral(7), "needs": [{"programme": "MLG", "note": "测试"}]}
    world.accept(court.sign("referral.submitted", body, now=world.now))
    world.dispatch()
    play.wire.down = True
    deliver(play)
    with sqlite3.connect(play.notebook) as base:
        written = base.execute("select seq from replies where jws is not null and done is null").fetchall()
    base.close()
    assert len(written) == 1
    withdrawal = {"referral_id": "r-7", "reason": "报送有误"}
    world.accept(court.sign("referral.withdrawn", withdrawal, now=world.now))
    play.wire.down = False
    deliver(play)
    found = play.commit()
    assert (named(found), [stream.under_way for stream in found.streams]) == ([], [(), ()])
    numbers = sorted(row["seq"] for row in world.rows(t.inbox) if row["source"] == play.party_id)
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_notebook_of_an_earlier_version_gets_the_columns_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite"
    with sqlite3.connect(path) as base:
        base.execute("create table received (message_id text primary key, digest text not null, receipt text not null)")
        base.execute("insert into received values ('m-1', 'd', 'r')")
    base.close()
    notebook = Notebook(path)
    assert (notebook.received("cn/agency/x"), notebook.kept("m-1") is not None) == ([], True)
    notebook.close()


# --- by itself ---


def test_an_agency_commits_by_itself_where_that_is_wanted(sqlite_url: str, tmp_path: Path) -> None:
    play = a_play(sqlite_url, tmp_path)
    agency = replace(play.agency, config=replace(play.agency.config, commit_every=0.1))
    threads = agency.work(lambda: play.wire)
    until = monotonic() + 30
    while monotonic() < until and len(play.world.rows(t.commitments)) < 4:
        sleep(0.05)
    agency.stopping.set()
    for thread in threads:
        thread.join(10)
    assert len(play.world.rows(t.commitments)) >= 4
    assert all(row["equal"] for row in play.world.rows(t.commitments))
    agency.notebook.close()
    play.world.close()


def test_how_often_it_commits_is_a_line_of_its_configuration(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    assert read_config(path).commit_every == 0
    path.write_text("commit_every = 30\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    assert read_config(path).commit_every == 30
