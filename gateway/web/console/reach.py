"""连接测试页 What came of connecting to an office's push address; two desks ask for it, each under its own right."""

from werkzeug.wrappers import Response

from gateway.domain.agreement import Office
from gateway.flows.reach import Reach, try_connection
from gateway.web.pages.visit import Visit


def connection_test(visit: Visit, office: Office, back: str) -> Response:
    """Tries and tells. back: the page that asked."""
    tested = try_connection(visit.context, office, who=visit.who, now=visit.now)
    return visit.page("console/reach.html", tested=tested, office=office, back_to=back, is_reached=Reach.REACHED)
