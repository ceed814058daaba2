"""管理台 The console: what administrators, reconcilers, auditors and key officers see and do."""

from gateway.web.console import approvals
from gateway.web.desk import Desk
from gateway.web.pages.routes import Pages

_MODULES = (approvals,)


def blueprints(desk: Desk) -> list[Pages]:
    """Every module's pages."""
    return [module.pages(desk) for module in _MODULES]
