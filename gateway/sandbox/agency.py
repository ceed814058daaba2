"""模拟部门 A civil affairs bureau or a federation as a process of its own: what a partner has to build, in small.

1. Make a key pair, register its public half, and get the gateway's public keys (`GET /v1/keys`).
2. Accept `POST` of one JWS (`application/jose`) or of several (`application/x-ndjson`). Check the webhook headers, then
   each message (`reception`). Keep it, then answer with a signed receipt naming its id and the SHA-256 of its bytes.
3. The same message again: the same receipt. A bare 200 proves nothing, and the message will come again.
4. Work, then tell: delivered, disposition, outcome, each in your own format, signed, in reply to the message's id and
   digest, numbered from 1 (`postman`). Resend the same bytes until the gateway's receipt names them.
5. Behind a firewall? Fetch from `GET /v1/inbox` with a one-use token instead of step 2, and say `handoff.retrieved`.
6. Keep the bytes of both directions: a gateway that lost some asks for them (`giving_back`).
Run: `python -m gateway.sandbox.agency --config agency.toml`; one JSON line on standard output says the address.
"""

import argparse
import json
import logging
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from time import monotonic, sleep
from types import FrameType

from flask import Flask, Response, request
from waitress.server import create_server  # type: ignore[import-untyped]

from gateway.domain.agreement import Channel
from gateway.errors import XianjieError
from gateway.sandbox.agency_config import AgencyConfig, read_config
from gateway.sandbox.giving_back import GivingBack
from gateway.sandbox.notebook import Notebook
from gateway.sandbox.postman import Http, Postman, RequestsHttp
from gateway.sandbox.reception import Clock, HttpAnswer, Reception

logger = logging.getLogger(__name__)

MAX_BODY = 16 * 1024 * 1024
LOOK_EVERY = 0.2
"""Seconds between two looks for replies that are due."""
REST_AFTER_FAILURE = 2.0
STOP_WITHIN = 3.0
"""A long poll in flight is not waited for: what it would bring stays in the mailbox."""
EXIT_DONE, EXIT_USAGE = 0, 2


def utc_now() -> datetime:
    """The clock of the process."""
    return datetime.now(UTC)


def make_app(
    config: AgencyConfig,
    reception: Reception,
    wait: Callable[[float], None] = sleep,
    giving_back: GivingBack | None = None,
) -> Flask:
    """`POST /handoffs`, `GET /handoffs/held` and `GET /healthz`. wait: how an answer is delayed; giving_back: None for
    an agency that gives nothing back by itself."""
    app = Flask("xianjie-sandbox-agency")
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    requests_so_far = count(1)

    def handoffs() -> Response:
        number = next(requests_so_far)
        body = request.get_data(cache=False)
        if config.behaviour.answer_after:
            wait(config.behaviour.answer_after)
        if number <= config.behaviour.down_for:
            return _response(HttpAnswer(status=503, content_type="text/plain"))
        return _response(reception.push(dict(request.headers), body, request.mimetype))

    def held() -> Response:
        if giving_back is None:
            return _response(HttpAnswer(status=404, content_type="text/plain"))
        asked = giving_back.held(request.headers.get("Authorization", ""), request.base_url, request.args.to_dict())
        return _response(asked)

    def healthz() -> Response:
        return _response(HttpAnswer(status=200, body=b"ok", content_type="text/plain"))

    app.add_url_rule("/handoffs", view_func=handoffs, methods=["POST"])
    app.add_url_rule("/handoffs/held", view_func=held, methods=["GET"])
    app.add_url_rule("/healthz", view_func=healthz, methods=["GET"])
    return app


def _response(answer: HttpAnswer) -> Response:
    return Response(answer.body, status=answer.status, content_type=answer.content_type)


