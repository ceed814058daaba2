"""一案全程 Everything on file about one referral on one time line, and where each of its needs stands.

Rules: every event is a row that is on file, with ids, codes, amounts and moments; what it says of people is nothing. An
attempt that failed stays beside the one that did not. Looks at the referral are told by person and day, with how many,
so that who reads it does not drown what happened to it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from gateway.domain.calendar import china_day
from gateway.domain.lifecycle import NeedState
from gateway.domain.reconciliation.clocks import start_of_china_day
from gateway.flows.context import Context
from gateway.store import dossiers, need_clocks, story_rows
from gateway.store.clock import from_ms
from gateway.store.need_clocks import OPEN, KeptClock
from gateway.store.story_rows import Row, StoryRows

REFERRAL_VIEWED, PERSON_VIEWED = "referral_viewed", "person_viewed"
MOST = 1000
"""So many events are told, the newest ones; `left_out` says how many older there are."""


class EventKind(StrEnum):
    """事件 of a time line, in the order in which they stand where they happened at one moment."""

    ACCEPTED = "accepted"
    MESSAGE_IN = "message_in"
    NEED_MOVE = "need_move"
    MESSAGE_OUT = "message_out"
    ATTEMPT = "attempt"
    RECEIPT = "receipt"
    REPLY = "reply"
    PAYMENT = "payment"
    FINDING = "finding"
    MATCH = "match"
    DECISION = "decision"
    VIEW = "view"
    WITHDRAWN = "withdrawn"


_RANK = {kind: rank for rank, kind in enumerate(EventKind)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One thing that happened. what: a code of its kind; who: a party, an office, an account; about: the id it is
    about; said: whatever else its kind tells, by name."""

    at: datetime
    kind: EventKind
    what: str
    who: str = ""
    about: str = ""
    said: Mapping[str, Any] = field(default_factory=dict)
    sort: str = ""
    """How it is marked: good, bad, wait, or not at all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NeedLine:
    """Where one need stands."""

    need_id: str
    programme: str
    state: NeedState
    since: datetime
    agency: str | None
    office_id: str | None
    approved_fen: int | None
    paid_fen: int | None
    because: str | None
    unroutable: str | None
    held_for: tuple[str, ...]
    clock: KeptClock | None
    is_overdue: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Story:
    """One referral. row: as it stands on file; kin: other referrals of its household; left_out: events too old."""

    referral_id: str
    court: str
    row: Mapping[str, Any]
    accepted_at: datetime
    needs: tuple[NeedLine, ...]
    events: tuple[Event, ...]
    kin: int
    left_out: int

    @property
    def is_held(self) -> bool:
        """Whether something waits for a person."""
        return any(need.state is NeedState.HELD for need in self.needs)

    @property
    def groups(self) -> tuple[str, ...]:
        """The specific groups."""
        return tuple(self.row["groups"].split())


def story(context: Context, referral_id: str, *, now: datetime) -> Story | None:
    """None for no such referral. Whoever asks has put on file that he looks. Raises StoreUnavailable."""
    with context.store.reading() as connection:
        rows = story_rows.read(connection, referral_id)
        if rows is None:
            return None
        clocks = need_clocks.of_referrals(connection, [referral_id])
        kin = len(dossiers.household(connection, referral_id)) - 1
    events = sorted(_fold_views(_events(rows)), key=lambda event: (event.at, _RANK[event.kind]))
    return Story(
        referral_id=referral_id,
        court=rows.referral["court"],
        row=rows.referral,
        accepted_at=from_ms(rows.referral["accepted_at"]),
        needs=tuple(_need(row, clocks.get(row["need_id"]), now) for row in rows.needs),
        events=tuple(events[-MOST:]),
        kin=kin,
        left_out=max(0, len(events) - MOST),
    )


def _need(row: Row, clock: KeptClock | None, now: datetime) -> NeedLine:
    runs = clock if row["state"] in OPEN else None
    return NeedLine(
        need_id=row["need_id"],
        programme=row["programme"],
        state=NeedState(row["state"]),
        since=from_ms(row["state_at"]),
        agency=row["agency"],
        office_id=row["office_id"],
        approved_fen=row["approved_fen"],
        paid_fen=row["paid_fen"],
        because=row["because"],
        unroutable=row["unroutable"],
        held_for=tuple((row["held_for"] or "").split()),
        clock=runs,
        is_overdue=runs is not None and runs.is_past(now),
    )


def _events(rows: StoryRows) -> Iterator[Event]:
    referral = rows.referral
    yield Event(
        at=from_ms(referral["accepted_at"]),
        kind=EventKind.ACCEPTED,
        what=referral["decision"],
        who=referral["court"],
        said={"needs": referral["needs_accepted"], "holds": referral["holds"].split()},
        sort="good",
    )
    if referral["withdrawn_at"] is not None:
        yield Event(at=from_ms(referral["withdrawn_at"]), kind=EventKind.WITHDRAWN, what="withdrawn", sort="bad")
    yield from _of_messages(rows)
    yield from _of_needs(rows)
    yield from _of_money(rows)
    yield from _of_doubts(rows)
    yield from map(_decision, rows.decisions)


def _of_messages(rows: StoryRows) -> Iterator[Event]:
    for row in rows.inbox:
        yield Event(
            at=from_ms(row["received_at"]),
            kind=EventKind.MESSAGE_IN,
            what=row["type"],
            who=row["source"],
            about=row["message_id"],
            said={"seq": row["seq"]},
        )
    offices = {row["message_id"]: row["office_id"] or row["recipient"] for row in rows.outbox}
    for row in rows.outbox:
        yield Event(
            at=from_ms(row["created_at"]),
            kind=EventKind.MESSAGE_OUT,
            what=row["type"],
            who=offices[row["message_id"]],
            about=row["message_id"],
            said={"state": row["state"], "reason": row["reason"], "attempts": row["attempts"]},
            sort=_SORT_OF_STATE.get(row["state"], ""),
        )
    for row in rows.attempts:
        yield Event(
            at=from_ms(row["started_at"]),
            kind=EventKind.ATTEMPT,
            what=row["outcome"] or "",
            who=offices.get(row["message_id"], ""),
            about=row["message_id"],
            said={name: row[name] for name in ("number", "http_status", "error")},
            sort=_SORT_OF_STATE.get(row["outcome"] or "", "wait"),
        )
    for row in rows.receipts:
        yield Event(
            at=from_ms(row["at"]),
            kind=EventKind.RECEIPT,
            what=row["rung"],
            who=row["issuer"],
            about=row["message_id"],
            said={"verdict": row["verdict"], "reason": row["reason_code"]},
            sort="good" if row["positive"] else "bad",
        )


_SORT_OF_STATE = {
    "relayed": "good",
    "retrieved": "good",
    "refused": "bad",
    "parked": "bad",
    "unknown": "wait",
    "queued": "wait",
    "sending": "wait",
    "available": "wait",
}


def _of_needs(rows: StoryRows) -> Iterator[Event]:
    needs = {row["need_id"]: row for row in rows.needs}
    routed = {row["need_id"]: row["row"] for row in rows.moves if row["to_state"] == NeedState.ROUTED}
    for row in rows.moves:
        need = needs[row["need_id"]]
        # only the last routing's reason is on file
        because = need["because"] if routed.get(row["need_id"]) == row["row"] else None
        yield Event(
            at=from_ms(row["at"]),
            kind=EventKind.NEED_MOVE,
            what=row["to_state"],
            who=need["office_id"] if because else "",
            about=row["need_id"],
            said={"from": row["from_state"], "programme": need["programme"], "because": because},
            sort=_SORT_OF_NEED.get(row["to_state"], ""),
        )
    for row in rows.replies:
        asked = needs.get(row["need_id"] or "")
        yield Event(
            at=from_ms(row["at"]),
            kind=EventKind.REPLY,
            what=row["code"] or row["raw_code"],
            who=row["office"],
            about=row["need_id"] or "",
            said={
                "programme": row["programme"] or (None if asked is None else asked["programme"]),
                **{name: row[name] for name in ("amount_fen", "starts_on", "ends_on", "reason", "next_due", "problem")},
                "applied": bool(row["applied"]),
                "raw_code": row["raw_code"],
                "recorded_at": from_ms(row["recorded_at"]),
            },
            sort="" if row["applied"] else "bad",
        )


_SORT_OF_NEED = {
    "assisted": "good",
    "partially_assisted": "good",
    "followed_up": "good",
    "declined": "bad",
    "not_assisted": "bad",
    "entered_in_error": "bad",
    "held": "wait",
    "information_requested": "wait",
}


def _of_money(rows: StoryRows) -> Iterator[Event]:
    for row in rows.payments:
        yield Event(
            at=start_of_china_day(date.fromisoformat(row["paid_on"])),
            kind=EventKind.PAYMENT,
            what=row["payee"],
            who=row["court"],
            about=row["payment_id"],
            said={"amount_fen": row["amount_fen"]},
            sort="good",
        )


def _of_doubts(rows: StoryRows) -> Iterator[Event]:
    for row in rows.findings:
        about: dict[str, Any] = {
            "code": row["code"],
            "stake_fen": row["stake_fen"],
            "must_act": row["must_act"],
            "state": row["state"],
            "decided_as": row["decided_as"],
        }
        opened = Event(
            at=from_ms(row["opened_at"]),
            kind=EventKind.FINDING,
            what="opened",
            about=row["key"],
            said=about,
            sort="bad",
        )
        yield opened
        if row["closed_at"] is not None:
            because = {"because": row["closed_because"]}
            yield replace(opened, at=from_ms(row["closed_at"]), what="closed", said=about | because, sort="good")
    codes = {row["key"]: row["code"] for row in rows.findings}
    for row in rows.finding_changes:
        yield Event(
            at=from_ms(row["at"]),
            kind=EventKind.FINDING,
            what=row["what"],
            about=row["finding_key"],
            said={"code": codes[row["finding_key"]], "stake_fen": row["stake_fen"], "state": row["state"]},
            sort="wait",
        )
    matches = {row["match_id"]: row["code"] for row in rows.matches}
    for row in rows.matches:
        yield Event(at=from_ms(row["opened_at"]), kind=EventKind.MATCH, what="open", about=row["match_id"],
                    said={"code": row["code"]}, sort="wait")  # fmt: skip
    for row in rows.match_moves:
        yield Event(
            at=from_ms(row["at"]),
            kind=EventKind.MATCH,
            what=row["to_state"],
            about=row["match_id"],
            said={"code": matches[row["match_id"]], "from": row["from_state"]},
        )


def _decision(row: Row) -> Event:
    viewed = row["what"] == REFERRAL_VIEWED
    return Event(
        at=from_ms(row["at"]),
        kind=EventKind.VIEW if viewed else EventKind.DECISION,
        what=row["what"],
        who=row["who"],
        about=row["subject"],
        said={"why": row["why"]},
    )


def _fold_views(events: Iterable[Event]) -> Iterator[Event]:
    """Looks of one person on one day become one event, at the moment of the last."""
    folded: dict[tuple[str, date], tuple[Event, int]] = {}
    for event in events:
        if event.kind is not EventKind.VIEW:
            yield event
            continue
        key = (event.who, china_day(event.at))
        before = folded.get(key, (event, 0))
        folded[key] = (max(before[0], event, key=lambda one: one.at), before[1] + 1)
    yield from (replace(event, said={"count": count}) for event, count in folded.values())


def pairs_of(because: str | None) -> Sequence[tuple[str, str]]:
    """A routing's reason, `programme=MLG;agency=…`, in its parts."""
    parts = (part.partition("=") for part in (because or "").split(";") if part)
    return [(name, value) for name, _, value in parts]
