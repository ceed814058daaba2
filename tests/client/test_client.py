"""The SDK against a gateway that really verifies and signs, over loopback, and against everything that may fail."""

import json
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from gateway.client import Client, Journal, Outgoing, Refused, Sent
from gateway.envelope.keyring import Algorithm, SigningKey
from gateway.errors import (
    ConfigError,
    FieldProblem,
    MessageError,
    PartnerUnreachable,
    ReceiptMismatch,
    RuleBlocked,
    SameIdDifferentBytes,
    StillProcessing,
    TrustError,
    XianjieError,
)
from tests.client.gateway_server import (
    Gateway,
    Request,
    Server,
    a_handoff,
    cut_after,
    failing,
    lost_after_accepting,
    receipts_by,
)
from tests.envelope_world import AGENCY, COURT, GATEWAY, NOW, key_of, registered

BLOCKED = RuleBlocked(problems=[FieldProblem(pointer="/data/person/name", code="required")])


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
def server(gateway: Gateway) -> Iterator[Server]:
    with Server(gateway) as running:
        yield running


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


@pytest.fixture
def client(server: Server, path: Path) -> Client:
    return a_client(server, path)


def a_client(server: Server, path: Path, **changes: Any) -> Client:
    """A court's, or whoever's key is given."""
    honest: dict[str, Any] = {
        "url": server.url,
        "key": key_of(COURT),
        "gateway": GATEWAY,
        "gateway_keys": [registered(key_of(GATEWAY))],
        "journal": Journal(path),
        "clock": lambda: NOW,
        "timeout": 5.0,
    }
    return Client(**{**honest, **changes})


def send(client: Client, number: int = 1, **changes: Any) -> Sent:
    """One referral; the effect is its own for ever."""
    fields: dict[str, Any] = {"effect": f"r-{number}", "subject": f"r-{number}", **changes}
    return client.send("referral.submitted", fields.pop("data", {"amount_fen": number}), **fields)


def referrals(*numbers: int) -> list[Outgoing]:
    return [
        Outgoing(
            type="referral.submitted",
            data={"amount_fen": number},
            effect=f"r-{number}",
            subject=f"r-{number}",
            reference=f"court.ndjson:{number}",
        )
        for number in numbers
    ]


def kinds(results: list[Sent | Refused]) -> list[str]:
    return [result.code if isinstance(result, Refused) else "sent" for result in results]


# --- done ---


def test_a_message_is_numbered_signed_and_sent_and_its_receipt_proven(client: Client, gateway: Gateway) -> None:
    sent = send(client)
    (message,) = gateway.accepted
    envelope = message.envelope
    assert (sent.message_id, sent.digest, sent.replayed) == (envelope.id, message.digest, False)
    assert (envelope.source, envelope.recipient, envelope.type) == (COURT, GATEWAY, "referral.submitted")
    assert (envelope.subject, envelope.conversation_id, envelope.seq) == ("r-1", "r-1", 1)
    assert (envelope.time, envelope.data) == (NOW, {"amount_fen": 1})


def test_warnings_and_holds_of_the_receipt_reach_the_caller_also_from_the_journal(
    client: Client, gateway: Gateway
) -> None:
    gateway.warnings = (FieldProblem(pointer="/data/person/birth_date", code="unlikely_age"),)
    gateway.holds = ("possible_duplicate",)
    first, again = send(client), send(client)
    assert (first.warnings, first.holds) == (gateway.warnings, gateway.holds)
    assert again == replace(first, replayed=True)


def test_the_same_effect_again_is_answered_by_the_journal_without_the_gateway(client: Client, gateway: Gateway) -> None:
    first, again = send(client), send(client)
    assert (again.receipt, again.message_id, again.replayed) == (first.receipt, first.message_id, True)
    assert len(gateway.bodies) == 1


