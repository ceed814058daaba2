"""经办台 Who the clerk is and where the work lies: in the mailbox at the gateway, or on a stick.

Everything `xianjie inbox` does goes through one of these, so that a command is the same with and without a network.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import click

from gateway.app import load_adapters
from gateway.cli.console import FINDINGS, refuse_existing, say
from gateway.cli.partner import client_arguments, make_client
from gateway.cli.sticks import read_stick, replace_stick
from gateway.cli.telling import say_unusable
from gateway.client import Client
from gateway.client.clerk_book import Answered, ClerkBook, Letter
from gateway.client.stick import StickClient
from gateway.config import DEFAULT_ADAPTERS, find_file, load
from gateway.domain.handoff import SentHandoff, SentNeed
from gateway.domain.replies import is_terminal
from gateway.envelope.message import Envelope
from gateway.errors import ConfigError, MessageError, TrustError, XianjieError
from gateway.ports import Adapter
from schemas.stick import MAX_ITEMS

ISSUED, AMENDED, WITHDRAWN = "handoff.issued", "handoff.amended", "handoff.withdrawn"
OUTCOME, RETRIEVED = "handoff.outcome", "handoff.retrieved"
ANSWERS = (OUTCOME, "handoff.disposition", "status.changed")
PAGE = 200

Found = tuple[list[Letter], list[XianjieError]]
"""Messages, and what was not proven to be one; that costs no other its place."""


@dataclass(kw_only=True)
class ClerkDesk:
    """One call of `xianjie inbox`. options: a partner's; stick: where it works from, None for the network."""

    options: Mapping[str, Any]
    stick: Path | None = None
    agency: str | None = None
    as_json: bool = False

    @property
    def pair(self) -> tuple[str, str]:
        """Own party and the gateway, as the journal names what was sent."""
        return str(self.options["party"]), str(self.options["gateway"])

    @cached_property
    def client(self) -> Client:
        """Over the network, or from the stick."""
        return make_client(**self.options) if self.stick is None else self.offline()

    @cached_property
    def book(self) -> ClerkBook:
        """What the journal knows."""
        _ = self.client  # it makes the journal
        return ClerkBook(self.options["journal"])

    def offline(self) -> StickClient:
        """Works from the stick that was named, if one was. Raises StickRefused."""
        own = client_arguments({}, **{name: value for name, value in self.options.items() if name != "url"})
        mailbox = None if self.stick is None else read_stick(self.stick)
        return StickClient(book=ClerkBook(self.options["journal"]), mailbox=mailbox, **own)

    def waiting(self) -> Found:
        """Every message in the mailbox, page by page, or on the stick."""
        found: list[Letter] = []
        unproven: list[XianjieError] = []
        after, more = 0, True
        while more:
            page: list[Letter] = []
            try:
                page.extend(map(Letter.of, self.client.inbox(after=after, limit=self._page, wait=0)))
            except (TrustError, MessageError) as error:
                unproven.append(error)
            found.extend(page)
            more = bool(page) and self.stick is None
            after = max((message.envelope.seq or after for message in page), default=after)
        return found, unproven

    @property
    def _page(self) -> int:
        """A stick is read at once."""
        return PAGE if self.stick is None else MAX_ITEMS

    def answered(self) -> dict[str, list[Answered]]:
        """This journal's replies by the message they answer."""
        found: dict[str, list[Answered]] = {}
        for one in self.book.answered(*self.pair):
            found.setdefault(one.envelope.in_reply_to or "", []).append(one)
        return found

    def received(self) -> list[Letter]:
        """Every message that ever came to this journal."""
        party, gateway = self.pair
        return self.book.received(gateway, party)

    def in_hand(self) -> list[Letter]:
        """Handoffs this journal signed for or answered, whose last word was not said yet: they left the mailbox."""
        answered = self.answered()
        received = self.received()
        gone = {message.envelope.in_reply_to for message in received if message.envelope.type == WITHDRAWN}
        return [
            message
            for message in received
            if message.envelope.type == ISSUED
            and message.envelope.id in answered
            and message.envelope.id not in gone
            and not self.is_finished(message, answered[message.envelope.id])
        ]

    def is_finished(self, message: Letter, answers: list[Answered]) -> bool:
        """Whether every need of the handoff was answered for good by these."""
        sent, adapter = self.sent_handoff(message), self.adapter_for(message)
        if adapter is None or not sent.needs:
            return False
        done: set[str] = set()
        for answer in answers:
            for need_id, is_final in _answers(adapter, answer.envelope, sent):
                (done.add if is_final else done.discard)(need_id)
        return done >= {need.need_id for need in sent.needs}

    def sent_handoff(self, message: Letter) -> SentHandoff:
        """The handoff as its answer is judged by."""
        rows = self.rows(message)
        return SentHandoff(
            handoff_id=rows[0]["handoff_id"] if rows else "",
            referral_id=message.envelope.subject or "",
            agency=str((message.envelope.mapping or {}).get("adapter", "")),
            office_id="",
            needs=tuple(SentNeed(need_id=row["need_id"], programme="") for row in rows),
        )

    def rows(self, message: Letter) -> list[Mapping[str, str]]:
        """One row a need, as in the sheet and as last amended; none for what is no handoff or no format of ours."""
        adapter = self.adapter_for(message)
        if adapter is None or message.envelope.type not in (ISSUED, AMENDED):
            return []
        return list(adapter.sheet_rows(self.newest(message).envelope.data))

    def newest(self, message: Letter) -> Letter:
        """The handoff as its court last amended it, as far as that came to this journal; else itself."""
        return self._amended.get(message.envelope.id, message)

    @cached_property
    def _amended(self) -> dict[str, Letter]:
        """The last amendment of each handoff, by the handoff's message."""
        return {one.envelope.in_reply_to or "": one for one in self.received() if one.envelope.type == AMENDED}

    def adapter_for(self, message: Letter) -> Adapter | None:
        """Whose format the message is in."""
        return self._adapters.get(str((message.envelope.mapping or {}).get("adapter", "")))

    def adapter(self) -> Adapter:
        """The own agency's: as named, else as the party is named. Raises ConfigError."""
        named = self.agency or self.pair[0].rpartition("/")[2].partition(".")[0]
        found = self._adapters.get(named)
        if found is None:
            raise ConfigError(
                f"no adapter for {named}; name yours with --agency; known are {', '.join(self._adapters)}"
            )
        return found

    @cached_property
    def _adapters(self) -> dict[str, Adapter]:
        """Those of a configuration, where there is one: a fourth agency is a line in it. Else the shipped ones."""
        try:
            return load_adapters(load(find_file()).adapters)
        except ConfigError:
            return load_adapters(DEFAULT_ADAPTERS)

    def require_out(self, out: Path | None) -> None:
        """Answers from a stick go onto a stick: it is asked for before anything is answered. Raises UsageError."""
        if self.stick is not None and out is None:
            raise click.UsageError("--stick 需要 --out 反馈介质 answers need --out FILE, the stick that carries them")
        if self.stick is None and out is not None:
            raise click.UsageError("--out 只与 --stick 同用 --out goes with --stick; over the network answers are sent")
        if out is not None and out.exists() and not self.offline_client().is_own_replies(read_stick(out)):
            refuse_existing(out)

    def offline_client(self) -> StickClient:
        """The client, which works from a stick."""
        assert isinstance(self.client, StickClient)  # noqa: S101 - asked for only with a stick
        return self.client

    def put_replies(self, out: Path | None) -> int:
        """Writes the stick of replies anew: all that has no receipt yet. How many; 0 over the network."""
        if out is None:
            return 0
        count = len(self.book.pending(*self.pair))
        replace_stick(out, self.offline_client().replies())
        return count


def _answers(adapter: Adapter, envelope: Envelope, sent: SentHandoff) -> Iterator[tuple[str, bool]]:
    """(need id, whether that was the last word) for each thing an own answer says."""
    if envelope.type not in ANSWERS:
        return
    try:
        outcomes = adapter.interpret(envelope.data, sent)
    except XianjieError:
        return
    for outcome in outcomes:
        needs = [outcome.need_id] if outcome.need_id is not None else [need.need_id for need in sent.needs]
        for need_id in needs:
            yield need_id, outcome.code is not None and is_terminal(outcome.code)


def now_utc() -> datetime:
    """The time of this machine."""
    return datetime.now(UTC)


@contextmanager
def explaining(place: str) -> Iterator[None]:
    """What this side refuses is told with its fields, and the command ends with exit 1."""
    try:
        yield
    except MessageError as error:
        say_unusable(place, error)
        say("什么都没有报送 nothing was sent")
        sys.exit(FINDINGS)
