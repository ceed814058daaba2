"""People's data is nobody's but the recipient's: encrypted on the way to who asked for it, sealed in every row."""

import re
from base64 import b64decode, urlsafe_b64decode
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.envelope.encryption import EncryptionKey, decrypt, encrypt, is_encrypted
from gateway.envelope.message import digest
from gateway.envelope.signing import VerifiedMessage, verify
from gateway.errors import ConfigError, NotJose, TrustError
from gateway.evidence.receipt import Receipt
from gateway.flows import mailbox
from gateway.flows.accept import Accepted, accept, accept_many
from gateway.store import directory, sealing
from gateway.store import tables as t
from gateway.store.engine import Store
from gateway.transport.answer import NoAnswer, NoAnswerReason
from gateway.web.site import create_site
from tests.gateway_world import (
    CIVIL_AFFAIRS,
    DISABLED_PERSONS,
    GATEWAY,
    WOMENS_FEDERATION,
    World,
    a_referral_body,
)
from tests.web.callers import JOSE, NDJSON, problem_of

SECRETS = [a_referral_body()["person"][name] for name in ("name", "id_number", "phone", "residence")]


def give_key(world: World, office_id: str = CIVIL_AFFAIRS, **more: Any) -> EncryptionKey:
    """The office registers a key that others encrypt to."""
    office = world.offices[office_id]
    key = EncryptionKey.generate(office.partner.party_id)
    office.decryption = (key, *office.decryption)
    register(world, key, **more)
    return key


def register(world: World, key: EncryptionKey, **more: Any) -> None:
    public = key.public_key(not_before=world.now, **more)
    world.store.write(lambda connection: directory.add_key(connection, public, now=world.now))
    world.context.directory.forget()


def open_gateway(world: World) -> EncryptionKey:
    """The gateway has a key others encrypt to."""
    key = EncryptionKey.generate(GATEWAY)
    register(world, key)
    world.context = replace(world.context, decryption=(key,))
    return key


def opened(world: World, raw: bytes, key: EncryptionKey, party: str) -> VerifiedMessage:
    return verify(decrypt(raw, [key]), world.keyring, recipient=party, now=world.now)


def to_gateway(world: World, key: EncryptionKey, raw: bytes) -> bytes:
    return encrypt(raw, key.public_key(not_before=world.now)).encode()


def a_referral(world: World, **changes: Any) -> bytes:
    return world.court.sign("referral.submitted", a_referral_body(**changes), now=world.now)


# --- on the way out ---


def test_an_office_that_registered_a_key_is_pushed_what_it_alone_can_read(world: World) -> None:
    key = give_key(world)
    message = world.hand_over()
    office = world.offices[CIVIL_AFFAIRS]
    (body,) = office.bodies
    assert is_encrypted(body)
    assert opened(world, body, key, office.partner.party_id).jws == message.jws
    assert world.states() == ["handed_off"]


def test_its_receipt_names_the_signed_message_inside(world: World) -> None:
    give_key(world)
    message = world.hand_over()
    (row,) = world.rows(t.outbox)
    assert row["digest"] == digest(message.jws) == message.digest
    (receipt,) = world.rows(t.receipts)
    assert (receipt["message_id"], receipt["rung"], receipt["verdict"]) == (row["message_id"], "relay", "accepted")
    (leaf,) = [one for one in world.rows(t.log_leaves) if one["ref"] == row["message_id"] and one["kind"] == "message"]
    assert leaf["digest"] == row["digest"]


def test_every_try_sends_the_same_encrypted_bytes(world: World) -> None:
    give_key(world)
    office = world.offices[CIVIL_AFFAIRS]
    lost = iter([True, True])

    def silent(_: bytes) -> None:
        if next(lost, False):
            raise NoAnswer(NoAnswerReason.ANSWER_TIMEOUT, may_have_arrived=True)

    office.fault = silent
    world.refer()
    world.dispatch()
    for _ in range(3):
        world.deliver()
        world.wait(timedelta(hours=1))
    assert (len(office.bodies), len(set(office.bodies))) == (3, 1)
    assert world.states() == ["handed_off"]


