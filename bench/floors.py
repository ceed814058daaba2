"""下限 What this machine can do at all, piece by piece: signatures, reading, commits, HTTP. Ratios are against these.

`python -m bench.floors PORT` is the HTTP floor's server: waitress with the gateway's number of threads, answering every
POST with as many bytes as a receipt has and doing nothing else.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import requests
import sqlalchemy as sa
from waitress.server import create_server  # type: ignore[import-untyped]

from bench.load import drive
from bench.table import Measured, middle
from bench.world import free_port, referral_body
from gateway.cli.processes import processes
from gateway.config import Config
from gateway.envelope.algorithms import Algorithm
from gateway.envelope.keyring import SigningKey
from gateway.store.engine import open_engine
from schemas.referral import REFERRAL

RECEIPT_BYTES = 900
MESSAGE_BYTES = 2200
CONNECTIONS = 16
GROUP = 64
TIMES = 3

_TABLE = sa.Table(
    "floor",
    sa.MetaData(),
    sa.Column("row", sa.Integer, primary_key=True),
    sa.Column("body", sa.Text, nullable=False),
)


def rate(work: Callable[[], object], seconds: float, *, each: int = 1) -> float:
    """How often a second, the middle of `TIMES` short runs; each: how many things one call does."""
    found = []
    for _ in range(TIMES):
        began, calls = time.perf_counter(), 0
        while (took := time.perf_counter() - began) < seconds:
            work()
            calls += 1
        found.append(calls * each / took)
    return middle(found)


def crypto_and_reading(seconds: float) -> list[Measured]:
    """One thread of this language: what every message costs at least."""
    key = SigningKey.generate(Algorithm.ED25519, "cn/court/520100")
    private: Any = key.private
    message = os.urandom(MESSAGE_BYTES)
    signature, public = key.sign(message), private.key.public_key()
    body = referral_body(1, "r-1", "黔01")
    return [
        Measured(what="Ed25519 sign", value=rate(lambda: key.sign(message), seconds), unit="/s"),
        Measured(what="Ed25519 verify", value=rate(lambda: public.verify(signature, message), seconds), unit="/s"),
        Measured(what="marshmallow: one referral", value=rate(lambda: REFERRAL.load(body), seconds), unit="/s"),
    ]


def commits(name: str, url: str, seconds: float) -> list[Measured]:
    """Durable commits of one row, and rows in commits of 64, through the gateway's own engine settings."""
    engine = open_engine(url)
    _TABLE.create(engine)
    row = {"body": "x" * MESSAGE_BYTES}

    def commit(rows: int) -> None:
        with engine.connect().execution_options(xianjie_write=True) as connection, connection.begin():
            connection.execute(_TABLE.insert(), [row] * rows)

    found = [
        Measured(what=f"{name}: one row a commit", value=rate(lambda: commit(1), seconds), unit="commits/s"),
        Measured(
            what=f"{name}: 64 rows a commit", value=rate(lambda: commit(GROUP), seconds, each=GROUP), unit="rows/s"
        ),
    ]
    _TABLE.drop(engine)
    engine.dispose()
    return found


def http(folder: Path, seconds: float) -> list[Measured]:
    """Requests a second to a server that does nothing."""
    port = free_port()
    with processes(folder) as running:
        running.start("floor", "bench.floors", [str(port)], {"PYTHONPATH": "."})
        session, body = requests.Session(), b"x" * MESSAGE_BYTES
        url = f"http://127.0.0.1:{port}/"
        alone = rate(lambda: session.post(url, body).content, seconds)
        many = [drive(port, "/", [body] * 100_000, CONNECTIONS, seconds) for _ in range(TIMES)]
    return [
        Measured(what="HTTP: waitress + requests, 1 session", value=alone, unit="/s"),
        Measured(
            what=f"HTTP: waitress, {CONNECTIONS} connections",
            value=middle([len(run.answers) / seconds for run in many]),
            unit="/s",
            note="sent by bench/load.py, as everything below",
        ),
    ]


def _serve(_: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("202 Accepted", [("Content-Type", "application/jose"), ("Content-Length", str(RECEIPT_BYTES))])
    return [b"x" * RECEIPT_BYTES]


def main(arguments: list[str]) -> int:
    """See the module."""
    threads = Config(party_id="cn/gateway/520000", database="", keys=Path()).threads
    server = create_server(_serve, host="127.0.0.1", port=int(arguments[0]), threads=threads, ident=None)
    threading.Timer(
        0.1, lambda: (sys.stdout.write(json.dumps({"port": arguments[0]}) + "\n"), sys.stdout.flush())
    ).start()
    server.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
