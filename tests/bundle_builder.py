"""Builds evidence bundles from fixed keys at fixed times, honest ones and ones with a single thing wrong.

`honest(step={...})` tells the story of one referral step by step; a step's arguments may be changed, and everything
that follows (digests, leaves, tree, proofs, checkpoint, pages, manifest, seal) is made to fit, as an insider with every
key would. `Scene.build` makes the zip; its hooks change what lies behind that.

`python -m tests.bundle_builder --write` writes tests/vectors/*_fail and *_pass from tests/bundle_vectors.py.
"""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.envelope import algorithms, strict_json
from gateway.envelope.keyring import PublicKey, SigningKey
from gateway.envelope.message import Envelope, digest, uuid7
from gateway.envelope.signing import MESSAGE_TYP, RECEIPT_TYP, sign
from gateway.evidence import bundle, entry
from gateway.evidence.checkpoint import Checkpoint, LogKey, cosign, sign_checkpoint, with_cosignature
from gateway.evidence.contents import OldHead, Participant, fingerprint, read_contents
from gateway.evidence.merkle import EMPTY_ROOT, consistency_proof, in_memory, inclusion_proof, leaf_hash, root_at
from gateway.evidence.packing import Collected, manifest_of, members_of, sealed
from gateway.evidence.summary import EDITION, render_page, render_plain
from gateway.evidence.verifier.key_leaves import end_digest, registration_digest
from schemas.fields import format_moment

GATEWAY, COURT, AGENCY = "cn/gateway/520000", "cn/court/520100", "cn/agency/civil_affairs.520102"
REFERRAL = "r-2026-0001"
START = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)
MADE_AT = START + timedelta(days=3)
VECTORS = Path(__file__).parent / "vectors"

Files = dict[str, bytes]


def fixed_key(party_id: str, name: str = "") -> SigningKey:
    """A party's key, the same every time."""
    private = Ed25519PrivateKey.from_private_bytes(sha256(f"vectors {party_id} {name}".encode()).digest())
    return SigningKey.load_pem(algorithms.pem_of(algorithms.Ed25519PrivateKey(private)), party_id)


def fixed_log_key(name: str) -> LogKey:
    """A log's or a witness's key, the same every time."""
    return LogKey(name=name, key=Ed25519PrivateKey.from_private_bytes(sha256(f"log {name}".encode()).digest()))


KEYS = {party_id: fixed_key(party_id) for party_id in (GATEWAY, COURT, AGENCY)}
WITNESS = fixed_log_key("cn/auditor/520000")


def minutes(count: float) -> datetime:
    """That long after the story begins."""
    return START + timedelta(minutes=count)


@dataclass(frozen=True, kw_only=True)
class Said:
    """A message or receipt of the story. index: its leaf."""

    id: str
    source: str
    recipient: str
    digest: str
    jws: bytes
    index: int
    at: datetime


