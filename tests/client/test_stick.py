"""离线经办 An office without a network: it reads a stick, answers onto another, and learns from a third what was taken.

The gateway is the small one of `gateway_server`, asked by hand instead of over HTTP; it remembers what it accepted.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.client import Journal, Outgoing, Refused, Sent
from gateway.client.clerk_book import ClerkBook, Letter
from gateway.client.stick import Prepared, Settled, StickClient
from gateway.envelope import stick, strict_json
from gateway.envelope.encryption import EncryptionKey, decrypt, encrypt
from gateway.envelope.keyring import SigningKey
from gateway.envelope.signing import VerifiedMessage, verify
from gateway.envelope.stick import Stick, StickItem, StickKind
from gateway.errors import ConfigError, FieldProblem, RuleBlocked, StickRefused, TrustError, XianjieError
from gateway.flows.stick import problem_of
from tests.client.gateway_server import Gateway, a_handoff
from tests.envelope_world import AGENCY, COURT, GATEWAY, NOW, key_of, registered

HOUR = timedelta(hours=1)
BLOCKED = RuleBlocked(problems=[FieldProblem(pointer="/data/text", code="required")])


@dataclass
class Office:
    """A folder on a machine without a network, its clock, and the gateway somebody carries sticks to."""

    folder: Path
    gateway: Gateway = field(default_factory=Gateway)
    now: datetime = NOW
    made: int = 0

    def client(self, mailbox: bytes | None = None, *, name: str = "journal", **changes: Any) -> StickClient:
        journal = Journal(self.folder / f"{name}.sqlite")
        honest: dict[str, Any] = {
            "key": key_of(AGENCY),
            "gateway": GATEWAY,
            "gateway_keys": [registered(key_of(GATEWAY))],
            "journal": journal,
            "clock": lambda: self.now,
            "book": self.book(name),
            "mailbox": mailbox,
        }
        return StickClient(**(honest | changes))

    def book(self, name: str = "journal") -> ClerkBook:
        Journal(self.folder / f"{name}.sqlite")
        return ClerkBook(self.folder / f"{name}.sqlite")

    def mailbox(self, *lines: bytes, key: SigningKey | None = None, **changes: Any) -> bytes:
        """A stick of the gateway's, made a minute after the one before."""
        return self._stick(lines, [f"handoff-{at}" for at, _ in enumerate(lines, start=1)], key=key, **changes)

    def receipts(self, replies: bytes, **changes: Any) -> bytes:
        """What the gateway answers to a stick of replies."""
        found = self.read(replies)
        answers = [self.answer(item.line) for item in found.items]
        lines, ids = changes.pop("lines", answers), [item.id for item in found.items]
        members = {"kind": StickKind.RECEIPTS, "series": found.series, "answers": found.id}
        return self._stick(lines, ids, **(members | changes))

    def answer(self, raw: bytes) -> bytes:
        message = verify(raw, self.gateway.keyring, recipient=GATEWAY, now=self.now)
        refusal = self.gateway.problems.get(message.envelope.subject or "")
        if refusal is not None:
            return strict_json.dumps(problem_of(refusal))
        if raw not in self.gateway.bodies:
            self.gateway.bodies.append(raw)
            self.gateway.accepted.append(message)
        key = (message.envelope.id, message.digest)
        return self.gateway.receipts.setdefault(key, self.gateway.receipt(message)).encode()

    def read(self, replies: bytes) -> Stick:
        return stick.read(
            replies, self.gateway.keyring, kind=StickKind.REPLIES, recipient=GATEWAY, now=self.now + timedelta(days=1)
        )

    def messages(self, replies: bytes) -> list[VerifiedMessage]:
        return [
            verify(item.line, self.gateway.keyring, recipient=GATEWAY, now=self.now)
            for item in self.read(replies).items
        ]

    def _stick(
        self, lines: Sequence[bytes], ids: Sequence[str], *, key: SigningKey | None = None, **more: Any
    ) -> bytes:
        self.made += 1
        honest: dict[str, Any] = {
            "id": f"stick-{self.made}",
            "kind": StickKind.MAILBOX,
            "source": GATEWAY,
            "recipient": AGENCY,
            "series": "office-1",
            "made_at": NOW - HOUR + timedelta(minutes=self.made),
            "items": tuple(StickItem(id=name, line=line) for name, line in zip(ids, lines, strict=True)),
        }
        return stick.write(Stick(**(honest | more)), key or key_of(GATEWAY))


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    yield Office(tmp_path)


