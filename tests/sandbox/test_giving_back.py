"""交还 A simulated agency gives back what it exchanged, to a gateway that asks for it and to nobody else."""

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import count
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from flask.testing import FlaskClient

from gateway.envelope import token
from gateway.flows.deliver import Courier, deliver
from gateway.flows.recovery.collecting import Collected, collect
from gateway.sandbox.agency import Agency, make_app
from gateway.sandbox.agency_config import AgencyConfig, Desk, gateway_keyring
from gateway.sandbox.behaviour import Behaviour
from gateway.sandbox.giving_back import PAGE_BYTES
from gateway.store import tables as t
from gateway.transport.answer import Answer, NoAnswer, NoAnswerReason
from tests.gateway_world import CIVIL_AFFAIRS, DISABLED_PERSONS, GATEWAY
from tests.recovery_world import KeepingWorld
from tests.sandbox.test_with_gateway import Wire
from tests.sandbox.world import World, a_message, a_world, key_of, members, party

ADDRESS = "http://localhost/handoffs/held"
_NUMBERS = count(1)
CIVIL_PARTY = "cn/agency/civil_affairs.520102"


def ask(
    world: World, client: FlaskClient, query: str = "", **changes: object
) -> tuple[int, list[dict[str, str | None]]]:
    """As the gateway does."""
    asked = {
        "audience": party(),
        "method": "GET",
        "url": ADDRESS,
        "now": world.clock(),
        "jti": f"j-{next(_NUMBERS)}",
        **changes,
    }
    proof = token.issue(key_of(GATEWAY), **asked)  # type: ignore[arg-type]
    response = client.get(f"{ADDRESS}{query}", headers={"Authorization": f"Bearer {proof}"})
    return response.status_code, [json.loads(line) for line in response.get_data().splitlines()]


@pytest.fixture
def world() -> World:
    """Two handoffs received and answered."""
    made = a_world()
    for number in (1, 2):
        made.push(a_message(handoff_id=f"h-{number}", seq=number))
    made.later()
    return made


@pytest.fixture
def client(world: World) -> FlaskClient:
    agency = world.agency
    return make_app(agency.config, agency.reception, giving_back=agency.giving_back()).test_client()


def test_both_directions_are_given_with_their_receipts_and_a_statement(world: World, client: FlaskClient) -> None:
    status, lines = ask(world, client)
    assert status == 200
    sent = len(world.gateway.received)
    assert (len(lines), sum(line["receipt"] is None for line in lines)) == (2 + sent + 1, 1)
    assert [str(line["message"]).encode() for line in lines[:2]] == [
        a_message(handoff_id=f"h-{number}", seq=number) for number in (1, 2)
    ]
    assert {line["message"] for line in lines[2:-1]} == {message.jws for message in world.gateway.received}


def test_only_what_lies_behind_the_numbers_is_given(world: World, client: FlaskClient) -> None:
    sent = len(world.gateway.received)
    _, lines = ask(world, client, f"?since=1&own_since={sent - 1}")
    assert len(lines) == 1 + 1 + 1
    _, lines = ask(world, client, f"?since=2&own_since={sent}")
    assert len(lines) == 1
    _, lines = ask(world, client, "?skip=3")
    assert len(lines) == 2 + sent + 1 - 3


def test_a_page_is_small_enough_for_a_gateway_to_read(world: World, client: FlaskClient) -> None:
    for number in range(3, 400):
        world.push(a_message(handoff_id=f"h-{number}", seq=number))
    skip, pages = 0, []
    while not pages or pages[-1]:
        _, page = ask(world, client, f"?skip={skip}")
        assert sum(len(json.dumps(line)) for line in page) <= PAGE_BYTES
        pages.append(page)
        skip += len(page)
    assert len(pages) > 2
    assert skip == 399 + len(world.gateway.received) + 1


def test_nothing_is_given_to_who_is_not_the_gateway_or_asks_twice_with_one_token(
    world: World, client: FlaskClient
) -> None:
    assert client.get(ADDRESS).status_code == 401
    assert ask(world, client, "?since=0", audience=party("womens_federation"))[0] == 401
    assert ask(world, client, "?since=0", url="http://localhost/handoffs")[0] == 401
    assert ask(world, client, "?since=0", method="POST")[0] == 401
    assert [ask(world, client, jti="once")[0] for _ in range(2)] == [200, 401]
    assert ask(world, client, "?since=x")[0] == 400


