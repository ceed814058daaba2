"""站点 The web application: routes, problem documents, access records, limits, headers. Nothing is decided here."""

from collections.abc import Callable
from datetime import datetime
from uuid import uuid4

from flask import Flask, Response

from gateway.flows.context import Context
from gateway.web import access_log, operations
from gateway.web.api import evidence, log, messages, missed, pairs, public, reads, recovery, statements
from gateway.web.desk import Desk
from gateway.web.problems import register_error_pages

MAX_REQUEST = 16 * 1024 * 1024
"""A whole batch; one message is bounded by `envelope.compact`."""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def create_site(context: Context, clock: Callable[[], datetime], *, public_url: str | None) -> Flask:
    """The WSGI application."""
    site = Flask("gateway.web", static_folder=None)
    site.config["MAX_CONTENT_LENGTH"] = MAX_REQUEST
    site.url_map.merge_slashes = False  # an address is itself or none: no redirect is ever answered
    desk = Desk(context=context, clock=clock, public_url=public_url)
    access_log.install(site)
    register_error_pages(site, base_url=public_url or "", new_error_id=lambda: uuid4().urn)
    for module in (messages, reads, missed, evidence, pairs, recovery, log, public, operations, statements):
        site.register_blueprint(module.blueprint(desk))
    site.after_request(_harden)
    return site


def _harden(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response
