"""对账单 A statement's signed manifest: which agency says what it paid, for which months, in which file.

1. prepare: the manifest is read; the agency, its office or region, the months, the programmes and the agreement must be
   its own; a small text may come inline and must be what the manifest names;
2. record: one a scope and time, unless it names the one it replaces; it waits for its lines (`statement_intake`), or
   has them already.
Whether persons in it may be matched is the agreement's to say (P06), and is noted once, here.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection

from gateway.domain.calendar import china_day
from gateway.domain.lifecycle import StatementState
from gateway.envelope.signing import VerifiedMessage
from gateway.errors import AgreementUnknown, FieldProblem, RuleBlocked, SchemaInvalid
from gateway.flows.context import Context
from gateway.flows.message_kind import AGENCIES, MessageKind, Noted, Told
from gateway.flows.reading import problem, read_body
from gateway.store import statements
from gateway.store import tables as t
from schemas.statement import STATEMENT_MANIFEST

SUBMITTED = "statement.submitted"


@dataclass(frozen=True, kw_only=True, slots=True)
class Submitted:
    """对账单首部, read."""

    context: Context
    message: VerifiedMessage
    fields: Mapping[str, Any]
    inline: bytes | None
    matching: bool
    now: datetime

    @property
    def subject(self) -> None:
        """It is of no one case; what it says of persons is sealed with its sender's key."""
        return None


def prepare(message: VerifiedMessage, context: Context, *, now: datetime) -> Submitted:
    """Reads `statement.submitted`. Raises SchemaInvalid, AgreementUnknown."""
    fields, ids = read_body(message, STATEMENT_MANIFEST), {"message_id": message.envelope.id}
    inline = None if "inline" not in fields else str(fields["inline"]).encode()
    problems = [*_problems(fields, message.party_id, context, now), *_inline_problems(fields, inline)]
    if problems:
        raise SchemaInvalid(problems=problems, ids=ids)
    found = context.snapshot(now).agreement_for(fields["agreement_document"])
    if found is None or not found[1].is_valid_on(china_day(now)) or not found[1].names(message.party_id):
        raise AgreementUnknown(problems=[problem("agreement_document", "unknown_code")], ids=ids)
    return Submitted(
        context=context,
        message=message,
        fields=fields,
        inline=inline,
        matching=found[1].matching_authorised,
        now=now,
    )


def _problems(fields: Mapping[str, Any], party: str, context: Context, now: datetime) -> Iterator[FieldProblem]:
    offices = [one for one in context.snapshot(now).office_of(party) if one.agency == fields["agency"]]
    if not offices:
        yield problem("agency", "unknown_code")
    elif "office" in fields and all(one.office_id != fields["office"] for one in offices):
        yield problem("office", "unknown_code")
    elif "region" in fields and all(one.region != fields["region"] for one in offices):
        yield problem("region", "unknown_code")
    if fields["period_to"] < fields["period_from"]:
        yield problem("period_to", "months_reversed")
    for at, code in enumerate(fields.get("programmes", ())):
        if code not in context.programmes:
            yield problem(f"programmes/{at}", "programme_unknown")
    if fields["size"] > context.statement_bytes:
        yield problem("size", "too_large")


def _inline_problems(fields: Mapping[str, Any], inline: bytes | None) -> Iterator[FieldProblem]:
    if inline is None:
        return
    if fields["format"] == "XLSX":
        yield problem("inline", "invalid")
    elif len(inline) != fields["size"] or sha256(inline).hexdigest() != fields["sha256"]:
        yield problem("sha256", "invalid")


def record(connection: Connection, items: Sequence[Submitted]) -> list[Noted | Exception]:
    """One outcome each, in order: a correction may come in one group with what it corrects."""
    outcomes: list[Noted | Exception] = []
    for item in items:
        try:
            outcomes.append(_keep(connection, item))
        except RuleBlocked as refusal:
            outcomes.append(refusal)
    return outcomes


def _keep(connection: Connection, item: Submitted) -> Noted:
    row, ids = row_of(item), {"message_id": item.message.envelope.id}
    if statements.find(connection, row["party"], row["statement_id"]) is not None:
        raise RuleBlocked(problems=[problem("statement_id", "repeated")], ids=ids)
    standing = statements.same_scope(connection, row)
    if row["replaces"] != standing:
        code = "statement_exists" if row["replaces"] is None else "statement_cannot_replace"
        raise RuleBlocked(problems=[problem("replaces", code)], ids=ids)
    number = statements.put(connection, row, matching=item.matching)
    state = StatementState.AWAITING_LINES
    if item.inline is not None or row["size"] == 0:
        made = statements.find(connection, row["party"], row["statement_id"])
        assert made is not None  # noqa: S101 - it was put above
        seen = statements.progress(connection, number)
        statements.put_piece(connection, made, seen, item.inline or b"", now=item.now)
        state = StatementState.RECEIVED
        statements.move(connection, statements.progress(connection, number), state)
    return Noted(answer={"statement_id": row["statement_id"], "state": state.value})


def row_of(item: Submitted) -> dict[str, Any]:
    """What the manifest itself says."""
    fields = item.fields
    programmes = fields.get("programmes")
    return {
        "statement_id": fields["statement_id"],
        "party": item.message.party_id,
        "message_id": item.message.envelope.id,
        "document": fields["agreement_document"],
        "agency": fields["agency"],
        "office_id": fields.get("office"),
        "region": fields.get("region"),
        "period_from": fields["period_from"],
        "period_to": fields["period_to"],
        "covers": fields["covers"],
        "complete": fields["complete"],
        "programmes": None if programmes is None else " ".join(sorted(programmes)),
        "format": fields["format"],
        "lines": fields["lines"],
        "size": fields["size"],
        "sha256": fields["sha256"],
        "replaces": fields.get("replaces"),
    }


def told(item: Submitted) -> Iterable[Told]:
    """Its whole row."""
    yield Told(table=t.statements, row=row_of(item))


KINDS = (
    MessageKind(type=SUBMITTED, senders=AGENCIES, prepare=prepare, record=record, told=told, tables=(t.statements,)),
)
