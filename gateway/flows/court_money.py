"""法院资金与回访接收 What a court says of its own money and visits becomes one row each, and is looked at again.

1. prepare: read and checked: instalments come to whole numbers in order, a period has its days in order, no visit and
   no report lies in the future;
2. record: a stranger's referral and none at all get the same answer; an id that was used is refused; a visit moves the
   needs that were helped to `followed_up`.
What was said stays as it is: a correction is a new message under a new id, and the newest counts.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import sqlalchemy as sa
from marshmallow import Schema
from sqlalchemy import Connection

from gateway.domain.calendar import china_day
from gateway.domain.lifecycle import NeedState
from gateway.envelope.signing import VerifiedMessage
from gateway.errors import FieldProblem, ReferralUnknown, RuleBlocked, SchemaInvalid
from gateway.flows.context import Context
from gateway.flows.message_kind import COURTS, MessageKind, Noted, Told
from gateway.flows.needs import NeedInHand
from gateway.flows.reading import problem, read_body
from gateway.store import court_money, referrals
from gateway.store import tables as t
from gateway.store.clock import to_ms
from schemas.court_money import PLAN, QUANTIFICATION, USE_REPORT, VISIT

Fields = Mapping[str, Any]
_HELPED = frozenset({NeedState.ASSISTED, NeedState.PARTIALLY_ASSISTED})


@dataclass(frozen=True, kw_only=True, slots=True)
class CourtFact:
    """One thing a court said of a referral of its own, as the row it becomes."""

    context: Context
    message: VerifiedMessage
    referral_id: str
    key: str
    own_id: str
    row: Mapping[str, Any]
    now: datetime

    @property
    def subject(self) -> str:
        """The referral."""
        return self.referral_id


@dataclass(frozen=True, kw_only=True, slots=True)
class _Shape:
    """How one type is read: its schema, its table, the name of its own id, what else it must hold, its columns."""

    schema: Schema
    table: sa.Table
    key: str
    problems: Callable[[Fields, datetime], Iterable[FieldProblem]]
    columns: Callable[[Fields], dict[str, Any]]


def _plan_problems(fields: Fields, _now: datetime) -> Iterator[FieldProblem]:
    parts = fields.get("instalments", ())
    if fields["mode"] == "INSTALMENTS" and not parts:
        yield problem("instalments", "required")
    numbers = [part["number"] for part in parts]
    days = [part["due_on"] for part in parts]
    if numbers != list(range(1, len(numbers) + 1)) or days != sorted(days):
        yield problem("instalments", "instalments_disordered")


def _plan_columns(fields: Fields) -> dict[str, Any]:
    parts = [[part["number"], part["due_on"].isoformat(), part["amount_fen"]] for part in fields.get("instalments", ())]
    return {"mode": fields["mode"], "purposes": " ".join(fields["purposes"]), "instalments": json.dumps(parts)}


def _report_problems(fields: Fields, now: datetime) -> Iterator[FieldProblem]:
    if fields["to_day"] < fields["from_day"]:
        yield problem("to_day", "days_reversed")
    if fields["to_day"] > china_day(now):
        yield problem("to_day", "day_in_future")


def _report_columns(fields: Fields) -> dict[str, Any]:
    return {
        "from_day": fields["from_day"].isoformat(),
        "to_day": fields["to_day"].isoformat(),
        "spent": json.dumps([[one["purpose"], one["amount_fen"]] for one in fields["spent"]]),
        "irregularity": fields.get("irregularity"),
        "irregular_fen": fields.get("irregular_fen"),
    }


def _visit_problems(fields: Fields, now: datetime) -> Iterator[FieldProblem]:
    if fields["visited_on"] > china_day(now):
        yield problem("visited_on", "day_in_future")
    following = fields.get("next_visit_on")
    if following is not None and following <= fields["visited_on"]:
        yield problem("next_visit_on", "days_reversed")


def _visit_columns(fields: Fields) -> dict[str, Any]:
    following = fields.get("next_visit_on")
    return {
        "visited_on": fields["visited_on"].isoformat(),
        "mode": fields["mode"],
        "situation": fields["situation"],
        "circumstances": " ".join(fields.get("circumstances", ())),
        "recovered_fen": fields.get("recovered_fen"),
        "next_visit_on": None if following is None else following.isoformat(),
    }


def _quantified_columns(fields: Fields) -> dict[str, Any]:
    return {
        "standard": fields["standard"],
        "loss_fen": fields["loss_fen"],
        "recovered_fen": fields.get("recovered_fen", 0),
        "hardship": fields["hardship"],
        "dependants": fields["dependants"],
        "has_reason": bool(fields.get("deviation_reason", "").strip()),
    }


VISITED = "follow_up.recorded"
_SHAPES: Mapping[str, _Shape] = {
    "disbursement.planned": _Shape(
        schema=PLAN, table=t.disbursement_plans, key="plan_id", problems=_plan_problems, columns=_plan_columns
    ),
    "fund_use.reported": _Shape(
        schema=USE_REPORT, table=t.use_reports, key="report_id", problems=_report_problems, columns=_report_columns
    ),
    VISITED: _Shape(schema=VISIT, table=t.visits, key="visit_id", problems=_visit_problems, columns=_visit_columns),
    "amount.quantified": _Shape(
        schema=QUANTIFICATION,
        table=t.quantifications,
        key="quantification_id",
        problems=lambda _fields, _now: (),
        columns=_quantified_columns,
    ),
}


def prepare(message: VerifiedMessage, context: Context, *, now: datetime) -> CourtFact:
    """Reads one of the four. Raises SchemaInvalid."""
    shape, ids = _SHAPES[message.envelope.type], {"message_id": message.envelope.id}
    fields: Fields = read_body(message, shape.schema)
    problems = list(shape.problems(fields, now))
    if problems:
        raise SchemaInvalid(problems=problems, ids=ids)
    return CourtFact(
        context=context,
        message=message,
        referral_id=fields["referral_id"],
        key=shape.key,
        own_id=fields[shape.key],
        row={
            "message_id": message.envelope.id,
            "court": message.party_id,
            "referral_id": fields["referral_id"],
            shape.key: fields[shape.key],
            **shape.columns(fields),
            "recorded_at": to_ms(now),
        },
        now=now,
    )


def record(table: sa.Table, connection: Connection, items: Sequence[CourtFact]) -> list[Noted | Exception]:
    """One outcome each; rows are written for those that are Noted."""
    courts = referrals.court_of(connection, [item.referral_id for item in items])
    wanted = [(item.message.party_id, item.own_id) for item in items]
    known = court_money.on_file(connection, table, items[0].key, wanted)
    outcomes: list[Noted | Exception] = []
    kept: list[CourtFact] = []
    for item, own in zip(items, wanted, strict=True):
        ids = {"message_id": item.message.envelope.id}
        if courts.get(item.referral_id) != item.message.party_id:
            outcomes.append(ReferralUnknown(ids=ids))
        elif own in known:
            outcomes.append(RuleBlocked(problems=[problem(item.key, "repeated")], ids=ids))
        else:
            known.add(own)
            kept.append(item)
            outcomes.append(Noted())
    court_money.put(connection, table, [item.row for item in kept])
    for item in kept if table is t.visits else ():
        _followed_up(connection, item)
    referrals.touch(connection, [item.referral_id for item in kept], now=items[0].now)
    return outcomes


def _followed_up(connection: Connection, item: CourtFact) -> None:
    rows = referrals.needs_of(connection, [item.referral_id], lock=True).get(item.referral_id, [])
    needs = [need for need in (NeedInHand(row=dict(row)) for row in rows) if need.state in _HELPED]
    for need in needs:
        need.move(NeedState.FOLLOWED_UP, at=item.now, now=item.now, cause=item.message.envelope.id)
    referrals.save_needs(connection, [need.row for need in needs], [move for need in needs for move in need.moves])


def told(table: sa.Table, item: CourtFact) -> Iterator[Told]:
    """The whole row."""
    yield Told(table=table, row=item.row)


KINDS = tuple(
    MessageKind(
        type=type_,
        senders=COURTS,
        prepare=prepare,
        record=partial(record, shape.table),
        told=partial(told, shape.table),
        tables=(shape.table,),
    )
    for type_, shape in _SHAPES.items()
)