def test_a_receipt_on_file_counts_when_the_gateway_s_key_is_long_gone(
    server: Server, path: Path, gateway: Gateway
) -> None:
    first = send(a_client(server, path))
    successor = SigningKey.generate(Algorithm.ED25519, GATEWAY)
    later = a_client(server, path, gateway_keys=[registered(successor)])
    assert send(later) == replace(first, replayed=True)


def test_the_order_of_keys_does_not_make_other_data(client: Client, gateway: Gateway) -> None:
    send(client, data={"a": 1, "b": {"c": 2, "d": 3}})
    assert send(client, data={"b": {"d": 3, "c": 2}, "a": 1}).replayed
    assert len(gateway.accepted) == 1


@pytest.mark.parametrize(
    "change",
    [{"data": {"amount_fen": 2}}, {"subject": "r-2"}, {"content_type": "application/xml", "data": "<a/>"}],
    ids=str,
)
def test_an_effect_never_stands_for_something_else(client: Client, gateway: Gateway, change: dict[str, Any]) -> None:
    send(client)
    with pytest.raises(SameIdDifferentBytes):
        send(client, **change)
    assert len(gateway.bodies) == 1


def test_two_parties_may_use_one_journal_and_the_same_names(
    server: Server, path: Path, gateway: Gateway, client: Client
) -> None:
    send(client)
    other = a_client(server, path, key=key_of(AGENCY))
    assert not send(other).replayed
    assert [(one.party_id, one.envelope.seq) for one in gateway.accepted] == [(COURT, 1), (AGENCY, 1)]


# --- refused ---


def test_a_refusal_is_raised_as_the_gateway_s_own_error(client: Client, gateway: Gateway) -> None:
    gateway.problems["r-1"] = BLOCKED
    with pytest.raises(RuleBlocked) as raised:
        send(client)
    assert raised.value.problems == BLOCKED.problems


def test_among_many_a_refusal_costs_no_other_its_place(client: Client, gateway: Gateway) -> None:
    gateway.problems["r-2"] = BLOCKED
    results = list(client.send_many(referrals(1, 2, 3)))
    assert kinds(results) == ["sent", "rule_blocked", "sent"]
    refused = results[1]
    assert isinstance(refused, Refused)
    assert (refused.status, refused.fault, refused.effect, refused.reference) == (
        422,
        "sender",
        "r-2",
        "court.ndjson:2",
    )
    assert [(error["pointer"], error["code"]) for error in refused.errors] == [("/data/person/name", "required")]


def test_after_a_refusal_the_corrected_data_go_under_a_new_id(client: Client, gateway: Gateway) -> None:
    gateway.problems["r-1"] = BLOCKED
    with pytest.raises(MessageError):
        send(client)
    gateway.problems.clear()
    sent = send(client, data={"amount_fen": 7})
    refused, accepted = (gateway.messages_of(body)[0] for body in gateway.bodies)
    assert refused.envelope.id != accepted.envelope.id == sent.message_id


def test_the_number_of_a_refused_message_goes_to_the_next_new_one(client: Client, gateway: Gateway) -> None:
    gateway.problems["r-2"] = BLOCKED
    list(client.send_many(referrals(1, 2, 3)))
    list(client.send_many(referrals(4, 5)))
    assert gateway.numbers() == [1, 3, 2, 4]


def test_a_refused_message_stays_on_file_as_refused(client: Client, gateway: Gateway, path: Path) -> None:
    gateway.problems["r-1"] = BLOCKED
    with pytest.raises(MessageError):
        send(client)
    gateway.problems.clear()
    send(client)
    with sqlite3.connect(path) as base:
        rows = base.execute("select effect, seq, state from entries order by entry").fetchall()
    assert rows == [("r-1", 1, "refused"), ("r-1", 1, "accepted")]


# --- unknown ---


