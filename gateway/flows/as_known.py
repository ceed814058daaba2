"""当时所知 A context whose facts are those of a past moment: every reader and every check works in it unchanged.

A moment is a size of the log: that of a signed checkpoint, or that at which a whole run looked. A time stands for the
last checkpoint signed at or before it. Agreements and holiday notices are those that were loaded by then; the rules'
tables are the shipped ones, whose digests say whether they are still the same (`domain.reconciliation.as_known`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from gateway.errors import ConfigError
from gateway.flows.context import Context
from gateway.store import history
from gateway.store.directory import Directory
from gateway.store.history import KnownAt
from gateway.store.past import PastStore, past


@contextmanager
def as_known(context: Context, known: KnownAt) -> Iterator[Context]:
    """The context at that moment; it reads only, and only within the block. Raises StoreUnavailable."""
    with past(context.store, known.marks) as connection:
        store = PastStore(context.store, connection)
        yield replace(context, store=store, directory=Directory(store, context.programmes))


def moment(context: Context, *, by: datetime | None = None, size: int | None = None) -> KnownAt:
    """The last signed checkpoint at or before a time, or of at most a size. Raises ConfigError where it is not kept
    what was known then."""
    with context.store.reading() as connection:
        found = history.last(connection, by=by, size=size)
        first = history.first(connection)
    if found is None:
        since = "no checkpoint was signed yet" if first is None else f"kept since {first.isoformat()}"
        raise ConfigError(f"what was known then is not kept: {since}")
    return found
