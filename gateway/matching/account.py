"""账户键 Keyed keys of bank accounts: one account for several people is seen without any account being kept (P06)."""

from gateway.matching.keyed import keyed

KEY_DIGITS = 32


def account_key(number: str, *, secret: bytes) -> str | None:
    """The key of one account number (hex); None where there are no digits. Blanks and hyphens say nothing."""
    plain = "".join(character for character in number.upper() if character.isalnum())
    if not plain:
        return None
    return keyed(secret, f"account:{plain}", KEY_DIGITS)
