"""交换主体名录 Parties, keys, offices and agreements: rows an administrator changes, and the snapshot others read.

A `Snapshot` is immutable and at most `FRESH` old, so that a revoked key or a paused office takes effect everywhere
within seconds without a query per message. Keys are never deleted, only ended or revoked; agreements are never changed,
only followed by a higher version. Every change is a leaf of the log: a key that was slipped in has none.
"""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.agreement import AgreementProfile, Channel, Office, Party, PartyKind
from gateway.domain.agreement_file import read_agreement
from gateway.domain.holiday_notice import HolidayNotice, read_notice
from gateway.domain.programmes import Programme
from gateway.envelope.keyring import Keyring, PublicKey
from gateway.errors import ConfigError
from gateway.store import directory_leaves as leaves
from gateway.store import mailbox
from gateway.store import tables as t
from gateway.store.clock import to_ms
from gateway.store.engine import Store
from gateway.store.party_keys import read_key

FRESH = timedelta(seconds=2)


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What the directory said at one moment."""

    keyring: Keyring
    keys: tuple[PublicKey, ...]
    parties: Mapping[str, Party]
    offices: Mapping[str, Office]
    agreements: Mapping[int, AgreementProfile]
    """By row; every version ever loaded."""
    latest: Mapping[str, int]
    """Document → row of its highest version."""
    notices: tuple[HolidayNotice, ...] = ()
    """Holiday notices an administrator loaded, in that order."""

    def agreement_for(self, document: str) -> tuple[int, AgreementProfile] | None:
        """Row and profile of the document's highest version."""
        row = self.latest.get(document)
        return None if row is None else (row, self.agreements[row])

    def office_of(self, party_id: str) -> tuple[Office, ...]:
        """The offices a party answers for."""
        return tuple(office for office in self.offices.values() if office.party_id == party_id)


class Directory:
    """Snapshots of the directory's rows, reloaded when older than `FRESH` or when told."""

    def __init__(self, store: Store, programmes: Mapping[str, Programme]) -> None:
        self._store, self._programmes = store, programmes
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._read_at: datetime | None = None
        self._fingerprint = ""

    def at(self, now: datetime) -> Snapshot:
        """The snapshot to use at `now`."""
        snapshot = self._snapshot
        if snapshot is not None and self._is_fresh(now):
            return snapshot
        with self._lock:
            if self._snapshot is None or not self._is_fresh(now):
                self._reload()
                self._read_at = now
            assert self._snapshot is not None  # noqa: S101 - for the type checker
            return self._snapshot

    def forget(self) -> None:
        """The next `at` reads the rows again."""
        with self._lock:
            self._read_at = None

    def notices(self) -> tuple[HolidayNotice, ...]:
        """The holiday notices as of the newest snapshot; the first asks for one."""
        with self._lock:
            if self._snapshot is None or self._read_at is None:
                self._reload()
            assert self._snapshot is not None  # noqa: S101 - for the type checker
            return self._snapshot.notices

    def _is_fresh(self, now: datetime) -> bool:
        """Whether the rows were read about now: a clock that was set back keeps no old snapshot alive."""
        read_at = self._read_at
        return read_at is not None and abs(now - read_at) < FRESH

    def has_key(self, kid: str) -> bool:
        """Whether the key is registered by now, whatever the snapshot says."""
        with self._store.reading() as connection:
            return (
                connection.execute(sa.select(t.party_keys.c.kid).where(t.party_keys.c.kid == kid)).first() is not None
            )

    def _reload(self) -> None:
        with self._store.reading() as connection:
            rows = {
                table.name: [tuple(row) for row in connection.execute(sa.select(table).order_by(table.c[0]))]
                for table in (t.parties, t.party_keys, t.offices, t.agreements, t.holiday_notices)
            }
        fingerprint = sha256(repr(rows).encode()).hexdigest()
        if fingerprint != self._fingerprint:
            # loading keys costs far more than reading rows; unchanged rows keep the loaded snapshot
            self._snapshot, self._fingerprint = self._build(rows), fingerprint

    def _build(self, rows: dict[str, list[tuple[Any, ...]]]) -> Snapshot:
        named = {
            name: [dict(zip(t.metadata.tables[name].c.keys(), row, strict=True)) for row in found]
            for name, found in rows.items()
        }
        parties = {row["party_id"]: _party(row) for row in named["parties"]}
        keys = tuple(read_key(row) for row in named["party_keys"])
        agreements = {row["row"]: read_agreement(row["body"], self._programmes) for row in named["agreements"]}
        latest: dict[str, int] = {}
        for row, profile in agreements.items():
            best = latest.get(profile.document)
            if best is None or agreements[best].version < profile.version:
                latest[profile.document] = row
        return Snapshot(
            keyring=Keyring(keys, {party.party_id: party.kind.value for party in parties.values() if party.active}),
            keys=keys,
            parties=parties,
            offices={row["office_id"]: _office(row) for row in named["offices"]},
            agreements=agreements,
            latest=latest,
            notices=tuple(read_notice(row["body"]) for row in named["holiday_notices"]),
        )


