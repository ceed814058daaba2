"""报文类型 What a type of message needs to be accepted: who may send it, how it is read, recorded, and audited.

Each flow declares its own kinds (`KINDS`); `flows.kinds` is the one table of them all. A kind whose rows say nothing
but what the message said tells them (`told`), so that a cut-off makes them anew from the signed bytes and compares.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.agreement import PartyKind
from gateway.envelope.signing import VerifiedMessage
from gateway.errors import FieldProblem
from gateway.flows.context import Context

COURTS, AGENCIES = frozenset({PartyKind.COURT}), frozenset({PartyKind.AGENCY})
PARTNERS = COURTS | AGENCIES


class Item(Protocol):
    """A message that was read and may be recorded."""

    @property
    def context(self) -> Context:
        """Whose message it became."""

    @property
    def message(self) -> VerifiedMessage:
        """What was proven."""

    @property
    def now(self) -> datetime:
        """When it was accepted."""

    @property
    def subject(self) -> str | None:
        """The matter it is about, as the gateway found it: a referral, an inquiry, a clue; None for none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Noted:
    """What goes onto the receipt of a recorded message."""

    warnings: tuple[FieldProblem, ...] = ()
    holds: tuple[str, ...] = ()
    answer: Mapping[str, Any] | None = None
    """What the message asked for, answered at once, as JSON."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """One row a message was made into: its table, and the columns that say nothing but what the message said.

    The table has a column `message_id`; columns that change later (states, counters) are not named here.
    """

    table: sa.Table
    row: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class MessageKind:
    """One type. prepare: (message, context, now=) → item, everything that needs no database; an answer to a handoff is
    prepared with what was sent, (message, context, sent, now=). record: (connection, items) → an outcome each.
    """

    type: str
    senders: frozenset[PartyKind]
    prepare: Callable[..., Any]
    record: Callable[[Connection, Sequence[Any]], list[Noted | Exception]]
    answers_handoff: bool = False
    told: Callable[[Any], Iterable[Told]] | None = None
    tables: tuple[sa.Table, ...] = field(default=())
    """The tables `told` speaks of."""