def test_whoever_has_no_key_is_sent_the_signed_message_as_before(world: World) -> None:
    give_key(world, DISABLED_PERSONS)
    world.hand_over()
    (body,) = world.offices[CIVIL_AFFAIRS].bodies
    assert not is_encrypted(body)
    assert world.rows(t.outbox)[0]["wire"] is None


def test_a_batch_holds_encrypted_messages_line_by_line(world: World) -> None:
    give_key(world)
    world.change_office(CIVIL_AFFAIRS, batch=5)
    for number in (1, 2, 3):
        world.refer(
            referral_id=f"r-{number}",
            case_number=f"（2026）黔01司救执{number}号",
            original_case_group=f"（2025）黔0102民初{number}号",
        )
    world.dispatch()
    assert world.deliver().relayed == 3
    (body,) = world.offices[CIVIL_AFFAIRS].bodies
    assert [is_encrypted(line) for line in body.split(b"\n")] == [True] * 3


def test_a_mailbox_holds_what_its_owner_alone_can_read(world: World) -> None:
    key = give_key(world, WOMENS_FEDERATION)
    world.refer(needs=[{"programme": "PSY"}])
    world.dispatch()
    party = world.offices[WOMENS_FEDERATION].partner.party_id
    first, again = (mailbox.pull(world.context, party, after=0, limit=9) for _ in range(2))
    ((_, raw),) = first
    assert first == again
    message = opened(world, raw.encode(), key, party)
    world.accept(world.reply(WOMENS_FEDERATION, message, "handoff.retrieved", {}))
    assert mailbox.pull(world.context, party, after=0, limit=9) == []


def test_a_new_key_is_used_for_what_is_written_from_then_on(world: World) -> None:
    old = give_key(world)
    world.refer()
    world.dispatch()
    world.wait(timedelta(seconds=1))
    new = give_key(world)
    world.deliver()
    world.hand_over(referral_id="r-2", case_number="（2026）黔01司救执2号", original_case_group="（2025）黔0102民初2号")
    first, second = world.offices[CIVIL_AFFAIRS].bodies
    party = world.offices[CIVIL_AFFAIRS].partner.party_id
    assert opened(world, first, old, party).envelope.subject == "r-1"
    assert opened(world, second, new, party).envelope.subject == "r-2"


@pytest.mark.parametrize("because", [None, "lost"])
def test_a_key_that_has_ended_is_not_encrypted_to(world: World, because: str | None) -> None:
    key = give_key(world)
    world.wait(timedelta(seconds=1))
    world.store.write(lambda c: directory.end_key(c, key.kid, at=world.now, now=world.now, revoked_because=because))
    world.hand_over()
    assert [is_encrypted(body) for body in world.offices[CIVIL_AFFAIRS].bodies] == [False]


# --- on the way in ---


def test_a_court_may_encrypt_what_it_sends_and_the_receipt_names_what_is_inside(world: World) -> None:
    key, raw = open_gateway(world), a_referral(world)
    receipt: Receipt = world.accept(to_gateway(world, key, raw))
    assert receipt.message_digest == digest(raw.decode())
    (row,) = world.rows(t.inbox)
    assert row["jws"] == raw.decode()
    assert world.dispatch().handoffs == 1


def test_the_same_message_wrapped_anew_or_not_at_all_is_a_replay(world: World) -> None:
    key, raw = open_gateway(world), a_referral(world)
    sent = [to_gateway(world, key, raw), to_gateway(world, key, raw), raw]
    done = [accept(one, world.context, now=world.now) for one in sent]
    assert len(set(sent)) == 3
    assert [one.replayed for one in done] == [False, True, True]
    assert len({one.receipt for one in done}) == 1


