"""The client against a real gateway over HTTP: what is lost or cut on the way costs nothing and repeats nothing.

A fault stands between the two: the gateway has done its work, and then its answer is lost, cut, or somebody else's.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gateway.client import Client, Journal, Outgoing, Refused, Sent
from gateway.domain.agreement import Channel, PartyKind
from gateway.envelope.algorithms import Algorithm
from gateway.envelope.keyring import SigningKey
from gateway.errors import (
    ConfigError,
    Forbidden,
    PartnerUnreachable,
    ReceiptMismatch,
    ReferralIdTaken,
    ReferralUnknown,
    RuleBlocked,
    TrustError,
)
from gateway.store import directory
from gateway.store import tables as t
from gateway.web.server import open_server
from gateway.web.site import create_site
from tests.builders import an_id_number
from tests.gateway_world import COURT, GATEWAY, START, Partner, World, a_referral_body

Answer = tuple[str, list[tuple[str, str]], bytes]
Fault = Callable[[Answer], Answer]
PERSON = a_referral_body()["person"]


@dataclass
class Road:
    """The way between: each request takes the next fault, if there is one, after the gateway did its work."""

    site: Any
    faults: list[Fault | None] = field(default_factory=list)
    requests: int = 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.requests += 1
        told: list[Any] = []
        chunks = self.site(environ, lambda status, headers, *_: told.extend((status, headers)))
        body = b"".join(chunks)
        fault = self.faults.pop(0) if self.faults else None
        status, headers, body = (told[0], told[1], body) if fault is None else fault((told[0], told[1], body))
        start_response(status, headers)
        return [body]


@dataclass
class Here:
    """A gateway that listens, and the folder journals lie in."""

    world: World
    road: Road
    url: str
    folder: Path

    def client(self, partner: Partner | None = None, *, name: str = "journal", **changes: Any) -> Client:
        partner = partner or self.world.court
        gateway = self.world.partners[GATEWAY].key.public_key(not_before=START.replace(year=2020))
        honest: dict[str, Any] = {
            "url": self.url,
            "key": partner.key,
            "gateway": GATEWAY,
            "gateway_keys": [gateway],
            "journal": Journal(self.folder / f"{name}.sqlite"),
            "clock": lambda: self.world.now,
        }
        return Client(**{**honest, **changes})

    def numbers(self, party_id: str = COURT) -> list[int]:
        """Of the party's messages the gateway has, in the order of their numbers."""
        return sorted(row["seq"] for row in self.world.rows(t.inbox) if row["source"] == party_id)

    def referrals(self) -> list[str]:
        return sorted(row["referral_id"] for row in self.world.rows(t.referrals))


@pytest.fixture
def here(sqlite_url: str, tmp_path: Path) -> Iterator[Here]:
    logging.getLogger("waitress").setLevel(logging.CRITICAL)  # it complains of answers that were cut on purpose
    world = World(sqlite_url)
    road = Road(create_site(world.context, lambda: world.now, public_url=None).wsgi_app)
    server = open_server(road, host="127.0.0.1", port=0, threads=4)  # type: ignore[arg-type]
    thread = threading.Thread(target=server.asyncore.loop, kwargs={"timeout": 0.05, "map": server._map})
    thread.start()
    yield Here(world, road, f"http://127.0.0.1:{server.effective_port}", tmp_path)
    server.task_dispatcher.shutdown(timeout=5)
    for channel in list(server._map.values()):
        channel.close()
    thread.join(10)
    world.close()
    assert not thread.is_alive()


def a_referral(number: int = 1, **changes: Any) -> Outgoing:
    honest = {
        "referral_id": f"r-{number}",
        "case_number": f"（2026）黔01司救执{number}号",
        "original_case_group": f"（2025）黔0102民初{number}号",
        "person": PERSON | {"id_number": an_id_number(serial=number)},
    }
    body = a_referral_body(**(honest | changes))
    return Outgoing(
        type="referral.submitted", data=body, subject=f"r-{number}", effect=f"r-{number}", reference=f"row {number}"
    )


def without_survey(number: int) -> Outgoing:
    """Refused by a rule."""
    whole = a_referral(number)
    data = {name: value for name, value in whole.data.items() if name != "survey"}
    return Outgoing(type=whole.type, data=data, subject=whole.subject, effect=whole.effect)


def accepted(results: Iterable[Sent | Refused]) -> list[bool]:
    return [isinstance(result, Sent) for result in results]


def lost(answer: Answer) -> Answer:
    """Somebody in between could not hand it on."""
    return "502 Bad Gateway", [("Content-Type", "text/html"), ("Content-Length", "4")], b"oops"


def cut(lines: int, more: int = 20) -> Fault:
    """Only so many lines and a piece of the next arrive."""

    def fault(answer: Answer) -> Answer:
        status, headers, body = answer
        whole = body.split(b"\n")
        kept = b"\n".join(whole[:lines]) + b"\n" + whole[lines][:more]
        length = ("Content-Length", str(len(body)))
        return status, [*(pair for pair in headers if pair[0].lower() != "content-length"), length], kept

    return fault


