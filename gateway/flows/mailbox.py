"""信箱 Offices without a server pull their messages; one stays until its party answers it (`handoff.retrieved`, or any
other reply that is accepted). Fetching alone changes nothing, so an answer lost on the way costs nobody anything.

Rules: in the order of their numbers, after a number; a page ends where it would grow larger than a reader takes, so a
page that is not full does not mean that it was the last: an empty one does.
"""

from gateway.flows.context import Context
from gateway.store import log, mailbox

MOST = 500
PAGE_BYTES = 8 * 1024 * 1024


def pull(context: Context, party_id: str, *, after: int, limit: int) -> list[tuple[int, str]]:
    """(sequence number, compact JWS or JWE) of the party's messages after a number, in order. Raises InRecovery: an
    older mailbox would show what was answered and not what was withdrawn."""
    with context.store.reading() as connection:
        log.require_signing(connection)
        found = mailbox.pull(connection, party_id, after=after, limit=min(limit, MOST), most_bytes=PAGE_BYTES)
    return [(seq, wire) for seq, _, wire in found]
