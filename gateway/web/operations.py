"""运行 For operations: is the process alive, can it work, its counters, and a plain status page. Counts only.

`/metrics` and the status page tell how busy every office is; they answer only who asks from this machine and not
through a proxy, so that no neighbour court reads them. A proxy that keeps the asked host's name is told by that name;
one that hides everything cannot be told from this machine and has to be set up not to pass these two pages on.
"""

import re
from ipaddress import ip_address

from flask import Blueprint, Response, render_template, request

from gateway.domain.rules import read_table
from gateway.errors import Forbidden
from gateway.flows.holidays import missing_years
from gateway.store import counts, findings, log, migrate
from gateway.web import metrics
from gateway.web.desk import Desk
from gateway.web.problems import CONTENT_LANGUAGE, language_of

_PROXIED = ("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Real-IP", "Via")
_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "[::1]"})


def blueprint(desk: Desk) -> Blueprint:
    """The four routes."""
    routes = Blueprint("operations", __name__)

    @routes.get("/healthz")
    def healthz() -> Response:
        return Response("ok\n", content_type="text/plain")

    @routes.get("/readyz")
    def readyz() -> Response:
        trouble = _trouble(desk)
        return Response(f"{trouble or 'ready'}\n", status=503 if trouble else 200, content_type="text/plain")

    @routes.get("/metrics")
    def get_metrics() -> Response:
        _from_here_only()
        with desk.context.store.reading() as connection:
            page = metrics.page(
                counts.needs_by_state(connection),
                counts.outbox_by_state(connection),
                findings.open_counts(connection),
                dict.fromkeys((str(year) for year in missing_years(desk.context.calendar, desk.clock())), 1),
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
            "status.html",
            party_id=desk.context.party_id,
            now=desk.clock(),
            lang=CONTENT_LANGUAGE[language],
            words={row["code"]: row["zh"] for row in read_table("findings")},
            **shown,
        )
        return Response(page, content_type="text/html; charset=utf-8")

    return routes


def _trouble(desk: Desk) -> str | None:
    """Why it can do no work; None when it can."""
    if not migrate.is_current(desk.context.store):
        return "database not migrated: run `xianjie migrate`"
    with desk.context.store.reading() as connection:
        return "in_recovery: run `xianjie recovery status`" if log.is_recovering(connection) else None


def _from_here_only() -> None:
    proxied = any(name in request.headers for name in _PROXIED) or _without_port(request.host) not in _THIS_MACHINE
    if proxied or not _is_loopback(request.remote_addr):
        raise Forbidden("operations pages answer this machine only")


def _without_port(host: str) -> str:
    return re.sub(r":[0-9]+\Z", "", host.lower())


def _is_loopback(address: str | None) -> bool:
    try:
        return ip_address(address or "").is_loopback
    except ValueError:  # a local socket has no address, and a proxy at its other end
        return False
