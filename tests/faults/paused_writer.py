"""A writer that stops in the middle of its transaction: `python -m tests.faults.paused_writer URL`.

It takes the lease `sequencer`, says so from inside its transaction, waits for a line, writes, and says how that ended.
"""

import sys
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from gateway.errors import XianjieError
from gateway.store import leases, tokens
from gateway.store.engine import Store
from tests.faults.gateway_process import say

NOW = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def main(url: str) -> None:
    """Two transactions: the first is paused; the second asks whether the lease of before still counts."""
    store = Store(url)
    lease = store.write(lambda c: leases.take(c, "sequencer", owner="paused", now=NOW, length=MINUTE))
    assert lease is not None

    def slowly(connection: Connection) -> None:
        leases.require(connection, lease)
        say("inside")
        sys.stdin.readline()
        tokens.use(connection, "cn/court/520100", "paused", NOW)

    def again(connection: Connection) -> None:
        tokens.use(connection, "cn/court/520100", "again", NOW)
        leases.require(connection, lease)

    for work in (slowly, again):
        try:
            store.write(work)
            say("written")
        except XianjieError as error:
            say(error.code)
    store.close()


if __name__ == "__main__":
    main(sys.argv[1])
