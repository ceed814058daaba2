"""A party that writes down what it sends and gets, and compares its notes with a whole gateway, without HTTP between.

What somebody does to either side's rows is done to the rows themselves: by SQL at the gateway, in the notes here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from gateway.client.completeness import Books, Reckoning, body_of, reckon
from gateway.domain.agreement import Channel
from gateway.envelope.signing import VerifiedMessage, verify
from gateway.evidence.completeness import Commitment, Difference, Direction, Numbered
from gateway.evidence.receipt import Receipt
from gateway.flows.pair_trees import PairTrees
from gateway.store import findings
from tests.builders import an_id_number
from tests.gateway_world import CIVIL_AFFAIRS, GATEWAY, Partner, World, a_referral_body

PERSON = a_referral_body()["person"]


@dataclass
class Noting:
    """A party with its notes: the two streams of its pair, as it holds them."""

    world: World
    partner: Partner
    notes: dict[Direction, list[Numbered]] = field(default_factory=lambda: {one: [] for one in Direction})

    @property
    def party_id(self) -> str:
        return self.partner.party_id

    def send(self, type_: str, data: Any, **more: Any) -> Receipt:
        """One message, noted, sent and accepted."""
        raw = self.write(type_, data, **more)
        return self.world.accept(raw)

    def write(self, type_: str, data: Any, *, state: str = "settled", **more: Any) -> bytes:
        """One message, noted and not sent."""
        raw = self.partner.sign(type_, data, now=self.world.now, **more)
        message = verify(raw, self.world.keyring, recipient=GATEWAY, now=self.world.now)
        self.note(Direction.TO_GATEWAY, message, state=state)
        return raw

    def note(self, direction: Direction, message: VerifiedMessage, *, state: str = "settled") -> None:
        assert message.envelope.seq is not None
        row = Numbered(seq=message.envelope.seq, message_id=message.envelope.id, digest=message.digest, state=state)
        if row not in self.notes[direction]:
            self.notes[direction].append(row)

    def forget(self, direction: Direction, seq: int) -> None:
        self.notes[direction] = [row for row in self.notes[direction] if row.seq != seq]

    def change(self, direction: Direction, seq: int, **changes: Any) -> None:
        notes = self.notes[direction]
        self.notes[direction] = [replace(row, **changes) if row.seq == seq else row for row in notes]

    def rows(self, direction: Direction, seq: int | None = None) -> Sequence[Numbered]:
        return [row for row in self.notes[direction] if seq in (None, row.seq)]

    def compare(self, gateway: "Desk | None" = None) -> Reckoning:
        books = Books(party_id=self.party_id, gateway=GATEWAY, rows=self.rows)
        return reckon(books, gateway or self.desk(), cutoff=self.world.now)

    def commit(self) -> Reckoning:
        """Compares and sends the commitment."""
        found = self.compare()
        self.send("commitment.submitted", body_of(found))
        return found

    def desk(self) -> "Desk":
        return Desk(world=self.world, party_id=self.party_id)


@dataclass
class Desk:
    """The gateway's answers to one party, as `Counterpart`."""

    world: World
    party_id: str
    trees: PairTrees | None = None
    asked: list[str] = field(default_factory=list)

    @property
    def _trees(self) -> PairTrees:
        if self.trees is None:
            self.trees = PairTrees(self.world.context)
        return self.trees

    def commitment(self, direction: Direction, size: int | None) -> bytes:
        self.asked.append(f"commitment {direction} {size}")
        return self._trees.commitment(self.party_id, direction, size=size, now=self.world.now).encode()

    def range(self, direction: Direction, start: int, stop: int, *, under: Commitment) -> Mapping[str, Any]:
        self.asked.append(f"range {direction} {start} {stop}")
        root = (under.high_water, under.root)
        return self._trees.under(self.party_id, direction, start, stop, root=root, now=self.world.now)

    def prove(self, raw: bytes) -> VerifiedMessage:
        return verify(raw, self.world.keyring, recipient=self.party_id, now=self.world.now)


def a_referral(number: int) -> dict[str, Any]:
    """A case and a person of its own."""
    return a_referral_body(
        referral_id=f"r-{number}",
        case_number=f"（2026）黔01司救执{number}号",
        original_case_group=f"（2025）黔0102民初{number}号",
        person=PERSON | {"id_number": an_id_number(serial=number)},
    )


def a_court(world: World, referrals: int = 4) -> Noting:
    """The court, with so many referrals accepted."""
    court = Noting(world=world, partner=world.court)
    for number in range(1, referrals + 1):
        court.send("referral.submitted", a_referral(number))
    return court


def an_office(world: World, handoffs: int = 4) -> Noting:
    """Civil affairs, with so many handoffs of the court delivered and noted."""
    office = Noting(world=world, partner=world.offices[CIVIL_AFFAIRS].partner)
    a_court(world, handoffs)
    world.dispatch()
    deliver(world, office)
    return office


def deliver(world: World, office: Noting) -> None:
    """Whatever is due is pushed, and noted by the office."""
    pushed = world.offices[CIVIL_AFFAIRS]
    while world.deliver().sent:
        world.wait(timedelta(seconds=1))
    for message in pushed.received:
        office.note(Direction.FROM_GATEWAY, message)


def with_mailbox(world: World) -> None:
    """From now on nothing is pushed to civil affairs."""
    world.change_office(CIVIL_AFFAIRS, channel=Channel.MAILBOX, url=None)


def named(found: Reckoning) -> list[tuple[str, int, str]]:
    """What is wrong: direction, number, kind."""
    return [(stream.direction.value, one.seq, one.kind.value) for stream in found.streams for one in stream.wrong]


def differences(found: Reckoning, direction: Direction) -> list[Difference]:
    return [one for stream in found.streams if stream.direction is direction for one in stream.differences]


def mismatches(world: World) -> list[Mapping[str, Any]]:
    """Evidence of the open findings about pairs."""
    with world.store.reading() as connection:
        return [kept.finding.evidence for kept in findings.listed(connection, code="PAIR_MISMATCH")]
