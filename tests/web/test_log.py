"""The log's public face: notes and tiles any C2SP client can read, proofs that hold, signatures of known witnesses."""

import json
from base64 import b64decode
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from gateway.envelope.compact import decode_segment
from gateway.evidence.checkpoint import LogKey, NoteVerifier, cosign, open_note, sign_checkpoint, unverified
from gateway.evidence.merkle import (
    EMPTY_ROOT,
    TILE_WIDTH,
    Frontier,
    in_memory,
    leaf_hash,
    root_at,
    verify_consistency,
    verify_inclusion,
)
from gateway.web.site import create_site
from tests.gateway_world import GATEWAY, World
from tests.log_world import LogWorld
from tests.web import callers
from tests.web.callers import PROBLEM, a_referral

TILE = "/v1/log/tile"


@pytest.fixture
def logged(world: World) -> LogWorld:
    return LogWorld(world)


@pytest.fixture
def site(logged: LogWorld) -> Flask:
    return create_site(logged.context, lambda: logged.world.now, public_url=None)


@pytest.fixture
def client(site: Flask) -> FlaskClient:
    return site.test_client()


def text_of(client: FlaskClient, path: str) -> str:
    response = client.get(path)
    assert (response.status_code, response.content_type) == (200, "text/plain; charset=utf-8")
    return response.get_data(as_text=True)


def json_of(client: FlaskClient, path: str) -> dict[str, Any]:
    response = client.get(path)
    assert (response.status_code, response.content_type) == (200, "application/json")
    found: dict[str, Any] = response.get_json()
    return found


def refusal(client: FlaskClient, path: str) -> tuple[int, str]:
    response = client.get(path, headers={"Accept-Language": "en"})
    assert response.content_type == PROBLEM
    return response.status_code, response.get_json()["code"]


def hashes_in(found: dict[str, Any]) -> list[bytes]:
    return [b64decode(text) for text in found["proof"]]


def post(client: FlaskClient, line: str | bytes, query: str = "") -> tuple[int, str]:
    """Status, and the note or the problem's code."""
    response = client.post(f"/v1/log/cosignature{query}", data=line, content_type="text/plain")
    if response.status_code == 200:
        return 200, response.get_data(as_text=True)
    assert response.content_type == PROBLEM
    return response.status_code, response.get_json()["code"]


def test_there_is_no_checkpoint_before_one_was_signed(client: FlaskClient) -> None:
    assert (404, "not_found") == refusal(client, "/v1/log/checkpoint")


def test_the_newest_note_is_served_as_it_was_signed(logged: LogWorld, client: FlaskClient) -> None:
    logged.grow(3)
    first = logged.sign()
    assert first == text_of(client, "/v1/log/checkpoint")
    logged.grow(1)
    assert first == text_of(client, "/v1/log/checkpoint")
    second = logged.sign()
    assert second == text_of(client, "/v1/log/checkpoint")
    opened = open_note(second, NoteVerifier.from_vkey(logged.key.vkey())).checkpoint
    assert root_at(in_memory(logged.leaves()), opened.size) == opened.root
    assert first == text_of(client, f"/v1/log/checkpoint?size={unverified(first).size}")
    assert (404, "not_found") == refusal(client, "/v1/log/checkpoint?size=1")


def test_a_stranger_can_rebuild_the_signed_root_from_the_tiles_alone(logged: LogWorld, client: FlaskClient) -> None:
    logged.grow_to(700)
    signed = unverified(logged.sign())
    frontier = Frontier()
    for number in range(2):
        data = client.get(f"{TILE}/0/00{number}").get_data()
        for at in range(0, len(data), 32):
            frontier.add(data[at : at + 32])
    data = client.get(f"{TILE}/0/002.p/{700 - 512}").get_data()
    for at in range(0, len(data), 32):
        frontier.add(data[at : at + 32])
    assert (700, signed.root) == (frontier.size, frontier.root())
    upper = client.get(f"{TILE}/1/000.p/2").get_data()
    hashes = in_memory(logged.leaves())
    assert b"".join(hashes(1, 0, 2)) == upper