def add_party(connection: Connection, party: Party, *, now: datetime) -> None:
    """Registers a party; the same party again changes nothing, another party under that id is a ConfigError."""
    found = connection.execute(sa.select(t.parties).where(t.parties.c.party_id == party.party_id)).mappings().first()
    if found is not None:
        if _party(dict(found)) != party:
            raise ConfigError(f"party {party.party_id} is registered already with other particulars")
        return
    row = {
        "party_id": party.party_id,
        "kind": party.kind.value,
        "name_zh": party.name_zh,
        "region": party.region,
        "active": party.active,
        "created_at": to_ms(now),
    }
    connection.execute(t.parties.insert().values(**row))
    leaves.put(connection, party.party_id, leaves.PARTY_ADDED, leaves.of_party(row), now=now)
    if not party.active:
        leaves.put(connection, party.party_id, leaves.PARTY_SUSPENDED, leaves.of_nothing(party.party_id), now=now)


def set_party_active(connection: Connection, party_id: str, *, active: bool, now: datetime) -> None:
    """Suspends or resumes a party: none of its keys is believed while suspended."""
    changed = connection.execute(t.parties.update().where(t.parties.c.party_id == party_id).values(active=active))
    if changed.rowcount == 0:
        raise ConfigError(f"no party {party_id}")
    what = leaves.PARTY_RESUMED if active else leaves.PARTY_SUSPENDED
    leaves.put(connection, party_id, what, leaves.of_nothing(party_id), now=now)


def add_key(connection: Connection, key: PublicKey, *, now: datetime) -> None:
    """Registers a party's public key; the same key again changes nothing."""
    party = connection.execute(sa.select(t.parties.c.kind).where(t.parties.c.party_id == key.party_id)).first()
    if party is None:
        raise ConfigError(f"no party {key.party_id}; add it first with `xianjie party add`")
    found = connection.execute(sa.select(t.party_keys.c.party_id).where(t.party_keys.c.kid == key.kid)).first()
    if found is not None:
        if found[0] != key.party_id:
            raise ConfigError(f"key {key.kid} belongs to another party; every party needs a key of its own")
        return
    row = {
        "kid": key.kid,
        "party_id": key.party_id,
        "alg": key.alg.value,
        "use": key.use,
        "jwk": json.dumps(key.jwk, sort_keys=True),
        "not_before": to_ms(key.not_before),
        "not_after": to_ms(key.not_after),
        "revoked_at": to_ms(key.revoked_at),
        "created_at": to_ms(now),
    }
    connection.execute(t.party_keys.insert().values(**row))
    leaves.put(connection, key.kid, leaves.KEY_REGISTERED, leaves.of_key(row), now=now)
    for what, at in ((leaves.KEY_ENDED, key.not_after), (leaves.KEY_REVOKED, key.revoked_at)):
        if at is not None:
            leaves.put(connection, key.kid, what, leaves.of_moment(key.kid, to_ms(at)), now=now)


def end_key(
    connection: Connection, kid: str, *, at: datetime, now: datetime, revoked_because: str | None = None
) -> None:
    """Ends a key's validity at `at` (rotation), or revokes it from `at` on with a reason."""
    c = t.party_keys.c
    found = connection.execute(sa.select(c.revoked_at).where(c.kid == kid).with_for_update()).first()
    if found is None:
        raise ConfigError(f"no key {kid}")
    values: dict[str, Any] = {"not_after": to_ms(at)}
    if revoked_because is not None:
        if found.revoked_at is not None and found.revoked_at <= to_ms(at):
            return  # a second revocation never makes the first one later
        values = {"revoked_at": to_ms(at), "revoked_reason": revoked_because[:200]}
    connection.execute(t.party_keys.update().where(c.kid == kid).values(**values))
    what = leaves.KEY_ENDED if revoked_because is None else leaves.KEY_REVOKED
    leaves.put(connection, kid, what, leaves.of_moment(kid, to_ms(at)), now=now)


