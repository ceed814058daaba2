"""交还 A partner gives back what it holds of its pair, after the gateway lost what it had signed (docs/recovery.md).

1. ask what the gateway still has (`GET /v1/recovery`): everything behind these numbers is given;
2. the party's own messages with the gateway's receipts, or without one where none came; then the gateway's messages:
   the very bytes from the journal, encrypted where the gateway has a key for it;
3. last a signed statement that this was everything: highest numbers, and lower ones still without a receipt.

Giving back twice changes nothing. A message without a receipt is sent again as ever: it is given because something of
the gateway's own may show that it had been accepted.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any, Self

from marshmallow import ValidationError

from gateway.client.journal import Journal
from gateway.envelope import strict_json
from gateway.envelope.encryption import encrypt
from gateway.envelope.keyring import PublicKey, SigningKey, newest_encryption_key
from gateway.envelope.message import Envelope, new_id
from gateway.envelope.signing import MESSAGE_TYP, sign
from gateway.errors import MalformedJson, PartnerUnreachable
from schemas.recovery import GIVEN_BACK_TYPE, HOLDING, MOST_OPEN, OUTCOME

REQUEST_BYTES = 8 * 1024 * 1024
BATCH = 200
PATH = "/v1/recovery"


@dataclass(frozen=True, kw_only=True, slots=True)
class GivenBack:
    """What became of a giving back. taken: the gateway lacked it; known: it has it; left: without a receipt; refused:
    (message id, code) of what it could not prove."""

    taken: int = 0
    known: int = 0
    left: int = 0
    refused: tuple[tuple[str, str], ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether the gateway could use all of it."""
        return not self.refused


@dataclass(frozen=True, kw_only=True)
class GivingBack:
    """One party's giving. wrap: a message as it travels."""

    key: SigningKey
    gateway: str
    journal: Journal
    clock: Callable[[], datetime]
    wrap: Callable[[str], str]

    @classmethod
    def offline(
        cls,
        *,
        key: SigningKey,
        gateway: str,
        gateway_keys: Iterable[PublicKey],
        journal: Journal,
        clock: Callable[[], datetime],
    ) -> Self:
        """Without a wire: for a file. Encrypted to the gateway, where it has a key for that."""
        public = newest_encryption_key(gateway_keys, clock())
        wrap: Callable[[str], str] = _as_it_is if public is None else partial(encrypt, key=public)
        return cls(key=key, gateway=gateway, journal=journal, clock=clock, wrap=wrap)

    def lines(self, *, sent_after: int = 0, received_after: int = 0) -> Iterator[bytes]:
        """Everything the journal holds beyond these numbers, the statement last."""
        own, gateway = self.key.party_id, self.gateway
        for jws, receipt in self.journal.sent_bytes(own, gateway, after=sent_after):
            yield line_of(self.wrap(jws), receipt)
        for jws in self.journal.received_bytes(gateway, own, after=received_after):
            yield line_of(self.wrap(jws), None)
        yield self.closing()

    def closing(self) -> bytes:
        """The statement's line."""
        own, gateway = self.key.party_id, self.gateway
        numbers = self.journal.numbers(own, gateway)
        made = statement_of(
            self.key,
            gateway,
            sent=numbers.receipted,
            open_numbers=numbers.open,
            received=numbers.received,
            now=self.clock(),
        )
        return line_of(made, None)

    def send(
        self,
        get: Callable[[str, Mapping[str, Any]], Mapping[str, Any]],
        post: Callable[[str, bytes], Iterator[bytes]],
    ) -> GivenBack:
        """Gives everything over the wire. get: an object of the gateway's; post: sends lines and yields its own. Raises
        NotInRecovery, PartnerUnreachable: run it again."""
        try:
            held = HOLDING.load(get(PATH, {}))
        except ValidationError as error:
            raise PartnerUnreachable("not_a_holding") from error
        found = GivenBack()
        for part in _parts(self.lines(sent_after=held["to_gateway"], received_after=held["from_gateway"])):
            answers = list(islice(post(PATH, b"\n".join(part)), len(part) + 1))
            if len(answers) != len(part):
                raise PartnerUnreachable("answer_cut")
            found = _added(found, answers)
        return found


def _as_it_is(jws: str) -> str:
    return jws


def line_of(message: str, receipt: str | None) -> bytes:
    """One line of a giving back, without its end."""
    return strict_json.dumps({"message": message, "receipt": receipt})


def statement_of(
    key: SigningKey, gateway: str, *, sent: int, open_numbers: Iterable[int], received: int, now: datetime
) -> str:
    """The party's signed word that it has given everything: sent: the highest number it holds a receipt for;
    open_numbers: lower ones without; received: the highest number it got."""
    lower = [number for number in open_numbers if number < sent]
    data: dict[str, Any] = {"sent": {"high_water": sent}, "received": {"high_water": received}}
    if lower:
        data["sent"]["open"] = lower[:MOST_OPEN]
    envelope = Envelope(
        id=new_id(now), source=key.party_id, type=GIVEN_BACK_TYPE, time=now, recipient=gateway, data=data
    )
    return sign(envelope.to_payload(), key, MESSAGE_TYP)


def _parts(lines: Iterator[bytes]) -> Iterator[list[bytes]]:
    """As many as fit into one request."""
    part: list[bytes] = []
    size = 0
    for line in lines:
        if part and (len(part) == BATCH or size + len(line) > REQUEST_BYTES):
            yield part
            part, size = [], 0
        part.append(line)
        size += len(line) + 1
    if part:
        yield part


def _added(found: GivenBack, answers: Sequence[bytes]) -> GivenBack:
    counts = {"taken": found.taken, "known": found.known, "left": found.left}
    refused = list(found.refused)
    for raw in answers:
        try:
            said = OUTCOME.load(strict_json.loads(raw))
        except (MalformedJson, ValidationError) as error:
            raise PartnerUnreachable("not_an_outcome") from error
        if said["outcome"] == "refused":
            refused.append((said["message_id"] or "?", said["code"] or "internal"))
        elif said["outcome"] in counts:
            counts[said["outcome"]] += 1
    return GivenBack(**counts, refused=tuple(refused))