def test_a_full_tile_may_be_kept_for_good_and_a_partial_one_for_minutes(logged: LogWorld, client: FlaskClient) -> None:
    logged.grow_to(300)
    full, partial = client.get(f"{TILE}/0/000"), client.get(f"{TILE}/0/001.p/44")
    assert (TILE_WIDTH * 32, 44 * 32) == (len(full.data), len(partial.data))
    assert full.content_type == partial.content_type == "application/octet-stream"
    assert "immutable" in full.headers["Cache-Control"]
    assert partial.headers["Cache-Control"] == "public, max-age=600"
    assert client.get(f"{TILE}/0/000.p/9").data == full.data[: 9 * 32]
    assert "no-store" in client.get("/v1/log/proof/consistency?from=1&to=2").headers["Cache-Control"]


def test_a_tile_whose_number_has_four_digits_is_found_by_its_path(logged: LogWorld, client: FlaskClient) -> None:
    """Number 1000 is written x001/000; it would need 256,256 leaves, so here only its way is asked."""
    logged.grow_to(300)
    assert client.get(f"{TILE}/0/001.p/1").status_code == 200
    for path in ("0/x000/001.p/1", "0/x001/000", "0/x001/x234/067", "0/x999/x999/x999/x999/x999/999"):
        assert (404, "not_found") == refusal(client, f"{TILE}/{path}")


@pytest.mark.parametrize(
    "path",
    [
        "0/001",
        "0/001.p/45",
        "0/002.p/1",
        "1/000",
        "2/000.p/1",
        "63/000.p/1",
        "64/000.p/1",
        "100/000.p/1",
        "00/000",
        "01/000",
        "-1/000",
        "+0/000",
        "entries/000",
        "0/0",
        "0/0000",
        "0/000/",
        "0/000.p",
        "0/000.p/0",
        "0/000.p/01",
        "0/000.p/256",
        "0/000.p/999",
        "0/000.p/1000",
        "0/000.p/-1",
        "0/x000/000",
        "0/x001",
        "0/x001/",
        "0/X001/000",
        "0/x001//000",
        "0/00a",
        "0/%EF%BC%90%EF%BC%90%EF%BC%90",
        "0/000%0A",
        "0/x001/x001/x001/x001/x001/x001/000",
    ],
)
def test_what_is_no_tile_of_the_log_is_not_found(logged: LogWorld, client: FlaskClient, path: str) -> None:
    logged.grow_to(300)
    assert (404, "not_found") == refusal(client, f"{TILE}/{path}")


def test_every_inclusion_proof_leads_to_the_signed_root(logged: LogWorld, client: FlaskClient) -> None:
    logged.grow_to(270)
    signed = unverified(logged.sign())
    logged.grow(40)
    leaves = logged.leaves()
    for index in range(signed.size):
        found = json_of(client, f"/v1/log/proof/inclusion?index={index}")
        assert (index, signed.size, signed.origin) == (found["index"], found["size"], found["origin"])
        assert (leaves[index], signed.root) == (b64decode(found["leaf"]), b64decode(found["root"]))
        proof = hashes_in(found)
        assert verify_inclusion(leaves[index], index=index, size=signed.size, proof=proof, root=signed.root)
    found = json_of(client, "/v1/log/proof/inclusion?index=300&size=310")
    root = root_at(in_memory(leaves), 310)
    assert verify_inclusion(leaves[300], index=300, size=310, proof=hashes_in(found), root=root)


def test_every_tree_is_proven_to_be_the_beginning_of_the_signed_one(logged: LogWorld, client: FlaskClient) -> None:
    logged.grow_to(270)
    signed = unverified(logged.sign())
    hashes = in_memory(logged.leaves())
    for old in range(signed.size + 1):
        found = json_of(client, f"/v1/log/proof/consistency?from={old}")
        assert (old, signed.size) == (found["from"], found["to"])
        old_root = root_at(hashes, old) if old else EMPTY_ROOT
        assert old_root == b64decode(found["from_root"])
        assert verify_consistency(
            old=old, new=signed.size, proof=hashes_in(found), old_root=old_root, new_root=signed.root
        )


