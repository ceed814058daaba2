"""数据密钥 People's data at rest: each case has a data key of its own, wrapped under the installation's key.

Rules: AES-256-GCM with a fresh random nonce each time; what a text is bound to (case, column, row) is authenticated
with it, so a row moved elsewhere does not open; erasing a case deletes its one wrapped key and nothing else, so digests
and log entries stay. Whether a case is erased is asked of the database at every use; only the unwrapping is remembered.
The installation's key never enters the database, and no text or key enters a log line or an error.
"""

import os
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from hmac import new as hmac
from typing import Self

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection

from gateway.envelope import strict_json
from gateway.errors import CaseErased, ConfigError, SealBroken
from gateway.store import tables as t
from gateway.store.clock import to_ms
from gateway.store.prepared import among, ids

KEY_BYTES = 32
NONCE_BYTES = 12
NAME_BYTES = 4
SEALED, WRAPPED = "xjv1:", "xjk1:"
OPTION = "xianjie_vault"
"""The execution option by which every connection of a store knows its vault."""
CACHED = 4096
CASE_ERASED = "case_erased"
"""What the decision is called by which a case's key was deleted."""


class Vault:
    """保险库 The installation's key, and with it the data keys of cases. Safe for threads."""

    def __init__(self, master: bytes, former: Iterable[bytes] = ()) -> None:
        """master: wraps what is new; former: earlier ones, which still unwrap. 32 bytes each, else ConfigError."""
        masters = [master, *former]
        if any(len(one) != KEY_BYTES for one in masters):
            raise ConfigError(f"a data key is {KEY_BYTES} bytes in base64")
        self._masters = {_name_of(one): AESGCM(one) for one in masters}
        self._current = _name_of(master)
        self._cipher = lru_cache(maxsize=CACHED)(self._unwrap)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Base64, one key a line: the present one first, then those that still unwrap. Raises ConfigError."""
        try:
            found = [b64decode(line, validate=True) for line in text.split()]
        except (Error, ValueError) as error:
            raise ConfigError("the data key is not base64") from error
        if not found:
            raise ConfigError("the data key is empty")
        return cls(found[0], found[1:])

    def new_case_key(self, case_id: str) -> str:
        """A fresh data key for a case, wrapped."""
        return self._wrap(os.urandom(KEY_BYTES), case_id)

    def rewrap(self, wrapped: str, case_id: str) -> str:
        """The same data key under the present master key. Raises as `open` does."""
        return self._wrap(self._data_key(wrapped, case_id), case_id)

    def is_current(self, wrapped: str) -> bool:
        """Whether the present master key wraps it."""
        return _unpack(wrapped, WRAPPED)[:NAME_BYTES] == self._current

    def seal(self, wrapped: str, case_id: str, field: str, text: str) -> str:
        """The text as it is stored. field: the column and what identifies its row."""
        nonce = os.urandom(NONCE_BYTES)
        box = self._cipher(wrapped, case_id).encrypt(nonce, text.encode(), _bound(SEALED, case_id, field))
        return SEALED + b64encode(nonce + box).decode("ascii")

    def open(self, wrapped: str, case_id: str, field: str, sealed: str) -> str:
        """The text again. Raises SealBroken for one that was changed or stood elsewhere, ConfigError where another
        installation's key wrapped the case's."""
        raw = _unpack(sealed, SEALED)
        cipher = self._cipher(wrapped, case_id)
        try:
            return cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], _bound(SEALED, case_id, field)).decode()
        except (InvalidTag, ValueError) as error:
            raise SealBroken(field.partition(":")[0], ids={"referral_id": case_id}) from error

    def forget(self) -> None:
        """Drops every unwrapped key from this process's memory."""
        self._cipher.cache_clear()

    def _wrap(self, data_key: bytes, case_id: str) -> str:
        nonce = os.urandom(NONCE_BYTES)
        box = self._masters[self._current].encrypt(nonce, data_key, _bound(WRAPPED, case_id, ""))
        return WRAPPED + b64encode(self._current + nonce + box).decode("ascii")

    def _unwrap(self, wrapped: str, case_id: str) -> AESGCM:
        return AESGCM(self._data_key(wrapped, case_id))

    def _data_key(self, wrapped: str, case_id: str) -> bytes:
        raw = _unpack(wrapped, WRAPPED)
        name, nonce, box = raw[:NAME_BYTES], raw[NAME_BYTES : NAME_BYTES + NONCE_BYTES], raw[NAME_BYTES + NONCE_BYTES :]
        master = self._masters.get(name)
        if master is None:
            raise ConfigError("the data key is not the one this database was written with")
        try:
            return master.decrypt(nonce, box, _bound(WRAPPED, case_id, ""))
        except (InvalidTag, ValueError) as error:
            raise SealBroken("case_key", ids={"referral_id": case_id}) from error


def _name_of(master: bytes) -> bytes:
    """Tells master keys apart and nothing about them."""
    return hmac(master, b"xianjie data key", sha256).digest()[:NAME_BYTES]


def _bound(prefix: str, case_id: str, field: str) -> bytes:
    return strict_json.dumps([prefix, case_id, field])


def _unpack(text: str, prefix: str) -> bytes:
    if not text.startswith(prefix):
        raise SealBroken("prefix")
    try:
        return b64decode(text[len(prefix) :], validate=True)
    except (Error, ValueError) as error:
        raise SealBroken("base64") from error


