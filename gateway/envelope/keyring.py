"""密钥环 The keys that are registered, whose they are and when each may be used.

The algorithm belongs to the registered key, never to the message. A `kid` is the key's RFC 7638 thumbprint, so a key
cannot pass for another, and a key registered for encryption (`use`) never verifies a signature. A `Keyring` is an
immutable snapshot with every key object loaded once; when keys or parties change the store makes a new one. Keys in it
are public; a private key lives in `SigningKey` or `encryption.EncryptionKey` and is never printed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Self

from gateway.envelope import algorithms
from gateway.envelope.algorithms import Algorithm, KeyAgreement, PrivateKey, Verifier
from gateway.errors import ConfigError

__all__ = ["Algorithm", "KeyAgreement", "Keyring", "PublicKey", "SigningKey"]

SIGNING, ENCRYPTION = "sig", "enc"
_ALGORITHMS: dict[str, Algorithm | KeyAgreement] = {
    "Ed25519": Algorithm.ED25519,
    "P-256": Algorithm.ES256,
    "SM2": Algorithm.SM2,
    "X25519": KeyAgreement.ECDH_ES,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class PublicKey:
    """One registered key. Usable from `not_before` up to but excluding `not_after` and `revoked_at`."""

    kid: str
    party_id: str
    alg: Algorithm | KeyAgreement
    jwk: dict[str, str]
    use: str = SIGNING
    not_before: datetime
    not_after: datetime | None = None
    revoked_at: datetime | None = None

    def __post_init__(self) -> None:
        if any(moment is not None and moment.tzinfo is None for moment in self._moments()):
            raise ValueError("a key's moments need a time zone")
        if isinstance(self.alg, KeyAgreement) and self.use != ENCRYPTION:
            raise ConfigError("key_use_not_of_algorithm", ids={"kid": self.kid})
        if self.kid != algorithms.thumbprint(self.jwk):
            raise ConfigError("kid_is_not_the_thumbprint", ids={"kid": self.kid})

    @classmethod
    def from_jwk(
        cls, members: Mapping[str, Any], party_id: str, *, not_before: datetime, not_after: datetime | None = None
    ) -> Self:
        """A party's key from a public JWK; its other members are passed over. Raises `ConfigError` for a private key,
        another kind of key, or numbers that are none."""
        if "d" in members:
            raise ConfigError("it holds a private key; hand over the public half only")
        jwk = {name: str(members[name]) for name in ("kty", "crv", "x", "y") if name in members}
        alg = _ALGORITHMS.get(jwk.get("crv", ""))
        if alg is None:
            raise ConfigError("it is no JWK of an Ed25519, P-256, SM2 or X25519 key")
        _check(alg, jwk)  # one key that is none would make the whole keyring unreadable
        use = ENCRYPTION if isinstance(alg, KeyAgreement) else SIGNING
        kid = algorithms.thumbprint(jwk)
        return cls(kid=kid, party_id=party_id, alg=alg, jwk=jwk, use=use, not_before=not_before, not_after=not_after)

    def usable_at(self, now: datetime) -> bool:
        """Whether a signature made with this key counts at `now`."""
        return self.refusal_at(now) is None

    def refusal_at(self, now: datetime) -> str | None:
        """Why a signature of this key does not count at `now`, as a code for the log; None when it does."""
        return "key_not_for_signing" if self.use != SIGNING else self.lapse_at(now)

    def lapse_at(self, now: datetime) -> str | None:
        """Why the key counts for nothing at `now`, whatever it is for; None while it does."""
        if self.revoked_at is not None and now >= self.revoked_at:
            return "key_revoked"
        if self.not_after is not None and now >= self.not_after:
            return "key_expired"
        if now < self.not_before:
            return "key_not_yet_valid"
        return None

    def _moments(self) -> tuple[datetime | None, ...]:
        return self.not_before, self.not_after, self.revoked_at


class Keyring:
    """A snapshot: registered keys by `kid`, and the active parties with their kind (`court`, `civil_affairs`, …)."""

    __slots__ = ("_active", "_keys", "_of_party", "_verifiers")

    def __init__(self, keys: Iterable[PublicKey], active_parties: Mapping[str, str]) -> None:
        """Loads every key once. Raises `ConfigError` for a key that is none, `MissingExtra` for SM2 alone."""
        self._keys = MappingProxyType({key.kid: key for key in keys})
        self._active = MappingProxyType(dict(active_parties))
        self._verifiers: Mapping[str, Verifier] = MappingProxyType(
            {key.kid: verifier for key in self._keys.values() if (verifier := _load(key)) and key.use == SIGNING}
        )
        of_party: dict[str, tuple[PublicKey, ...]] = {}
        for key in self._keys.values():
            of_party[key.party_id] = (*of_party.get(key.party_id, ()), key)
        self._of_party = MappingProxyType(of_party)

    def find(self, kid: str) -> PublicKey | None:
        return self._keys.get(kid)

    def keys_of(self, party_id: str) -> tuple[PublicKey, ...]:
        return self._of_party.get(party_id, ())

    def encryption_key_of(self, party_id: str, now: datetime) -> PublicKey | None:
        """The key to encrypt to for a party: of those that count at `now` the one that began last; None for none."""
        return newest_encryption_key(self.keys_of(party_id), now)

    def kind_of(self, party_id: str) -> str | None:
        """The kind of an active party; None for a suspended or unknown one."""
        return self._active.get(party_id)

    def signature_is_of(self, kid: str, signature: bytes, message: bytes) -> bool:
        """Whether the registered signing key `kid` made this signature."""
        verifier = self._verifiers.get(kid)
        return verifier is not None and verifier.verify(signature, message)


def newest_encryption_key(keys: Iterable[PublicKey], now: datetime) -> PublicKey | None:
    """Of a party's keys the one to encrypt to."""
    usable = (key for key in keys if isinstance(key.alg, KeyAgreement) and key.lapse_at(now) is None)
    return max(usable, key=lambda key: (key.not_before, key.kid), default=None)


