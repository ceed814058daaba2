"""密钥存证核对 The log's own record of each key: registered as it is told, before it was used, no end and no revocation
left out. The leaf's digest is over the particulars the directory keeps, so a key that was exchanged in the database, or
slipped in, does not have it."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from gateway.envelope.keyring import PublicKey
from gateway.evidence.contents import Contents, Leaf
from gateway.evidence.entry import EntryKind, canonical
from gateway.evidence.verifier.conclusions import Conclusions

REGISTERED, ENDED, REVOKED = "key_registered", "key_ended", "key_revoked"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def check_key_leaves(contents: Contents, found: Conclusions) -> None:
    """Every key of the bundle."""
    first_use: dict[str, int] = {}
    for paper in (*contents.messages, *contents.receipts):
        leaf = contents.leaf_of.get(paper.digest)
        if leaf is not None:
            kid = paper.parts.header.kid
            first_use[kid] = min(leaf.index, first_use.get(kid, leaf.index))
    for key in contents.keys:
        registered = _leaves(contents, key.kid, REGISTERED)
        if not registered:
            found.add("key_not_logged", key.kid, party=key.party_id)
            continue
        if any(leaf.entry.digest == registration_digest(key) for leaf in registered):
            found.add("key_logged", key.kid, party=key.party_id, leaf=registered[0].index)
        else:
            found.add("key_altered", key.kid, party=key.party_id)
        _check_end(key, _leaves(contents, key.kid, ENDED), key.not_after, "key_end_hidden", found)
        _check_end(key, _leaves(contents, key.kid, REVOKED), key.revoked_at, "key_revocation_hidden", found)
        if registered[0].index > first_use.get(key.kid, registered[0].index):
            found.add("key_registered_after_use", key.kid, party=key.party_id)


def _check_end(key: PublicKey, leaves: list[Leaf], told: datetime | None, hidden: str, found: Conclusions) -> None:
    """When it ends, or was revoked: the moment that was logged last, and none that was not logged."""
    if not leaves and told is not None:
        found.add("key_altered", key.kid, party=key.party_id)
    elif leaves and (told is None or end_digest(key.kid, told) != leaves[-1].entry.digest):
        found.add(hidden, key.kid, party=key.party_id)


def registration_digest(key: PublicKey) -> str:
    """What the leaf of a key's registration says, as `store.directory_leaves` makes it."""
    return _digest([key.kid, key.party_id, key.alg.value, key.use, key.jwk, _ms(key.not_before)])


def end_digest(kid: str, at: datetime) -> str:
    """What the leaf of a key's end or revocation says."""
    return _digest([kid, _ms(at)])


def _digest(particulars: list[Any]) -> str:
    return sha256(canonical(particulars)).hexdigest()


def _leaves(contents: Contents, kid: str, what: str) -> list[Leaf]:
    found: Iterable[Leaf] = (
        leaf for leaf in contents.leaves if leaf.entry.kind is EntryKind.DIRECTORY and leaf.entry.ref == kid
    )
    return sorted((leaf for leaf in found if leaf.entry.fields["what"] == what), key=lambda leaf: leaf.index)


def _ms(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)
