"""A gateway whose database is set back to an older copy, and partners that kept everything they sent and got.

A copy is every row of every table, as a dump is; restoring puts exactly these back and starts the processes anew. The
witness file lies outside of it, as in an installation.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from gateway.client.recovery import line_of, statement_of
from gateway.domain.agreement import Channel
from gateway.domain.replies import DenialReason, ReplyCode
from gateway.envelope.compact import decode_segment, split
from gateway.envelope.signing import VerifiedMessage, verify
from gateway.errors import XianjieError
from gateway.evidence.checkpoint import Checkpoint, LogKey
from gateway.evidence.receipt import Receipt, Rung, issue
from gateway.flows import mailbox
from gateway.flows.recent import RecentReferrals
from gateway.flows.recovery.resuming import resume
from gateway.flows.recovery.taking import holding, take
from gateway.flows.recovery.values import LineOutcome, Resumed
from gateway.flows.sequence import guard, publish
from gateway.sandbox.formats import FORMATS, AskedHandoff, OfficeAnswer
from gateway.store import leases, log
from gateway.store import tables as t
from gateway.store.directory import Directory
from gateway.store.engine import Store
from gateway.store.log import Head
from gateway.store.tables import metadata
from gateway.store.witness import WitnessFile
from gateway.transport.answer import Answer
from tests.builders import an_id_number
from tests.gateway_world import GATEWAY, VAULT, Partner, PushOffice, World, a_referral_body

LEASE = timedelta(seconds=60)
Copy = dict[str, list[dict[str, Any]]]


@dataclass
class Book:
    """What one party holds: its messages with our receipts, ours with its own."""

    partner: Partner
    sent: dict[str, tuple[int, str, str | None]] = field(default_factory=dict)
    """message id → number, bytes, our receipt."""
    received: dict[str, tuple[int, str, str | None]] = field(default_factory=dict)
    """message id → number, bytes, its receipt."""

    def lines(self, *, sent_after: int = 0, received_after: int = 0, closed_at: Any = None) -> list[bytes]:
        """What it gives back; closed_at: with its statement."""
        found = [line_of(jws, receipt) for number, jws, receipt in self.sent.values() if number > sent_after]
        found += [line_of(jws, receipt) for number, jws, receipt in self.received.values() if number > received_after]
        if closed_at is not None:
            found.append(line_of(self.statement(closed_at), None))
        return found

    def statement(self, at: Any) -> str:
        sent = max((number for number, _, receipt in self.sent.values() if receipt is not None), default=0)
        return statement_of(
            self.partner.key,
            GATEWAY,
            sent=sent,
            open_numbers=[number for number, _, receipt in self.sent.values() if receipt is None and number < sent],
            received=max((number for number, _, _ in self.received.values()), default=0),
            now=at,
        )


class KeepingOffice(PushOffice):
    """Gives the first receipt's bytes for ever, and keeps what it got."""

    def receipt(self, raw: bytes) -> str:
        world = self.world
        assert isinstance(world, KeepingWorld)
        message = verify(raw, world.keyring, recipient=self.partner.party_id, now=world.now)
        self.received.append(message)
        book = world.books[self.partner.party_id]
        kept = book.received.get(message.envelope.id)
        if kept is not None and kept[2] is not None:
            return kept[2]
        made = issue(message, key=self.partner.key, now=world.now, rung=Rung.RELAY, verdict=self.verdict)
        book.received[message.envelope.id] = (message.envelope.seq or 0, message.jws, made)
        return made


