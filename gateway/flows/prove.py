"""取信 From the bytes that came to a message that is believed: opened where it is encrypted, then proven (hop 2).

1. a JWE for one of our keys is opened; what is inside must be a JWS (`envelope.encryption`);
2. signature, key, source, recipient, times (`envelope.signing`), with keys as they stand in the database: one that was
   registered a moment ago by another process is believed at once, so that a rotation refuses nothing;
3. what was accepted before and is stale by now is a replay, and so are the very bytes that were signed with a key that
   has ended or was revoked since. Such a replay only reads back the receipt it was given: nothing new is believed, and
   whoever holds the bytes of an accepted message learns what its sender was told.
"""

from datetime import datetime

from gateway.envelope import encryption
from gateway.envelope.compact import split
from gateway.envelope.keyring import Keyring
from gateway.envelope.signing import VerifiedMessage, verify
from gateway.errors import MessageError, TrustError, XianjieError
from gateway.flows.context import Context
from gateway.store import inbox
from gateway.store.inbox import Earlier

_ENDED = frozenset({"key_expired", "key_revoked"})


def prove(raw: bytes, context: Context, *, now: datetime) -> VerifiedMessage:
    """One received message. Raises what refuses it."""
    jws = encryption.decrypt(raw, context.decryption) if encryption.is_encrypted(raw) else raw
    keyring = context.keyring_for(jws, now)
    try:
        return verify(jws, keyring, recipient=context.party_id, now=now)
    except MessageError as error:
        replay = _proven_at(now, jws, keyring, context)
        if replay is None or earlier(replay, context) is None:
            raise error
        return replay
    except TrustError as error:
        replay = _under_an_ended_key(jws, keyring, context) if error.note in _ENDED else None
        if replay is None:
            raise error
        return replay


def earlier(message: VerifiedMessage, context: Context) -> Earlier | None:
    """What was accepted under its id before."""
    key = (message.party_id, message.envelope.id)
    with context.store.reading() as connection:
        return inbox.earlier(connection, [key]).get(key)


def _proven_at(moment: datetime, jws: bytes, keyring: Keyring, context: Context) -> VerifiedMessage | None:
    """The message without its deadlines, if its key counted at that moment; None otherwise."""
    try:
        return verify(jws, keyring, recipient=context.party_id, now=moment, check_time=False)
    except XianjieError:
        return None


def _under_an_ended_key(jws: bytes, keyring: Keyring, context: Context) -> VerifiedMessage | None:
    """The message, if these very bytes were accepted while its key counted."""
    key = keyring.find(split(jws).header.kid)
    message = None if key is None else _proven_at(key.not_before, jws, keyring, context)
    before = None if message is None else earlier(message, context)
    return message if message is not None and before is not None and before.digest == message.digest else None