def test_an_older_key_of_the_gateway_still_opens_until_it_is_taken_away(world: World) -> None:
    old = open_gateway(world)
    new = EncryptionKey.generate(GATEWAY)
    world.context = replace(world.context, decryption=(new, old))
    world.accept(to_gateway(world, old, a_referral(world)))
    world.context = replace(world.context, decryption=(new,))
    with pytest.raises(TrustError, match="unknown_encryption_kid"):
        world.accept(to_gateway(world, old, a_referral(world)))


def stranger(world: World, key: EncryptionKey) -> bytes:
    return to_gateway(world, EncryptionKey.generate(GATEWAY), a_referral(world))


def changed(world: World, key: EncryptionKey) -> bytes:
    raw = to_gateway(world, key, a_referral(world))
    return raw[:-2] + (b"AA" if not raw.endswith(b"AA") else b"BA")


def unsigned(world: World, key: EncryptionKey) -> bytes:
    head, body, _ = a_referral(world).split(b".")
    return to_gateway(world, key, b".".join([head, body, b"A" * 86]))


@pytest.mark.parametrize("wrong", [stranger, changed, unsigned])
def test_what_cannot_be_opened_or_proven_is_answered_alike(
    sqlite_world: World, wrong: Callable[[World, EncryptionKey], bytes]
) -> None:
    world = sqlite_world
    key = open_gateway(world)
    client = create_site(world.context, lambda: world.now, public_url=None).test_client()
    answer = client.post("/v1/messages", data=wrong(world, key), content_type=JOSE)
    plain = client.post("/v1/messages", data=unsigned_plain(world), content_type=JOSE)
    assert (answer.status_code, problem_of(answer)["code"]) == (401, "not_trusted")
    same = {name: value for name, value in problem_of(answer).items() if name != "instance"}
    assert same == {name: value for name, value in problem_of(plain).items() if name != "instance"}
    assert world.rows(t.inbox) == []


def unsigned_plain(world: World) -> bytes:
    head, body, _ = a_referral(world).split(b".")
    return b".".join([head, body, b"A" * 86])


def test_a_message_encrypted_twice_is_no_message(world: World) -> None:
    key = open_gateway(world)
    with pytest.raises(NotJose):
        world.accept(to_gateway(world, key, to_gateway(world, key, a_referral(world))))


def test_a_gateway_without_a_key_opens_nothing(world: World) -> None:
    with pytest.raises(TrustError):
        world.accept(to_gateway(world, EncryptionKey.generate(GATEWAY), a_referral(world)))


def test_encrypted_lines_of_a_batch_cost_their_neighbours_nothing(world: World) -> None:
    key = open_gateway(world)
    second = a_referral(
        world, referral_id="r-2", case_number="（2026）黔01司救执2号", original_case_group="（2025）黔0102民初2号"
    )
    lines = [to_gateway(world, key, a_referral(world)), stranger(world, key), second]
    outcomes = accept_many(lines, world.context, now=world.now)
    assert [type(one) for one in outcomes] == [Accepted, TrustError, Accepted]


def test_the_largest_message_may_be_encrypted_over_http(sqlite_world: World) -> None:
    world = sqlite_world
    key = open_gateway(world)
    client = create_site(world.context, lambda: world.now, public_url=None).test_client()
    raw = world.court.sign("referral.submitted", {"filler": "a" * 390_000}, now=world.now)
    answer = client.post("/v1/messages", data=to_gateway(world, key, raw), content_type=JOSE)
    assert problem_of(answer)["code"] == "schema_invalid"
    lines = client.post("/v1/messages/batch", data=to_gateway(world, key, raw), content_type=NDJSON)
    assert '"schema_invalid"' in lines.get_data(as_text=True)


# --- at rest ---


def readings(text: str) -> str:
    """A text with everything in it that base64 hides, as far as anybody may guess."""
    found = [text]
    for part in re.findall(r"[A-Za-z0-9_+/-]{16,}", text):
        padded = part + "=" * (-len(part) % 4)
        for decode in (urlsafe_b64decode, b64decode):
            with suppress(ValueError):
                found.append(decode(padded).decode("utf-8", "ignore"))
    return "\n".join(found)