@dataclass
class Scene:
    """One referral's evidence while it is being made up."""

    log: list[bytes] = field(default_factory=list)
    told: list[int] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)
    receipts: list[bytes] = field(default_factory=list)
    decisions: list[dict[str, Any]] = field(default_factory=list)
    attempts: list[dict[str, Any]] = field(default_factory=list)
    needs: list[dict[str, Any]] = field(default_factory=list)
    replies: list[dict[str, Any]] = field(default_factory=list)
    rungs: list[dict[str, Any]] = field(default_factory=list)
    judgements: list[dict[str, Any]] = field(default_factory=list)
    keys: list[PublicKey] = field(default_factory=list)
    participants: list[Participant] = field(default_factory=list)
    heads: set[int] = field(default_factory=set)
    witnesses: list[str] = field(default_factory=list)
    erased_at: datetime | None = None
    epoch: int = 1
    made_at: datetime = MADE_AT
    size: int | None = None
    parts: dict[str, Any] = field(default_factory=dict)
    said: dict[str, "Said"] = field(default_factory=dict)
    _number: int = 0

    @property
    def origin(self) -> str:
        """The log's name."""
        return GATEWAY if self.epoch == 1 else f"{GATEWAY}/{self.epoch}"

    def id(self, at: datetime) -> str:
        """The next id."""
        self._number += 1
        return uuid7(at, sha256(str(self._number).encode()).digest())

    def leaf(self, made: entry.Entry | bytes, *, told: bool = True) -> int:
        """Adds a leaf; its index."""
        self.log.append(made if isinstance(made, bytes) else made.to_bytes())
        if told:
            self.told.append(len(self.log) - 1)
        return len(self.log) - 1

    def root(self, size: int) -> bytes:
        """The root over the first leaves."""
        return root_at(in_memory([leaf_hash(text) for text in self.log]), size) if size else EMPTY_ROOT

    def key(
        self, key: SigningKey, *, logged: bool = True, use: str = "sig", at: datetime = START, **window: Any
    ) -> PublicKey:
        """Registers a key: in the directory, in the log, in the bundle."""
        known = {"not_before": START - timedelta(days=100), "not_after": None, "revoked_at": None, **window}
        public = PublicKey(kid=key.kid, party_id=key.party_id, alg=key.alg, jwk=key.public_jwk(), use=use, **known)
        if logged:
            self.directory(key.kid, "key_registered", registration_digest(public), at=at)
            for what, end in (("key_ended", public.not_after), ("key_revoked", public.revoked_at)):
                if end is not None:
                    self.directory(key.kid, what, end_digest(key.kid, end), at=at)
        self.keys.append(public)
        return public

    def directory(self, ref: str, what: str, fixed: str, at: datetime = START) -> int:
        """A change of the directory."""
        return self.leaf(entry.directory_entry(ref=ref, what=what, digest=fixed, at=at))

    def message(
        self,
        source: str,
        recipient: str,
        type_: str,
        data: Any,
        *,
        at: datetime,
        seq: int | None = None,
        subject: str | None = REFERRAL,
        answers: Said | None = None,
        key: SigningKey | None = None,
        typ: str = MESSAGE_TYP,
        leaf: Mapping[str, Any] | None = None,
        logged: bool = True,
        told: bool = True,
        filed: bool = True,
        envelope: Mapping[str, Any] | None = None,
        raw: Callable[[bytes], bytes] = lambda jws: jws,
    ) -> Said:
        """One message: signed, logged, filed. leaf and envelope change single fields of theirs, raw the JWS itself."""
        fields: dict[str, Any] = {
            "id": self.id(at),
            "source": source,
            "type": type_,
            "time": at,
            "recipient": recipient,
            "subject": subject,
            "conversation_id": subject,
            "seq": seq,
            "data": data,
        }
        if answers is not None:
            fields |= {"in_reply_to": answers.id, "in_reply_to_digest": answers.digest}
        made = Envelope(**{**fields, **(envelope or {})})
        jws = raw(sign(made.to_payload(), key or KEYS[source], typ).encode())
        index = len(self.log)
        if logged:
            known = {
                "message_id": made.id,
                "source": source,
                "recipient": recipient,
                "message_type": type_,
                "digest": digest(jws),
                "about": REFERRAL,
                "at": at,
                **(leaf or {}),
            }
            index = self.leaf(entry.message_entry(**known), told=told)
        if filed:
            self.messages.append(jws)
        return Said(id=made.id, source=source, recipient=recipient, digest=digest(jws), jws=jws, index=index, at=at)

    def receipt(
        self,
        about: Said,
        rung: str,
        verdict: str = "accepted",
        *,
        at: datetime,
        by: str = GATEWAY,
        to: str | None = None,
        key: SigningKey | None = None,
        typ: str = RECEIPT_TYP,
        place: Mapping[str, Any] | None = None,
        placed: bool = True,
        leaf: Mapping[str, Any] | None = None,
        logged: bool = True,
        told: bool = True,
        filed: bool = True,
        body: Mapping[str, Any] | None = None,
        envelope: Mapping[str, Any] | None = None,
        raw: Callable[[bytes], bytes] = lambda jws: jws,
    ) -> Said:
        """One receipt; the gateway's own name a place in the log."""
        data: dict[str, Any] = {"rung": rung, "verdict": verdict, "at": format_moment(at), **(body or {})}
        if by == GATEWAY and placed:
            size = about.index if rung == "submission" else len(self.log)
            known = {"origin": self.origin, "index": about.index, "tree_size": size, "root": self.root(size).hex()}
            data["log"] = {**known, **(place or {})}
            self.heads.add(data["log"]["tree_size"])
        owed = about.source if rung == "submission" else GATEWAY
        fields = {
            "id": self.id(at),
            "source": by,
            "type": f"receipt.{rung}",
            "time": at,
            "recipient": to or owed,
            "subject": REFERRAL,
            "in_reply_to": about.id,
            "in_reply_to_digest": about.digest,
            "data": data,
        }
        made = Envelope(**{**fields, **(envelope or {})})
        jws = raw(sign(made.to_payload(), key or KEYS[by], typ).encode())
        index = len(self.log)
        if logged:
            known = {
                "message_id": about.id,
                "rung": rung,
                "verdict": verdict,
                "issuer": by,
                "digest": digest(jws),
                "at": at,
                **(leaf or {}),
            }
            index = self.leaf(entry.receipt_entry(**known), told=told)
        if filed:
            self.receipts.append(jws)
        return Said(id=made.id, source=by, recipient=made.recipient, digest=digest(jws), jws=jws, index=index, at=at)

    def rung(self, about: Said, rung: str, evidence: Said, **changes: Any) -> None:
        """A rung whose evidence is a message."""
        row = {
            "message_id": about.id,
            "rung": rung,
            "verdict": "accepted",
            "issuer": evidence.source,
            "at": evidence.at,
            "evidence_id": evidence.id,
        }
        self.rungs.append({**row, **changes})

    def decision(
        self,
        what: str,
        subject: str,
        *,
        at: datetime,
        logged: bool = True,
        told: bool = True,
        filed: bool = True,
        after: Mapping[str, Any] | None = None,
        leaf: Mapping[str, Any] | None = None,
    ) -> str:
        """One decision; `after` changes the row once the log has fixed it."""
        row = {
            "decision_id": self.id(at),
            "at": int(at.timestamp() * 1000),
            "who": "值班员甲",
            "what": what,
            "subject": subject,
            "why": "电话核实后处理",
        }
        if logged:
            fixed = entry.decision_digest(
                decision_id=row["decision_id"],
                at_ms=row["at"],
                who=row["who"],
                what=what,
                subject=subject,
                why=row["why"],
            )
            known = {"decision_id": row["decision_id"], "what": what, "digest": fixed, "at": at, **(leaf or {})}
            self.leaf(entry.decision_entry(**known), told=told)
        if filed:
            self.decisions.append({**row, **(after or {})})
        return str(row["decision_id"])

    def checkpoint(self, key: LogKey | None = None, **changes: Any) -> str:
        """The note over everything logged, cosigned by the witness."""
        size = len(self.log) if self.size is None else self.size
        known = {"origin": self.origin, "size": size, "root": self.root(size), **changes}
        log_key = key or fixed_log_key(GATEWAY).named(known["origin"])
        note = sign_checkpoint(Checkpoint(**known), log_key)
        if self.witnesses:
            note = with_cosignature(note, cosign(note, WITNESS, now=self.made_at))
        return note

    def collected(self, **changes: Any) -> Collected:
        """With every proof it needs."""
        size = len(self.log) if self.size is None else self.size
        hashes = in_memory([leaf_hash(text) for text in self.log])
        known: dict[str, Any] = {
            "referral_id": REFERRAL,
            "gateway": GATEWAY,
            "origin": self.origin,
            "epoch": self.epoch,
            "tree_size": size,
            "made_at": self.made_at,
            "decision_id": "01900000-0000-7000-8000-000000000001",
            "who": COURT,
            "why": "经接口调取 asked for over HTTP",
            "erased_at": self.erased_at,
            "messages": self.messages,
            "receipts": self.receipts,
            "decisions": self.decisions,
            "attempts": self.attempts,
            "needs": self.needs,
            "replies": self.replies,
            "rungs": self.rungs,
            "judgements": self.judgements,
            "leaves": [(index, self.log[index].decode()) for index in self.told],
            "inclusion": {index: inclusion_proof(hashes, index, size) for index in self.told if index < size},
            "consistency": [
                OldHead(size=old, root=self.root(old), proof=tuple(consistency_proof(hashes, old, size)))
                for old in sorted(self.heads)
                if old <= size
            ],
            "checkpoint": self.checkpoint(),
            "keys": self.keys,
            "vkey": fixed_log_key(GATEWAY).named(self.origin).vkey(),
            "witnesses": self.witnesses,
            "participants": self.participants,
        }
        return Collected(**{**known, **self.parts, **changes})

    def build(
        self,
        *,
        members: Callable[[Files], object] = len,
        pages: Callable[[Files], object] = len,
        manifest: Mapping[str, Any] | None = None,
        seal: SigningKey | None = None,
        paged: bool = False,
        **changes: Any,
    ) -> bytes:
        """The zip. members: changes the evidence before pages and manifest are made; pages: before the manifest is.

        Not `paged`, its pages are of an edition that never was: small, and not to be made anew with every new edition.
        """
        collected = self.collected(**changes)
        files = members_of(collected)
        members(files)
        edition = EDITION if paged else 0
        told = {**manifest_of(collected, files), "fingerprint": fingerprint(files), "page": edition, **(manifest or {})}
        files |= {bundle.PAGE: b"<!doctype html>\n", bundle.PLAIN: b"\n"}
        if paged:
            contents = read_contents({**files, bundle.MANIFEST: strict_json.dumps(told)})
            files |= {bundle.PAGE: render_page(contents), bundle.PLAIN: render_plain(contents)}
        pages(files)
        return sealed(files, told, seal or KEYS[GATEWAY])


