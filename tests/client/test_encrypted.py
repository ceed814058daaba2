"""The client and keys for encryption: it opens what is encrypted to it, and encrypts to a gateway that has a key.

A whole gateway over HTTP stands on the other side; what travels is looked at in between.
"""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from gateway.client import Client, Journal, Outgoing, Sent
from gateway.envelope.encryption import EncryptionKey, is_encrypted
from gateway.envelope.message import digest
from gateway.errors import TrustError
from gateway.store import directory
from gateway.store import tables as t
from gateway.web.server import open_server
from gateway.web.site import create_site
from tests.gateway_world import GATEWAY, START, WOMENS_FEDERATION, Partner, World, a_referral_body

BEFORE = START.replace(year=2020)


@dataclass
class Wire:
    """What goes over the wire, both ways."""

    site: Any
    bodies: list[bytes] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = BytesIO(body)
        self.bodies.append(body)
        answer = b"".join(self.site(environ, start_response))
        self.answers.append(answer)
        return [answer]


@dataclass
class Here:
    world: World
    wire: Wire
    url: str
    folder: Path
    gateway_key: EncryptionKey

    def client(self, partner: Partner, *, encrypting: bool = True, **changes: Any) -> Client:
        keys = [self.world.partners[GATEWAY].key.public_key(not_before=BEFORE)]
        if encrypting:
            keys.append(self.gateway_key.public_key(not_before=BEFORE))
        return Client(
            url=self.url,
            key=partner.key,
            gateway=GATEWAY,
            gateway_keys=keys,
            journal=Journal(self.folder / f"{partner.party_id.replace('/', '_')}.sqlite"),
            clock=lambda: self.world.now,
            **changes,
        )


@pytest.fixture
def here(sqlite_url: str, tmp_path: Path) -> Iterator[Here]:
    world, key = World(sqlite_url), EncryptionKey.generate(GATEWAY)
    world.context = replace(world.context, decryption=(key,))
    wire = Wire(create_site(world.context, lambda: world.now, public_url=None).wsgi_app)
    server = open_server(wire, host="127.0.0.1", port=0, threads=4)  # type: ignore[arg-type]
    thread = threading.Thread(target=server.asyncore.loop, kwargs={"timeout": 0.05, "map": server._map})
    thread.start()
    yield Here(world, wire, f"http://127.0.0.1:{server.effective_port}", tmp_path, key)
    server.task_dispatcher.shutdown(timeout=5)
    for channel in list(server._map.values()):
        channel.close()
    thread.join(10)
    world.close()


def a_referral(number: int = 1, **changes: Any) -> Outgoing:
    case = {
        "referral_id": f"r-{number}",
        "case_number": f"（2026）黔01司救执{number}号",
        "original_case_group": f"（2025）黔0102民初{number}号",
    }
    body = a_referral_body(**case, **changes)
    return Outgoing(type="referral.submitted", data=body, subject=f"r-{number}", effect=f"r-{number}")


def test_what_is_sent_is_encrypted_and_the_receipt_proves_what_was_inside(here: Here) -> None:
    sent = list(here.client(here.world.court).send_many([a_referral(1), a_referral(2)]))
    (body,) = here.wire.bodies
    assert [is_encrypted(line) for line in body.split(b"\n")] == [True, True]
    assert [isinstance(one, Sent) for one in sent] == [True, True]
    rows = here.world.rows(t.inbox)
    assert [row["digest"] for row in rows] == [one.digest for one in sent if isinstance(one, Sent)]
    assert all(digest(row["jws"]) == row["digest"] for row in rows)


def test_the_same_effect_again_is_the_same_message(here: Here) -> None:
    first = here.client(here.world.court)
    (one,) = first.send_many([a_referral()])
    (two,) = here.client(here.world.court).send_many([a_referral()])
    assert isinstance(one, Sent)
    assert isinstance(two, Sent)
    assert (one.message_id, one.receipt, two.replayed) == (two.message_id, two.receipt, True)


def test_a_client_without_the_gateways_key_sends_as_before(here: Here) -> None:
    list(here.client(here.world.court, encrypting=False).send_many([a_referral()]))
    assert [is_encrypted(body) for body in here.wire.bodies] == [False]
    assert len(here.world.rows(t.inbox)) == 1


def test_an_office_opens_its_mailbox_with_its_key_and_answers(here: Here) -> None:
    world, office = here.world, here.world.offices[WOMENS_FEDERATION].partner
    own = EncryptionKey.generate(office.party_id)
    world.store.write(lambda c: directory.add_key(c, own.public_key(not_before=world.now), now=world.now))
    world.context.directory.forget()
    list(here.client(world.court).send_many([a_referral(needs=[{"programme": "PSY"}])]))
    world.dispatch()
    client = here.client(office, decryption=[own])
    (message,) = client.inbox()
    assert is_encrypted(here.wire.answers[-1].strip())
    assert (message.envelope.subject, message.envelope.type) == ("r-1", "handoff.issued")
    client.answer(message, "handoff.retrieved", {})
    assert list(client.inbox(after=0)) == []
    with pytest.raises(TrustError):
        list(without_its_key(here, world, office))


def without_its_key(here: Here, world: World, office: Partner) -> Iterable[Any]:
    """Another handoff waits, and the client was not given its key."""
    list(here.client(world.court).send_many([a_referral(2, needs=[{"programme": "PSY"}])]))
    world.dispatch()
    return here.client(office).inbox()
