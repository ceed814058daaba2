"""调阅 The referral as its court signed it, read again from the stored bytes.

What was signed is parsed again whenever it is needed, and proven again: somebody who can write to the database can
change a row, but not the court's signature. The key must have been usable when the message was received. Of a referral
that was amended the newest version is read.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from gateway.domain.referral import Referral
from gateway.envelope.keyring import Keyring
from gateway.envelope.message import digest
from gateway.envelope.signing import VerifiedMessage, verify
from gateway.errors import TrustError, XianjieError
from gateway.flows.context import Context
from gateway.flows.read_referral import read_amendment, read_referral
from gateway.flows.recent import ProvenReferral
from gateway.store import amendments, inbox
from gateway.store.referrals import Waiting

AMENDED = "referral.amended"


def recall(
    connection: Connection, items: Sequence[Waiting], context: Context, *, now: datetime
) -> dict[str, Referral | XianjieError]:
    """By referral id: the proven referral, or the error that says its bytes no longer prove it."""
    return recall_these(connection, newest(connection, items), context, now=now)


def newest(connection: Connection, items: Sequence[Waiting]) -> list[Waiting]:
    """The same referrals, each under the message of its newest version."""
    amended = amendments.newest(connection, [item.referral_id for item in items])
    return [
        item
        if (found := amended.get(item.referral_id)) is None
        else replace(item, message_id=found.message_id, received_at=found.accepted_at)
        for item in items
    ]


def recall_these(
    connection: Connection, items: Sequence[Waiting], context: Context, *, now: datetime
) -> dict[str, Referral | XianjieError]:
    """As `recall`, from the very messages the items name: of a referral that was amended since, an older version."""
    stored = inbox.bytes_of(connection, [(item.court, item.message_id) for item in items])
    keyring = context.snapshot(now).keyring
    found: dict[str, Referral | XianjieError] = {}
    for item in items:
        raw = stored.get((item.court, item.message_id), "")
        try:
            proven = context.recent.take(digest(raw)) or _prove(raw, keyring, context, item)
            found[item.referral_id] = _require_same(proven, item)
        except XianjieError as error:
            found[item.referral_id] = error
    return found


def _prove(raw: str, keyring: Keyring, context: Context, item: Waiting) -> ProvenReferral:
    message = verify(raw.encode(), keyring, recipient=context.party_id, now=item.received_at, check_time=False)
    referral = read_version(message)
    return ProvenReferral(court=message.party_id, message_id=message.envelope.id, referral=referral)


def read_version(message: VerifiedMessage) -> Referral:
    """The referral a court's message tells, as submitted or as amended. Raises SchemaInvalid."""
    if message.envelope.type == AMENDED:
        return read_amendment(message.envelope.data, court=message.party_id).referral
    return read_referral(message.envelope.data, court=message.party_id)


def _require_same(proven: ProvenReferral, item: Waiting) -> Referral:
    """Bytes that are signed but stand in another message's place prove another referral. Raises TrustError."""
    named = (proven.court, proven.message_id, proven.referral.referral_id)
    if named != (item.court, item.message_id, item.referral_id):
        raise TrustError("another_message", ids={"referral_id": item.referral_id})
    return proven.referral