@pytest.mark.parametrize(
    "fault", [failing(500), failing(503), failing(429), lost_after_accepting, cut_after(0)], ids=range(5)
)
def test_while_nobody_knows_the_same_bytes_go_again(
    client: Client, gateway: Gateway, fault: Callable[[Request, bytes], None]
) -> None:
    gateway.faults.append(fault)
    with pytest.raises(PartnerUnreachable) as raised:
        send(client)
    assert raised.value.retryable
    sent = send(client)
    first, second = gateway.bodies
    assert first == second
    assert [message.envelope.id for message in gateway.accepted] == [sent.message_id]


def test_a_connection_lost_after_acceptance_ends_with_the_first_receipt(client: Client, gateway: Gateway) -> None:
    gateway.faults.append(lost_after_accepting)
    with pytest.raises(PartnerUnreachable):
        send(client)
    (first_receipt,) = gateway.receipts.values()
    assert send(client).receipt == first_receipt


def test_a_slow_gateway_is_unknown_not_refused(server: Server, path: Path, gateway: Gateway) -> None:
    def slow(request: Request, body: bytes) -> None:
        time.sleep(0.5)
        lost_after_accepting(request, body)

    gateway.faults.append(slow)
    with pytest.raises(PartnerUnreachable):
        send(a_client(server, path, timeout=0.1))
    assert send(a_client(server, path)).message_id == gateway.messages_of(gateway.bodies[0])[0].envelope.id


def test_where_nobody_listens_the_bytes_wait_in_the_journal(server: Server, path: Path, gateway: Gateway) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with pytest.raises(PartnerUnreachable):
        send(a_client(server, path, url=nowhere))
    with sqlite3.connect(path) as base:
        (jws,) = base.execute("select jws from entries").fetchone()
    send(a_client(server, path))
    assert [message.jws for message in gateway.accepted] == [jws]


def test_a_process_killed_between_the_journal_and_the_wire_sends_the_same_bytes_when_it_runs_again(
    server: Server, path: Path, gateway: Gateway
) -> None:
    dying = a_client(server, path)
    entry = Journal(path).prepare(COURT, GATEWAY, referrals(1), dying._write)[0]
    assert gateway.bodies == []
    sent = next(a_client(server, path).send_many(referrals(1)))
    assert isinstance(sent, Sent)
    assert [message.jws for message in gateway.accepted] == [entry.jws]
    assert (sent.message_id, sent.replayed) == (entry.message_id, False)


def test_a_refusal_that_asks_for_patience_keeps_the_bytes(client: Client, gateway: Gateway) -> None:
    gateway.problems["r-1"] = StillProcessing()
    with pytest.raises(PartnerUnreachable):
        send(client)
    gateway.problems.clear()
    send(client)
    assert gateway.bodies[0] == gateway.bodies[1]


def test_a_cut_answer_gives_what_is_known_and_then_the_error(client: Client, gateway: Gateway) -> None:
    gateway.faults.append(cut_after(2))
    found: list[Sent | Refused] = []
    with pytest.raises(PartnerUnreachable):
        for result in client.send_many(referrals(1, 2, 3, 4)):
            found.append(result)
    assert kinds(found) == ["sent", "sent"]
    again = list(client.send_many(referrals(1, 2, 3, 4)))
    assert [result.replayed for result in again if isinstance(result, Sent)] == [True, True, False, False]
    assert [len(body.split()) for body in gateway.bodies] == [4, 2]
    assert gateway.numbers() == [1, 2, 3, 4]


def test_a_redirect_is_not_followed_and_says_what_to_mend(client: Client, gateway: Gateway) -> None:
    gateway.faults.append(failing(307, Location="/v1/messages/batch"))
    with pytest.raises(ConfigError, match="redirects"):
        send(client)
    assert len(gateway.bodies) == 1
    assert send(client).replayed is False


# --- a receipt that proves nothing ---


def by_a_stranger(gateway: Gateway, message: Any) -> str:
    return gateway.receipt(message, SigningKey.generate(Algorithm.ED25519, GATEWAY))


def by_another_party(gateway: Gateway, message: Any) -> str:
    return gateway.receipt(message, key_of(AGENCY))