def moved(answer: Answer) -> Answer:
    return "302 Found", [("Location", "http://127.0.0.1:9/elsewhere"), ("Content-Length", "0")], b""


# --- honest ways ---


def test_a_referral_is_accepted_once_and_its_receipt_kept(here: Here) -> None:
    client = here.client()
    item = a_referral(unenforced_balance_fen=1)
    first, again = (next(client.send_many([item])) for _ in range(2))
    assert isinstance(first, Sent) and isinstance(again, Sent)
    assert (first.replayed, again.replayed, again.receipt) == (False, True, first.receipt)
    assert (first.holds, again.holds) == (("A02",), ("A02",))
    assert (here.road.requests, here.referrals()) == (1, ["r-1"])


def test_the_gateways_own_errors_reach_the_caller(here: Here) -> None:
    client = here.client()
    client.send("referral.submitted", a_referral().data, subject="r-1", effect="one")
    with pytest.raises(ReferralIdTaken):
        client.send("referral.submitted", a_referral().data, subject="r-1", effect="two")
    with pytest.raises(RuleBlocked) as caught:
        client.send("referral.submitted", without_survey(2).data, subject="r-2", effect="three")
    assert "survey_missing" in [problem.code for problem in caught.value.problems]


def test_a_court_reads_its_own_and_nothing_of_anothers(here: Here) -> None:
    [*here.client().send_many([a_referral()])]
    assert here.client().referral("r-1")["needs"][0]["state"] == "accepted"
    assert here.client().balance()["total"]["accepted"] == 1
    neighbour = here.client(here.world.neighbour, name="neighbour")
    assert neighbour.balance()["total"]["accepted"] == 0
    with pytest.raises(ReferralUnknown):
        neighbour.referral("r-1")


# --- lost, cut, moved ---


def test_a_lost_answer_is_found_again_with_the_same_bytes(here: Here) -> None:
    client = here.client()
    here.road.faults = [lost]
    with pytest.raises(PartnerUnreachable):
        [*client.send_many([a_referral()])]
    assert here.referrals() == ["r-1"]
    (found,) = client.send_many([a_referral()])
    assert isinstance(found, Sent)
    assert (here.numbers(), len(here.world.rows(t.inbox))) == ([1], 1)


def test_after_a_cut_answer_the_rest_is_asked_for_again_and_done_once(here: Here) -> None:
    items = [a_referral(number) for number in range(1, 7)]
    here.road.faults = [cut(2)]
    known = []
    with pytest.raises(PartnerUnreachable):
        for result in here.client().send_many(items):
            known.append(result)
    assert accepted(known) == [True, True]
    rerun = [*here.client().send_many(items)]
    assert [isinstance(result, Sent) and result.replayed for result in rerun[:2]] == [True, True]
    assert accepted(rerun) == [True] * 6
    assert here.numbers() == [1, 2, 3, 4, 5, 6]


def test_a_cut_in_the_middle_of_a_problem_document_says_nothing_of_it(here: Here) -> None:
    items = [a_referral(1), without_survey(2), a_referral(3)]
    here.road.faults = [cut(1)]
    with pytest.raises(PartnerUnreachable):
        [*here.client().send_many(items)]
    assert accepted(here.client().send_many(items)) == [True, False, True]
    corrected = [a_referral(1), a_referral(2), a_referral(3)]
    assert accepted(here.client().send_many(corrected)) == [True, True, True]
    assert here.numbers() == [1, 2, 3]


def test_a_redirect_is_not_followed(here: Here) -> None:
    here.road.faults = [moved]
    with pytest.raises(ConfigError):
        [*here.client().send_many([a_referral()])]
    assert accepted(here.client().send_many([a_referral()])) == [True]
    assert here.numbers() == [1]


def test_the_receipt_of_another_message_is_not_believed(here: Here) -> None:
    kept: list[Answer] = []

    def keep(answer: Answer) -> Answer:
        kept.append(answer)
        return answer

    here.road.faults = [keep, lambda _: kept[0]]
    client = here.client()
    [*client.send_many([a_referral(1)])]
    with pytest.raises(ReceiptMismatch):
        [*client.send_many([a_referral(2)])]
    assert accepted(client.send_many([a_referral(2)])) == [True]
    assert here.numbers() == [1, 2]


# --- refusals and numbers ---


def test_a_refused_message_leaves_no_gap_when_it_is_corrected(here: Here) -> None:
    client = here.client()
    first = [*client.send_many([a_referral(1), without_survey(2), a_referral(3)])]
    assert accepted(first) == [True, False, True]
    assert here.numbers() == [1, 3]
    second = [*client.send_many([a_referral(1), a_referral(2), a_referral(3), a_referral(4)])]
    assert accepted(second) == [True] * 4
    assert here.numbers() == [1, 2, 3, 4]
    ids = {result.message_id for result in (*first, *second) if isinstance(result, Sent)}
    assert len(ids) == 4