def put_office(connection: Connection, office: Office, *, now: datetime) -> None:
    """Adds an office or changes its particulars (channel, url, batch, paused). One office an agency and region."""
    clash = connection.execute(
        sa.select(t.offices.c.office_id).where(
            t.offices.c.agency == office.agency,
            t.offices.c.region == office.region,
            t.offices.c.office_id != office.office_id,
        )
    ).first()
    if clash is not None:
        raise ConfigError(f"{clash[0]} serves {office.agency} in {office.region} already")
    if office.channel is Channel.PUSH and not office.url:
        raise ConfigError(f"{office.office_id}: a push office needs a url")
    values = {
        "party_id": office.party_id,
        "agency": office.agency,
        "region": office.region,
        "channel": office.channel.value,
        "name_zh": office.name_zh,
        "url": office.url,
        "batch": office.batch,
        "paused": office.paused,
    }
    changed = connection.execute(t.offices.update().where(t.offices.c.office_id == office.office_id).values(**values))
    mailbox.follow_channel(connection, office)
    if changed.rowcount == 0:
        connection.execute(t.offices.insert().values(office_id=office.office_id, failures=0, **values))
    particulars = leaves.of_office({"office_id": office.office_id, **values})
    leaves.put(connection, office.office_id, leaves.OFFICE_CHANGED, particulars, now=now)
    if office.paused:
        leaves.put(connection, office.office_id, leaves.OFFICE_PAUSED, leaves.of_nothing(office.office_id), now=now)


def set_paused(connection: Connection, office_id: str, *, paused: bool, now: datetime) -> None:
    """Pauses or resumes an office's lane; resuming also closes its breaker."""
    values: dict[str, Any] = {"paused": paused}
    if not paused:
        values |= {"failures": 0, "blocked_until": None}
    changed = connection.execute(t.offices.update().where(t.offices.c.office_id == office_id).values(**values))
    if changed.rowcount == 0:
        raise ConfigError(f"no office {office_id}")
    what = leaves.OFFICE_PAUSED if paused else leaves.OFFICE_RESUMED
    leaves.put(connection, office_id, what, leaves.of_nothing(office_id), now=now)


def load_agreement(
    connection: Connection,
    text: str,
    *,
    programmes: Mapping[str, Programme],
    now: datetime,
    production: bool = False,
) -> AgreementProfile:
    """Loads a profile's file. The same text again changes nothing; other text needs a higher version.

    production: a profile that admits invented people is refused.
    """
    profile = read_agreement(text, programmes)
    if production and profile.allow_synthetic:
        raise ConfigError("agreement: `allow_synthetic` is for demonstrations only ([gateway] demo = true)")
    body_digest = sha256(text.encode()).hexdigest()
    rows = connection.execute(
        sa.select(t.agreements.c.version, t.agreements.c.sha256).where(t.agreements.c.document == profile.document)
    ).all()
    if any(row.sha256 == body_digest for row in rows):
        return profile
    highest = max((row.version for row in rows), default=0)
    if profile.version <= highest:
        raise ConfigError(f"agreement version {highest} is loaded already; raise `version` to {highest + 1}")
    connection.execute(
        t.agreements.insert().values(
            document=profile.document,
            version=profile.version,
            body=text,
            sha256=body_digest,
            loaded_at=to_ms(now),
        )
    )
    leaves.put(connection, leaves.agreement_ref(body_digest), leaves.AGREEMENT_LOADED, body_digest, now=now)
    return profile


def _party(row: Mapping[str, Any]) -> Party:
    return Party(
        party_id=str(row["party_id"]),
        kind=PartyKind(str(row["kind"])),
        name_zh=str(row["name_zh"]),
        region=str(row["region"]),
        active=bool(row["active"]),
    )


def _office(row: Mapping[str, Any]) -> Office:
    return Office(
        office_id=str(row["office_id"]),
        party_id=str(row["party_id"]),
        agency=str(row["agency"]),
        region=str(row["region"]),
        channel=Channel(str(row["channel"])),
        name_zh=str(row["name_zh"]),
        url=None if row["url"] is None else str(row["url"]),
        batch=int(str(row["batch"])),
        paused=bool(row["paused"]),
    )
