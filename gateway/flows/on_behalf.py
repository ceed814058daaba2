"""代签 A clerk without a key: the gateway signs with his party's key, which it holds, and records who pressed.

Rules: only a party whose private key lies in `keys/held` is signed for; the message goes through the same door as one
that came from outside (`flows.accept`), so it is proven, checked, logged and receipted alike; before it goes, a
decision names the account, the party, the message's id and its digest. One form is one message for ever: its id is
made from the form's own, and the same form sent twice gets the first receipt.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from gateway.domain.access import Account
from gateway.envelope.keyring import Keyring
from gateway.envelope.message import Envelope, digest
from gateway.envelope.signing import MESSAGE_TYP, sign
from gateway.errors import FieldProblem, Forbidden, SameIdDifferentBytes
from gateway.evidence.receipt import read
from gateway.flows.accept import accept
from gateway.flows.context import Context
from gateway.store import decisions, inbox
from schemas.envelope import JSON_TYPE

SIGNED = "signed_on_behalf"


@dataclass(frozen=True, kw_only=True, slots=True)
class SentOnBehalf:
    """What the gateway took from a clerk. replayed: the same form had been sent before."""

    message_id: str
    replayed: bool
    warnings: tuple[FieldProblem, ...]
    holds: tuple[str, ...]
    answer: Mapping[str, Any] | None = None
    """What the message asked for, as its receipt answers it."""


def can_sign_for(context: Context, party_id: str | None, now: datetime) -> bool:
    """Whether the gateway holds a key of the party that counts."""
    key = context.held.get(party_id or "")
    registered = None if key is None else context.snapshot(now).keyring.find(key.kid)
    return registered is not None and registered.usable_at(now)


def send_on_behalf(
    context: Context,
    account: Account,
    type_: str,
    data: Any,
    *,
    form: str,
    now: datetime,
    subject: str | None = None,
    in_reply_to: str | None = None,
    in_reply_to_digest: str | None = None,
    content_type: str = JSON_TYPE,
) -> SentOnBehalf:
    """One message of the account's own party. form: names this one act, e.g. a random value the form carried. Raises
    Forbidden where the gateway holds no key of the party that counts, and whatever refuses the message."""
    party_id = account.party_id or ""
    key = context.held.get(party_id)
    if key is None or not can_sign_for(context, party_id, now):
        raise Forbidden("no_held_key", ids={"party_id": party_id})
    message_id = message_id_of(party_id, type_, form)
    before = sent_before(context, party_id, message_id, now)
    if before is not None:
        return before
    envelope = Envelope(
        id=message_id,
        source=party_id,
        type=type_,
        time=now,
        recipient=context.party_id,
        subject=subject,
        conversation_id=subject,
        in_reply_to=in_reply_to,
        in_reply_to_digest=in_reply_to_digest,
        datacontenttype=content_type,
        data=data,
    )
    jws = sign(envelope.to_payload(), key, MESSAGE_TYP)
    said = f"party={party_id} type={type_} message={message_id} digest={digest(jws)}"
    context.store.write(
        lambda connection: decisions.put(
            connection, who=account.who, what=SIGNED, subject=subject or message_id, why=said, now=now
        )
    )
    try:
        accepted = accept(jws.encode(), context, now=now)
    except SameIdDifferentBytes:  # the same form, pressed twice at once: the other one was first
        before = sent_before(context, party_id, message_id, now)
        if before is None:
            raise
        return before
    keyring = context.snapshot(now).keyring
    return _sent(context, keyring, party_id, message_id, accepted.receipt, now, replayed=accepted.replayed)


def message_id_of(party_id: str, type_: str, form: str) -> str:
    """The id under which a form's message goes, whenever it goes."""
    return f"f-{sha256(f'{party_id}|{type_}|{form}'.encode()).hexdigest()[:48]}"


def sent_before(context: Context, party_id: str, message_id: str, now: datetime) -> SentOnBehalf | None:
    """What the party's message of that id was told; None where none was taken. Its receipt is proven as of then: our
    key may have ended since."""
    with context.store.reading() as connection:
        found = inbox.earlier(connection, [(party_id, message_id)]).get((party_id, message_id))
    if found is None:
        return None
    keyring = context.snapshot(now).keyring
    return _sent(context, keyring, party_id, message_id, found.receipt, found.received_at, replayed=True)


def _sent(
    context: Context, keyring: Keyring, party_id: str, message_id: str, receipt: str, at: datetime, *, replayed: bool
) -> SentOnBehalf:
    told = read(receipt.encode(), keyring, recipient=party_id, issuer=context.party_id, now=at)
    return SentOnBehalf(
        message_id=message_id, replayed=replayed, warnings=told.warnings, holds=told.holds, answer=told.answer
    )
