"""检查点 Checkpoints: the log's size and root as a signed note (C2SP signed-note, tlog-checkpoint, tlog-cosignature).

Rules: a note is believed only with the log's own signature; a line of a known key that does not verify spoils the whole
note; lines of unknown keys are kept and ignored. Refused, each by its own reason: other line ends, control characters,
a size or base64 with a second spelling, two lines of one key, more than 16 lines or 1 MB. The origin is the name of the
log's key. Extension lines are left out on purpose: nobody can audit them. When a checkpoint may be signed is the
sequencer's business.
"""

import re
from binascii import Error, a2b_base64, b2a_base64
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gateway.envelope import algorithms
from gateway.errors import CheckpointInvalid, ConfigError
from gateway.evidence.merkle import EMPTY_ROOT, HASH_BYTES

MAX_NOTE_BYTES = 1_000_000
MAX_SIGNATURES = 16
MAX_SIZE = 2**63 - 1

_ED25519, _COSIGNATURE = b"\x01", b"\x04"
_KEY_ID_BYTES, _TIME_BYTES, _SIGNATURE_BYTES, _PUBLIC_BYTES = 4, 8, 64, 32
_DASH = "\u2014 "
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f]")
_SIZE = re.compile("0|[1-9][0-9]{0,18}")
_KEY_ID = re.compile("[0-9a-f]{8}")
_NAME = re.compile(r"[^\s+]{1,200}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """检查点. What a log signs: its name, the number of its leaves, and the root over them (32 bytes)."""

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.origin) or not 0 <= self.size <= MAX_SIZE or len(self.root) != HASH_BYTES:
            raise ValueError("no such checkpoint")
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise ValueError("an empty log has the empty root")

    def body(self) -> str:
        """The text that is signed: three lines."""
        return f"{self.origin}\n{self.size}\n{_encode(self.root)}\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteVerifier:
    """The public half of a key that signs notes. key_hash: the 4 bytes that stand before its signatures."""

    name: str
    public: bytes
    is_cosigner: bool = False

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or len(self.public) != _PUBLIC_BYTES:
            raise ValueError("a verifier has a name without spaces and a key of 32 bytes")

    @classmethod
    def from_vkey(cls, text: str) -> Self:
        """Reads `name+hash+base64(algorithm ‖ key)`. Raises CheckpointInvalid: `vkey_…`."""
        name, _, rest = text.partition("+")
        key_id, separator, encoded = rest.partition("+")
        if not separator or not _NAME.fullmatch(name) or not _KEY_ID.fullmatch(key_id):
            raise CheckpointInvalid("vkey_form")
        key = _decode(encoded, "vkey_base64")
        if key[:1] not in (_ED25519, _COSIGNATURE):
            raise CheckpointInvalid("vkey_algorithm")
        if len(key) != 1 + _PUBLIC_BYTES:
            raise CheckpointInvalid("vkey_length")
        found = cls(name=name, public=key[1:], is_cosigner=key[:1] == _COSIGNATURE)
        if found.key_hash.hex() != key_id:
            raise CheckpointInvalid("vkey_hash")
        return found

    def vkey(self) -> str:
        """The text this key is handed to others as."""
        return f"{self.name}+{self.key_hash.hex()}+{_encode(self._algorithm + self.public)}"

    @property
    def key_hash(self) -> bytes:
        """SHA-256(name ‖ 0x0A ‖ algorithm ‖ public key), the first 4 bytes."""
        return sha256(self.name.encode() + b"\n" + self._algorithm + self.public).digest()[:_KEY_ID_BYTES]

    @property
    def _algorithm(self) -> bytes:
        return _COSIGNATURE if self.is_cosigner else _ED25519

    def signed_at(self, body: str, signature: bytes) -> datetime | None:
        """When the cosigner says it signed; None for a plain signature. Raises CheckpointInvalid: it is not this key's,
        or its time is none."""
        if len(signature) != _SIGNATURE_BYTES + (_TIME_BYTES if self.is_cosigner else 0):
            raise CheckpointInvalid("signature_length")
        at = None
        message = body.encode()
        if self.is_cosigner:
            seconds = int.from_bytes(signature[:_TIME_BYTES], "big")
            message, signature = _cosigned(body, seconds), signature[_TIME_BYTES:]
            at = _moment(seconds)
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature as error:
            raise CheckpointInvalid("cosignature_wrong" if self.is_cosigner else "signature_wrong") from error
        return at


@dataclass(frozen=True, kw_only=True, slots=True)
class LogKey:
    """日志密钥. The Ed25519 key a log signs its checkpoints with, or a witness cosigns with, under `name`."""

    name: str
    key: Ed25519PrivateKey = field(repr=False)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError("a key's name has no spaces and no plus")

    @classmethod
    def generate(cls, name: str) -> Self:
        """A new key."""
        return cls(name=name, key=Ed25519PrivateKey.generate())

    @classmethod
    def from_pem(cls, pem: bytes, name: str) -> Self:
        """An unencrypted PKCS#8 PEM of an Ed25519 key. Raises ConfigError."""
        _, private = algorithms.load_pem(pem, None)
        if not isinstance(private, algorithms.Ed25519PrivateKey):
            raise ConfigError("log_key_kind")
        return cls(name=name, key=private.key)

    def to_pem(self) -> bytes:
        """What `from_pem` reads."""
        return algorithms.pem_of(algorithms.Ed25519PrivateKey(self.key))

    def named(self, name: str) -> Self:
        """The same key under another name, as a log has after it began anew."""
        return replace(self, name=name)

    def verifier(self) -> NoteVerifier:
        """The public half, for checkpoints this key signs."""
        return NoteVerifier(name=self.name, public=self.key.public_key().public_bytes_raw())

    def cosigner(self) -> NoteVerifier:
        """The public half, for checkpoints this key cosigns."""
        return replace(self.verifier(), is_cosigner=True)

    def vkey(self) -> str:
        """The verifier key to hand to partners."""
        return self.verifier().vkey()


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenedCheckpoint:
    """A checkpoint its log has signed, and which known cosigners say that they saw it, and when."""

    checkpoint: Checkpoint
    cosigned_by: tuple[tuple[str, datetime], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Line:
    """One signature line, not yet believed."""

    name: str
    key_hash: bytes
    signature: bytes

    @property
    def signer(self) -> tuple[str, bytes]:
        return self.name, self.key_hash

    def to_text(self) -> str:
        return f"{_DASH}{self.name} {_encode(self.key_hash + self.signature)}\n"


def sign_checkpoint(checkpoint: Checkpoint, key: LogKey) -> str:
    """The note. ValueError if the key has another name than the log: our own mistake."""
    if key.name != checkpoint.origin:
        raise ValueError("a log signs under its own name")
    body = checkpoint.body()
    line = _Line(name=key.name, key_hash=key.verifier().key_hash, signature=key.key.sign(body.encode()))
    return f"{body}\n{line.to_text()}"


def cosign(note: str, key: LogKey, *, now: datetime) -> str:
    """A witness' line for a note: as of `now`, this is the largest tree of that log it saw. Raises CheckpointInvalid
    for what is no checkpoint; whether it is consistent with what was seen before the witness must have checked."""
    body, _ = _split(note)
    _read_body(body)
    seconds = int(now.timestamp())
    signature = seconds.to_bytes(_TIME_BYTES, "big") + key.key.sign(_cosigned(body, seconds))
    return _Line(name=key.name, key_hash=key.cosigner().key_hash, signature=signature).to_text()


def open_note(note: str, log: NoteVerifier, cosigners: Sequence[NoteVerifier] = ()) -> OpenedCheckpoint:
    """The checkpoint of `log` in a note. Raises CheckpointInvalid, whose note is the reason."""
    body, lines = _split(note)
    checkpoint = _read_body(body)
    if checkpoint.origin != log.name:
        raise CheckpointInvalid("origin")
    known = {(verifier.name, verifier.key_hash): verifier for verifier in (*cosigners, log)}
    signed, cosigned = False, []
    for line in lines:
        verifier = known.get(line.signer)
        if verifier is None:
            continue
        at = verifier.signed_at(body, line.signature)
        signed = signed or verifier is log
        if at is not None and verifier is not log:
            cosigned.append((line.name, at))
    if not signed:
        raise CheckpointInvalid("not_signed_by_log")
    return OpenedCheckpoint(checkpoint=checkpoint, cosigned_by=tuple(cosigned))


def with_cosignature(note: str, line: str) -> str:
    """The note with one more line; a line of a key that stands there already takes the place of the older one.

    Raises CheckpointInvalid for a line that is none, and for the seventeenth.
    """
    body, lines = _split(note)
    added = _read_line(line.removesuffix("\n"))
    kept = [found for found in lines if found.signer != added.signer]
    if len(kept) >= MAX_SIGNATURES:
        raise CheckpointInvalid("too_many_signatures")
    return f"{body}\n" + "".join(found.to_text() for found in (*kept, added))


def read_cosignature(line: str, checkpoint: Checkpoint, cosigners: Sequence[NoteVerifier]) -> tuple[str, datetime]:
    """Which of the cosigners made this line over the checkpoint, and when it says it did. Raises CheckpointInvalid."""
    found = _read_line(line.removesuffix("\n"))
    cosigner = next((one for one in cosigners if (one.name, one.key_hash) == found.signer), None)
    if cosigner is None:
        raise CheckpointInvalid("unknown_key")
    at = cosigner.signed_at(checkpoint.body(), found.signature)
    if at is None:
        raise CheckpointInvalid("no_cosignature")
    return cosigner.name, at


def unverified(note: str) -> Checkpoint:
    """What a note says without proof that anybody signed it, e.g. to choose the key to check it with."""
    return _read_body(_split(note)[0])


def _split(note: str) -> tuple[str, list[_Line]]:
    """The signed text and the signature lines, which are separated by the last empty line."""
    _refuse_bad_text(note)
    text, separator, signatures = note.rpartition("\n\n")
    if not separator:
        raise CheckpointInvalid("no_blank_line")
    rows = signatures.split("\n")[:-1]
    if not rows:
        raise CheckpointInvalid("no_signature")
    if len(rows) > MAX_SIGNATURES:
        raise CheckpointInvalid("too_many_signatures")
    lines = [_read_line(row) for row in rows]
    if len({line.signer for line in lines}) != len(lines):
        raise CheckpointInvalid("duplicate_signature")
    return text + "\n", lines


def _refuse_bad_text(note: str) -> None:
    try:
        size = len(note.encode())
    except UnicodeEncodeError as error:
        raise CheckpointInvalid("not_utf8") from error
    if size > MAX_NOTE_BYTES:
        raise CheckpointInvalid("too_large")
    if _CONTROL.search(note):
        raise CheckpointInvalid("control_character")
    if not note.endswith("\n"):
        raise CheckpointInvalid("no_final_newline")


def _read_line(text: str) -> _Line:
    name, separator, encoded = text.removeprefix(_DASH).partition(" ")
    if not text.startswith(_DASH) or not separator:
        raise CheckpointInvalid("signature_line")
    if not _NAME.fullmatch(name):
        raise CheckpointInvalid("key_name")
    raw = _decode(encoded, "signature_base64")
    if len(raw) <= _KEY_ID_BYTES:
        raise CheckpointInvalid("signature_length")
    return _Line(name=name, key_hash=raw[:_KEY_ID_BYTES], signature=raw[_KEY_ID_BYTES:])


def _read_body(body: str) -> Checkpoint:
    rows = body.split("\n")[:-1]
    if len(rows) < 3 or "" in rows:
        raise CheckpointInvalid("body_lines")
    if len(rows) > 3:
        raise CheckpointInvalid("extension_lines")
    origin, size, encoded = rows
    if not _NAME.fullmatch(origin):
        raise CheckpointInvalid("origin")
    if not _SIZE.fullmatch(size) or int(size) > MAX_SIZE:
        raise CheckpointInvalid("size")
    root = _decode(encoded, "root")
    if len(root) != HASH_BYTES or (size == "0" and root != EMPTY_ROOT):
        raise CheckpointInvalid("root")
    return Checkpoint(origin=origin, size=int(size), root=root)


def _cosigned(body: str, seconds: int) -> bytes:
    """The message of cosignature/v1."""
    return f"cosignature/v1\ntime {seconds}\n{body}".encode()


def _moment(seconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise CheckpointInvalid("cosignature_time") from error


def _encode(raw: bytes) -> str:
    return b2a_base64(raw, newline=False).decode("ascii")


def _decode(text: str, reason: str) -> bytes:
    """Standard base64 in its one spelling: padded, nothing foreign, no bits left over."""
    try:
        raw = a2b_base64(text, strict_mode=True)
    except (Error, ValueError) as error:
        raise CheckpointInvalid(reason) from error
    if _encode(raw) != text:
        raise CheckpointInvalid(reason)
    return raw
