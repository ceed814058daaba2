"""部门门户 The agency's portal: an office's handoffs, answered by form or by sheet."""

from gateway.web.agency import clues, handoff, inbox, letters, reservations, sheets, statements
from gateway.web.desk import Desk
from gateway.web.pages.routes import Pages

_MODULES = (inbox, handoff, letters, sheets, statements, reservations, clues)


def blueprints(desk: Desk) -> list[Pages]:
    """Every module's pages."""
    return [module.pages(desk) for module in _MODULES]
