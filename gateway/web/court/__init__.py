"""法院门户 The court's portal: its referrals entered, followed, paid and visited."""

from gateway.web.court import acts, amend, balance, bulk, case, entry, inquiries, listing, notices
from gateway.web.desk import Desk
from gateway.web.pages.routes import Pages

_MODULES = (listing, entry, bulk, case, amend, acts, balance, notices, inquiries)


def blueprints(desk: Desk) -> list[Pages]:
    """Every module's pages."""
    return [module.pages(desk) for module in _MODULES]
