"""比对键 Keyed blocking keys: two records are compared only where they share one, so a check costs the same however
many people are known.

A key is 128 bits of HMAC-SHA-256 under the matching secret over a kind and some folded traits: the database alone
cannot be searched for a person.
"""

from collections.abc import Iterator
from enum import StrEnum

from gateway.matching.keyed import keyed
from gateway.matching.record import PersonRecord

BLOCK_DIGITS = 32


class BlockKind(StrEnum):
    """What two records of one block have in common."""

    NUMBER = "id"
    RELATIVES_NUMBER = "rel"
    NAME_YEAR = "ny"
    NAME_DAY = "nd"
    BIRTH_FIRST = "bf"
    BIRTH_LAST = "bl"
    NAME_REGION = "nr"
    PHONE = "ph"


BlockingKeys = tuple[tuple[str, str], ...]
"""(kind, key) each."""


def stored_keys(record: PersonRecord, secret: bytes) -> BlockingKeys:
    """The keys a record is found by."""
    return tuple((kind, _key(secret, kind, text)) for kind, text in stored_blocks(record))


def probing_keys(record: PersonRecord, secret: bytes) -> BlockingKeys:
    """The keys a record looks for: its own, whoever names its number as a relative's, and whoever goes by the number
    of one of its relatives."""
    return tuple((kind, _key(secret, kind, text)) for kind, text in probing_blocks(record))


def stored_blocks(record: PersonRecord) -> Iterator[tuple[str, str]]:
    """The blocks a record lies in, unkeyed."""
    for number in _numbers(record):
        yield BlockKind.NUMBER, number
    for number in dict.fromkeys(number for number, _ in record.relatives if number):
        yield BlockKind.RELATIVES_NUMBER, number
    yield from common_blocks(record)


def probing_blocks(record: PersonRecord) -> Iterator[tuple[str, str]]:
    """The blocks a record asks for, unkeyed."""
    own = _numbers(record)
    for number in dict.fromkeys((*own, *(number for number, _ in record.relatives if number))):
        yield BlockKind.NUMBER, number
    for number in own:
        yield BlockKind.RELATIVES_NUMBER, number
    yield from common_blocks(record)


def common_blocks(record: PersonRecord) -> Iterator[tuple[str, str]]:
    """Blocks of name, birth date, region and telephone. An error in one trait leaves another block whole."""
    name, birth = record.name, record.birth
    ordered = " ".join(sorted(name.split())) if " " in name else name
    if name and birth:
        yield BlockKind.NAME_YEAR, f"{ordered}|{birth[:4]}"
        yield BlockKind.NAME_DAY, f"{ordered}|{birth[5:]}"
        yield BlockKind.BIRTH_FIRST, f"{birth}|{name[0]}"
        yield BlockKind.BIRTH_LAST, f"{birth}|{name[-1]}"
    if name and record.region:
        yield BlockKind.NAME_REGION, f"{ordered}|{record.region}"
    if record.phone:
        yield BlockKind.PHONE, record.phone


def _numbers(record: PersonRecord) -> tuple[str, ...]:
    """Its own number and the one its certificate holds. Kinds are not told apart: a number without its kind is still
    worth a look."""
    found = [number for number in (record.number, record.certificate) if number]
    return tuple(dict.fromkeys(found))


def _key(secret: bytes, kind: str, text: str) -> str:
    return keyed(secret, f"{kind}:{text}", BLOCK_DIGITS)