def test_a_reply_without_a_receipt_is_given_without_one_and_named_as_open(client: FlaskClient, world: World) -> None:
    sent = len(world.gateway.received)
    world.gateway.down = True
    world.push(a_message(handoff_id="h-3", seq=3))
    world.later()
    _, lines = ask(world, client)
    *held, statement = lines
    assert [line["receipt"] is None for line in held] == [False] * (3 + sent) + [True]
    said = members(str(statement["message"]).encode())["data"]
    assert said == {"sent": {"high_water": sent}, "received": {"high_water": 3}}


def test_a_reply_that_was_refused_is_not_given(client: FlaskClient, world: World) -> None:
    sent = len(world.gateway.received)
    world.gateway.refuses = 422
    world.push(a_message(handoff_id="h-3", seq=3))
    world.later()
    _, lines = ask(world, client)
    assert len(lines) == 3 + sent + 1


# --- with the whole gateway ---


class Collecting:
    """A gateway that lost something, and a simulated civil affairs bureau with a server."""

    def __init__(self, world: KeepingWorld) -> None:
        self.world = world
        partner = world.offices[CIVIL_AFFAIRS].partner
        desk = Desk(key=partner.key)
        config = AgencyConfig(
            agency="civil_affairs",
            gateway=GATEWAY,
            gateway_url="http://gateway.invalid",
            keyring=gateway_keyring([world.partners[GATEWAY].key.public_jwk()], GATEWAY),
            desks={desk.party_id: desk},
            behaviour=Behaviour(),
        )
        self.agency = Agency.of(config, lambda: world.now)
        self.app = make_app(config, self.agency.reception, giving_back=self.agency.giving_back()).test_client()
        world.change_office(CIVIL_AFFAIRS, url="http://localhost/handoffs")

    def exchange(self) -> None:
        """What is due is pushed and answered."""
        courier = Courier(push=self._push, owner="w", clock=lambda: self.world.now, jitter=lambda: 0.0)
        while deliver(self.world.context, CIVIL_AFFAIRS, courier).sent:
            self.world.wait(timedelta(seconds=1))
        for _ in range(4):
            self.world.wait(timedelta(minutes=1))
            self.agency.postman(Wire(self.world)).send_due()

    def _push(self, url: str, body: bytes, content_type: str, headers: Mapping[str, str]) -> Answer:
        done = self.agency.reception.push(headers, body, content_type)
        return Answer(status=done.status, body=done.body)

    def fetch(self, url: str, headers: Mapping[str, str]) -> Answer:
        if not url.startswith("http://localhost"):
            raise NoAnswer(NoAnswerReason.NO_CONNECTION, may_have_arrived=False)
        parts = urlsplit(url)
        done = self.app.get(parts.path, query_string=dict(parse_qsl(parts.query)), headers=dict(headers))
        return Answer(status=done.status_code, body=done.get_data())

    def collect(self) -> dict[str, Collected]:
        found = collect(self.world.context, self.fetch, clock=lambda: self.world.now)
        return {one.office_id: one for one in found}


@pytest.fixture
def collecting(sqlite_url: str, tmp_path: Path) -> Iterator[Collecting]:
    world = KeepingWorld(sqlite_url, tmp_path)
    yield Collecting(world)
    world.close()


def test_the_gateway_collects_what_a_server_holds(collecting: Collecting) -> None:
    world = collecting.world
    world.sign_log()
    copy = world.copy()
    world.refer_number(1)
    world.dispatch()
    collecting.exchange()
    states = world.states("r-1")
    assert states == ["assisted"]
    rows = len(world.rows(t.replies))
    world.sign_log()
    world.wait(timedelta(minutes=1))
    world.restore(copy)
    found = collecting.collect()
    assert found[CIVIL_AFFAIRS].trouble is None
    assert found[CIVIL_AFFAIRS].taken == 1 + rows
    assert found[DISABLED_PERSONS].trouble == "no_connection"
    world.all_give_back([one for one in world.everybody() if one != CIVIL_PARTY])
    again = collecting.collect()[CIVIL_AFFAIRS]
    assert (again.taken, again.known, again.trouble) == (0, 1 + rows, None)
    world.resume()
    assert world.states("r-1") == states
    assert world.dispatch().handoffs == 0
    collecting.exchange()
    assert len(world.rows(t.replies)) == rows


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        (Answer(status=404, body=b""), "not_offered"),
        (Answer(status=500, body=b""), "http_500"),
        (Answer(status=200, body=b""), "answer_ends_early"),
    ],
)
def test_an_office_that_does_not_give_everything_is_listed(
    collecting: Collecting, answer: Answer, trouble: str
) -> None:
    world = collecting.world
    world.sign_log()
    copy = world.copy()
    world.refer_number(1)
    world.sign_log()
    world.restore(copy)
    found = collect(world.context, lambda _url, _headers: answer, clock=lambda: world.now)
    assert {one.trouble for one in found} == {trouble}