def an_answer(number: int = 1, text: str = "受理", **changes: Any) -> Outgoing:
    honest: dict[str, Any] = {
        "type": "handoff.outcome",
        "data": {"text": text},
        "effect": f"e-{number}-{text}",
        "subject": f"R-{number}",
        "in_reply_to": f"handoff-{number}",
        "in_reply_to_digest": "ab" * 32,
        "reference": f"row {number}",
    }
    return Outgoing(**(honest | changes))


def prepare(client: StickClient, *items: Outgoing) -> list[Sent | Refused]:
    return list(client.send_many(items))


def why_refused(do: Any) -> list[tuple[str, str]]:
    with pytest.raises(StickRefused) as caught:
        do()
    return [(problem.code, problem.pointer) for problem in caught.value.problems]


def states(office: Office, name: str = "journal") -> list[str]:
    with sqlite3.connect(office.folder / f"{name}.sqlite") as connection:
        return [row[0] for row in connection.execute("SELECT state FROM entries ORDER BY entry")]


# --- reading ---


def test_the_letters_on_the_stick_are_proven_and_journalled(office: Office) -> None:
    client = office.client(office.mailbox(a_handoff(1), a_handoff(2)))
    assert [message.envelope.id for message in client.inbox()] == ["handoff-1", "handoff-2"]
    received = office.book().received(GATEWAY, AGENCY)
    assert [letter.digest for letter in received] == [Letter.of(one).digest for one in client.inbox()]


def test_a_cursor_works_as_over_the_network(office: Office) -> None:
    client = office.client(office.mailbox(*(a_handoff(number) for number in (1, 2, 3))))
    assert [message.envelope.seq for message in client.inbox(after=1)] == [2, 3]
    assert [message.envelope.seq for message in client.inbox(limit=1)] == [1]


def test_a_letter_that_proves_nothing_is_raised_after_the_good_ones(office: Office) -> None:
    forged = a_handoff(1, key=SigningKey.generate(key_of(GATEWAY).alg, GATEWAY))
    client = office.client(office.mailbox(forged, a_handoff(2)))
    found = []
    with pytest.raises(TrustError):
        for message in client.inbox():
            found.append(message.envelope.id)
    assert found == ["handoff-2"]


def test_without_a_stick_nothing_waits_and_nothing_is_asked_of_a_network(office: Office) -> None:
    client = office.client()
    assert list(client.inbox()) == []
    for ask in (lambda: client.referral("r-1"), client.balance):
        with pytest.raises(ConfigError):
            ask()


def test_a_stick_may_be_read_any_number_of_times(office: Office) -> None:
    raw = office.mailbox(a_handoff(1))
    assert [len(list(office.client(raw).inbox())) for _ in range(3)] == [1, 1, 1]


def test_after_a_newer_stick_the_older_is_refused(office: Office) -> None:
    older, newer = office.mailbox(a_handoff(1)), office.mailbox(a_handoff(1), a_handoff(2))
    office.client(older)
    office.client(newer)
    assert why_refused(lambda: office.client(older)) == [("stick_outdated", "")]
    assert len(list(office.client(newer).inbox())) == 2


def test_sticks_for_two_desks_do_not_make_each_other_old(office: Office) -> None:
    first, second = office.mailbox(a_handoff(1)), office.mailbox(a_handoff(2), series="office-2")
    office.client(second)
    assert len(list(office.client(first).inbox())) == 1


def test_a_stick_that_is_refused_leaves_no_trace(office: Office) -> None:
    good, other = office.mailbox(a_handoff(1)), office.mailbox(a_handoff(2), recipient=COURT)
    assert why_refused(lambda: office.client(other)) == [("stick_for_another", "")]
    assert why_refused(lambda: office.client(office.mailbox(a_handoff(3))[:-9])) == [("stick_cut", "")]
    assert office.book().received(GATEWAY, AGENCY) == []
    assert len(list(office.client(good).inbox())) == 1


def test_what_is_encrypted_to_the_office_is_opened_from_the_stick(office: Office) -> None:
    own = EncryptionKey.generate(AGENCY)
    wire = encrypt(a_handoff(1), own.public_key(not_before=NOW - HOUR)).encode()
    client = office.client(office.mailbox(wire), decryption=[own])
    assert [message.jws.encode() for message in client.inbox()] == [a_handoff(1)]
    with pytest.raises(TrustError):
        list(office.client(office.mailbox(wire)).inbox())


# --- answering ---


def test_an_answer_is_prepared_numbered_and_put_on_the_stick_of_replies(office: Office) -> None:
    client = office.client(office.mailbox(a_handoff(1), a_handoff(2)))
    results = prepare(client, an_answer(1), an_answer(2))
    assert [isinstance(one, Prepared) and not one.again for one in results] == [True, True]
    found = office.messages(client.replies())
    assert [(one.envelope.seq, one.envelope.in_reply_to) for one in found] == [(1, "handoff-1"), (2, "handoff-2")]
    assert [one.envelope.id for one in found] == [one.message_id for one in results if isinstance(one, Sent)]


