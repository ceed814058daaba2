"""The two addresses under which a party compares: signed, bounded, its own pair only."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from gateway.domain.agreement import PartyKind
from gateway.envelope.signing import VerifiedMessage, verify
from gateway.evidence.completeness import LEEWAY, Direction, Numbered, PairTree, leaf_of
from gateway.evidence.merkle import node_hash
from gateway.flows.pair_trees import ROWS
from gateway.store import pairs
from gateway.store import tables as t
from schemas.commitment import RangeSchema
from tests.gateway_world import COURT, GATEWAY, Partner, World
from tests.pair_world import a_court, an_office
from tests.web.callers import JOSE, a_token, get, told

COMMITMENT = "/v1/pairs/to_gateway/commitment"
RANGE = "/v1/pairs/to_gateway/range"


def asked(client: FlaskClient, world: World, path: str, query: str, partner: Partner | None = None) -> Any:
    """A token is bound to the address without its query."""
    caller = partner or world.court
    header = {"Authorization": f"Bearer {a_token(world, caller, path)}"}
    return client.get(f"{path}?{query}" if query else path, headers=header)


def signed(world: World, raw: bytes, recipient: str = COURT) -> VerifiedMessage:
    return verify(raw, world.keyring, recipient=recipient, now=world.now)


def stream_of(world: World, raw: bytes, recipient: str = COURT) -> dict[str, Any]:
    (found,) = signed(world, raw, recipient).envelope.data["streams"]
    return dict(found)


def tree_of(world: World, party_id: str = COURT, direction: Direction = Direction.TO_GATEWAY) -> PairTree:
    with world.store.reading() as connection:
        return PairTree(pairs.stream(connection, party_id, direction))


def test_a_commitment_is_signed_for_who_asks(client: FlaskClient, world: World) -> None:
    a_court(world, 3)
    response = get(client, world, world.court, COMMITMENT)
    assert (response.status_code, response.mimetype) == (200, JOSE)
    envelope = signed(world, response.get_data()).envelope
    assert (envelope.source, envelope.recipient, envelope.type) == (GATEWAY, COURT, "commitment.submitted")
    assert envelope.expires_at is not None
    assert stream_of(world, response.get_data()) == {
        "source": COURT,
        "recipient": GATEWAY,
        "high_water": 3,
        "count": 3,
        "root": tree_of(world).root(3).hex(),
    }


@pytest.mark.parametrize("size", [0, 1, 2, 5])
def test_a_commitment_may_be_asked_up_to_any_number(client: FlaskClient, world: World, size: int) -> None:
    a_court(world, 3)
    found = stream_of(world, asked(client, world, COMMITMENT, f"size={size}").get_data())
    assert (found["high_water"], found["count"]) == (size, min(size, 3))
    assert found["root"] == tree_of(world).root(size).hex()


def test_the_other_direction_is_what_the_gateway_sent(client: FlaskClient, world: World) -> None:
    office = an_office(world, 2)
    path = "/v1/pairs/from_gateway/commitment"
    found = stream_of(world, get(client, world, office.partner, path).get_data(), office.party_id)
    assert (found["source"], found["recipient"], found["high_water"]) == (GATEWAY, office.party_id, 2)


def test_every_commitment_is_read_from_the_rows_anew(client: FlaskClient, world: World) -> None:
    a_court(world, 3)
    before = stream_of(world, get(client, world, world.court, COMMITMENT).get_data())
    world.change(t.inbox.delete().where(t.inbox.c.seq == 2))
    after = stream_of(world, get(client, world, world.court, COMMITMENT).get_data())
    assert (before["count"], after["count"], after["high_water"]) == (3, 2, 3)
    assert before["root"] != after["root"]


def test_a_range_shows_its_hash_its_halves_and_its_rows(client: FlaskClient, world: World) -> None:
    court = a_court(world, 3)
    response = asked(client, world, RANGE, "lo=0&hi=3")
    found = json.loads(response.get_data())
    tree = tree_of(world)
    assert RangeSchema().load(found)
    assert (found["lo"], found["hi"], found["hash"]) == (0, 3, tree.root(3).hex())
    assert node_hash(bytes.fromhex(found["left"]), bytes.fromhex(found["right"])).hex() == found["hash"]
    held = [(row["seq"], row["message_id"], row["digest"]) for row in found["rows"]]
    assert held == [(row.seq, row.message_id, row.digest) for row in court.rows(Direction.TO_GATEWAY)]
    assert {row["state"] for row in found["rows"]} == {"received"}


def test_a_single_leaf_shows_its_message_or_that_there_is_none(client: FlaskClient, world: World) -> None:
    a_court(world, 2)
    world.change(t.inbox.delete().where(t.inbox.c.seq == 1))
    none, one = (json.loads(asked(client, world, RANGE, f"lo={lo}&hi={lo + 1}").get_data()) for lo in (0, 1))
    assert (none["hash"], none["rows"]) == (leaf_of(1, ()).hex(), [])
    row = Numbered(**one["rows"][0])
    assert (one["hash"], "left" in one) == (leaf_of(2, [row]).hex(), False)


def test_the_state_of_what_was_sent_tells_how_far_it_is(client: FlaskClient, world: World) -> None:
    office = an_office(world, 1)
    path = "/v1/pairs/from_gateway/range"
    found = json.loads(asked(client, world, path, "lo=0&hi=1", office.partner).get_data())
    assert [row["state"] for row in found["rows"]] == ["relayed"]


def a_long_stream(world: World, count: int) -> None:
    row = next(iter(world.rows(t.inbox)))
    copies = [
        {**{name: value for name, value in row.items() if name != "row"}, "seq": seq, "message_id": f"m-{seq}"}
        for seq in range(2, count + 1)
    ]
    world.store.write(lambda connection: connection.execute(t.inbox.insert(), copies))


def test_a_wide_range_shows_hashes_and_no_rows(client: FlaskClient, world: World) -> None:
    a_court(world, 1)
    a_long_stream(world, 2 * ROWS + 1)
    found = json.loads(asked(client, world, RANGE, f"lo=0&hi={2 * ROWS}").get_data())
    assert ("rows" in found, found["left"]) == (False, tree_of(world).over(0, ROWS).hex())


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("", "/lo"),
        ("lo=0", "/hi"),
        ("lo=0&hi=0", "/hi"),
        ("lo=2&hi=1", "/hi"),
        ("lo=-1&hi=1", "/lo"),
        ("lo=x&hi=1", "/lo"),
        ("lo=1&hi=514", "/hi"),
        (f"lo=0&hi={LEEWAY + 100}", "/hi"),
        ("lo=9007199254740990&hi=9007199254740991", "/hi"),
        ("lo=0&hi=1&root=zz&size=1", "/root"),
        ("lo=0&hi=1&size=x", "/size"),
    ],
)
def test_what_no_comparison_asks_for_is_refused_by_name(
    client: FlaskClient, world: World, query: str, pointer: str
) -> None:
    a_court(world, 1)
    response = asked(client, world, RANGE, query)
    assert told(response) == (400, "invalid_query")
    assert [one["pointer"] for one in json.loads(response.get_data())["errors"]] == [pointer]


def test_a_size_out_of_all_proportion_is_refused(client: FlaskClient, world: World) -> None:
    a_court(world, 1)
    assert told(asked(client, world, COMMITMENT, f"size={2**53}")) == (400, "invalid_query")


@pytest.mark.parametrize("leaf", ["commitment", "range"])
def test_a_direction_is_one_of_two(client: FlaskClient, world: World, leaf: str) -> None:
    response = asked(client, world, f"/v1/pairs/sideways/{leaf}", "lo=0&hi=1")
    assert told(response) == (404, "not_found")


def test_a_party_sees_nothing_of_another(client: FlaskClient, world: World) -> None:
    a_court(world, 3)
    found = stream_of(world, get(client, world, world.neighbour, COMMITMENT).get_data(), world.neighbour.party_id)
    assert (found["source"], found["high_water"], found["count"]) == (world.neighbour.party_id, 0, 0)
    rows = json.loads(asked(client, world, RANGE, "lo=0&hi=3", world.neighbour).get_data())["rows"]
    assert rows == []


@pytest.mark.parametrize("path", [COMMITMENT, RANGE])
def test_who_exchanges_nothing_may_not_ask(client: FlaskClient, world: World, path: str) -> None:
    assert world.context.snapshot(world.now).keyring.kind_of(world.auditor.party_id) == PartyKind.AUDITOR
    assert told(asked(client, world, path, "lo=0&hi=1", world.auditor)) == (403, "forbidden")


@pytest.mark.parametrize("path", [COMMITMENT, RANGE])
def test_a_token_is_good_once(client: FlaskClient, world: World, path: str) -> None:
    header = {"Authorization": f"Bearer {a_token(world, world.court, path)}"}
    codes = [client.get(f"{path}?lo=0&hi=1", headers=header).status_code for _ in range(2)]
    assert codes == [200, 401]


def test_another_process_answers_under_the_commitment_it_is_shown(client: FlaskClient, world: World) -> None:
    """Its own tree may be of before a message arrived; who shows another root gets the rows as they are."""
    court = a_court(world, 1)
    a_long_stream(world, 2 * ROWS)
    world.change(t.inbox.delete().where(t.inbox.c.seq == 100))
    asked(client, world, RANGE, f"lo=0&hi={2 * ROWS}")
    a_missing = {**world.rows(t.inbox)[0], "row": None, "seq": 100, "message_id": "m-100"}
    world.change(t.inbox.insert().values({name: value for name, value in a_missing.items() if name != "row"}))
    size, root = 2 * ROWS, tree_of(world).root(2 * ROWS).hex()
    kept, shown = (
        json.loads(asked(client, world, RANGE, f"lo=0&hi={size}{more}").get_data())["hash"]
        for more in ("", f"&size={size}&root={root}")
    )
    assert court.party_id == COURT
    assert (kept != root, shown) == (True, root)
