"""理想签名 Signatures that nobody can forge and that cost nothing, for simulations: a hash only this module makes.

What a signature proves is the same as with Ed25519 (this key's owner signed these bytes, nothing else), and that is all
the flows ask; the processes of the other sweeps use real keys. Forgers in a simulation do not know how it is made.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha512

from gateway.envelope.algorithms import PrivateKey
from gateway.envelope.keyring import Keyring, PublicKey, SigningKey


@dataclass(frozen=True, slots=True)
class IdealPrivateKey:
    """Signs as the real key's owner would."""

    kid: str
    real: PrivateKey

    def sign(self, message: bytes) -> bytes:
        """64 bytes, as every algorithm has."""
        return _signature(self.kid, message)

    def public_jwk(self) -> dict[str, str]:
        """The real key's."""
        return self.real.public_jwk()

    def to_der(self) -> bytes:
        """The real key's."""
        return self.real.to_der()


class IdealKeyring(Keyring):
    """Knows an ideal signature when it sees one."""

    def __init__(self, keys: Iterable[PublicKey], active_parties: Mapping[str, str]) -> None:
        super().__init__(keys, active_parties)

    def signature_is_of(self, kid: str, signature: bytes, message: bytes) -> bool:
        """Whether the registered key's owner made it."""
        return self.find(kid) is not None and signature == _signature(kid, message)


def ideal(key: SigningKey) -> SigningKey:
    """The same key with ideal signatures."""
    return replace(key, private=IdealPrivateKey(key.kid, key.private))


def _signature(kid: str, message: bytes) -> bytes:
    return sha512(kid.encode() + b"\n" + message).digest()
