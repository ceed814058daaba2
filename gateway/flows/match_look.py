"""复核查看 One match as a person decides it: both sides with their cases and what each said, and the notice to print.

Rules: the persons are read from what their courts signed, to be shown masked; the notice names somebody, so it takes
a reason on file, and of a minor what a second person granted (P04), used once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.domain.access import Account
from gateway.domain.adjudication import SIDES, MatchSide
from gateway.domain.agreement import Channel
from gateway.domain.person_notice import PersonNotice
from gateway.domain.reconciliation.findings import OPERATOR
from gateway.domain.referral import Referral
from gateway.errors import MatchUnknown, SecondPersonNeeded, XianjieError
from gateway.flows import approve, match_notice, reveal
from gateway.flows.context import Context
from gateway.store import decisions, finding_evidence, match_desk, matches, referrals
from gateway.store.finding_evidence import CaseFacts
from gateway.store.match_desk import Scored
from gateway.store.matches import KeptMatch, Said

VIEWED = "match_viewed"


@dataclass(frozen=True, kw_only=True, slots=True)
class SideShown:
    """一方 as a person compares it. side None: nobody was asked yet; case None: its referral is not on file; signed:
    None where it was erased or proves itself no more; is_mute: has no server, so its word is entered here."""

    name: str
    referral_id: str | None
    side: MatchSide | None
    case: CaseFacts | None
    signed: Referral | None
    said: Said | None
    is_mute: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class MatchShown:
    """复核 with all that a person looks at."""

    kept: KeptMatch
    sides: tuple[SideShown, ...]
    scored: Scored | None
    moves: tuple[Mapping[str, Any], ...]
    acts: tuple[Mapping[str, Any], ...]
    looks: tuple[Mapping[str, Any], ...]

    @property
    def courts(self) -> tuple[str, ...]:
        """Of both sides' cases."""
        return tuple(one.case.court for one in self.sides if one.case is not None)


def courts_of(context: Context, match_id: str) -> tuple[str, ...]:
    """The courts of a match's referrals. Raises MatchUnknown."""
    with context.store.reading() as connection:
        kept = matches.find(connection, match_id)
        if kept is None:
            raise MatchUnknown(ids={"match": match_id})
        both = [one for one in (kept.match.referral_id, kept.match.other_referral_id) if one is not None]
        return tuple(referrals.court_of(connection, both).values())


def look(context: Context, match_id: str, *, now: datetime) -> MatchShown:
    """Raises MatchUnknown."""
    with context.store.reading() as connection:
        kept = matches.find(connection, match_id)
        if kept is None:
            raise MatchUnknown(ids={"match": match_id})
        about = [one.referral_id for one in kept.sides]
        both = [one for one in (kept.match.referral_id, kept.match.other_referral_id) if one is not None]
        cases = finding_evidence.cases(connection, {*about, *both})
        scored = match_desk.scored(connection, kept.match.referral_id, kept.match.other_referral_id)
        moves = tuple(matches.moves_of(connection, match_id))
        about_it = [dict(row) for row in decisions.about(connection, match_id)]
    return MatchShown(
        kept=kept,
        sides=tuple(_side(context, kept, name, cases, now) for name in SIDES),
        scored=scored,
        moves=moves,
        acts=tuple(row for row in about_it if row["what"] != VIEWED),
        looks=tuple(row for row in about_it if row["what"] == VIEWED),
    )


def _side(context: Context, kept: KeptMatch, name: str, cases: Mapping[str, CaseFacts], now: datetime) -> SideShown:
    side = next((one for one in kept.sides if one.side == name), None)
    both = (kept.match.referral_id, kept.match.other_referral_id)
    referral_id = side.referral_id if side is not None else both[SIDES.index(name)]
    signed = None if referral_id is None else reveal.signed_referral(context, referral_id, now=now)
    mine = [one for one in kept.said if one.side == name and one.round == kept.match.round]
    return SideShown(
        name=name,
        referral_id=referral_id,
        side=side,
        case=cases.get(referral_id or ""),
        signed=None if isinstance(signed, XianjieError) else signed,
        said=kept.standing().get(name) or (mine[-1] if mine else None),
        is_mute=side is not None and is_mute(context, side, now),
    )


def is_mute(context: Context, side: MatchSide, now: datetime) -> bool:
    """Whether a side has no server to say its word through: not connected, or an office that is not pushed to; a court
    tells the operator on paper."""
    if side.party == OPERATOR or side.office_id is None:
        return True
    office = context.snapshot(now).offices.get(side.office_id)
    return office is None or office.channel is not Channel.PUSH


def notice(
    context: Context,
    account: Account,
    match_id: str,
    side: str,
    *,
    by_safe_channel: bool,
    why: str,
    now: datetime,
) -> PersonNotice:
    """The notice to print, once. Raises SecondPersonNeeded for a minor's, and as `match_notice.person_notice` does."""
    with context.store.reading() as connection:
        kept = matches.find(connection, match_id)
        found = None if kept is None else next((one for one in kept.sides if one.side == side), None)
        if found is None:
            raise MatchUnknown(ids={"match": match_id})
        is_minor = referrals.is_minor(connection, found.referral_id)
    if is_minor and reveal.granted(context, account, found.referral_id, now=now) is None:
        raise SecondPersonNeeded
    made = match_notice.person_notice(
        context, match_id, side, who=account.who, why=why, now=now, by_safe_channel=by_safe_channel
    )
    if made.is_minor and not made.withheld:
        context.store.write(
            lambda connection: approve.use_within(
                connection, account, approve.REVEAL_SEALED, found.referral_id, now=now
            )
        )
    return made
