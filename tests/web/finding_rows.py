"""Findings on file for the pages' tests: honest by default, one thing changed."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from gateway.domain.reconciliation.values import Finding
from gateway.store import findings
from gateway.web.console.finding_filter import name_of_key
from tests.gateway_world import CIVIL_AFFAIRS, COURT, World


def a_finding(code: str = "MISS_NO_DECISION", referral_id: str | None = "r-1", **changes: Any) -> Finding:
    """An office that did not decide in time, of the court's referral."""
    honest = Finding(
        code=code,
        rule_id="A05",
        referral_id=referral_id,
        need_id=None if referral_id is None else f"{referral_id}:1",
        subject="s",
        evidence={"programme": "MLG", "office": CIVIL_AFFAIRS},
        stake_fen=123_456,
        must_act=CIVIL_AFFAIRS,
        due_at=None,
    )
    return replace(honest, **changes)


def a_pair(**changes: Any) -> Finding:
    """One person asked for twice, by two courts."""
    said = {"programme": "MLG", "other_referral": "r-2", "other_need": "r-2:1", "other_state": "in_progress"}
    return a_finding("DUP_OPEN_REFERRAL", evidence=said | changes.pop("evidence", {}), must_act=COURT, **changes)


def on_file(world: World, *found: Finding, now: datetime | None = None) -> list[str]:
    """Puts them where a run would; their names in addresses."""
    moment = now or world.now
    world.store.write(lambda c: findings.open_now(c, [(one, "v1") for one in found], now=moment, origin="test"))
    return [name_of_key(one.key) for one in found]


def late(world: World, days: int = 1) -> datetime:
    """Some days ago."""
    return world.now - timedelta(days=days)