def of_other_bytes(gateway: Gateway, message: Any) -> str:
    return gateway.receipt(_with(message, digest="0" * 64))


def of_another_message(gateway: Gateway, message: Any) -> str:
    return gateway.receipt(_with(message, envelope=replace(message.envelope, id="another")))


def _with(message: Any, **changes: Any) -> Any:
    """A message that differs in one thing, as only a broken gateway could hold it."""
    for name, value in changes.items():
        object.__setattr__(message, name, value)
    return message


@pytest.mark.parametrize("make", [by_a_stranger, by_another_party, of_other_bytes, of_another_message])
def test_a_receipt_that_is_not_the_gateway_s_for_this_message_proves_nothing(
    client: Client, gateway: Gateway, make: Callable[[Gateway, Any], str]
) -> None:
    gateway.faults.append(receipts_by(make))
    with pytest.raises(XianjieError):
        send(client)
    assert not send(client).replayed
    assert gateway.bodies[0] == gateway.bodies[1]


@pytest.mark.parametrize("make", [of_other_bytes, of_another_message])
def test_a_receipt_that_names_another_message_is_called_a_mismatch(
    client: Client, gateway: Gateway, make: Callable[[Gateway, Any], str]
) -> None:
    gateway.faults.append(receipts_by(make))
    with pytest.raises(ReceiptMismatch):
        send(client)


# --- many ---


def test_many_go_in_requests_of_a_hundred_and_come_back_in_order(client: Client, gateway: Gateway) -> None:
    results = list(client.send_many(referrals(*range(1, 206))))
    assert [result.reference for result in results] == [f"court.ndjson:{number}" for number in range(1, 206)]
    assert [len(body.split()) for body in gateway.bodies] == [100, 100, 5]
    assert gateway.numbers() == list(range(1, 206))


def test_what_is_on_file_is_not_sent_again_among_what_is_new(client: Client, gateway: Gateway) -> None:
    send(client, 2)
    results = list(client.send_many(referrals(1, 2, 3)))
    assert [result.replayed for result in results if isinstance(result, Sent)] == [False, True, False]
    assert len(gateway.bodies[1].split()) == 2


def test_the_same_effect_twice_in_one_file_is_one_message(client: Client, gateway: Gateway) -> None:
    results = list(client.send_many(referrals(1, 2, 1)))
    assert kinds(results) == ["sent", "sent", "sent"]
    assert len(gateway.accepted) == 2
    assert isinstance(results[0], Sent) and isinstance(results[2], Sent)
    assert results[0].message_id == results[2].message_id


def test_nothing_to_send_asks_nothing(client: Client, gateway: Gateway) -> None:
    assert (list(client.send_many([])), gateway.bodies) == ([], [])


