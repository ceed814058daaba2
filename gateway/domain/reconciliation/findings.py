"""疑点的写法 How a check words a finding: ids, codes, amounts and dates only, who must act, and by when.

Rules: nothing in a finding depends on the moment of the run, so a second run over the same facts says the same; where
the due date lies in a year without a holiday notice the evidence names that year instead.
"""

from datetime import datetime
from typing import Any

from gateway.domain.lifecycle import NeedState
from gateway.domain.reconciliation.clocks import Clock, Waiting
from gateway.domain.reconciliation.values import Finding, NeedRow, ReferralRow, ReplyRow

OPERATOR = "operator"
"""Who keeps the gateway: routing, delivery, adapters and calendars are theirs to mend."""
_OURS = frozenset({Waiting.HANDOFF, Waiting.RELAY, Waiting.ONWARD})


def doubt(
    code: str,
    rule_id: str,
    *,
    referral_id: str | None,
    must_act: str,
    need_id: str | None = None,
    subject: str = "",
    stake_fen: int = 0,
    clock: Clock | None = None,
    **evidence: Any,
) -> Finding:
    """A finding; evidence that is None is left out, moments become text."""
    said = {key: _plain(value) for key, value in evidence.items() if value is not None}
    return Finding(
        code=code,
        rule_id=rule_id,
        referral_id=referral_id,
        need_id=need_id,
        subject=subject,
        evidence=said | _clock_evidence(clock),
        stake_fen=stake_fen,
        must_act=must_act,
        due_at=None if clock is None else clock.due_at,
    )


def must_act_on(clock: Clock, need: NeedRow, referral: ReferralRow) -> str:
    """Whom a running limit waits for: the operator until an office has it, the court when asked for material."""
    if clock.waits_for in _OURS:
        return OPERATOR
    if waits_for_material(need, referral):
        return referral.court
    return need.office_id or need.agency or referral.court


def waits_for_material(need: NeedRow, referral: ReferralRow) -> bool:
    """Whether the office asked the court for material and the court has not amended its referral since."""
    if need.state is not NeedState.INFORMATION_REQUESTED:
        return False
    return need.state_at is None or referral.amended_at is None or referral.amended_at < need.state_at


def handing_of(need: NeedRow) -> str:
    """What tells one handoff of a need from the next."""
    return need.handoff_id or f"step-{need.step}"


def in_order(replies: list[ReplyRow]) -> list[ReplyRow]:
    """Oldest first."""
    return sorted(replies, key=lambda reply: (reply.at, reply.recorded_at, reply.reply_id))


def _clock_evidence(clock: Clock | None) -> dict[str, Any]:
    if clock is None:
        return {}
    said: dict[str, Any] = {"limit": clock.limit_id, "since": clock.started_at.isoformat()}
    if clock.unpublished_year is not None:
        said["calendar_unpublished"] = clock.unpublished_year
    return said


def _plain(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def later_of(mine: ReferralRow, other: ReferralRow) -> bool:
    """Whether `mine` came second: a doubt about two referrals is raised once, on the later one."""
    return _order(mine) > _order(other)


def _order(row: ReferralRow) -> tuple[datetime, str]:
    return row.accepted_at, row.referral_id
