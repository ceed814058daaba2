"""键 The one way a text becomes a key: HMAC-SHA-256 under the matching secret, layer upon layer.

A secret is one line, or several: each line is a layer, and a key is made under the first, then that key under the
second, and so on. So keys on file are brought under a new layer without the texts they were made from, which may be
gone; and whoever learned an earlier layer alone cannot search the database. The first layers are kept for good.
"""

from functools import lru_cache
from hmac import digest

NAME_BYTES = 4
KEY_DIGITS = 64
LAYER = b"\n"
MIN_SECRET = 32
"""Bytes of each layer."""


def keyed(secret: bytes, text: str, digits: int = KEY_DIGITS) -> str:
    """The key of a text, so many hexadecimal digits of it. ValueError for a secret with a layer that is too short."""
    for layer in layers(secret):
        text = digest(layer, text.encode(), "sha256").hex()[:digits]
    return text


def relayered(key: str, layer: bytes) -> str:
    """A key on file under one layer more."""
    return digest(layer, key.encode(), "sha256").hex()[: len(key)]


@lru_cache(maxsize=8)
def layers(secret: bytes) -> tuple[bytes, ...]:
    """The lines of a secret."""
    found = tuple(secret.split(LAYER))
    if any(len(layer) < MIN_SECRET for layer in found):
        raise ValueError("the matching secret needs at least 32 bytes")
    return found


def secret_name(secret: bytes) -> str:
    """Eight hexadecimal digits by which a matching secret is told from others."""
    return digest(secret, b"xianjie matching secret", "sha256")[:NAME_BYTES].hex()
