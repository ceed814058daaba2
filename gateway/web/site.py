"""站点 The web application: routes, problem documents, access records, limits, headers. Nothing is decided here."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from flask import Flask, Response, send_from_directory

from gateway.flows.context import Context
from gateway.transport.provider import Provider
from gateway.web import access_log, agency, console, court, operations
from gateway.web.api import evidence, log, messages, missed, pairs, public, reads, recovery, statements
from gateway.web.desk import Desk, Tour
from gateway.web.pages import doors, shown
from gateway.web.problems import register_error_pages

MAX_REQUEST = 16 * 1024 * 1024
"""A whole batch; one message is bounded by `envelope.compact`."""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

PAGE_POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
STATIC = Path(__file__).parent / "static"
STATIC_SECONDS = 3600
DESKS = (doors.blueprints, console.blueprints, agency.blueprints, court.blueprints)
"""Every page: each gives its `Pages`."""


def create_site(
    context: Context,
    clock: Callable[[], datetime],
    *,
    public_url: str | None,
    provider: Provider | None = None,
    tour: Tour | None = None,
) -> Flask:
    """The WSGI application. provider: lets people in beside their passwords; tour: of a demonstration."""
    site = Flask("gateway.web", static_folder=None)
    site.config["MAX_CONTENT_LENGTH"] = MAX_REQUEST
    site.url_map.merge_slashes = False  # an address is itself or none: no redirect is ever answered
    desk = Desk(context=context, clock=clock, public_url=public_url, provider=provider, tour=tour)
    access_log.install(site)
    register_error_pages(
        site,
        base_url=public_url or "",
        new_error_id=lambda: uuid4().urn,
        page=lambda error, instance: doors.error_page(desk, error, instance) if doors.is_page() else None,
    )
    for module in (messages, reads, missed, evidence, pairs, recovery, log, public, operations, statements):
        site.register_blueprint(module.blueprint(desk))
    _add_pages(site, desk)
    site.after_request(_harden)
    return site


def _add_pages(site: Flask, desk: Desk) -> None:
    """The three desks and their doors: pages for people."""
    shown.install(site)
    for pages in (one for make in DESKS for one in make(desk)):
        site.register_blueprint(pages.blueprint)

    @site.get("/static/<name>")
    def static_file(name: str) -> Response:
        response = send_from_directory(STATIC, name, max_age=STATIC_SECONDS)
        response.headers["Cache-Control"] = f"public, max-age={STATIC_SECONDS}"
        return response


def _harden(response: Response) -> Response:
    if doors.is_page():
        response.headers.setdefault("Content-Security-Policy", PAGE_POLICY.format(nonce=shown.nonce()))
        response.headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        # without any referrer browsers send `Origin: null` with our own forms
        response.headers.setdefault("Referrer-Policy", "same-origin")
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response
