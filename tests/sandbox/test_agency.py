"""The simulated agencies: they prove what they get, receipt it once for ever, and answer in their own format."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.domain.agreement import Channel
from gateway.domain.replies import DenialReason, ReplyCode
from gateway.envelope import webhook
from gateway.envelope.encryption import EncryptionKey, encrypt, is_encrypted
from gateway.envelope.keyring import Algorithm, SigningKey
from gateway.envelope.message import Envelope, digest
from gateway.envelope.signing import MESSAGE_TYP, sign
from gateway.errors import ConfigError, ReceiptMismatch, SchemaInvalid
from gateway.evidence.receipt import ReceiptVerdict, Rung, require_answer
from gateway.sandbox.agency import Agency, make_app
from gateway.sandbox.agency_config import Desk, gateway_keyring
from gateway.sandbox.behaviour import SHARES, Behaviour, Fate, Step, fate_of
from gateway.sandbox.formats import FORMATS
from gateway.sandbox.reception import NDJSON, PROBLEM
from tests.sandbox.world import ADAPTERS, GATEWAY, NOW, Clock, World, a_config, a_message, a_world, key_of, party

AGENCIES = sorted(ADAPTERS)


def types(world: World) -> list[str]:
    return [message.envelope.type for message in world.gateway.received]


# --- a receipt for what was proven ---


@pytest.mark.parametrize("agency", AGENCIES)
def test_a_pushed_handoff_gets_a_relay_receipt_that_names_its_id_and_digest(agency: str) -> None:
    world, raw = a_world(agency), a_message(agency)
    answer = world.push(raw)
    receipt = world.receipt(answer.body)
    require_answer(receipt, message_id="m-h-1", message_digest=digest(raw))
    assert (answer.status, receipt.rung, receipt.verdict) == (200, Rung.RELAY, ReceiptVerdict.ACCEPTED)


def test_the_same_message_again_gets_the_same_receipt_bytes_and_no_second_reply() -> None:
    world, raw = a_world(), a_message()
    first = world.push(raw)
    world.clock.now += timedelta(minutes=1)
    assert world.push(raw).body == first.body
    world.later()
    assert types(world) == ["handoff.delivered", "handoff.disposition", "handoff.outcome", "handoff.outcome"]


def test_the_same_message_from_eight_sides_at_once_has_one_receipt_and_one_course() -> None:
    world, raw = a_world(), a_message()
    with ThreadPoolExecutor(8) as threads:
        bodies = set(threads.map(lambda _: world.push(raw).body, range(40)))
    assert len(bodies) == 1
    world.later()
    assert len(types(world)) == 4


def test_the_same_id_with_other_bytes_is_refused() -> None:
    world = a_world()
    world.push(a_message())
    answer = world.push(a_message(subject="r-2"))
    assert (answer.status, answer.content_type) == (422, PROBLEM)
    assert json.loads(answer.body)["code"] == "same_id_different_bytes"


def test_a_batch_is_answered_line_by_line_in_order_and_a_bad_line_spoils_no_other() -> None:
    world = a_world()
    lines = [a_message(handoff_id="h-1"), b"not a jws", a_message(handoff_id="h-2")]
    answer = world.push(b"\n".join(lines), NDJSON)
    first, second, third = answer.body.splitlines()
    assert answer.content_type == NDJSON
    assert [world.receipt(first).message_id, world.receipt(third).message_id] == ["m-h-1", "m-h-2"]
    assert json.loads(second)["code"] == "not_jose"


def test_a_push_whose_headers_are_of_another_body_is_refused_before_the_message_is_read() -> None:
    world, raw = a_world(), a_message()
    headers = webhook.headers(key_of(GATEWAY), message_id="push-1", timestamp=NOW, body=b"other")
    answer = world.agency.reception.push(headers, raw, "application/jose")
    assert (answer.status, json.loads(answer.body)["code"]) == (401, "not_trusted")
    world.later()
    assert types(world) == []


def test_a_message_signed_by_a_stranger_is_refused() -> None:
    world = a_world()
    stranger = SigningKey.generate(Algorithm.ED25519, GATEWAY)
    forged = sign(an_envelope().to_payload(), stranger, MESSAGE_TYP).encode()
    assert world.push(forged).status == 401


def test_a_message_for_another_office_is_refused() -> None:
    assert json.loads(a_world().push(a_message(recipient="cn/agency/other")).body)["code"] == "wrong_recipient"


def test_a_handoff_it_cannot_read_gets_no_receipt_and_may_come_again_mended() -> None:
    world = a_world()
    assert world.push(a_message(data={"xj_handoff": "h-1"})).status == 422
    assert world.receipt(world.push(a_message()).body).message_id == "m-h-1"


def an_envelope(**changes: Any) -> Envelope:
    known: dict[str, Any] = {
        "id": "m-9",
        "source": GATEWAY,
        "type": "handoff.issued",
        "time": NOW,
        "recipient": party(),
    }
    return Envelope(**{**known, **changes})


# --- behaviours ---


def test_a_bare_200_is_given_once_and_the_receipt_the_next_time() -> None:
    world, raw = a_world(no_receipt=1.0), a_message()
    first = world.push(raw)
    assert (first.status, first.body) == (200, b"")
    assert world.receipt(world.push(raw).body).message_id == "m-h-1"


def test_a_wrong_digest_is_given_once_and_the_right_receipt_the_next_time() -> None:
    world, raw = a_world(wrong_digest=1.0), a_message()
    with pytest.raises(ReceiptMismatch):
        require_answer(world.receipt(world.push(raw).body), message_id="m-h-1", message_digest=digest(raw))
    require_answer(world.receipt(world.push(raw).body), message_id="m-h-1", message_digest=digest(raw))


def test_a_silent_office_receipts_and_never_answers() -> None:
    world = a_world(silent=1.0)
    assert world.receipt(world.push(a_message()).body).message_id == "m-h-1"
    world.later(timedelta(days=9))
    assert types(world) == []


def test_the_first_requests_meet_a_503_and_the_next_is_served() -> None:
    config = a_config(behaviour=Behaviour(down_for=2, answer_after=0.5))
    waited: list[float] = []
    client = make_app(config, Agency.of(config, Clock()).reception, waited.append).test_client()
    raw = a_message()
    headers = webhook.headers(key_of(GATEWAY), message_id="push-1", timestamp=NOW, body=raw)
    statuses = [
        client.post("/handoffs", data=raw, headers=headers, content_type="application/jose").status_code
        for _ in range(3)
    ]
    assert statuses == [503, 503, 200]
    assert waited == [0.5, 0.5, 0.5]


def test_fates_follow_from_the_seed_and_the_ids_alone() -> None:
    some = Behaviour(denies=0.3, unknown_code=0.1, overpays=0.1)
    fates = [fate_of(some, f"h-{number}", "n-1") for number in range(400)]
    assert fates == [fate_of(some, f"h-{number}", "n-1") for number in range(400)]
    assert set(fates) == set(Fate)
    assert 80 < fates.count(Fate.DENIED) < 160
    other = Behaviour(seed="other", denies=0.3, unknown_code=0.1, overpays=0.1)
    assert fates != [fate_of(other, f"h-{number}", "n-1") for number in range(400)]


@pytest.mark.parametrize("share", SHARES)
def test_a_share_of_nothing_hits_nobody_and_of_one_everybody(share: str) -> None:
    assert not any(Behaviour().hits(share, f"h-{number}") for number in range(50))
    all_of_it: dict[str, Any] = {share: 1.0}
    assert all(Behaviour(**all_of_it).hits(share, f"h-{number}") for number in range(50))


@pytest.mark.parametrize("wrong", [{"denies": 1.1}, {"silent": -0.1}, {"down_for": -1}, {"overpays": True}])
def test_a_behaviour_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Behaviour(**wrong)


# --- replies, read by the gateway's own adapters ---


@pytest.mark.parametrize("agency", AGENCIES)
def test_replies_answer_the_handoff_in_order_and_are_numbered_from_one(agency: str) -> None:
    world, raw = a_world(agency), a_message(agency)
    world.push(raw)
    world.later()
    envelopes = [message.envelope for message in world.gateway.received]
    assert [envelope.type for envelope in envelopes][:3] == [
        "handoff.delivered",
        "handoff.disposition",
        "handoff.outcome",
    ]
    assert [envelope.seq for envelope in envelopes] == list(range(1, len(envelopes) + 1))
    assert {(e.in_reply_to, e.in_reply_to_digest, e.subject, e.conversation_id) for e in envelopes} == {
        ("m-h-1", digest(raw), "r-1", "r-1")
    }


def test_civil_affairs_accepts_forwards_approves_and_pays() -> None:
    world = a_world()
    world.push(a_message())
    world.later()
    by_need: dict[str | None, list[ReplyCode | object]] = {}
    for _, outcome in world.gateway.answers():
        by_need.setdefault(outcome.programme, []).append(outcome.code)
    assert by_need == {
        "MLG": [ReplyCode.ACCEPTED, ReplyCode.APPROVED, ReplyCode.PAID],
        "MED": [ReplyCode.FORWARDED, ReplyCode.SERVICE_DELIVERED],
        "LIM": [ReplyCode.ACCEPTED, ReplyCode.APPROVED, ReplyCode.SERVICE_DELIVERED],
    }


def test_what_is_paid_is_what_was_approved_to_whom_it_was_asked_for() -> None:
    world = a_world()
    world.push(a_message())
    world.later()
    money = [outcome for _, outcome in world.gateway.answers() if outcome.amount_fen]
    assert {outcome.code for outcome in money} == {ReplyCode.APPROVED, ReplyCode.PAID}
    assert len({(o.amount_fen, o.starts_on, o.ends_on) for o in money}) == 1
    assert {outcome.payee for outcome in money} == {"BENEFICIARY"}


def test_the_federation_reviews_a_subsidy_and_lets_civil_affairs_decide() -> None:
    world = a_world("disabled_persons")
    world.push(a_message("disabled_persons"))
    world.later()
    said = [(outcome.programme, outcome.code, outcome.raw_code) for _, outcome in world.gateway.answers()]
    assert said == [
        ("ASD", ReplyCode.ACCEPTED, "B1"),
        ("LSD", ReplyCode.ACCEPTED, "B1"),
        ("ASD", ReplyCode.APPROVED, "D1"),
        ("LSD", ReplyCode.APPROVED, "D3"),
        ("ASD", ReplyCode.SERVICE_DELIVERED, "E3"),
    ]


@pytest.mark.parametrize("agency", AGENCIES)
def test_a_denial_has_its_reason_and_its_text_and_is_the_last_word(agency: str) -> None:
    world = a_world(agency, denies=1.0)
    world.push(a_message(agency))
    world.later()
    denials = [outcome for _, outcome in world.gateway.answers() if outcome.code is ReplyCode.DENIED]
    assert len(denials) == len(ADAPTERS) - (agency != "civil_affairs")
    assert {type(outcome.reason) for outcome in denials} == {DenialReason}
    assert all(outcome.text for outcome in denials)
    assert types(world) == ["handoff.delivered", "handoff.disposition", "handoff.outcome"]


@pytest.mark.parametrize("agency", AGENCIES)
def test_an_unknown_code_is_one_that_the_gateways_table_has_not(agency: str) -> None:
    world = a_world(agency, unknown_code=1.0)
    world.push(a_message(agency))
    world.later()
    last = [outcome for kind, outcome in world.gateway.answers() if kind == "handoff.outcome"]
    assert {(outcome.code, outcome.raw_code) for outcome in last} == {(None, FORMATS[agency].unknown_code)}


def test_an_overpaid_need_gets_more_than_was_approved() -> None:
    world = a_world(overpays=1.0)
    world.push(a_message())
    world.later()
    amounts = {outcome.code: outcome.amount_fen for _, outcome in world.gateway.answers() if outcome.amount_fen}
    assert amounts[ReplyCode.PAID] == (amounts[ReplyCode.APPROVED] or 0) + 10_000


@pytest.mark.parametrize("agency", AGENCIES)
def test_every_answer_that_is_not_final_says_when_the_next_is_due(agency: str) -> None:
    world = a_world(agency)
    world.push(a_message(agency))
    world.later()
    open_ones = [o for _, o in world.gateway.answers() if o.code in (ReplyCode.ACCEPTED, ReplyCode.APPROVED)]
    assert all(outcome.next_due is not None for outcome in open_ones)


@pytest.mark.parametrize("body", [None, [], "<Handoff/>", "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", {"事项": 1}])
@pytest.mark.parametrize("agency", AGENCIES)
def test_what_is_no_handoff_is_refused_by_every_format(agency: str, body: Any) -> None:
    with pytest.raises(SchemaInvalid if agency != "disabled_persons" else Exception, match=r".") as refusal:
        FORMATS[agency].read(body)
    assert getattr(refusal.value, "code", None) in ("schema_invalid", "malformed_xml")


# --- until the gateway's receipt names it ---


def test_replies_wait_while_the_gateway_is_down_and_then_go_with_the_same_bytes() -> None:
    world = a_world()
    world.push(a_message())
    world.gateway.down = True
    world.later()
    world.later(timedelta(minutes=5))
    world.gateway.down = False
    world.later(timedelta(minutes=5))
    world.later(timedelta(minutes=5))
    assert types(world) == ["handoff.delivered", "handoff.disposition", "handoff.outcome", "handoff.outcome"]
    assert len(set(world.gateway.raw)) == 4
    assert world.gateway.raw[0] == world.gateway.raw[1] == world.gateway.raw[2]


def test_a_202_without_a_receipt_of_these_bytes_is_not_believed() -> None:
    world = a_world()
    world.push(a_message())
    world.gateway.answer_with = b"thank you"
    world.later()
    world.gateway.answer_with = None
    world.later()
    world.later()
    assert world.agency.notebook.counts() == {"sent": 4}
    assert world.gateway.raw[0] == world.gateway.raw[1]


def test_a_reply_refused_for_good_is_not_sent_again() -> None:
    world = a_world()
    world.push(a_message())
    world.gateway.refuses = 422
    world.later()
    world.gateway.refuses = None
    world.later()
    assert types(world) == []
    assert world.agency.notebook.counts() == {"refused": 4}


def test_after_a_restart_receipts_numbers_and_replies_go_on_where_they_were(tmp_path: Path) -> None:
    world, raw = a_world(), a_message()
    config = a_config(notebook=tmp_path / "notebook.sqlite")
    world.agency = Agency.of(config, world.clock)
    receipt = world.push(raw).body
    world.later(timedelta(seconds=3.5))
    told = len(types(world))
    world.agency.notebook.close()
    world.agency = Agency.of(config, world.clock)
    assert world.push(raw).body == receipt
    world.later()
    assert 0 < told < len(types(world)) == 4
    assert [message.envelope.seq for message in world.gateway.received] == [1, 2, 3, 4]


# --- withdrawal ---


def test_a_withdrawn_handoff_is_closed_and_nothing_else_is_said() -> None:
    world = a_world()
    world.push(a_message())
    world.push(
        a_message(id="m-2", type="handoff.withdrawn", seq=2, data=WITHDRAWAL, datacontenttype="application/json")
    )
    world.later()
    assert [(kind, outcome.code) for kind, outcome in world.gateway.answers()] == [
        ("handoff.outcome", ReplyCode.CLOSED)
    ] * 3
    assert {message.envelope.in_reply_to for message in world.gateway.received} == {"m-h-1"}


def test_a_withdrawal_after_the_last_word_changes_nothing() -> None:
    world = a_world()
    world.push(a_message())
    world.later()
    world.push(
        a_message(id="m-2", type="handoff.withdrawn", seq=2, data=WITHDRAWAL, datacontenttype="application/json")
    )
    world.later()
    assert ReplyCode.CLOSED not in {outcome.code for _, outcome in world.gateway.answers()}


WITHDRAWAL = {"handoff_id": "h-1", "needs": ["n-1"]}


# --- the mailbox ---


def test_the_clerk_fetches_from_the_mailbox_says_so_and_answers_like_anybody() -> None:
    world = a_world("womens_federation", channel=Channel.MAILBOX)
    world.gateway.mailbox = [a_message("womens_federation")]
    assert world.postman.empty_mailboxes(wait=0) == 1
    world.later()
    assert types(world) == ["handoff.retrieved", "handoff.disposition", "handoff.outcome", "handoff.outcome"]
    assert [outcome.code for _, outcome in world.gateway.answers()][-2:] == [
        ReplyCode.PAID,
        ReplyCode.SERVICE_DELIVERED,
    ]


def test_a_message_that_still_lies_there_is_not_taken_twice() -> None:
    world = a_world("womens_federation", channel=Channel.MAILBOX)
    world.gateway.mailbox = [a_message("womens_federation")]
    assert [world.postman.empty_mailboxes(wait=0) for _ in range(2)] == [1, 0]
    world.later()
    assert types(world).count("handoff.retrieved") == 1


def test_one_bad_message_in_the_mailbox_does_not_keep_the_next_from_being_read() -> None:
    world = a_world("womens_federation", channel=Channel.MAILBOX)
    bad = a_message("womens_federation", handoff_id="h-0", data={"转办编号": "h-0"})
    world.gateway.mailbox = [bad, a_message("womens_federation", seq=2)]
    assert world.postman.empty_mailboxes(wait=0) == 1


def test_the_token_is_good_for_the_party_and_the_request_only() -> None:
    world = a_world("womens_federation", channel=Channel.MAILBOX)
    world.gateway.mailbox = [a_message("civil_affairs")]
    assert world.postman.empty_mailboxes(wait=0) == 0


def test_an_encrypted_handoff_is_opened_and_its_receipt_names_what_was_inside() -> None:
    own = EncryptionKey.generate(party())
    desk = Desk(key=key_of(party()), decryption=own)
    world = a_world()
    world.agency = Agency.of(a_config(desks={desk.party_id: desk}), world.clock)
    raw, key = a_message(), own.public_key(not_before=NOW)
    receipts = {world.push(encrypt(raw, key).encode()).body for _ in range(2)} | {world.push(raw).body}
    assert len(receipts) == 1
    require_answer(world.receipt(receipts.pop()), message_id="m-h-1", message_digest=digest(raw))


def test_what_is_encrypted_to_nobody_here_is_refused() -> None:
    world, stranger = a_world(), EncryptionKey.generate(party())
    answer = world.push(encrypt(a_message(), stranger.public_key(not_before=NOW)).encode())
    assert (answer.status, json.loads(answer.body)["code"]) == (401, "not_trusted")


def test_a_desk_that_is_written_to_encrypted_answers_encrypted_where_the_gateway_can_read_it() -> None:
    own, theirs = EncryptionKey.generate(party()), EncryptionKey.generate(GATEWAY)
    keyring = gateway_keyring([key_of(GATEWAY).public_jwk(), theirs.public_jwk()], GATEWAY)
    desk = Desk(key=key_of(party()), decryption=own)
    world = a_world()
    world.agency = Agency.of(a_config(desks={desk.party_id: desk}, keyring=keyring), world.clock)
    world.gateway.decryption = theirs
    world.push(encrypt(a_message(), own.public_key(not_before=NOW)).encode())
    world.later()
    assert len(types(world)) == 4
    assert all(is_encrypted(raw) for raw in world.gateway.raw)


def test_each_step_has_a_delay_that_grows_with_the_steps() -> None:
    behaviour = Behaviour()
    delays = [behaviour.delay(step, "h-1") for step in Step if step is not Step.CLOSING]
    assert delays == sorted(delays)
    assert delays[0] == 0.0
