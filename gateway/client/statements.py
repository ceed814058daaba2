"""对账单的报送 A partner sends the file of a statement it has signed for, and asks what became of it.

What was cut off goes on where the gateway says that it stands; nothing that is there is sent again.
"""

import json
import re
from collections.abc import Callable
from typing import Any, BinaryIO

from gateway.client.client import Client
from gateway.errors import ConfigError, StatementUnknown
from schemas.fields import MessageId

PIECE_BYTES = 2 * 1024 * 1024
AWAITING = "awaiting_lines"
_ID = re.compile(MessageId.PATTERN)


def stands(client: Client, statement_id: str, *, limit: int = 100) -> dict[str, Any]:
    """What became of a statement of this party. Raises StatementUnknown, also for what can be no id."""
    if not _ID.fullmatch(statement_id) or not statement_id.strip("."):
        raise StatementUnknown
    return client.ask(f"/v1/statements/{statement_id}", {"limit": limit})


def send_lines(
    client: Client, statement_id: str, body: BinaryIO, *, told: Callable[[int], None] | None = None
) -> dict[str, Any]:
    """The file, in pieces, from where the last attempt ended; where it stands afterwards. told: how many bytes are
    there. Raises PartnerUnreachable (run it again), and what refuses it."""
    here = stands(client, statement_id, limit=0)
    while here["state"] == AWAITING:
        at = int(here["received"])
        body.seek(at)
        piece = body.read(PIECE_BYTES)
        if not piece:
            raise ConfigError("the file is shorter than the one that was signed for")
        path = f"/v1/statements/{statement_id}/lines"
        here = json.loads(client.put(path, piece, "application/octet-stream", query={"at": at}))
        if told is not None:
            told(int(here["received"]))
    return here
