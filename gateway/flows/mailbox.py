"""信箱 Offices without a server pull their messages; one stays until its party answers it (`handoff.retrieved`, or any
other reply). Fetching alone changes nothing, so an answer lost on the way costs nobody anything."""

from gateway.flows.context import Context
from gateway.store import mailbox

MOST = 500


def pull(context: Context, party_id: str, *, after: int, limit: int) -> list[tuple[int, str]]:
    """(sequence number, compact JWS) of the party's messages after a number, in order."""
    with context.store.reading() as connection:
        return mailbox.pull(connection, party_id, after=after, limit=min(limit, MOST))
