"""Keys are changed while everybody sends: nothing that an honest party signed is refused, at any moment.

Two gateway processes over one database take in what four threads of a court send as fast as they can; a third process
(the administrator's command) registers each new key. The court uses a key from the moment it is told that it is
registered. The judge is the court's own list of what it was answered.
"""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from time import monotonic

import pytest
from sqlalchemy import Connection

from gateway.envelope.algorithms import Algorithm
from gateway.envelope.encryption import EncryptionKey, encrypt
from gateway.envelope.keyring import PublicKey, SigningKey
from gateway.envelope.message import Envelope, digest, new_id
from gateway.envelope.signing import MESSAGE_TYP, sign
from gateway.errors import TrustError, XianjieError
from gateway.evidence.receipt import read
from gateway.flows.accept import Accepted, accept
from gateway.flows.context import Context
from gateway.store import directory
from gateway.store import tables as t
from tests.gateway_world import COURT, GATEWAY, START, World, a_referral_body

THREADS, MESSAGES, ROTATIONS = 4, 240, 6
OVERLAP = timedelta(hours=1)
ALGORITHMS = (Algorithm.ED25519, Algorithm.ES256)


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    made = World(database_url)
    yield made
    made.close()


@dataclass
class Court:
    """A court that sends from several threads and keeps what it was told. key: the one it signs with right now."""

    key: SigningKey
    sent: dict[str, bytes] = field(default_factory=dict)
    receipts: dict[str, str] = field(default_factory=dict)
    refused: list[XianjieError] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    lock: threading.Lock = field(default_factory=threading.Lock)
    progress: threading.Condition = field(default_factory=threading.Condition)
    goes_on: bool = False
    """Sends more than `MESSAGES` until told otherwise."""

    def referral(self, now: datetime) -> tuple[str, bytes]:
        with self.lock:
            number = next(self.numbers)
        body = a_referral_body(
            referral_id=f"r-{number}",
            case_number=f"（2026）黔01司救执{number}号",
            original_case_group=f"（2025）黔0102民初{number}号",
        )
        message_id = new_id(now)
        envelope = Envelope(
            id=message_id, source=COURT, type="referral.submitted", time=now, recipient=GATEWAY, data=body
        )
        return message_id, sign(envelope.to_payload(), self.key, MESSAGE_TYP).encode()

    def send(self, message_id: str, raw: bytes, context: Context, now: datetime) -> None:
        self.sent[message_id] = raw
        try:
            self.receipts[message_id] = accept(raw, context, now=now).receipt
        except XianjieError as error:
            self.refused.append(error)
        with self.progress:
            self.progress.notify_all()

    def wait_for_more(self) -> None:
        """Until something was answered that was signed from now on: each thread has one message under way at most."""
        self.wait_for(len(self.receipts) + len(self.refused) + THREADS + 1)

    def wait_for(self, answers: int) -> None:
        """Until so many messages were answered."""
        with self.progress:
            done = self.progress.wait_for(lambda: len(self.receipts) + len(self.refused) >= answers, timeout=60)
        assert done


def running_clock() -> "Clock":
    return Clock(monotonic())


@dataclass(frozen=True)
class Clock:
    """Begins at the world's first moment and goes on by itself."""

    began: float

    def __call__(self) -> datetime:
        return START + timedelta(seconds=monotonic() - self.began)


def register(context: Context, new: PublicKey, old: str, now: datetime) -> None:
    """What `xianjie keys rotate` does, in a process of its own."""

    def write(connection: Connection) -> None:
        directory.add_key(connection, new, now=now)
        directory.end_key(connection, old, at=now + OVERLAP, now=now)

    context.store.write(write)


def send_all(court: Court, contexts: Sequence[Context], clock: Clock, wrap: bool = False) -> None:
    turn = count()

    def work(_: int) -> None:
        while True:
            with court.lock:
                at = next(turn)
            if at >= MESSAGES and not court.goes_on:
                return
            context = contexts[at % len(contexts)]
            message_id, raw = court.referral(clock())
            if wrap:
                raw = encrypt(raw, current_key(context, clock())).encode()
            court.send(message_id, raw, context, clock())

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(work, range(THREADS)))


def current_key(context: Context, now: datetime) -> PublicKey:
    """What a partner finds when it asks `/v1/keys`."""
    found = context.snapshot(now).keyring.encryption_key_of(GATEWAY, now)
    assert found is not None
    return found


def test_a_signing_key_is_changed_again_and_again_and_nothing_is_refused(world: World) -> None:
    clock, court = running_clock(), Court(key=world.court.key)
    second, registry = world.twin(), world.twin()
    try:
        with ThreadPoolExecutor(1) as background:
            court.goes_on = True
            sending = background.submit(send_all, court, [world.context, second], clock)
            try:
                court.wait_for_more()
                for number in range(1, ROTATIONS + 1):
                    new = SigningKey.generate(ALGORITHMS[number % 2], COURT)
                    register(registry, new.public_key(not_before=clock()), court.key.kid, clock())
                    court.key = new  # at once: whoever is told that it is registered may use it
                    court.wait_for_more()
            finally:
                court.goes_on = False
            sending.result()
    finally:
        second.store.close()
        registry.store.close()
    assert [error.note for error in court.refused] == []
    assert len(court.receipts) == len(court.sent) >= MESSAGES
    assert len({row["kid"] for row in world.rows(t.inbox)}) == ROTATIONS + 1


