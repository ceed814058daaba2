"""法院门户 The court's portal: its referrals entered, followed, paid and visited."""

from typing import Any

from gateway.web.desk import Desk
from gateway.web.pages.routes import Pages

_MODULES: tuple[Any, ...] = ()


def blueprints(desk: Desk) -> list[Pages]:
    """Every module's pages."""
    return [module.pages(desk) for module in _MODULES]