@pytest.mark.parametrize("shared", [True, False], ids=["one journal", "one file"])
def test_threads_that_send_at_once_get_each_a_number_of_its_own_and_no_gap(
    server: Server, path: Path, gateway: Gateway, shared: bool
) -> None:
    first = a_client(server, path)
    clients = [first, first if shared else a_client(server, path)]
    failed: list[BaseException] = []

    def work(client: Client, numbers: range) -> None:
        try:
            for number in numbers:
                send(client, number)
        except BaseException as error:
            failed.append(error)

    threads = [
        threading.Thread(target=work, args=(client, range(start, 40, 2)))
        for client, start in zip(clients, (0, 1), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert sorted(number or 0 for number in gateway.numbers()) == list(range(1, 41))


def test_only_its_owner_may_read_the_journal(client: Client, path: Path) -> None:
    send(client)
    assert {file.stat().st_mode & 0o777 for file in path.parent.glob("journal.sqlite*")} == {0o600}


# --- the mailbox ---


@pytest.fixture
def agency(server: Server, path: Path) -> Client:
    return a_client(server, path, key=key_of(AGENCY))


def test_the_mailbox_gives_proven_messages_in_order(agency: Client, gateway: Gateway) -> None:
    gateway.mailbox = [a_handoff(1), a_handoff(2)]
    found = list(agency.inbox(after=0, limit=50, wait=0))
    assert [(message.envelope.seq, message.party_id) for message in found] == [(1, GATEWAY), (2, GATEWAY)]
    assert gateway.asked == ["/v1/inbox?after=0&limit=50&wait=0"]


@pytest.mark.parametrize(
    "bad",
    [
        b"rubbish",
        a_handoff(9, key=SigningKey.generate(Algorithm.ED25519, GATEWAY)),
        a_handoff(9, key=key_of(COURT)),
        a_handoff(9, recipient=COURT),
    ],
    ids=["no JWS", "a stranger's", "another party's", "for another"],
)
def test_a_bad_line_is_told_after_the_good_ones(agency: Client, gateway: Gateway, bad: bytes) -> None:
    gateway.mailbox = [a_handoff(1), bad, a_handoff(2)]
    found: list[int | None] = []
    with pytest.raises(XianjieError):
        for message in agency.inbox():
            found.append(message.envelope.seq)
    assert found == [1, 2]


def test_an_answer_names_the_message_it_answers(agency: Client, gateway: Gateway) -> None:
    gateway.mailbox = [a_handoff(1)]
    (message,) = agency.inbox()
    agency.answer(message, "handoff.outcome", "<reply/>", content_type="application/xml")
    (answer,) = gateway.accepted
    envelope = answer.envelope
    assert (envelope.in_reply_to, envelope.in_reply_to_digest) == (message.envelope.id, message.digest)
    assert (envelope.subject, envelope.conversation_id) == ("R-2025-0001", "R-2025-0001")
    assert (envelope.datacontenttype, envelope.data) == ("application/xml", "<reply/>")


def test_the_same_answer_twice_is_one_message_and_another_answer_is_another(agency: Client, gateway: Gateway) -> None:
    gateway.mailbox = [a_handoff(1)]
    (message,) = agency.inbox()
    first = agency.answer(message, "handoff.retrieved", {})
    again = agency.answer(message, "handoff.retrieved", {})
    agency.answer(message, "handoff.disposition", {"accepted": True})
    assert (again.message_id, again.replayed) == (first.message_id, True)
    assert [one.envelope.seq for one in gateway.accepted] == [1, 2]


def test_every_read_has_a_token_of_its_own(client: Client, gateway: Gateway) -> None:
    client.balance()
    client.balance()
    assert len(gateway.tokens) == 2


def test_a_court_asks_for_a_referral_and_for_its_balance(client: Client) -> None:
    assert client.referral("r-1") == {"path": "/v1/referrals/r-1", "query": {}, "party": COURT}
    assert client.balance(date(2026, 1, 1), date(2026, 3, 31))["query"] == {"from": "2026-01-01", "to": "2026-03-31"}
    assert client.balance(to=date(2026, 3, 31))["query"] == {"to": "2026-03-31"}


def test_a_key_the_gateway_does_not_know_reads_nothing(server: Server, path: Path) -> None:
    stranger = a_client(server, path, key=SigningKey.generate(Algorithm.ED25519, COURT))
    with pytest.raises(TrustError):
        stranger.balance()


def test_a_gateway_that_is_down_answers_no_read(server: Server, path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{closed.getsockname()[1]}"
    lost = a_client(server, path, url=nowhere)
    with pytest.raises(PartnerUnreachable):
        lost.balance()
    with pytest.raises(PartnerUnreachable):
        list(lost.inbox())


def test_errors_and_results_repeat_nothing_that_was_sent(client: Client, gateway: Gateway) -> None:
    gateway.problems["r-1"] = BLOCKED
    name = "合成姓名甲"
    refused = next(client.send_many([replace(referrals(1)[0], data={"name": name})]))
    with pytest.raises(MessageError) as raised:
        send(client, data={"name": name})
    assert name not in json.dumps([repr(refused), str(raised.value), raised.value.ids], ensure_ascii=False)