def honest(**steps: Mapping[str, Any]) -> Scene:
    """A court refers, civil affairs is late, gets it, opens it, pays; each step's arguments may be changed by name."""
    return _story(steps, full=True)


def brief(**steps: Mapping[str, Any]) -> Scene:
    """A court refers, civil affairs gets it; nothing more has happened."""
    return _story(steps, full=False)


def _story(steps: Mapping[str, Mapping[str, Any]], *, full: bool) -> Scene:
    scene = Scene()

    def step(name: str, **usual: Any) -> dict[str, Any]:
        return {**usual, **steps.get(name, {})}

    names = {GATEWAY: ("gateway", "衔接网关"), COURT: ("court", "测试中院"), AGENCY: ("agency", "测试民政局")}
    scene.participants = [
        Participant(party_id=party_id, kind=kind, name_zh=name, region=party_id[-6:])
        for party_id, (kind, name) in names.items()
    ]
    for party_id, key in KEYS.items():
        scene.key(**step(f"{names[party_id][0]}_key", key=key))
    scene.leaf(_foreign(1), told=False)
    body = {"referral_id": REFERRAL, "case_number": "（2026）黔01司救执1号", "decided_amount_fen": 2_000_000}
    referral = scene.message(
        **step("referral", source=COURT, recipient=GATEWAY, type_="referral.submitted", data=body, at=minutes(0), seq=7)
    )
    scene.receipt(**step("referral_receipt", about=referral, rung="submission", at=minutes(0)))
    body = {"xj_handoff": "h-1", "xj_items": [{"xj_need": f"{REFERRAL}:1"}]}
    handoff = scene.message(
        **step("handoff", source=GATEWAY, recipient=AGENCY, type_="handoff.issued", data=body, at=minutes(2), seq=3)
    )
    scene.said = {"referral": referral, "handoff": handoff}
    state, since = ("assisted", minutes(2000)) if full else ("handed_off", minutes(120))
    scene.needs = [{"need_id": f"{REFERRAL}:1", "programme": "MLG", "state": state, "since": since}]
    if full:
        late = {"reason_code": "no_receipt"}
        scene.receipt(**step("timeout", about=handoff, rung="relay", verdict="timeout", at=minutes(90), body=late))
        scene.decision(**step("decision", what="sent_again", subject=handoff.id, at=minutes(100)))
    scene.receipt(**step("relay", about=handoff, rung="relay", by=AGENCY, at=minutes(120)))
    if full:
        _answered(scene, handoff, step)
    scene.leaf(_foreign(2), told=False)
    scene.witnesses = [WITNESS.cosigner().vkey()]
    return scene