@pytest.mark.parametrize(
    "path",
    [
        "inclusion",
        "inclusion?index=",
        "inclusion?index=-1",
        "inclusion?index=01",
        "inclusion?index=1.0",
        "inclusion?index=1e3",
        "inclusion?index=%EF%BC%91",
        "inclusion?index=99999999999999999999",
        "inclusion?index=9223372036854775807",
        "inclusion?index=9223372036854775808",
        "inclusion?index=5&size=5",
        "inclusion?index=5&size=41",
        "inclusion?index=0&size=0",
        "inclusion?index=0&size=x",
        "consistency",
        "consistency?from=41",
        "consistency?from=5&to=4",
        "consistency?from=5&to=41",
        "consistency?from=-5&to=4",
        "consistency?from=&to=",
    ],
)
def test_a_proof_that_cannot_be_is_a_problem_of_the_query(logged: LogWorld, client: FlaskClient, path: str) -> None:
    logged.grow_to(40)
    assert (400, "invalid_query") == refusal(client, f"/v1/log/proof/{path}")


def test_a_bad_size_of_a_checkpoint_is_a_problem_of_the_query(logged: LogWorld, client: FlaskClient) -> None:
    logged.sign()
    for query in ("size=x", "size=-1", "size=99999999999999999999", "witnesses=x", "witnesses=-1"):
        assert (400, "invalid_query") == refusal(client, f"/v1/log/checkpoint?{query}")
    assert (404, "not_found") == refusal(client, "/v1/log/checkpoint?witnesses=9223372036854775807")


def test_a_witness_adds_its_signature(logged: LogWorld, client: FlaskClient) -> None:
    note = logged.sign()
    line = logged.cosign(note)
    assert (200, note + line) == post(client, line)
    assert note + line == text_of(client, "/v1/log/checkpoint")
    logged.world.wait(timedelta(seconds=1))
    assert (200, note + line) == post(client, logged.cosign(note))  # the first one stays
    assert (200, note + line) == post(client, line.removesuffix("\n"))
    status, both = post(client, logged.cosign(note, logged.second))
    witnesses = [key.cosigner() for key in (logged.witness, logged.second)]
    assert 200 == status
    assert 2 == len(open_note(both, logged.key.verifier(), witnesses).cosigned_by)


def test_a_witness_that_comes_late_names_the_tree_it_saw(logged: LogWorld, client: FlaskClient) -> None:
    old = logged.sign()
    size = unverified(old).size
    logged.grow(1)
    new = logged.sign()
    assert (401, "not_trusted") == post(client, logged.cosign(old))
    assert (200, old + logged.cosign(old)) == post(client, logged.cosign(old), f"?size={size}")
    assert new == text_of(client, "/v1/log/checkpoint")
    assert old + logged.cosign(old) == text_of(client, "/v1/log/checkpoint?witnesses=1")
    assert (404, "not_found") == refusal(client, "/v1/log/checkpoint?witnesses=2")
    assert (404, "not_found") == post(client, logged.cosign(old), "?size=1")
    assert (400, "invalid_query") == post(client, logged.cosign(old), "?size=one")


def test_lines_of_unknown_witnesses_are_passed_over_but_one_must_be_known(
    logged: LogWorld, client: FlaskClient
) -> None:
    note = logged.sign()
    stranger = logged.cosign(note, LogKey.generate("witness.example/w3"))
    assert (401, "not_trusted") == post(client, stranger)
    assert (200, note + logged.cosign(note)) == post(client, stranger + logged.cosign(note))