def test_the_same_answer_again_is_the_same_bytes(office: Office) -> None:
    client = office.client(office.mailbox(a_handoff(1)))
    (first,) = prepare(client, an_answer())
    before = [item.line for item in office.read(client.replies()).items]
    office.now += HOUR
    (again,) = prepare(office.client(), an_answer())
    assert isinstance(first, Prepared) and isinstance(again, Prepared)
    assert (again.again, again.message_id, again.digest) == (True, first.message_id, first.digest)
    assert [item.line for item in office.read(office.client().replies()).items] == before


def test_another_answer_under_the_same_effect_is_refused_here(office: Office) -> None:
    client = office.client()
    prepare(client, an_answer())
    (refused,) = prepare(client, an_answer(effect="e-1-受理", text="不受理"))
    assert isinstance(refused, Refused) and refused.code == "same_id_different_bytes"


def test_the_newest_stick_of_replies_holds_everything_without_a_receipt(office: Office) -> None:
    client = office.client()
    prepare(client, an_answer(1))
    first = client.replies()
    prepare(client, an_answer(2))
    second = client.replies()
    assert [one.envelope.seq for one in office.messages(second)] == [1, 2]
    client.settle(office.receipts(first))
    assert [one.envelope.seq for one in office.messages(client.replies())] == [2]


def test_sticks_of_replies_of_one_journal_follow_each_other_and_others_do_not(office: Office) -> None:
    prepare(office.client(), an_answer())
    prepare(office.client(name="colleague"), an_answer())
    own, again = office.read(office.client().replies()), office.read(office.client().replies())
    colleague = office.read(office.client(name="colleague").replies())
    assert (own.series, own.series != colleague.series) == (again.series, True)


def test_what_went_over_the_network_without_an_answer_goes_by_stick_too(office: Office) -> None:
    """The journal does not know whether the gateway has it: the same bytes, the other way."""
    client = office.client()
    journal = Journal(office.folder / "journal.sqlite")
    (entry,) = journal.prepare(AGENCY, GATEWAY, [an_answer()], client._write)
    assert [one.envelope.id for one in office.messages(client.replies())] == [entry.message_id]


def test_replies_are_encrypted_to_a_gateway_that_wants_it(office: Office) -> None:
    wanted = EncryptionKey.generate(GATEWAY)
    keys = [registered(key_of(GATEWAY)), wanted.public_key(not_before=NOW - HOUR)]
    client = office.client(gateway_keys=keys)
    prepare(client, an_answer())
    (item,) = office.read(client.replies()).items
    opened = decrypt(item.line, [wanted])
    assert verify(opened, office.gateway.keyring, recipient=GATEWAY, now=NOW).envelope.id == item.id


def test_only_an_own_stick_of_replies_may_be_replaced(office: Office) -> None:
    client = office.client()
    prepare(client, an_answer())
    foreign = [b"somebody's work", b"", office.mailbox(a_handoff(1)), client.replies()[:-3]]
    assert [client.is_own_replies(raw) for raw in (client.replies(), *foreign)] == [True, False, False, False, False]


# --- receipts ---


def settled(office: Office, *items: Outgoing) -> Settled:
    client = office.client()
    prepare(client, *items)
    return client.settle(office.receipts(client.replies()))


def test_receipts_settle_the_journal(office: Office) -> None:
    done = settled(office, an_answer(1), an_answer(2))
    assert (done.accepted, done.before, done.of_others, done.refused) == (2, 0, 0, ())
    assert states(office) == ["accepted", "accepted"]
    (again,) = prepare(office.client(), an_answer(1))
    assert isinstance(again, Sent) and not isinstance(again, Prepared)
    assert (again.replayed, again.receipt != "") == (True, True)
    assert office.messages(office.client().replies()) == []


def test_receipts_read_twice_change_nothing(office: Office) -> None:
    client = office.client()
    prepare(client, an_answer())
    raw = office.receipts(client.replies())
    client.settle(raw)
    again = client.settle(raw)
    assert (again.accepted, again.before, states(office)) == (0, 1, ["accepted"])


def test_a_warning_on_a_receipt_is_told_with_its_message(office: Office) -> None:
    office.gateway.warnings = (FieldProblem(pointer="/data", code="repeats_earlier_answer"),)
    done = settled(office, an_answer())
    assert [warning.code for _, warning in done.warnings] == ["repeats_earlier_answer"]


