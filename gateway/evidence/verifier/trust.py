"""信任依据 Whom one has to believe: the bundle's own keys, or what was obtained another way and is pinned.

A bundle that names its own keys proves only that its parts fit together. Pinned keys must be the very keys of their
parties, and their narrower windows count; a pinned log key must be the log's; a checkpoint obtained elsewhere must be
this tree or one that the bundle proves to be its beginning. The same size with another root means that the gateway
showed two histories.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from marshmallow import ValidationError

from gateway.envelope import strict_json
from gateway.envelope.keyring import Keyring, PublicKey
from gateway.errors import BundleBroken, CheckpointInvalid, ConfigError, MalformedJson, TooLarge
from gateway.evidence.checkpoint import Checkpoint, NoteVerifier, open_note, unverified
from gateway.evidence.contents import Contents, read_keys
from gateway.evidence.verifier.conclusions import Conclusions
from schemas.bundle import KEYS
from schemas.fields import PartyId

_BEGINNING = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Trusted:
    """What is known from elsewhere. keys: of the parties that are pinned; checkpoint: a note as text."""

    keys: tuple[PublicKey, ...] = ()
    vkeys: tuple[str, ...] = ()
    checkpoint: str | None = None


def read_trusted_keys(raw: bytes) -> tuple[PublicKey, ...]:
    """Pinned keys from a file: a bundle's `keys.json`, or the JWKS of `GET /v1/keys` (each key with its `party`).

    Raises ConfigError.
    """
    try:
        members = strict_json.loads(raw)
        if isinstance(members, dict) and "log" in members:
            return read_keys(KEYS.load(members)["keys"], "keys")
        return tuple(_key(row) for row in members["keys"])
    except (MalformedJson, TooLarge, ValidationError, BundleBroken, KeyError, TypeError) as error:
        raise ConfigError("--keys is a bundle's keys.json, or a JWKS whose keys name their `party`") from error


def _key(row: Mapping[str, Any]) -> PublicKey:
    return PublicKey.from_jwk(row, PartyId().read(row["party"]), not_before=_BEGINNING)


def build_keyring(contents: Contents, trusted: Trusted, found: Conclusions) -> Keyring:
    """The keys the papers are checked with: the bundle's, narrowed by the pinned ones."""
    seen: dict[str, str] = {}
    for key in contents.keys:
        if seen.setdefault(key.kid, key.party_id) != key.party_id:
            found.add("key_of_two_parties", key.kid)
        if key.party_id not in contents.participants:
            found.add("key_party_unknown", key.kid, party=key.party_id)
    gateway = contents.participants.get(contents.gateway)
    if gateway is None or gateway.kind != "gateway":
        found.add("gateway_unknown", contents.gateway)
    pinned = {key.kid: key for key in trusted.keys}
    keys = [_narrowed(key, pinned.get(key.kid)) for key in contents.keys]
    return Keyring(keys, {party.party_id: party.kind for party in contents.participants.values()})


def _narrowed(key: PublicKey, pinned: PublicKey | None) -> PublicKey:
    if pinned is None:
        return key
    return replace(
        key,
        not_before=max(key.not_before, pinned.not_before),
        not_after=_earlier(key.not_after, pinned.not_after),
        revoked_at=_earlier(key.revoked_at, pinned.revoked_at),
    )


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    known = [moment for moment in (one, other) if moment is not None]
    return min(known, default=None)


def check_keys(contents: Contents, trusted: Trusted, found: Conclusions) -> None:
    """Each party's keys: pinned, or the bundle's own."""
    pinned: dict[str, set[str]] = {}
    for key in trusted.keys:
        pinned.setdefault(key.party_id, set()).add(key.kid)
    for party_id in sorted({key.party_id for key in contents.keys}):
        kids = [key.kid for key in contents.keys if key.party_id == party_id]
        if party_id not in pinned:
            found.add("keys_self_declared", party_id, kids=" ".join(kids))
            continue
        strange = [kid for kid in kids if kid not in pinned[party_id]]
        for kid in strange:
            found.add("key_not_pinned", kid, party=party_id)
        if not strange:
            found.add("keys_pinned", party_id, kids=" ".join(kids))


def check_given_checkpoint(contents: Contents, checkpoint: Checkpoint, trusted: Trusted, found: Conclusions) -> None:
    """The log's key and history against what was obtained elsewhere."""
    own = NoteVerifier.from_vkey(contents.vkey)
    try:
        pinned = [NoteVerifier.from_vkey(text) for text in trusted.vkeys]
    except CheckpointInvalid as error:
        raise ConfigError("--vkey is a verifier key: name+hash+base64") from error
    logs = [verifier for verifier in pinned if not verifier.is_cosigner]
    if not logs:
        found.add("log_key_self_declared", own.name, vkey=contents.vkey)
    elif any(_same_key(own, verifier) for verifier in logs):
        found.add("log_key_pinned", own.name, vkey=contents.vkey)
    else:
        found.add("log_key_not_pinned", own.name, vkey=contents.vkey)
    if trusted.checkpoint is not None:
        _compare(trusted.checkpoint, contents, checkpoint, [own, *logs], found)


def _same_key(own: NoteVerifier, pinned: NoteVerifier) -> bool:
    """The log's key is one for all its epochs; behind the party's id its name tells the epoch."""
    return own.public == pinned.public and own.name.split("/")[:3] == pinned.name.split("/")[:3]


def _compare(
    note: str, contents: Contents, checkpoint: Checkpoint, keys: Iterable[NoteVerifier], found: Conclusions
) -> None:
    try:
        name = unverified(note).origin
        usable = {verifier.public: replace(verifier, name=name) for verifier in keys if not verifier.is_cosigner}
        given = _opened(note, list(usable.values()))
    except CheckpointInvalid as error:
        found.add("given_checkpoint_invalid", "--checkpoint", reason=error.note)
        return
    roots = {head.size: head.root for head in contents.consistency} | {checkpoint.size: checkpoint.root}
    if given.origin != checkpoint.origin:
        found.add("given_checkpoint_of_other_log", "--checkpoint", origin=given.origin)
    elif given.size not in roots:
        found.add("given_checkpoint_unlinked", "--checkpoint", size=given.size, told=checkpoint.size)
    elif roots[given.size] != given.root:
        found.add("log_split", "--checkpoint", size=given.size)
    else:
        found.add("given_checkpoint_confirmed", "--checkpoint", size=given.size)


def _opened(note: str, verifiers: list[NoteVerifier]) -> Checkpoint:
    """The note's checkpoint, signed by one of these keys. Raises CheckpointInvalid."""
    for verifier in verifiers[:-1]:
        try:
            return open_note(note, verifier).checkpoint
        except CheckpointInvalid:
            continue
    return open_note(note, verifiers[-1]).checkpoint
