"""部门经办 What an agency's clerk works with: a message as it was sent to his party, proven again, and no more.

Rules: a handoff is read from its own signed message, in the agency's format, which holds what the agreement lets that
agency know; never from the referral. Our signature must still hold, so that what somebody changed in the database is
shown to nobody. Of an erased case there is nothing to read.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from gateway.domain.handoff import SentHandoff
from gateway.envelope.signing import VerifiedMessage, verify
from gateway.errors import CaseErased, NotFound, SealBroken, XianjieError
from gateway.flows.context import Context
from gateway.flows.receive import sent_handoff
from gateway.ports import Adapter
from gateway.store import agency_desk, decisions, handoffs, sealing, vault
from gateway.store.agency_desk import HeldNeed, ListedHandoff, ListedLetter, Tab
from gateway.store.clock import from_ms, to_ms

Columns = Sequence[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class OwnHandoff:
    """一件转办 as the office has it. message: the one it was issued with, which answers name. rows: one a need, as the
    court last amended it, keyed by `adapter.sheet_columns`."""

    listed: ListedHandoff
    message: VerifiedMessage
    amended_at: datetime | None
    adapter: Adapter
    sent: SentHandoff
    rows: Sequence[Mapping[str, str]]
    needs: Sequence[HeldNeed]
    answers: Sequence[Mapping[str, Any]]
    is_called_back: bool

    def parts(self) -> tuple[list[tuple[str, str]], dict[str, list[tuple[str, str]]]]:
        """(heading, text) of what all needs have in common, then of each need alone; blank cells are left out."""
        rows, columns = self.rows, self.adapter.sheet_columns()
        common = [key for key, _ in columns if len(rows) > 1 and len({row.get(key, "") for row in rows}) == 1]
        if len(rows) == 1:
            common = [key for key, _ in columns if key not in PER_NEED]
        first = _cells(rows[0], columns, set(common)) if rows else []
        own = {key for key, _ in columns} - set(common)
        return first, {row["need_id"]: _cells(row, columns, own) for row in rows}


PER_NEED = frozenset({"need_id", "programme", "benefit_code", "need_note", "step"})
"""Columns that speak of a need and not of the person, though there is only one need."""


def _cells(row: Mapping[str, str], columns: Columns, wanted: Collection[str]) -> list[tuple[str, str]]:
    return [(heading, row[key]) for key, heading in columns if key in wanted and row.get(key)]


def open_handoff(
    context: Context, handoff_id: str, offices: Collection[str], *, party: str, now: datetime
) -> OwnHandoff:
    """One handoff of these offices. Raises NotFound for another's and for none alike, CaseErased, TrustError."""
    with context.store.reading() as connection:
        listed = agency_desk.find(connection, handoff_id, offices)
        found = [] if listed is None else open_all(connection, context, [listed], party=party, now=now)
        if listed is None or not found:
            raise NotFound
        one = found[0]
        if isinstance(one, XianjieError):
            raise one
        return one


def open_all(
    connection: Connection, context: Context, listed: Sequence[ListedHandoff], *, party: str, now: datetime
) -> list[OwnHandoff | XianjieError]:
    """Each, or why it cannot be read; what no adapter of ours reads is left out."""
    amended = agency_desk.amended(connection, [one.handoff_id for one in listed])
    named = [*(one.message_id for one in listed), *amended.values()]
    messages = proven(connection, context, named, party=party, now=now)
    sent = handoffs.sent(connection, [one.message_id for one in listed])
    needs = agency_desk.needs_of(connection, listed)
    found: list[OwnHandoff | XianjieError] = []
    for one in listed:
        message, adapter = messages[one.message_id], context.adapters.get(one.agency)
        newest = messages[amended.get(one.handoff_id, one.message_id)]
        if isinstance(message, XianjieError):
            found.append(message)
        elif isinstance(newest, XianjieError):
            found.append(newest)
        elif adapter is not None and one.message_id in sent:
            found.append(
                OwnHandoff(
                    listed=one,
                    message=message,
                    amended_at=None if newest is message else newest.envelope.time,
                    adapter=adapter,
                    sent=sent_handoff(sent[one.message_id]),
                    rows=adapter.sheet_rows(newest.envelope.data),
                    needs=needs[one.handoff_id],
                    answers=agency_desk.answers_of(connection, one.handoff_id),
                    is_called_back=agency_desk.is_called_back(connection, one.handoff_id),
                )
            )
    return found


def proven(
    connection: Connection, context: Context, message_ids: Iterable[str], *, party: str, now: datetime
) -> dict[str, VerifiedMessage | XianjieError]:
    """Messages of ours to the party, each proven by our own signature, or why it is not."""
    rows = agency_desk.sealed(connection, message_ids)
    opened = sealing.outbound(connection, rows)
    keyring = context.snapshot(now).keyring
    found: dict[str, VerifiedMessage | XianjieError] = {}
    for row in rows:
        message_id = row["message_id"]
        if message_id not in opened:
            erased = _is_erased(connection, row["referral_id"])
            found[message_id] = CaseErased() if erased else SealBroken("outbox.jws", ids={"message_id": message_id})
            continue
        raw = opened[message_id].jws.encode("ascii", "replace")
        try:
            found[message_id] = verify(raw, keyring, recipient=party, now=from_ms(row["created_at"]), check_time=False)
        except XianjieError as error:
            found[message_id] = error
    return found


def _is_erased(connection: Connection, matter: str | None) -> bool:
    return matter is not None and matter in vault.erased_among(connection, [matter])


def open_letter(
    context: Context, party: str, offices: Collection[str], message_id: str, *, whole: bool, now: datetime
) -> tuple[ListedLetter, VerifiedMessage]:
    """One letter. Raises NotFound for another's and for none alike, CaseErased, TrustError."""
    with context.store.reading() as connection:
        letter = agency_desk.letter(connection, party, offices, message_id, whole=whole)
        if letter is None:
            raise NotFound
        message = proven(connection, context, [message_id], party=party, now=now)[message_id]
    if isinstance(message, XianjieError):
        raise message
    return letter, message


EXPORTED = "handoff_exported"


def to_export(
    context: Context, offices: Sequence[str], tabs: Sequence[Tab], *, party: str, most: int, now: datetime
) -> tuple[list[OwnHandoff], bool]:
    """What of these offices is to be done, the most pressing first, as far as it can be read and was not called back;
    and whether there is more than `most`."""
    with context.store.reading() as connection:
        listed = [one for tab in tabs for one in agency_desk.listed(connection, offices, tab, limit=most + 1)]
        opened = open_all(connection, context, listed[:most], party=party, now=now)
    kept = [one for one in opened if isinstance(one, OwnHandoff) and not one.is_called_back]
    return kept, len(listed) > most


def log_export(context: Context, exported: Sequence[OwnHandoff], *, who: str, now: datetime) -> None:
    """A decision for each: whoever looks at one referral finds there who took its data out."""
    rows = [
        {
            "at": to_ms(now),
            "who": who,
            "what": EXPORTED,
            "subject": one.listed.referral_id,
            "why": f"handoff={one.listed.handoff_id} office={one.listed.office_id} sheet",
        }
        for one in exported
    ]
    context.store.write(lambda connection: decisions.put_all(connection, rows))
