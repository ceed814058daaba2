"""本部门线索 An agency reads its own clue again from the bytes it signed, and what the court answered from ours.

Rules: only the party that told it (the caller looks it up); what was signed is proven again before a word of it is
used. Of an erased clue there is nothing to read. Whoever opens it is on file before anything is shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.envelope.signing import VerifiedMessage, verify
from gateway.errors import CaseErased
from gateway.flows.agency_desk import proven
from gateway.flows.context import Context
from gateway.store import inbox, own_clues
from gateway.store.own_clues import OwnClue


@dataclass(frozen=True, kw_only=True, slots=True)
class ToldClue:
    """As it was told, and the answers as they were told back, oldest first."""

    data: Mapping[str, Any]
    answers: Sequence[Mapping[str, Any]]


def told_clue(context: Context, own: OwnClue, *, now: datetime) -> ToldClue:
    """Raises CaseErased, and what says that the bytes prove nothing any more."""
    clue = own.clue
    key = (clue.party, own.message_id)
    with context.store.reading() as connection:
        raw = inbox.bytes_of(connection, [key]).get(key)
        if raw is None:
            raise CaseErased(ids={"clue_id": clue.clue_id})
        ids = own_clues.answers_told(connection, clue.party, clue.clue_id)
        letters = proven(connection, context, ids, party=clue.party, now=now)
    keyring = context.snapshot(now).keyring
    message = verify(raw.encode(), keyring, recipient=context.party_id, now=clue.received_at, check_time=False)
    found = [letters[one] for one in ids]
    return ToldClue(
        data=message.envelope.data, answers=[one.envelope.data for one in found if isinstance(one, VerifiedMessage)]
    )