def test_every_receipt_names_what_was_sent_whatever_key_signed_it(world: World) -> None:
    court = Court(key=world.court.key)
    for key in (world.court.key, SigningKey.generate(Algorithm.ES256, COURT)):
        if key is not court.key:
            register(world.context, key.public_key(not_before=world.now), court.key.kid, world.now)
            court.key = key
        message_id, raw = court.referral(world.now)
        court.send(message_id, raw, world.context, world.now)
        receipt = read(
            court.receipts[message_id].encode(), world.keyring, recipient=COURT, issuer=GATEWAY, now=world.now
        )
        assert (receipt.message_id, receipt.message_digest) == (message_id, digest(raw))


def test_the_gateways_key_for_encryption_is_changed_under_load(world: World) -> None:
    """The new private half is in place in every process before the public one is told to anybody."""
    clock, court = running_clock(), Court(key=world.court.key)
    own = [EncryptionKey.generate(GATEWAY) for _ in range(3)]
    contexts = [with_keys(world.context, own), with_keys(world.twin(), own)]
    world.store.write(lambda c: directory.add_key(c, own[0].public_key(not_before=START), now=START))
    world.context.directory.forget()
    try:
        with ThreadPoolExecutor(1) as background:
            sending = background.submit(send_all, court, contexts, clock, True)
            for number, new in enumerate(own[1:], start=1):
                court.wait_for(number * MESSAGES // 3)
                register(world.context, new.public_key(not_before=clock()), own[number - 1].kid, clock())
                for context in contexts:
                    context.directory.forget()
            sending.result()
    finally:
        contexts[1].store.close()
    assert [error.note for error in court.refused] == []
    assert len(court.receipts) == MESSAGES


def with_keys(context: Context, keys: Sequence[EncryptionKey]) -> Context:
    return replace(context, decryption=tuple(keys))


def test_after_the_overlap_the_old_key_only_reads_back_what_it_was_told(world: World) -> None:
    court = Court(key=world.court.key)
    told, raw = court.referral(world.now)
    court.send(told, raw, world.context, world.now)
    _, late = court.referral(world.now)
    new = SigningKey.generate(Algorithm.ED25519, COURT)
    register(world.context, new.public_key(not_before=world.now), court.key.kid, world.now)
    world.context.directory.forget()
    world.wait(OVERLAP)
    again = accept(raw, world.context, now=world.now)
    assert (again.receipt, again.replayed) == (court.receipts[told], True)
    with pytest.raises(TrustError, match="key_expired"):
        accept(late, world.context, now=world.now)
    assert len(world.rows(t.inbox)) == 1


def test_what_was_accepted_before_a_revocation_reads_back_its_receipt_and_nothing_else_is_believed(
    world: World,
) -> None:
    court = Court(key=world.court.key)
    told, raw = court.referral(world.now)
    court.send(told, raw, world.context, world.now)
    _, thief = court.referral(world.now)
    world.wait(timedelta(seconds=1))
    world.store.write(
        lambda c: directory.end_key(c, court.key.kid, at=world.now, now=world.now, revoked_because="stolen")
    )
    world.context.directory.forget()
    again: Accepted = accept(raw, world.context, now=world.now)
    assert (again.receipt, again.replayed) == (court.receipts[told], True)
    with pytest.raises(TrustError, match="key_revoked"):
        accept(thief, world.context, now=world.now)


def test_a_thief_who_signs_other_bytes_under_an_accepted_id_learns_nothing(world: World) -> None:
    court = Court(key=world.court.key)
    told, raw = court.referral(world.now)
    court.send(told, raw, world.context, world.now)
    world.wait(timedelta(seconds=1))
    world.store.write(
        lambda c: directory.end_key(c, court.key.kid, at=world.now, now=world.now, revoked_because="stolen")
    )
    world.context.directory.forget()
    other = world.court.sign("referral.submitted", a_referral_body(), now=world.now, id=told)
    with pytest.raises(TrustError, match="key_revoked"):
        accept(other, world.context, now=world.now)


def test_a_suspended_party_reads_back_nothing(world: World) -> None:
    court = Court(key=world.court.key)
    told, raw = court.referral(world.now)
    court.send(told, raw, world.context, world.now)
    world.store.write(lambda c: directory.set_party_active(c, COURT, active=False, now=world.now))
    world.context.directory.forget()
    with pytest.raises(TrustError, match="party_suspended"):
        accept(raw, world.context, now=world.now)