class CaseKeys:
    """The data keys of some cases inside one transaction, and what is sealed and opened with them.

    A store without a vault (tests and measurements alone) stores texts as they are.
    """

    def __init__(self, vault: Vault | None, wrapped: Mapping[str, str | None]) -> None:
        self._vault, self._wrapped = vault, wrapped

    @classmethod
    def of(cls, connection: Connection, case_ids: Iterable[str]) -> Self:
        """For reading: keys that exist, and the knowledge which were erased."""
        vault, wanted = of_connection(connection), set(case_ids)
        return cls(vault, _stored(connection, wanted) if vault is not None and wanted else {})

    @classmethod
    def for_writing(cls, connection: Connection, case_ids: Iterable[str], *, now: datetime) -> Self:
        """For writing: a case that has no key yet gets one. Raises CaseErased: nothing is added to an erased case."""
        vault, wanted = of_connection(connection), set(case_ids)
        if vault is None or not wanted:
            return cls(vault, {})
        found = _stored(connection, wanted)
        for case_id, wrapped in found.items():
            if wrapped is None:
                raise CaseErased(ids={"referral_id": case_id})
        fresh: dict[str, str | None] = {case_id: vault.new_case_key(case_id) for case_id in sorted(wanted - set(found))}
        if fresh:
            rows = [
                {"referral_id": key, "wrapped": wrapped, "created_at": to_ms(now)} for key, wrapped in fresh.items()
            ]
            connection.execute(_INSERT, rows)
        return cls(vault, found | fresh)

    def seal(self, case_id: str, field: str, text: str) -> str:
        """The text as it is stored."""
        if self._vault is None:
            return text
        return self._vault.seal(self._key(case_id), case_id, field, text)

    def open(self, case_id: str, field: str, stored: str) -> str:
        """The text again. Raises CaseErased, SealBroken, ConfigError. What an earlier version stored as it was is
        given as it is: its signature proves it, not its seal."""
        if not stored.startswith(SEALED):
            return stored
        if self._vault is None:
            raise ConfigError("this database is sealed; its data key is needed")
        return self._vault.open(self._key(case_id), case_id, field, stored)

    def erased(self, case_id: str) -> bool:
        """Whether the case's key was deleted."""
        return case_id in self._wrapped and self._wrapped[case_id] is None

    def _key(self, case_id: str) -> str:
        wrapped = self._wrapped.get(case_id)
        if wrapped is None:
            raise CaseErased(ids={"referral_id": case_id}) if case_id in self._wrapped else SealBroken("no_key")
        return wrapped


def of_connection(connection: Connection) -> Vault | None:
    """The vault of the store this connection belongs to."""
    vault: Vault | None = connection.get_execution_options().get(OPTION)
    return vault


def case_of(referral_id: str | None, party_id: str) -> str:
    """Whose key a message is sealed with: its case's, or the party's own where it belongs to no case."""
    return f"party:{party_id}" if referral_id is None else referral_id


def _stored(connection: Connection, case_ids: set[str]) -> dict[str, str | None]:
    return {row.referral_id: row.wrapped for row in connection.execute(_WRAPPED, ids(case_ids))}


_C = t.case_keys.c
_WRAPPED = sa.select(_C.referral_id, _C.wrapped).where(among(_C.referral_id))
_INSERT = t.case_keys.insert()


def erase(connection: Connection, referral_id: str, *, now: datetime) -> bool:
    """Deletes a case's data key for ever; whether there was one still."""
    statement = (
        t.case_keys.update()
        .where(_C.referral_id == referral_id, _C.wrapped.is_not(None))
        .values(wrapped=None, erased_at=to_ms(now))
    )
    vault = of_connection(connection)
    if vault is not None:
        vault.forget()
    return connection.execute(statement).rowcount > 0


def erased_among(connection: Connection, case_ids: Iterable[str]) -> dict[str, int]:
    """Those of the cases that were erased, with the moment (UTC milliseconds)."""
    statement = sa.select(_C.referral_id, _C.erased_at).where(among(_C.referral_id), _C.erased_at.is_not(None))
    return {row.referral_id: row.erased_at for row in connection.execute(statement, ids(set(case_ids)))}


def require_key(connection: Connection) -> None:
    """Raises ConfigError where the master key is not the one this database's data keys are wrapped with."""
    vault = of_connection(connection)
    if vault is None:
        raise ConfigError("there is no data key")
    row = connection.execute(sa.select(_C.referral_id, _C.wrapped).where(_C.wrapped.is_not(None)).limit(1)).first()
    if row is not None:
        vault.rewrap(row.wrapped, row.referral_id)


def rewrap(connection: Connection, *, after: str = "", limit: int = 1000) -> tuple[int, str | None]:
    """Wraps one page of data keys under the present master key: how many were changed, and where the next page begins
    (None: that was the last)."""
    vault = of_connection(connection)
    if vault is None:
        raise ConfigError("there is no data key")
    statement = (
        sa.select(_C.referral_id, _C.wrapped)
        .where(_C.referral_id > after, _C.wrapped.is_not(None))
        .order_by(_C.referral_id)
        .limit(limit)
        .with_for_update()
    )
    rows = connection.execute(statement).all()
    changed = [
        {"b_referral_id": row.referral_id, "b_wrapped": vault.rewrap(row.wrapped, row.referral_id)}
        for row in rows
        if not vault.is_current(row.wrapped)
    ]
    if changed:
        connection.execute(_REWRAP, changed)
    return len(changed), rows[-1].referral_id if len(rows) == limit else None


_REWRAP = (
    t.case_keys.update()
    .where(_C.referral_id == sa.bindparam("b_referral_id"), _C.wrapped.is_not(None))
    .values(wrapped=sa.bindparam("b_wrapped"))
)