def test_a_refused_answer_is_told_and_its_number_goes_to_the_next(office: Office) -> None:
    office.gateway.problems = {"R-1": BLOCKED}
    done = settled(office, an_answer(1), an_answer(2))
    ((refused,), accepted) = (done.refused, done.accepted)
    assert (refused.code, refused.errors[0]["pointer"], accepted) == ("rule_blocked", "/data/text", 1)
    office.gateway.problems = {}
    client = office.client()
    (corrected,) = prepare(client, an_answer(1))
    assert isinstance(corrected, Prepared) and corrected.message_id != refused.reference
    assert [one.envelope.seq for one in office.messages(client.replies())] == [1]
    assert client.settle(office.receipts(client.replies())).accepted == 1


def test_that_the_gateway_does_not_know_the_key_ends_no_answer_that_was_tried_before(office: Office) -> None:
    client = office.client()
    prepare(client, an_answer())
    prepare(client, an_answer())
    raw = office.receipts(client.replies(), lines=[strict_json.dumps(problem_of(TrustError()))])
    assert [one.code for one in client.settle(raw).refused] == ["not_trusted"]
    assert states(office) == ["pending"]


def test_receipts_for_a_colleagues_answers_are_counted_and_left_alone(office: Office) -> None:
    colleague = office.client(name="colleague")
    prepare(colleague, an_answer())
    done = office.client().settle(office.receipts(colleague.replies()))
    assert (done.accepted, done.of_others, states(office, "colleague")) == (0, 1, ["pending"])


def test_older_receipts_of_the_same_journal_are_refused(office: Office) -> None:
    client = office.client()
    prepare(client, an_answer())
    older = office.receipts(client.replies())
    client.settle(office.receipts(client.replies()))
    assert why_refused(lambda: client.settle(older)) == [("stick_outdated", "")]


def _another_receipt(office: Office, replies: bytes) -> bytes:
    return office.answer(office.read(replies).items[1].line)


UNUSABLE = {
    "a receipt for another message": _another_receipt,
    "no receipt at all": lambda *_: b"a.b.c",
    "a page of a proxy": lambda *_: b"<html>sorry</html>",
    "a gateway that is busy": lambda *_: strict_json.dumps(problem_of(XianjieError())),
}


@pytest.mark.parametrize("line", UNUSABLE.values(), ids=UNUSABLE)
def test_a_line_that_proves_nothing_spoils_the_whole_stick(office: Office, line: Any) -> None:
    client = office.client()
    results = prepare(client, an_answer(1), an_answer(2))
    replies = client.replies()
    good = office.answer(office.read(replies).items[1].line)
    raw = office.receipts(replies, lines=[line(office, replies), good])
    (first, _) = [one.message_id for one in results if isinstance(one, Sent)]
    assert why_refused(lambda: client.settle(raw)) == [("stick_altered", first)]
    assert states(office) == ["pending", "pending"]
    assert client.settle(office.receipts(replies)).accepted == 2


def test_a_forged_stick_of_receipts_settles_nothing(office: Office) -> None:
    client = office.client()
    prepare(client, an_answer())
    forger = SigningKey.generate(key_of(GATEWAY).alg, GATEWAY)
    assert why_refused(lambda: client.settle(office.receipts(client.replies(), key=forger))) == [
        ("stick_not_trusted", "")
    ]
    assert states(office) == ["pending"]


def test_replies_taken_for_receipts_are_told_apart(office: Office) -> None:
    client = office.client()
    prepare(client, an_answer())
    assert why_refused(lambda: client.settle(client.replies())) == [("stick_of_another_kind", "")]


def test_a_receipt_that_comes_after_its_answer_was_given_up_changes_nothing(office: Office) -> None:
    """Refused first, taken when somebody had mended the agreement: by then number and effect were given anew."""
    client = office.client()
    prepare(client, an_answer())
    replies = client.replies()
    office.gateway.problems = {"R-1": BLOCKED}
    client.settle(office.receipts(replies))
    office.gateway.problems = {}
    prepare(client, an_answer())
    late = client.settle(office.receipts(replies))
    assert (late.accepted, late.before, states(office)) == (0, 1, ["refused", "pending"])
    assert [one.envelope.seq for one in office.messages(client.replies())] == [1]


# --- the book ---


def test_a_file_that_is_no_journal_is_told(tmp_path: Path) -> None:
    odd = tmp_path / "journal.sqlite"
    odd.write_bytes(b"no database, and long enough that SQLite looks at it" * 20)
    with pytest.raises(ConfigError):
        ClerkBook(odd)


def test_what_was_refused_is_no_answer(office: Office) -> None:
    office.gateway.problems = {"R-1": BLOCKED}
    settled(office, an_answer(1), an_answer(2))
    answered = office.book().answered(AGENCY, GATEWAY)
    assert [(one.envelope.subject, one.state) for one in answered] == [("R-2", "accepted")]
