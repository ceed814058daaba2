"""参与方名录 The signed registry of who exchanges here, for everybody: parties, their public keys, offices.

Rules: signed by the gateway's key as a type of its own, so it cannot pass for a message; `version` is the SHA-256 of
the canonical JSON of everything but itself and `at`, so two copies can be compared; nothing of it depends on the moment
it is asked, so it is made and signed once for each state of the directory. Left out: addresses of servers, names,
reasons of revocations, agreements.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from gateway.domain.agreement import Office, Party
from gateway.envelope import strict_json
from gateway.envelope.keyring import PublicKey
from gateway.envelope.signing import PARTICIPANTS_TYP, sign
from gateway.evidence.entry import canonical
from gateway.flows.context import Context
from gateway.store import log
from gateway.store.directory import Snapshot
from schemas.fields import format_moment


@dataclass(frozen=True, kw_only=True, slots=True)
class Participants:
    """One state of the registry: the compact JWS, and the digest of what it says."""

    jws: str
    version: str


def registry(context: Context) -> Callable[[datetime], Participants]:
    """The registry at a moment; the same bytes until the directory changes. Asking raises InRecovery: an older
    directory would bring back keys that were revoked."""
    last: list[tuple[Snapshot, Participants]] = []

    def at(now: datetime) -> Participants:
        with context.store.reading() as connection:
            log.require_signing(connection)
        snapshot = context.snapshot(now)
        if not last or last[0][0] is not snapshot:
            last[:] = [(snapshot, issue(context, snapshot, now=now))]
        return last[0][1]

    return at


def issue(context: Context, snapshot: Snapshot, *, now: datetime) -> Participants:
    """Signs what the directory says."""
    said = {
        "gateway": context.party_id,
        "parties": [_party(party, snapshot) for _, party in sorted(snapshot.parties.items())],
        "offices": [_office(office) for _, office in sorted(snapshot.offices.items())],
    }
    version = version_of(said)
    payload = strict_json.dumps({**said, "version": version, "at": format_moment(now)})
    return Participants(jws=sign(payload, context.key, PARTICIPANTS_TYP), version=version)


def version_of(said: dict[str, Any]) -> str:
    """The digest of a registry's content, whatever stands beside it."""
    content = {name: said[name] for name in ("gateway", "parties", "offices")}
    return sha256(canonical(content)).hexdigest()


def _party(party: Party, snapshot: Snapshot) -> dict[str, Any]:
    keys = sorted(snapshot.keyring.keys_of(party.party_id), key=lambda key: (key.not_before, key.kid))
    return {
        "id": party.party_id,
        "kind": party.kind.value,
        "region": party.region,
        "active": party.active,
        "keys": [_key(key) for key in keys],
    }


def _key(key: PublicKey) -> dict[str, Any]:
    moments = {"not_before": key.not_before, "not_after": key.not_after, "revoked_at": key.revoked_at}
    return {
        "kid": key.kid,
        "use": key.use,
        "alg": key.alg.value,
        "jwk": key.jwk,
        **{name: format_moment(moment) for name, moment in moments.items() if moment is not None},
    }


def _office(office: Office) -> dict[str, str]:
    return {
        "id": office.office_id,
        "party": office.party_id,
        "agency": office.agency,
        "region": office.region,
        "channel": office.channel.value,
    }