def _answered(scene: Scene, handoff: Said, step: Callable[..., dict[str, Any]]) -> None:
    """The office opens it, and pays."""
    opened = scene.message(
        **step(
            "opened",
            source=AGENCY,
            recipient=GATEWAY,
            type_="handoff.retrieved",
            data={},
            answers=handoff,
            at=minutes(180),
            seq=11,
        )
    )
    scene.receipt(**step("opened_receipt", about=opened, rung="submission", at=minutes(180)))
    body = {"xj_handoff": "h-1", "xj_results": [{"xj_need": f"{REFERRAL}:1", "xj_status": "PAID"}]}
    answer = scene.message(
        **step(
            "answer",
            source=AGENCY,
            recipient=GATEWAY,
            type_="handoff.outcome",
            data=body,
            answers=handoff,
            at=minutes(2000),
            seq=12,
        )
    )
    scene.receipt(**step("answer_receipt", about=answer, rung="submission", at=minutes(2000)))
    scene.rung(**step("retrieval_rung", about=handoff, rung="retrieval", evidence=opened))
    scene.rung(**step("disposition_rung", about=handoff, rung="disposition", evidence=answer, reason_code="PAID"))
    scene.rung(**step("outcome_rung", about=handoff, rung="outcome", evidence=answer, reason_code="PAID"))
    scene.attempts = [
        _attempt(handoff, 1, minutes(3), outcome="unknown", error="no_connection"),
        _attempt(handoff, 2, minutes(119), outcome="relayed", http_status=200),
    ]
    scene.replies = [
        {
            "message_id": answer.id,
            "need_id": f"{REFERRAL}:1",
            "code": "PAID",
            "at": answer.at,
            "applied": True,
            "programme": "MLG",
            "amount_fen": 60_000,
            "starts_on": "2026-04-01",
            "ends_on": "2027-03-31",
        }
    ]
    scene.said |= {"opened": opened, "answer": answer}


