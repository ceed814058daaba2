"""运行 For operations: is the process alive, can it work, its counters, and a plain status page. Counts only.

`/metrics` and the status page tell how busy every office is; they answer only who asks from this machine and not
through a proxy, so that no neighbour court reads them.
"""

from ipaddress import ip_address

from flask import Blueprint, Response, render_template, request

from gateway.errors import Forbidden
from gateway.store import counts, findings, migrate
from gateway.web import metrics
from gateway.web.desk import Desk
from gateway.web.problems import CONTENT_LANGUAGE, language_of

_PROXIED = ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via")


def blueprint(desk: Desk) -> Blueprint:
    """The four routes."""
    routes = Blueprint("operations", __name__)

    @routes.get("/healthz")
    def healthz() -> Response:
        return Response("ok\n", content_type="text/plain")

    @routes.get("/readyz")
    def readyz() -> Response:
        ready = migrate.is_current(desk.context.store)
        text = "ready\n" if ready else "database not migrated: run `xianjie migrate`\n"
        return Response(text, status=200 if ready else 503, content_type="text/plain")

    @routes.get("/metrics")
    def get_metrics() -> Response:
        _from_here_only()
        with desk.context.store.reading() as connection:
            page = metrics.page(
                counts.needs_by_state(connection),
                counts.outbox_by_state(connection),
                findings.open_counts(connection),
            )
        return Response(page, content_type="text/plain; version=0.0.4; charset=utf-8")

    @routes.get("/")
    def status() -> Response:
        _from_here_only()
        with desk.context.store.reading() as connection:
            shown = {
                "needs": counts.needs_by_state(connection),
                "outbox": counts.outbox_by_state(connection),
                "findings": findings.open_counts(connection),
                "lanes": counts.lanes(connection),
            }
        language = language_of(request.headers.get("Accept-Language"))
        page = render_template(
            "status.html", party_id=desk.context.party_id, now=desk.clock(), lang=CONTENT_LANGUAGE[language], **shown
        )
        return Response(page, content_type="text/html; charset=utf-8")

    return routes


def _from_here_only() -> None:
    proxied = any(name in request.headers for name in _PROXIED)
    if proxied or request.remote_addr is None or not ip_address(request.remote_addr).is_loopback:
        raise Forbidden("operations pages answer this machine only")