def all_rows(world: World) -> str:
    """Every row as the database has it."""
    with world.store.reading() as connection:
        rows = [
            str(dict(row))
            for table in t.metadata.sorted_tables
            for row in connection.execute(sa.select(table)).mappings()
        ]
    return "\n".join(rows)


def test_no_row_holds_a_name_or_number_however_it_is_read(world: World) -> None:
    give_key(world, DISABLED_PERSONS)
    handoff = world.hand_over()
    world.answer(handoff, "31", xj_reason="1", xj_reason_text=SECRETS[0])
    shown = readings(all_rows(world))
    assert "黔01司救执1号" in shown
    assert [secret for secret in SECRETS if secret in shown] == []


def test_no_file_of_the_database_holds_them(sqlite_world: World) -> None:
    world = sqlite_world
    handoff = world.hand_over()
    folder = Path(sa.make_url(world.url).database or "").parent
    held = b"".join(path.read_bytes() for path in folder.iterdir())
    assert handoff.jws.split(".")[1][:200].encode() not in held
    assert [secret for secret in SECRETS if secret.encode() in held] == []


def test_another_key_than_the_installations_opens_nothing(world: World) -> None:
    world.refer()
    store = Store(world.url)
    try:
        with store.reading() as connection, pytest.raises(ConfigError):
            rows = [dict(row) for row in connection.execute(sa.select(t.inbox)).mappings()]
            sealing.inbound(connection, rows)
    finally:
        store.close()


def test_a_sealed_text_moved_to_another_row_is_no_proof(world: World) -> None:
    world.refer()
    world.refer(referral_id="r-2", case_number="（2026）黔01司救执2号", original_case_group="（2025）黔0102民初2号")
    with world.store.reading() as connection:
        first, second = connection.scalars(sa.select(t.inbox.c.jws).order_by(t.inbox.c.row)).all()
    rows = world.rows(t.inbox)
    for row, sealed in zip(rows, (second, first), strict=True):
        world.change(t.inbox.update().where(t.inbox.c.row == row["row"]).values(jws=sealed))
    assert world.dispatch().handoffs == 0


def test_a_message_whose_stored_text_was_changed_is_parked_and_holds_up_nobody(world: World) -> None:
    for number in (1, 2):
        world.refer(
            referral_id=f"r-{number}",
            case_number=f"（2026）黔01司救执{number}号",
            original_case_group=f"（2025）黔0102民初{number}号",
        )
    world.dispatch()
    first = min(row["row"] for row in world.rows(t.outbox))
    world.change(t.outbox.update().where(t.outbox.c.row == first).values(jws="xjv1:AAAA"))
    for _ in range(3):
        world.deliver()
    assert {(row["state"], row["reason"]) for row in world.rows(t.outbox)} == {
        ("parked", "seal_broken"),
        ("relayed", None),
    }


def test_what_belongs_to_no_case_is_sealed_under_its_partys_key(world: World) -> None:
    world.refer()
    nothing = {"in_reply_to": "nothing-we-sent", "in_reply_to_digest": "0" * 64}
    result = {"xj_need": "n-1", "xj_status": "20", "xj_at": "2026-03-03T01:00:00Z"}
    body = {"xj_handoff": "h-1", "xj_results": [result]}
    world.accept(world.offices[CIVIL_AFFAIRS].partner.sign("handoff.outcome", body, now=world.now, **nothing))
    (unexpected,) = [row for row in world.rows(t.inbox) if row["type"] == "handoff.outcome"]
    assert (unexpected["subject"], unexpected["jws"].count(".")) == (None, 2)
    assert {row["referral_id"] for row in world.rows(t.case_keys)} == {"r-1", "party:cn/agency/civil_affairs.520102"}


def test_every_case_has_one_key_however_many_messages(world: World) -> None:
    handoff = world.hand_over()
    world.answer(handoff, "20")
    (key,) = world.rows(t.case_keys)
    assert (key["referral_id"], key["erased_at"]) == ("r-1", None)