@dataclass(frozen=True, kw_only=True)
class Agency:
    """The parts of one simulated agency, and its two threads of work."""

    config: AgencyConfig
    notebook: Notebook
    reception: Reception
    clock: Clock
    stopping: threading.Event

    @classmethod
    def of(cls, config: AgencyConfig, clock: Clock = utc_now) -> "Agency":
        notebook = Notebook(config.notebook)
        reception = Reception(config, notebook, clock)
        return cls(config=config, notebook=notebook, reception=reception, clock=clock, stopping=threading.Event())

    def postman(self, http: Http) -> Postman:
        """One for each thread."""
        return Postman(
            config=self.config, notebook=self.notebook, reception=self.reception, http=http, clock=self.clock
        )

    def giving_back(self) -> GivingBack:
        """What it gives the gateway back after a loss."""
        return GivingBack(self.config, self.notebook, self.clock)

    def work(self, http: Callable[[], Http] = RequestsHttp) -> list[threading.Thread]:
        """Starts sending replies and, where a desk has a mailbox, emptying it; both end when `stopping` is set."""
        jobs = [self._send_replies]
        if any(desk.channel is Channel.MAILBOX for desk in self.config.desks.values()):
            jobs.append(self._empty_mailboxes)
        threads = [
            threading.Thread(target=job, args=(http(),), name=job.__name__.strip("_"), daemon=True) for job in jobs
        ]
        for thread in threads:
            thread.start()
        return threads

    def _send_replies(self, http: Http) -> None:
        """Also commits, where that is wanted: what numbers a party's messages is one thread."""
        postman, every = self.postman(http), self.config.commit_every
        committed = monotonic()

        def work() -> None:
            nonlocal committed
            postman.send_due(stopping=self.stopping.is_set)
            if every and monotonic() - committed >= every:
                committed = monotonic()
                self._commit(postman)

        self._again_and_again(work)

    def _commit(self, postman: Postman) -> None:
        try:
            postman.commit()
        except XianjieError as error:
            logger.warning("not committed: %s", error.code)

    def _empty_mailboxes(self, http: Http) -> None:
        postman = self.postman(http)
        self._again_and_again(lambda: postman.empty_mailboxes(wait=self.config.poll_wait))

    def _again_and_again(self, work: Callable[[], object]) -> None:
        """Until told to stop. A gateway or a disk that is away for a while ends nothing: what is due stays due."""
        rest = 0.0
        while not self.stopping.wait(rest or LOOK_EVERY):
            try:
                work()
                rest = 0.0
            except (OSError, sqlite3.Error) as error:
                logger.warning("held up: %s %s", type(error).__name__, error)
                rest = REST_AFTER_FAILURE


def serve(config: AgencyConfig, announce: Callable[[str], None]) -> None:
    """Runs until SIGTERM or SIGINT; what is being answered is answered, what is not yet told stays in the notebook."""
    agency = Agency.of(config, lambda: utc_now() + config.clock_offset)
    server = create_server(
        make_app(config, agency.reception, giving_back=agency.giving_back()),
        host=config.host,
        port=config.port,
        threads=8,
        connection_limit=1000,
        channel_timeout=30,
        max_request_body_size=MAX_BODY,
        ident=None,
    )
    signal.signal(signal.SIGTERM, _leave)
    threads = agency.work()
    announce(describe(config, f"http://{config.host}:{server.effective_port}"))
    try:
        server.run()
    finally:
        agency.stopping.set()
        server.close()
        for thread in threads:
            thread.join(timeout=STOP_WITHIN)
        agency.notebook.close()


def describe(config: AgencyConfig, address: str) -> str:
    """The one line on standard output by which the starting process learns the address."""
    parties = sorted(config.desks)
    return json.dumps({"agency": config.agency, "address": address, "url": f"{address}/handoffs", "parties": parties})


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(EXIT_DONE)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; exit 0 after a graceful stop, 2 for a configuration that cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m gateway.sandbox.agency", description="模拟部门 simulated agency")
    parser.add_argument("--config", type=Path, required=True, help="agency.toml")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    try:
        config = read_config(chosen.config)
    except XianjieError as error:
        logger.error("%s: %s", error.code, error.note)
        return EXIT_USAGE
    serve(config, _announce)
    return EXIT_DONE


def _announce(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
