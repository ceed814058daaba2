"""The synthetic province and the simulated agencies around the whole gateway: every message understood, both ways."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa

from gateway.domain.agreement import Channel
from gateway.envelope.token import verify_token
from gateway.flows import mailbox
from gateway.flows.accept import accept
from gateway.flows.deliver import Courier, deliver
from gateway.flows.dispatch import dispatch
from gateway.sandbox.agency import Agency
from gateway.sandbox.agency_config import AgencyConfig, Desk, gateway_keyring
from gateway.sandbox.behaviour import Behaviour
from gateway.sandbox.province import Scenario, SyntheticReferral, referrals
from gateway.store import outbox
from gateway.store import tables as t
from gateway.transport.answer import Answer
from tests.gateway_world import COURT, GATEWAY, NEIGHBOUR, World

CHANNELS = {
    "civil_affairs": Channel.PUSH,
    "disabled_persons": Channel.PUSH,
    "womens_federation": Channel.MAILBOX,
}
TURNS = 12


@dataclass
class Wire:
    """The gateway's doors without HTTP."""

    world: World

    def post(self, url: str, body: bytes, content_type: str) -> tuple[int, bytes]:
        return 202, accept(body, self.world.context, now=self.world.now).receipt.encode()

    def get(self, url: str, token: str, *, timeout: float) -> tuple[int, bytes]:
        world = self.world
        proven = verify_token(token, world.keyring, audience=GATEWAY, method="GET", url=url, now=world.now)
        after = int(parse_qs(urlsplit(url).query)["after"][0])
        found = mailbox.pull(world.context, proven.party_id, after=after, limit=mailbox.MOST)
        return 200, "\n".join(wire for _, wire in found).encode()


@dataclass
class Play:
    """A gateway with one simulated agency of each kind for the whole province."""

    world: World
    agencies: Mapping[str, Agency]

    def send(self, sent: SyntheticReferral) -> None:
        world = self.world
        court = {COURT: world.court, NEIGHBOUR: world.neighbour}[sent.court]
        accept(court.sign("referral.submitted", sent.data, now=world.now), world.context, now=world.now)

    def run(self) -> None:
        for _ in range(TURNS):
            dispatch(self.world.context, now=self.world.now)
            while lanes := self._lanes():
                for office_id in lanes:
                    deliver(self.world.context, office_id, self._courier())
            for agency in self.agencies.values():
                self.world.wait(timedelta(seconds=10))
                postman = agency.postman(Wire(self.world))
                postman.empty_mailboxes(wait=0)
                postman.send_due()
            self.world.wait(timedelta(minutes=6))

    def _lanes(self) -> list[str]:
        with self.world.store.reading() as connection:
            return outbox.lanes(connection, now=self.world.now)

    def _courier(self) -> Courier:
        return Courier(push=self._push, owner="worker-1", clock=lambda: self.world.now, jitter=lambda: 0.0)

    def _push(self, url: str, body: bytes, content_type: str, headers: Mapping[str, str]) -> Answer:
        agency = (urlsplit(url).hostname or "").partition("-")[0]
        answer = self.agencies[agency].reception.push(headers, body, content_type)
        return Answer(status=answer.status, body=answer.body, content_type=answer.content_type)

    def count(self, column: sa.Column[str]) -> Counter[str | None]:
        with self.world.store.reading() as connection:
            return Counter(connection.scalars(sa.select(column)))


def a_play(folder: Path, behaviour: Behaviour) -> Play:
    world = World(f"sqlite:///{folder / 'gateway.sqlite'}")
    agencies: dict[str, Agency] = {}
    for agency, channel in CHANNELS.items():
        partners = [world.add_office(agency, channel, region="520000", batch=4).partner]
        partners.append(world.offices[f"{agency}-520102"].partner)
        config = AgencyConfig(
            agency=agency,
            gateway=GATEWAY,
            gateway_url="http://gateway.example",
            keyring=gateway_keyring([world.context.key.public_jwk()], GATEWAY),
            desks={partner.party_id: Desk(key=partner.key, channel=channel) for partner in partners},
            behaviour=behaviour,
        )
        agencies[agency] = Agency.of(config, lambda: world.now)
    return Play(world=world, agencies=agencies)


@pytest.fixture
def honest(tmp_path: Path) -> Iterator[Play]:
    play = a_play(tmp_path, Behaviour())
    yield play
    play.world.close()


def some_of_the_province(count: int) -> list[SyntheticReferral]:
    """Ordinary ones of the two courts the gateway knows."""
    known = (sent for sent in referrals() if sent.court in (COURT, NEIGHBOUR))
    return [sent for sent in known if sent.scenario is Scenario.ORDINARY and "needs" in sent.data][:count]


def test_every_need_of_the_province_ends_as_assisted_when_everybody_helps(honest: Play) -> None:
    for sent in some_of_the_province(30):
        honest.send(sent)
    honest.run()
    assert set(honest.count(t.needs.c.state)) == {"assisted"}
    assert set(honest.count(t.handoffs.c.agency)) == set(CHANNELS)
    assert set(honest.count(t.replies.c.problem)) == {None}
    assert [agency.notebook.counts().get("refused") for agency in honest.agencies.values()] == [None] * 3


def test_spoilt_receipts_cost_attempts_and_nothing_else(tmp_path: Path) -> None:
    play = a_play(tmp_path, Behaviour(no_receipt=0.4, wrong_digest=0.4))
    for sent in some_of_the_province(20):
        play.send(sent)
    play.run()
    errors = play.count(t.attempts.c.error)
    assert errors["no_receipt"] > 0
    assert errors["receipt_mismatch"] > 0
    assert set(play.count(t.needs.c.state)) == {"assisted"}
    assert set(play.count(t.outbox.c.state)) == {"relayed", "retrieved"}
    play.world.close()


def test_silent_and_refusing_offices_leave_needs_open_and_not_assisted(tmp_path: Path) -> None:
    play = a_play(tmp_path, Behaviour(silent=0.3, denies=0.5, unknown_code=0.2))
    for sent in some_of_the_province(30):
        play.send(sent)
    play.run()
    states = play.count(t.needs.c.state)
    assert {"handed_off", "not_assisted", "assisted"} <= states.keys()
    assert play.count(t.replies.c.problem)["unknown_code"] > 0
    play.world.close()