def _foreign(number: int) -> entry.Entry:
    """A leaf of somebody else's case."""
    return entry.message_entry(
        message_id=f"other-{number}",
        source="cn/court/520300",
        recipient=GATEWAY,
        message_type="referral.submitted",
        digest=sha256(f"other {number}".encode()).hexdigest(),
        about=f"r-other-{number}",
        at=minutes(0) if number == 1 else minutes(2100),
    )


def _attempt(about: Said, number: int, at: datetime, **more: Any) -> dict[str, Any]:
    ended = at + timedelta(seconds=10)
    return {"message_id": about.id, "number": number, "started_at": at, "finished_at": ended, **more}


@dataclass(frozen=True, kw_only=True)
class Vector:
    """One bundle with what is expected of it. given: files it is checked with, by option."""

    bundle: bytes
    expected: dict[str, Any]
    given: Mapping[str, bytes] = field(default_factory=dict)

    def files(self) -> dict[str, bytes]:
        """What its folder holds."""
        expected = json.dumps(self.expected, ensure_ascii=False, indent=2).encode() + b"\n"
        return {"bundle.zip": self.bundle, "expected.json": expected, **self.given}


def main(arguments: Sequence[str]) -> None:
    """The command."""
    from tests.bundle_vectors import every_vector

    vectors = every_vector()
    if "--write" in arguments:
        for name, vector in vectors.items():
            folder = VECTORS / name
            folder.mkdir(parents=True, exist_ok=True)
            for file, content in vector.files().items():
                (folder / file).write_bytes(content)
    print(f"{len(vectors)} vectors, largest {max(len(vector.bundle) for vector in vectors.values())} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
