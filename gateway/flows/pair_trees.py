"""我方承诺 Our side of every pair, for those who compare: a signed commitment, and the hashes and rows under its root.

A commitment is read from the rows, every time it is asked for. The tree it was made of is kept for the questions that
follow, for a short while; whoever asks under another root (another process made it, or a message arrived) gets a tree
that was read anew. A party sees its own pair only.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from gateway.envelope.message import Envelope, new_id
from gateway.envelope.signing import MESSAGE_TYP, sign
from gateway.errors import FieldProblem, InvalidQuery
from gateway.evidence.completeness import Direction, PairTree, is_subtree, middle
from gateway.flows.completeness import COMMITMENT_TYPE
from gateway.flows.context import Context
from gateway.store import log, pairs
from schemas.fields import format_moment

GOOD_FOR = timedelta(minutes=2)
"""How long our commitment may be believed to be new, and its tree answers."""
ROWS = 256
"""A range of so few numbers is answered with its rows."""
MOST_ROWS = 2000
TREES = 8


class PairTrees:
    """One a process; any number of threads."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._kept: dict[tuple[str, Direction], tuple[datetime, PairTree]] = {}

    def commitment(self, party_id: str, direction: Direction, *, size: int | None, now: datetime) -> str:
        """What we hold of a stream up to `size` (None: all of it), signed for the party: a compact JWS. Raises
        InvalidQuery for a size far beyond what there is, InRecovery."""
        with self._context.store.reading() as connection:
            log.require_signing(connection)
        context, tree = self._context, self._fresh(party_id, direction, now)
        if size is not None and not tree.reaches(size):
            raise InvalidQuery(problems=[FieldProblem(pointer="/size", code="out_of_range")])
        pair = (party_id, context.party_id)
        source, recipient = pair if direction is Direction.TO_GATEWAY else pair[::-1]
        ours = tree.commitment(source, recipient, cutoff=now, size=size)
        stream = {"source": source, "recipient": recipient, "high_water": ours.high_water, "count": ours.count}
        envelope = Envelope(
            id=new_id(now),
            source=context.party_id,
            type=COMMITMENT_TYPE,
            time=now,
            recipient=party_id,
            expires_at=now + GOOD_FOR,
            data={"cutoff": format_moment(now), "streams": [{**stream, "root": ours.root}]},
        )
        return sign(envelope.to_payload(), context.key, MESSAGE_TYP)

    def under(
        self, party_id: str, direction: Direction, start: int, stop: int, *, root: tuple[int, str] | None, now: datetime
    ) -> dict[str, Any]:
        """Leaves [start, stop) as `schemas.commitment.RangeSchema` has them. root: size and root (hex) of the
        commitment the asker has. Raises InvalidQuery for a range that no bisection comes to."""
        few = 0 < stop - start <= ROWS
        if not few and not is_subtree(start, stop):
            raise InvalidQuery(problems=[FieldProblem(pointer="/hi", code="out_of_range")])
        tree = self._tree(party_id, direction, stop, root, now)
        if not tree.reaches(stop):
            raise InvalidQuery(problems=[FieldProblem(pointer="/hi", code="out_of_range")])
        found: dict[str, Any] = {"lo": start, "hi": stop, "hash": tree.over(start, stop).hex()}
        if stop - start > 1:
            at = middle(start, stop)
            found |= {"left": tree.over(start, at).hex(), "right": tree.over(at, stop).hex()}
        if few:
            with self._context.store.reading() as connection:
                found["rows"] = _rows(connection, party_id, direction, start, stop)
        return found

    def _tree(
        self, party_id: str, direction: Direction, stop: int, root: tuple[int, str] | None, now: datetime
    ) -> PairTree:
        read_at, tree = self._kept.get((party_id, direction), (now, None))
        if tree is None or now - read_at > GOOD_FOR or not tree.reaches(stop):
            return self._fresh(party_id, direction, now)
        if root is not None and not (tree.reaches(root[0]) and tree.root(root[0]).hex() == root[1]):
            return self._fresh(party_id, direction, now)
        return tree

    def _fresh(self, party_id: str, direction: Direction, now: datetime) -> PairTree:
        with self._context.store.reading() as connection:
            given = pairs.last_given(connection, party_id, direction)
            tree = PairTree(pairs.stream(connection, party_id, direction), at_least=given)
        self._kept.pop((party_id, direction), None)
        self._kept[party_id, direction] = (now, tree)
        for oldest in [*self._kept][:-TREES]:
            self._kept.pop(oldest, None)
        return tree


def _rows(connection: Connection, party_id: str, direction: Direction, start: int, stop: int) -> list[dict[str, Any]]:
    rows = pairs.some(connection, party_id, direction, start, stop, limit=MOST_ROWS)
    return [{"seq": row.seq, "message_id": row.message_id, "digest": row.digest, "state": row.state} for row in rows]