def test_content_that_changed_under_an_accepted_effect_never_reaches_the_gateway(here: Here) -> None:
    client = here.client()
    [*client.send_many([a_referral()])]
    before = here.road.requests
    (refused,) = client.send_many([a_referral(decided_amount_fen=1_000_000)])
    assert isinstance(refused, Refused)
    assert (refused.code, here.road.requests) == ("same_id_different_bytes", before)


def test_a_key_revoked_while_nobody_knew_makes_no_second_message(here: Here) -> None:
    """The first attempt was accepted and its answer lost; the refusal of the second says nothing of the first."""
    court, world = here.world.court, here.world
    here.road.faults = [lost]
    with pytest.raises(PartnerUnreachable):
        [*here.client().send_many([a_referral()])]
    world.store.write(lambda c: directory.set_party_active(c, COURT, active=False, now=world.now))
    world.context.directory.forget()
    (refused,) = here.client().send_many([a_referral()])
    assert isinstance(refused, Refused)
    assert refused.code == "not_trusted"
    world.store.write(lambda c: directory.set_party_active(c, COURT, active=True, now=world.now))
    world.context.directory.forget()
    assert accepted(here.client(court).send_many([a_referral(), a_referral(2)])) == [True, True]
    assert (here.numbers(), here.referrals()) == ([1, 2], ["r-1", "r-2"])


def test_a_message_refused_for_its_key_is_signed_anew_with_the_next(here: Here) -> None:
    world = here.world
    stranger = Partner(party_id=COURT, key=SigningKey.generate(Algorithm.ED25519, COURT))
    (refused,) = here.client(stranger).send_many([a_referral()])
    assert isinstance(refused, Refused)
    public = stranger.key.public_key(not_before=world.now)
    world.store.write(lambda c: directory.add_key(c, public, now=world.now))
    world.context.directory.forget()
    assert accepted(here.client(stranger).send_many([a_referral()])) == [True]
    assert here.numbers() == [1]


# --- one journal, many users ---


def test_threads_that_send_the_same_rows_send_each_once(here: Here) -> None:
    items = [a_referral(number) for number in range(1, 21)]
    client = here.client()
    outcomes: list[list[bool]] = []

    def send() -> None:
        outcomes.append(accepted(client.send_many(items)))

    threads = [threading.Thread(target=send) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == [[True] * 20] * 3
    assert here.numbers() == list(range(1, 21))
    assert len(here.referrals()) == 20


def test_two_programs_with_one_journal_number_without_a_gap(here: Here) -> None:
    clients = [here.client() for _ in range(2)]
    threads = [
        threading.Thread(target=lambda c=client, at=at: [*c.send_many(a_referral(n) for n in range(at, 21, 2))])  # type: ignore[misc]
        for at, client in enumerate(clients, start=1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert here.numbers() == list(range(1, 21))


# --- an office's mailbox ---


def test_an_office_fetches_answers_and_is_heard_once(here: Here) -> None:
    world = here.world
    [*here.client().send_many([a_referral(number, needs=[{"programme": "PSY"}]) for number in (1, 2)])]
    world.dispatch()
    office = here.client(world.offices["womens_federation-520102"].partner, name="office")
    found = [*office.inbox()]
    assert [message.envelope.type for message in found] == ["handoff.issued", "handoff.issued"]
    for _ in range(2):
        office.answer(found[0], "handoff.retrieved", {})
    assert [message.envelope.id for message in office.inbox()] == [found[1].envelope.id]
    assert here.numbers("cn/agency/womens_federation.520102") == [1]


def test_one_bad_line_in_a_mailbox_costs_no_other_its_place(here: Here) -> None:
    world = here.world
    [*here.client().send_many([a_referral(number, needs=[{"programme": "PSY"}]) for number in (1, 2, 3)])]
    world.dispatch()
    office = here.client(world.offices["womens_federation-520102"].partner, name="office")

    def spoil(answer: Answer) -> Answer:
        status, headers, body = answer
        first, second, third, _ = body.split(b"\n")
        return status, headers, b"\n".join((first, second[:-4] + b"AAAA", third, b""))

    here.road.faults = [spoil]
    found = []
    with pytest.raises(TrustError):
        for message in office.inbox():
            found.append(message.envelope.subject)
    assert found == ["r-1", "r-3"]


def test_an_office_that_was_switched_to_a_mailbox_fetches_what_was_to_be_pushed(here: Here) -> None:
    world = here.world
    [*here.client().send_many([a_referral()])]
    world.dispatch()
    office = here.client(world.offices["civil_affairs-520102"].partner, name="office")
    assert [*office.inbox()] == []
    world.change_office("civil_affairs-520102", channel=Channel.MAILBOX, url=None)
    assert [message.envelope.subject for message in office.inbox()] == ["r-1"]


def test_the_auditor_has_no_mailbox(here: Here) -> None:
    assert here.world.context.snapshot(here.world.now).keyring.kind_of(here.world.auditor.party_id) == PartyKind.AUDITOR
    with pytest.raises(Forbidden):
        [*here.client(here.world.auditor, name="auditor").inbox()]
