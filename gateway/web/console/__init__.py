"""管理台 The console: what administrators, reconcilers, auditors and key officers see and do."""

from gateway.web.console import (
    accounts,
    approvals,
    delivery,
    diagnostics,
    finding_bulk,
    finding_compare,
    finding_page,
    findings,
    log_page,
    matches,
    parties,
    referral,
    referrals,
    reports,
    statements,
    today,
)
from gateway.web.desk import Desk
from gateway.web.pages.routes import Pages

_MODULES = (
    accounts,
    approvals,
    delivery,
    diagnostics,
    finding_bulk,
    finding_compare,
    finding_page,
    findings,
    log_page,
    matches,
    parties,
    referral,
    referrals,
    reports,
    statements,
    today,
)


def blueprints(desk: Desk) -> list[Pages]:
    """Every module's pages."""
    return [module.pages(desk) for module in _MODULES]
