"""离线经办 What `Client` does over the network, done without any: it reads a mailbox stick and answers on another one.

Rules: an answer is journalled and signed exactly as for the network, so the same answer is the same bytes whichever way
it goes, and nothing goes twice; a stick of replies holds everything whose receipt is not in the journal, so the newest
one is always enough; what the journal says of a reply changes by a proven receipt, or by a refusal under the gateway's
signature, and by nothing else. A stick is proven as a whole before anything of it is used.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from gateway.client.clerk_book import ACCEPTED, PENDING, ClerkBook
from gateway.client.client import BATCH, Client, _changed, _ending, _refused, _sent
from gateway.client.journal import Ending, Entry
from gateway.client.values import Outgoing, Refused, Sent
from gateway.envelope import stick
from gateway.envelope.keyring import Keyring
from gateway.envelope.message import digest, new_id
from gateway.envelope.signing import VerifiedMessage
from gateway.envelope.stick import Stick, StickItem, StickKind
from gateway.errors import ConfigError, FieldProblem, StickRefused, XianjieError
from schemas.stick import MAX_ITEMS

NOWHERE = "http://no-network.invalid"


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared(Sent):
    """Signed and journalled, and on every stick of replies until its receipt comes back; `receipt` is empty.

    again: the same answer had been prepared before, with these very bytes.
    """

    again: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Settled:
    """What a stick of receipts changed. before: known already; of_others: answers another journal gave."""

    accepted: int
    before: int
    of_others: int
    warnings: tuple[tuple[str, FieldProblem], ...]
    refused: tuple[Refused, ...]


class StickClient(Client):
    """A party's voice where there is no network. Whatever needs one raises ConfigError."""

    def __init__(self, *, book: ClerkBook, mailbox: bytes | None = None, **own: Any) -> None:
        """book: over the journal's own file; mailbox: the stick to work from; own: as `Client`, without `url`. Raises
        StickRefused for a stick that is not whole, proven, ours and the newest."""
        super().__init__(url=NOWHERE, **own)
        self._book = book
        self._stick = None if mailbox is None else self._admit(mailbox)

    def inbox(self, *, after: int = 0, limit: int = MAX_ITEMS, wait: int = 0) -> Iterator[VerifiedMessage]:  # noqa: ARG002
        """Messages on the stick, each proven and journalled. One that proves nothing is raised after the good ones."""
        proven: list[VerifiedMessage] = []
        trouble: XianjieError | None = None
        for item in () if self._stick is None else self._stick.items:
            try:
                proven.append(self._open(item.line))
            except XianjieError as error:
                trouble = trouble or error
        found = [message for message in proven if (message.envelope.seq or 0) > after][:limit]
        self._journal.keep_received(found, at=self._clock())
        yield from found
        if trouble is not None:
            raise trouble

    def send_many(self, items: Iterable[Outgoing]) -> Iterator[Sent | Refused]:
        """Prepares each for the next stick of replies: `Prepared`, or `Sent` where its receipt is here already."""
        source = iter(items)
        waiting = {message_id for message_id, _ in self._book.pending(self._key.party_id, self._gateway)}
        while group := list(islice(source, BATCH)):
            entries = self._journal.prepare(self._key.party_id, self._gateway, group, self._write)
            for item, entry in zip(group, entries, strict=True):
                if entry.changed:
                    yield _changed(item)
                elif entry.state == ACCEPTED:
                    yield _sent(item, entry, replayed=True)
                else:
                    yield _prepared(item, entry, again=entry.message_id in waiting)
                    waiting.add(entry.message_id)

    def replies(self) -> bytes:
        """The stick of replies: everything the gateway is not known to have, up to what one stick holds, in order."""
        now, size = self._clock(), 0
        items: list[StickItem] = []
        for message_id, jws in self._book.pending(self._key.party_id, self._gateway)[:MAX_ITEMS]:
            line = self._wrap(jws).encode("ascii")
            size += len(line)
            if items and size > stick.MAX_ITEMS_BYTES:
                break
            items.append(StickItem(id=message_id, line=line))
        made = Stick(
            id=new_id(now),
            kind=StickKind.REPLIES,
            source=self._key.party_id,
            recipient=self._gateway,
            series=self._book.series(now),
            made_at=now,
            items=tuple(items),
        )
        return stick.write(made, self._key)

    def is_own_replies(self, raw: bytes) -> bool:
        """Whether these bytes are a stick of replies of this party, which a newer one may take the place of."""
        now = self._clock()
        own = Keyring([self._key.public_key(not_before=now)], {self._key.party_id: "agency"})
        try:
            stick.read(raw, own, kind=StickKind.REPLIES, recipient=self._gateway, now=now)
        except StickRefused:
            return False
        return True

    def settle(self, raw: bytes) -> Settled:
        """Takes a stick of receipts into the journal: all of it or, when a line proves nothing, none."""
        found = stick.read(raw, self._keyring, kind=StickKind.RECEIPTS, recipient=self._key.party_id, now=self._clock())
        stick.require_not_older(found, self._book.newest_stick(found))
        entries = {item.id: self._book.entry(item.id) for item in found.items}
        pending = {
            item.id: self._judged(item, entry[0]) for item in found.items if (entry := _open_entry(entries, item))
        }
        endings = [ending for message_id, answer in pending.items() if (ending := _ending(message_id, answer))]
        self._journal.settle(endings)
        self._book.keep_stick(found)
        accepted = [answer for answer in pending.values() if isinstance(answer, Ending)]
        return Settled(
            accepted=len(accepted),
            before=sum(entry is not None for entry in entries.values()) - len(pending),
            of_others=sum(entry is None for entry in entries.values()),
            warnings=tuple((ending.message_id, warning) for ending in accepted for warning in ending.warnings),
            refused=tuple(
                _refused(_known(message_id), answer)
                for message_id, answer in pending.items()
                if isinstance(answer, dict)
            ),
        )

    def _admit(self, raw: bytes) -> Stick:
        """The mailbox stick, proven; from now on no older one is read."""
        found = stick.read(raw, self._keyring, kind=StickKind.MAILBOX, recipient=self._key.party_id, now=self._clock())
        stick.require_not_older(found, self._book.newest_stick(found))
        self._book.keep_stick(found)
        return found

    def _judged(self, item: StickItem, jws: str) -> Ending | dict[str, Any]:
        """A receipt that names the reply on file, or a refusal; StickRefused for what is neither."""
        entry = Entry(
            message_id=item.id, seq=0, jws=jws, state=PENDING, receipt=None, warnings=(), holds=(), changed=False
        )
        answer = self._judge(entry, item.line)
        if isinstance(answer, XianjieError):
            problem = FieldProblem(pointer=item.id, code="stick_altered")
            raise StickRefused(answer.note or answer.code, problems=[problem]) from answer
        return answer

    def _get(self, *_: Any, **__: Any) -> bytes:
        raise ConfigError("this needs the network; give --url and no stick")


def _open_entry(entries: Mapping[str, tuple[str, str] | None], item: StickItem) -> tuple[str, str] | None:
    entry = entries[item.id]
    return entry if entry is not None and entry[1] == PENDING else None


def _prepared(item: Outgoing, entry: Entry, *, again: bool) -> Prepared:
    return Prepared(
        message_id=entry.message_id,
        digest=digest(entry.jws),
        receipt="",
        effect=item.effect,
        reference=item.reference,
        again=again,
    )


def _known(message_id: str) -> Outgoing:
    """A refusal from a stick is told by the message it refuses: which row it was is long gone."""
    return Outgoing(type="", data=None, effect=message_id, reference=message_id)