def algorithm_named(name: str) -> Algorithm | KeyAgreement:
    """What a registered key's `alg` says. ValueError for a name nobody uses here."""
    return KeyAgreement(name) if name in set(KeyAgreement) else Algorithm(name)


def _load(key: PublicKey) -> Verifier | None:
    try:
        return _check(key.alg, key.jwk)
    except ConfigError as error:
        raise ConfigError(error.note, ids={"kid": key.kid, "party_id": key.party_id}) from error


def _check(alg: Algorithm | KeyAgreement, jwk: dict[str, str]) -> Verifier | None:
    """The verifier of a signing key, None of a good encryption key. Raises `ConfigError`."""
    if isinstance(alg, Algorithm):
        return algorithms.load_verifier(alg, jwk)
    algorithms.load_agreement_key(jwk)
    return None


@dataclass(frozen=True, kw_only=True, slots=True)
class SigningKey:
    """A party's own key, loaded once."""

    kid: str
    alg: Algorithm
    party_id: str
    private: PrivateKey = field(repr=False, compare=False)

    @classmethod
    def generate(cls, alg: Algorithm, party_id: str) -> Self:
        return cls._of(alg, algorithms.generate(alg), party_id)

    @classmethod
    def load_pem(cls, pem: bytes, party_id: str, password: bytes | None = None) -> Self:
        """From PKCS#8 PEM; the algorithm is the key's own. Raises `ConfigError`, `MissingExtra`."""
        alg, private = algorithms.load_pem(pem, password)
        return cls._of(alg, private, party_id)

    @classmethod
    def _of(cls, alg: Algorithm, private: PrivateKey, party_id: str) -> Self:
        return cls(kid=algorithms.thumbprint(private.public_jwk()), alg=alg, party_id=party_id, private=private)

    def to_pem(self) -> bytes:
        """Unencrypted PKCS#8; who may read the file is the caller's business."""
        return algorithms.pem_of(self.private)

    def public_jwk(self) -> dict[str, str]:
        return self.private.public_jwk()

    def public_key(self, *, not_before: datetime, not_after: datetime | None = None) -> PublicKey:
        """The public half as it is registered."""
        return PublicKey(
            kid=self.kid,
            party_id=self.party_id,
            alg=self.alg,
            jwk=self.public_jwk(),
            not_before=not_before,
            not_after=not_after,
        )

    def sign(self, message: bytes) -> bytes:
        """The raw signature (64 bytes for every algorithm here)."""
        return self.private.sign(message)
