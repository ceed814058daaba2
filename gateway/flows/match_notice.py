"""当事人告知 The notice for the person behind one side of a match, made at the moment it is printed.

1. the side's referral is proven again from its court's signed bytes (`flows.recall`): minors and protected persons are
   told from what the court said, not from a column somebody could change;
2. the view is a decision on file, with who and why, before anything is shown;
3. the notice is returned to be printed here; nothing of it is stored or sent to anybody.
"""

from datetime import datetime

from gateway.domain.calendar import CHINA
from gateway.domain.person_notice import Occasion, PersonNotice, write
from gateway.domain.referral import Referral
from gateway.errors import MatchUnknown, ReferralUnknown
from gateway.flows.context import Context
from gateway.flows.operate import require_reason
from gateway.flows.recall import recall
from gateway.store import decisions, matches, referrals
from gateway.store.matches import KeptMatch

VIEWED = "match_notice_viewed"


def person_notice(
    context: Context,
    match_id: str,
    side: str,
    *,
    who: str,
    why: str,
    now: datetime,
    by_safe_channel: bool = False,
) -> PersonNotice:
    """Raises ConfigError, MatchUnknown, ReferralUnknown, and what says that the referral no longer proves itself."""
    said = f"side={side} {'safe_channel ' if by_safe_channel else ''}{why}"
    require_reason(who, why)
    require_reason(who, said)
    with context.store.reading() as connection:
        kept = matches.find(connection, match_id)
        if kept is None or side not in {one.side for one in kept.sides}:
            raise MatchUnknown(ids={"match": match_id})
        referral_id = kept.side(side).referral_id
        place = referrals.where_kept(connection, referral_id)
        if place is None:
            raise ReferralUnknown(ids={"referral_id": referral_id})
        found = recall(connection, [place], context, now=now)[referral_id]
    if not isinstance(found, Referral):
        raise found
    context.store.write(
        lambda connection: decisions.put(connection, who=who, what=VIEWED, subject=match_id, why=said, now=now)
    )
    what = _occasion(context, kept, side, now)
    return write(found.person, what, is_minor=found.is_minor, by_safe_channel=by_safe_channel)


def _occasion(context: Context, kept: KeptMatch, name: str, now: datetime) -> Occasion:
    side, snapshot = kept.side(name), context.snapshot(now)
    programme = context.programmes.get(side.programme or "")
    party = snapshot.parties.get(side.party) or snapshot.parties[context.party_id]
    office = snapshot.offices.get(side.office_id or "")
    return Occasion(
        match_id=kept.match.match_id,
        kind=kept.match.kind,
        programme=("—", "—") if programme is None else (programme.name_zh, programme.english),
        due="—" if side.due_at is None else side.due_at.astimezone(CHINA).strftime("%Y-%m-%d"),
        party=office.name_zh if office is not None and office.name_zh else party.name_zh,
        operator=snapshot.parties[context.party_id].name_zh,
    )
