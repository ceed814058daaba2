"""服务器 The HTTP server under the site: waitress with our limits, and its own refusals as problem documents.

Rules: more than `MAX_REQUEST` is refused by its announced length, before any of it is read, also from a sender that
asks first (`Expect: 100-continue`); a connection on which nothing moves for `IDLE_SECONDS` is closed, and slow ones
hold no thread. What waitress refuses never reaches the site: it gets the same answer here, and an access record.
"""

import logging
from typing import Any

from flask import Flask
from waitress.channel import HTTPChannel  # type: ignore[import-untyped]
from waitress.server import MultiSocketServer, create_server  # type: ignore[import-untyped]
from waitress.task import ErrorTask  # type: ignore[import-untyped]
from werkzeug.exceptions import HTTPException

from gateway.web import access_log
from gateway.web.problems import language_of, of_http_exception, problem_response
from gateway.web.site import HEADERS, MAX_REQUEST

CONNECTIONS = 1000
IDLE_SECONDS = 30
MAX_HEADERS = 16 * 1024

_access = logging.getLogger(access_log.LOGGER)


def open_server(site: Flask, *, host: str, port: int, threads: int, **settings: Any) -> Any:
    """Bound and listening; `run()` serves until the thread is told to exit. settings: any other of waitress's own."""
    chosen = {
        "ident": None,
        "connection_limit": CONNECTIONS,
        "channel_timeout": IDLE_SECONDS,
        "cleanup_interval": IDLE_SECONDS // 3,
        "max_request_header_size": MAX_HEADERS,
        "max_request_body_size": MAX_REQUEST + 1,  # waitress refuses what reaches it
        "clear_untrusted_proxy_headers": False,  # they tell that there is a proxy; nothing else is read from them
    }
    server = create_server(site, host=host, port=port, threads=threads, **{**chosen, **settings})
    listening = server.map.values() if isinstance(server, MultiSocketServer) else [server]
    for one in listening:
        one.channel_class = _Channel
    return server


class _Refusal(ErrorTask):  # type: ignore[misc]
    """A problem document where waitress would answer in plain text."""

    def execute(self) -> None:
        """Answers and closes: what else is under way on this connection cannot be told apart any more."""
        refused = HTTPException()
        refused.code = self.request.error.code
        error = of_http_exception(refused)
        response = problem_response(
            error, language=language_of(self.request.headers.get("ACCEPT_LANGUAGE")), base_url=""
        )
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        body = response.get_data()
        self.status = response.status
        self.response_headers.extend(response.headers)
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)
        fields = {"method": "OTHER", "route": access_log.UNMATCHED, "status": error.status, "error_code": error.code}
        _access.info("request", extra=fields)


class _Channel(HTTPChannel):  # type: ignore[misc]
    error_task_class = _Refusal

    def send_continue(self) -> None:
        """Not for a request that is refused already: waitress would read all of it first."""
        if self.request.error is None:
            super().send_continue()
        else:
            self.request.expect_continue = False
