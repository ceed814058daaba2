"""A gateway with a log key and two witnesses, whose log grows and is signed when a test says so."""

from dataclasses import replace

from gateway.evidence.checkpoint import Checkpoint, LogKey, cosign, sign_checkpoint
from gateway.evidence.entry import cutoff_entry
from gateway.evidence.merkle import leaf_hash
from gateway.flows.context import Context
from gateway.store import checkpoints, log
from tests.gateway_world import GATEWAY, World

DIGEST = "ab" * 32
PAGE = 5_000


class LogWorld:
    """Its `context` knows the log key and the witnesses."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.key = LogKey.generate(GATEWAY)
        self.witness, self.second = LogKey.generate("witness.example/w1"), LogKey.generate("witness.example/w2")
        vkeys = tuple(key.cosigner().vkey() for key in (self.witness, self.second))
        self.context: Context = replace(world.context, log_key=self.key, witnesses=vkeys)

    def grow(self, count: int, *, prefix: str = "leaf") -> None:
        """So many leaves more, named by their place."""
        start = self.head().size
        for first in range(start, start + count, PAGE):
            entries = [
                cutoff_entry(cutoff_id=f"{prefix}-{at}", digest=DIGEST, at=self.world.now)
                for at in range(first, min(first + PAGE, start + count))
            ]
            self.world.store.write(lambda connection, found=entries: log.append(connection, found))

    def grow_to(self, size: int) -> None:
        """Until the log has that many leaves."""
        self.grow(size - self.head().size)

    def head(self) -> log.Head:
        with self.world.store.reading() as connection:
            return log.head(connection)

    def sign(self) -> str:
        """What the sequencer does: a note over the committed tree."""
        head = self.head()
        key = self.key.named(self.context.origin(head.epoch))
        note = sign_checkpoint(Checkpoint(origin=key.name, size=head.size, root=head.root), key)
        self.world.store.write(
            lambda connection: checkpoints.put(
                connection,
                epoch=head.epoch,
                size=head.size,
                root=head.root,
                note=note,
                fence=1,
                now=self.world.now,
            )
        )
        return note

    def sign_again(self) -> str:
        """A note over one leaf more."""
        self.grow(1)
        return self.sign()

    def cosign(self, note: str, key: LogKey | None = None) -> str:
        """A witness' line."""
        return cosign(note, key or self.witness, now=self.world.now)

    def leaves(self) -> list[bytes]:
        """Every leaf hash, made from the entries."""
        with self.world.store.reading() as connection:
            found = list(log.entries(connection, 0, log.head(connection).size))
        return [leaf_hash(place.entry.encode()) for place in found]
