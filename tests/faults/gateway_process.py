"""A gateway in a process of its own, made to be killed: `python -m tests.faults.gateway_process WORK URL KEY [FILE]`.

`accept` sends each line of FILE through four threads and prints each receipt the moment it is handed out; `deliver`
leases one message, says so, and then hangs in the middle of its push.
"""

import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from gateway.envelope.keyring import SigningKey
from gateway.flows.accept import accept
from gateway.flows.context import Context
from gateway.flows.deliver import Courier, deliver
from gateway.store.engine import Store
from gateway.transport.answer import Answer
from tests.gateway_world import CIVIL_AFFAIRS, GATEWAY, START, VAULT, a_context

THREADS = 4


def say(line: str) -> None:
    """One whole line, written at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def accept_all(context: Context, lines: list[bytes]) -> None:
    """Each thread takes every fourth message."""

    def work(mine: list[bytes]) -> None:
        for raw in mine:
            say(accept(raw, context, now=START).receipt)

    threads = [threading.Thread(target=work, args=(lines[at::THREADS],)) for at in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def deliver_for_ever(context: Context) -> None:
    """Leases, pushes, and never hears an answer."""

    def hang(url: str, body: bytes, content_type: str, headers: Mapping[str, str]) -> Answer:
        say("pushing")
        time.sleep(60)
        raise AssertionError(url, len(body), content_type, len(headers))

    courier = Courier(push=hang, owner="killed", clock=lambda: START, jitter=lambda: 0.0)
    deliver(context, CIVIL_AFFAIRS, courier)


def main(work: str, url: str, key: str, file: str = "") -> None:
    """Runs until done or killed."""
    context = a_context(Store(url, vault=VAULT), SigningKey.load_pem(Path(key).read_bytes(), GATEWAY))
    if work == "accept":
        accept_all(context, Path(file).read_bytes().splitlines())
    else:
        deliver_for_ever(context)


if __name__ == "__main__":
    main(*sys.argv[1:])
