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
        _check_registration(key, registered, _leaves(contents, key.kid, ENDED), found)
        _check_end(key, _leaves(contents, key.kid, ENDED), key.not_after, ENDED, found)
        _check_end(key, _leaves(contents, key.kid, REVOKED), key.revoked_at, REVOKED, found)
        if registered[0].index > first_use.get(key.kid, registered[0].index):
            found.add("key_registered_after_use", key.kid, party=key.party_id)


def _check_registration(key: PublicKey, registered: list[Leaf], ended: list[Leaf], found: Conclusions) -> None:
    """Where a key's end was changed, its first end is not told; then only a registration without one can be checked."""
    windows = [None, key.not_after] if ended else [key.not_after]
    told = {registration_digest(key, not_after) for not_after in windows}
    if any(leaf.entry.digest in told for leaf in registered):
        found.add("key_logged", key.kid, party=key.party_id, leaf=registered[0].index)
    else:
        found.add("key_window_untold" if ended else "key_altered", key.kid, party=key.party_id)


def _check_end(key: PublicKey, leaves: list[Leaf], told: datetime | None, what: str, found: Conclusions) -> None:
    """Ended or revoked: the moment the bundle tells is one that was logged."""
    if not leaves:
        return
    logged = {leaf.entry.digest for leaf in leaves}
    if told is None or directory_digest(key.kid, what, [_ms(told)]) not in logged:
        found.add("key_end_hidden" if what == ENDED else "key_revocation_hidden", key.kid, party=key.party_id)


def registration_digest(key: PublicKey, not_after: datetime | None) -> str:
    """What the leaf of a key's registration says."""
    end = None if not_after is None else _ms(not_after)
    return directory_digest(key.kid, REGISTERED, [key.party_id, key.use, key.jwk, _ms(key.not_before), end])


def directory_digest(ref: str, what: str, particulars: Any) -> str:
    """The digest of a change of the directory, as `store.directory` logs it."""
    return sha256(canonical([ref, what, particulars])).hexdigest()


def _leaves(contents: Contents, kid: str, what: str) -> list[Leaf]:
    found: Iterable[Leaf] = (
        leaf for leaf in contents.leaves if leaf.entry.kind is EntryKind.DIRECTORY and leaf.entry.ref == kid
    )
    return sorted((leaf for leaf in found if leaf.entry.fields["what"] == what), key=lambda leaf: leaf.index)


def _ms(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)