def test_what_a_witness_did_not_sign_is_not_trusted(logged: LogWorld, client: FlaskClient) -> None:
    note = logged.sign()
    size = unverified(note).size
    elsewhere = sign_checkpoint(unverified(note), logged.key).replace(f"\n{size}\n", f"\n{size + 1}\n")
    impostor = LogKey.generate(logged.witness.name)
    for line in (logged.cosign(elsewhere), logged.cosign(note, impostor), note.split("\n\n")[1]):
        assert (401, "not_trusted") == post(client, line)
    assert note == text_of(client, "/v1/log/checkpoint")


@pytest.mark.parametrize(
    "line", ["", "\n", "hello", "\u2014 a b\n", "\u2014 witness.example/w1 AAAA\n", b"\xff", b"\x00"]
)
def test_what_is_no_signature_line_is_refused(logged: LogWorld, client: FlaskClient, line: str | bytes) -> None:
    logged.sign()
    assert (422, "checkpoint_invalid") == post(client, line)


def test_too_many_lines_and_too_long_ones_are_refused(logged: LogWorld, client: FlaskClient) -> None:
    line = logged.cosign(logged.sign())
    assert (422, "checkpoint_invalid") == post(client, line * 17)
    assert (413, "too_large") == post(client, line * 400)


def test_a_witness_from_the_future_is_asked_to_mend_its_clock(logged: LogWorld, client: FlaskClient) -> None:
    note, now = logged.sign(), logged.world.now
    assert (422, "checkpoint_invalid") == post(client, cosign(note, logged.witness, now=now + timedelta(minutes=6)))
    assert 200 == post(client, cosign(note, logged.witness, now=now + timedelta(minutes=4)))[0]


def test_nothing_can_be_cosigned_before_it_was_signed(logged: LogWorld, client: FlaskClient) -> None:
    assert (404, "not_found") == post(client, "\u2014 a AAAAAAAA\n")


@pytest.mark.parametrize("message", ["referral", "answer"])
def test_a_receipt_leads_its_holder_to_the_signed_root_as_the_page_tells(
    logged: LogWorld, client: FlaskClient, message: str
) -> None:
    """docs/log.md, "Your receipt is a place in the log": nothing is used but the receipt and public answers."""
    world = logged.world
    if message == "referral":
        logged.grow(300)
        type_, raw = "referral.submitted", a_referral(world)
    else:
        type_, raw = "handoff.outcome", world.answer_bytes(world.hand_over(), "RECEIVED")
    answered = callers.post(client, raw).get_data(as_text=True)
    logged.sign()

    receipt = json.loads(decode_segment(answered.split(".")[1].encode()))
    place = receipt["data"]["log"]
    entry = {
        "about": "r-1",
        "at": receipt["data"]["at"],
        "digest": receipt["in_reply_to_digest"],
        "from": receipt["recipient"],
        "id": receipt["in_reply_to"],
        "kind": "message",
        "to": GATEWAY,
        "type": type_,
        "v": 1,
    }
    leaf = leaf_hash(json.dumps(entry, sort_keys=True, separators=(",", ":")).encode())
    note = text_of(client, "/v1/log/checkpoint")
    signed = open_note(note, NoteVerifier.from_vkey(logged.key.vkey())).checkpoint
    included = hashes_in(json_of(client, f"/v1/log/proof/inclusion?index={place['index']}&size={signed.size}"))
    assert verify_inclusion(leaf, index=place["index"], size=signed.size, proof=included, root=signed.root)
    consistent = hashes_in(json_of(client, f"/v1/log/proof/consistency?from={place['tree_size']}&to={signed.size}"))
    assert verify_consistency(
        old=place["tree_size"],
        new=signed.size,
        proof=consistent,
        old_root=bytes.fromhex(place["root"]),
        new_root=signed.root,
    )


def test_a_proof_reads_few_rows_however_long_the_log(logged: LogWorld, client: FlaskClient) -> None:
    """Ten thousand leaves; the database is asked for whole tiles only."""
    logged.grow_to(10_000)
    signed = unverified(logged.sign())
    found = json_of(client, "/v1/log/proof/inclusion?index=5000")
    assert 14 >= len(found["proof"])
    assert signed.root == b64decode(found["root"])