class KeepingWorld(World):
    """A world whose partners keep books, whose log is signed, and which can be set back."""

    def __init__(self, url: str, folder: Path, **more: Any) -> None:
        super().__init__(url, **more)
        self.log_key = LogKey.generate(GATEWAY)
        self.context = replace(self.context, log_key=self.log_key)
        self.witness = WitnessFile(folder / "state")
        self.books = {party_id: Book(partner=partner) for party_id, partner in self.partners.items()}
        for office_id, office in list(self.offices.items()):
            self.offices[office_id] = KeepingOffice(partner=office.partner, world=self)

    # --- the exchange ---

    def accept(self, raw: bytes) -> Receipt:
        book = self.books[_source(raw)]
        message = verify(raw, self.keyring, recipient=GATEWAY, now=self.now)
        book.sent.setdefault(message.envelope.id, (message.envelope.seq or 0, message.jws, None))
        receipt = super().accept(raw)
        number, jws, kept = book.sent[message.envelope.id]
        book.sent[message.envelope.id] = (number, jws, kept or receipt.jws)
        return receipt

    def refer_number(self, number: int, court: Partner | None = None, **changes: Any) -> Receipt:
        """A case and a person of its own."""
        case = {
            "referral_id": f"r-{number}",
            "case_number": f"（2026）黔01司救执{number}号",
            "original_case_group": f"（2025）黔0102民初{number}号",
            "person": a_referral_body()["person"] | {"id_number": an_id_number(serial=number)},
        }
        return self.refer(court, **{**case, **changes})

    def fetch(self, office_id: str) -> list[VerifiedMessage]:
        """The office empties its mailbox into its book."""
        partner = self.offices[office_id].partner
        found = []
        for seq, wire in mailbox.pull(self.context, partner.party_id, after=0, limit=500):
            message = verify(wire.encode(), self.keyring, recipient=partner.party_id, now=self.now)
            self.books[partner.party_id].received.setdefault(message.envelope.id, (seq, message.jws, None))
            found.append(message)
        return found

    def push(self, url: str, body: bytes, content_type: str, headers: Mapping[str, str]) -> Answer:
        """As the worker's pusher."""
        return self._push(url, body, content_type, headers)

    def say(self, office_id: str, handoff: VerifiedMessage, code: ReplyCode) -> Receipt:
        """The office's answer in its own format, one second later than before."""
        self.wait(timedelta(seconds=1))
        form = FORMATS[str((handoff.envelope.mapping or {})["adapter"])]
        asked = form.read(handoff.envelope.data)
        body = form.write(asked, _answers(asked, code, self.now))
        raw = self.reply(office_id, handoff, "handoff.outcome", body, datacontenttype=form.content_type)
        return self.accept(raw)

    def withdraw(self, referral_id: str = "r-1") -> Receipt:
        """The court takes a referral back, one second later than before."""
        self.wait(timedelta(seconds=1))
        body = {"referral_id": referral_id, "reason": "报送有误"}
        return self.accept(self.court.sign("referral.withdrawn", body, now=self.now))

    def sign_log(self) -> Checkpoint | None:
        """What the sequencer does each second."""
        lease = self.store.write(lambda c: leases.take(c, "sequencer", owner="w", now=self.now, length=LEASE))
        assert lease is not None
        return publish(self.context, self.witness, lease, now=self.now)

    # --- the loss ---

    def copy(self) -> Copy:
        """What a backup holds."""
        with self.store.reading() as connection:
            return {
                table.name: [dict(row) for row in connection.execute(sa.select(table)).mappings()]
                for table in metadata.sorted_tables
            }

    def restore(self, copy: Copy) -> str | None:
        """The copy is put back, everything starts anew; what the guard says."""

        def write(connection: sa.Connection) -> None:
            for table in reversed(metadata.sorted_tables):
                connection.execute(table.delete())
            for table in metadata.sorted_tables:
                if copy[table.name]:
                    connection.execute(table.insert(), copy[table.name])

        self.store.write(write)
        self.store.close()
        self.store = Store(self.url, vault=VAULT)
        directory = Directory(self.store, self.context.programmes)
        self.context = replace(self.context, store=self.store, directory=directory, recent=RecentReferrals())
        return guard(self.context, self.witness, now=self.now)

    # --- the giving back ---

    def give_back(self, party_id: str, *, close: bool = True) -> list[LineOutcome]:
        """As a party's client does: everything behind what the gateway holds, then its statement."""
        held = holding(self.context, party_id, now=self.now)
        lines = self.books[party_id].lines(
            sent_after=held.to_gateway,
            received_after=held.from_gateway,
            closed_at=self.now if close else None,
        )
        return take(self.context, lines, giver=party_id, now=self.now)

    def everybody(self) -> list[str]:
        """Courts and agencies."""
        return [party_id for party_id in self.books if "/court/" in party_id or "/agency/" in party_id]

    def all_give_back(self, order: Iterable[str] | None = None) -> None:
        for party_id in order or self.everybody():
            self.give_back(party_id)

    def resume(self, **more: Any) -> Resumed:
        asked = {"who": "张三", "why": "恢复旧备份后取回", **more}
        return resume(self.context, self.witness, now=self.now, **asked)

    def recover(self, order: Iterable[str] | None = None) -> Resumed:
        """Everybody gives back, and it goes on."""
        self.all_give_back(order)
        return self.resume()

    # --- what is there ---

    def head(self) -> Head:
        with self.store.reading() as connection:
            return log.head(connection)

    def first_receipts(self) -> dict[str, str]:
        """By message id our first receipt, as its sender keeps it."""
        return {
            message_id: receipt
            for book in self.books.values()
            for message_id, (_, _, receipt) in book.sent.items()
            if receipt is not None
        }

    def repeat_all(self) -> dict[str, str]:
        """Every message that has a receipt, sent once more: the receipts given now."""
        found = {}
        for book in self.books.values():
            for message_id, (_, jws, receipt) in list(book.sent.items()):
                if receipt is not None:
                    found[message_id] = super().accept(jws.encode()).jws
        return found

    def handoffs_by_need(self) -> dict[str, set[str]]:
        """Need → the handoffs its offices hold for it, by their own books."""
        found: dict[str, set[str]] = {}
        for office in self.offices.values():
            for _, jws, _ in self.books[office.partner.party_id].received.values():
                message = verify(
                    jws.encode(), self.keyring, recipient=office.partner.party_id, now=self.now, check_time=False
                )
                if message.envelope.type != "handoff.issued":
                    continue
                adapter = self.context.adapters[(message.envelope.mapping or {})["adapter"]]
                for row in adapter.sheet_rows(message.envelope.data):
                    found.setdefault(row["need_id"], set()).add(row["handoff_id"])
        return found

    def leaves(self, kind: str) -> list[dict[str, Any]]:
        """What the leaves of one kind say."""
        rows = self.rows(t.log_leaves)
        return [json.loads(row["entry"]) for row in rows if row["kind"] == kind]


def _source(raw: bytes) -> str:
    """Who the message says it is from."""
    return str(json.loads(decode_segment(split(raw).payload_segment))["source"])


def with_mailbox(world: World, office_id: str) -> None:
    """From now on the office fetches its messages."""
    world.change_office(office_id, channel=Channel.MAILBOX, url=None)


def code_of(work: Callable[[], object]) -> str:
    """The error that refuses it."""
    try:
        work()
    except XianjieError as error:
        return error.code
    return "nothing refused it"


def _answers(asked: AskedHandoff, code: ReplyCode, at: datetime) -> Sequence[OfficeAnswer]:
    facts: dict[str, Any] = {}
    if code in (ReplyCode.PAID, ReplyCode.APPROVED):
        facts = {"amount_fen": 65_000, "first_month": at.date().replace(day=1), "last_month": at.date().replace(day=1)}
    elif code is ReplyCode.DENIED:
        facts = {"reason": DenialReason.NOT_CONFIRMED, "text": "经核查不属实。"}
    elif code is ReplyCode.ACCEPTED:
        facts = {"next_due": at.date() + timedelta(days=14)}
    return [OfficeAnswer(need=need, code=code, at=at, **facts) for need in asked.needs]
