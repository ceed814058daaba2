"""证据包封装 From what was collected of one referral to the sealed zip: members, pages, manifest, seal.

The pages are rendered from the members as they will be read, never from anything else, so a verifier can make them
again. Whether the evidence is complete is the collector's part; whether it holds is the verifier's.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import sha256
from typing import Any

from gateway.envelope import strict_json
from gateway.envelope.keyring import PublicKey, SigningKey
from gateway.envelope.signing import sign
from gateway.evidence import bundle
from gateway.evidence.contents import OldHead, Participant, fingerprint, read_contents
from gateway.evidence.summary import EDITION, render_page, render_plain
from schemas.bundle import FORMAT, VERSION
from schemas.fields import format_moment

SEAL_TYP = "xianjie-bundle+jws"


@dataclass(frozen=True, kw_only=True)
class Collected:
    """Everything the store knows of one referral that is evidence. Rows are as `schemas.bundle` has them; messages and
    receipts are compact JWS in the order of the log."""

    referral_id: str
    gateway: str
    origin: str
    epoch: int
    tree_size: int
    made_at: datetime
    decision_id: str
    who: str
    why: str
    erased_at: datetime | None = None
    messages: Sequence[bytes] = ()
    receipts: Sequence[bytes] = ()
    decisions: Sequence[Mapping[str, Any]] = ()
    attempts: Sequence[Mapping[str, Any]] = ()
    needs: Sequence[Mapping[str, Any]] = ()
    replies: Sequence[Mapping[str, Any]] = ()
    rungs: Sequence[Mapping[str, Any]] = ()
    leaves: Sequence[tuple[int, str]] = ()
    inclusion: Mapping[int, Sequence[bytes]] = field(default_factory=dict)
    consistency: Sequence[OldHead] = ()
    checkpoint: str
    keys: Sequence[PublicKey] = ()
    vkey: str
    witnesses: Sequence[str] = ()
    participants: Sequence[Participant] = ()
    judgements: Sequence[Mapping[str, Any]] = ()
    """Findings that can be computed again; none in a bundle for a court."""


def pack(collected: Collected, key: SigningKey) -> bytes:
    """The bundle. Raises EvidenceTooLarge, and BundleBroken for rows that have not their shape."""
    files = members_of(collected)
    manifest = manifest_of(collected, files)
    drafted = {**files, bundle.MANIFEST: _json(manifest)}
    contents = read_contents(drafted)
    files |= {bundle.PAGE: render_page(contents), bundle.PLAIN: render_plain(contents)}
    return sealed(files, manifest, key)


def members_of(collected: Collected) -> dict[str, bytes]:
    """The evidence: every member but the pages, the manifest and its seal."""
    files = {bundle.message_name(number): jws for number, jws in enumerate(collected.messages, start=1)}
    files |= {bundle.receipt_name(number): jws for number, jws in enumerate(collected.receipts, start=1)}
    files[bundle.DECISIONS] = _json({"decisions": list(collected.decisions)})
    files[bundle.ATTEMPTS] = _json({"attempts": _rows(collected.attempts)})
    told = {"needs": collected.needs, "replies": collected.replies, "rungs": collected.rungs}
    if collected.judgements:
        told["judgements"] = collected.judgements
    files[bundle.READINGS] = _json({name: _rows(rows) for name, rows in told.items()})
    files[bundle.KEYS] = _json(_keys(collected))
    participants = [
        {"party_id": one.party_id, "kind": one.kind, "name_zh": one.name_zh, "region": one.region}
        for one in collected.participants
    ]
    files[bundle.PARTICIPANTS] = _json({"participants": participants})
    files[bundle.ENTRIES] = _json({"entries": [{"index": index, "entry": text} for index, text in collected.leaves]})
    files[bundle.PROOFS] = _json(_proofs(collected))
    files[bundle.CHECKPOINT] = collected.checkpoint.encode()
    return files


def manifest_of(collected: Collected, files: Mapping[str, bytes]) -> dict[str, Any]:
    """The manifest without its list of files."""
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "referral_id": collected.referral_id,
        "gateway": collected.gateway,
        "origin": collected.origin,
        "epoch": collected.epoch,
        "tree_size": collected.tree_size,
        "made_at": format_moment(collected.made_at),
        "export": {"decision_id": collected.decision_id, "who": collected.who, "why": collected.why},
        "page": EDITION,
        "fingerprint": fingerprint(files),
        "files": [],
    }
    if collected.erased_at is not None:
        manifest["erased_at"] = format_moment(collected.erased_at)
    return manifest


def sealed(files: Mapping[str, bytes], manifest: Mapping[str, Any], key: SigningKey) -> bytes:
    """The zip: the manifest lists these files, the gateway's key signs the manifest."""
    listed = [
        {"name": name, "sha256": sha256(content).hexdigest(), "size": len(content)}
        for name, content in sorted(files.items())
    ]
    raw = _json({**manifest, "files": listed})
    seal = sign(strict_json.dumps({"manifest_sha256": sha256(raw).hexdigest()}), key, SEAL_TYP)
    return bundle.write_bundle({**files, bundle.MANIFEST: raw, bundle.SEAL: seal.encode()})


def _keys(collected: Collected) -> dict[str, Any]:
    keys = [
        _present(
            {
                "kid": key.kid,
                "party": key.party_id,
                "use": key.use,
                "jwk": key.jwk,
                "not_before": key.not_before,
                "not_after": key.not_after,
                "revoked_at": key.revoked_at,
            }
        )
        for key in collected.keys
    ]
    return {"keys": keys, "log": {"vkey": collected.vkey, "witnesses": list(collected.witnesses)}}


def _proofs(collected: Collected) -> dict[str, Any]:
    return {
        "tree_size": collected.tree_size,
        "inclusion": [
            {"index": index, "proof": _hashes(proof)} for index, proof in sorted(collected.inclusion.items())
        ],
        "consistency": [
            {"size": head.size, "root": head.root.hex(), "proof": _hashes(head.proof)} for head in collected.consistency
        ],
    }


def _hashes(proof: Sequence[bytes]) -> list[str]:
    return [b64encode(hash_).decode("ascii") for hash_ in proof]


def _rows(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [_present(row) for row in rows]


def _present(row: Mapping[str, Any]) -> dict[str, Any]:
    """What is there, in JSON's own types."""
    return {name: _plain(value) for name, value in row.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return format_moment(value)
    return value.isoformat() if isinstance(value, date) else value


def _json(value: Any) -> bytes:
    return strict_json.dumps(value) + b"\n"
