"""身份键 Keyed identity keys: the exact tier of matching (是否同一人), over normalised identity numbers.

An identity key is HMAC-SHA-256 under a secret kept outside the database, so the database alone cannot be searched for a
person (an id number has little entropy: a plain hash would be a list of names). Rule P06: keys are made only where the
agreement authorises matching. Names are not compared here; a key says "same number", never "same person" beyond doubt.
"""

from gateway.domain.identifiers import IdType, check_identity
from gateway.domain.regions import Regions
from gateway.matching.keyed import keyed, layers


def identity_key(id_type: str, number: str | None, *, secret: bytes, regions: Regions) -> str | None:
    """The key of one identity number (hex), or None when there is no number that can be compared.

    15-digit resident ids are compared as their 18-digit form, full-width digits and a small x as their plain ones.
    """
    layers(secret)
    if not number:
        return None
    try:
        verdict = check_identity(IdType(id_type), number, regions=regions, allow_synthetic=True)
    except ValueError:
        return None
    if not verdict.is_acceptable:
        return None
    return keyed(secret, f"{id_type}:{verdict.normal}")


def echo_key(handoff_id: str, number: str, *, secret: bytes) -> str:
    """Ties an identity number to one handoff only, so that an agency's echo can be compared without any register of
    persons: the same number in two handoffs gives two different keys."""
    plain = number.strip().upper()
    return keyed(secret, f"echo:{handoff_id}:{plain}")
