"""证据内容 What the members of a bundle say, read but not yet believed.

Every number, digest and name here is what the bundle claims; believing it is the verifier's part. The writer of a
bundle and its verifier both read the members through this file, so the page for people is made from the very bytes.
Reading stops at the first member that is not in its shape; a message or receipt that cannot be read is kept by name.
"""

from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from hashlib import sha256
from typing import Any

from marshmallow import Schema, ValidationError

from gateway.envelope import strict_json
from gateway.envelope.compact import Parts, decode_segment, split
from gateway.envelope.keyring import PublicKey
from gateway.envelope.message import Envelope, digest
from gateway.errors import BundleBroken, ConfigError, MalformedJson, SchemaInvalid, TooLarge, XianjieError
from gateway.evidence import bundle, entry
from gateway.evidence.entry import Entry, EntryKind
from gateway.evidence.receipt import LogPlace, ReceiptVerdict, Rung
from schemas import bundle as shapes
from schemas.fields import Moment
from schemas.problems import flatten
from schemas.receipt import RECEIPT

VERSION = shapes.VERSION
_MOMENT = Moment(required=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What a receipt says."""

    rung: Rung
    verdict: ReceiptVerdict
    reason_code: str | None
    at: datetime
    place: LogPlace | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Paper:
    """文书 One signed message or receipt of the bundle, taken apart. said: of a receipt."""

    name: str
    jws: bytes
    digest: str
    parts: Parts
    envelope: Envelope
    said: Said | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Leaf:
    """One leaf of the log as the bundle tells it. at: when it was logged."""

    index: int
    text: bytes
    entry: Entry
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class OldHead:
    """A tree that was told of earlier, with the proof that the checkpoint's tree begins with it."""

    size: int
    root: bytes
    proof: tuple[bytes, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Participant:
    """A party as the directory has it."""

    party_id: str
    kind: str
    name_zh: str
    region: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Unreadable:
    """A member that is no message or receipt, and why."""

    name: str
    reason: str
    digest: str


@dataclass(frozen=True, kw_only=True)
class Contents:
    """Everything a bundle claims."""

    manifest: Mapping[str, Any]
    messages: tuple[Paper, ...]
    receipts: tuple[Paper, ...]
    unreadable: tuple[Unreadable, ...]
    decisions: tuple[Mapping[str, Any], ...]
    attempts: tuple[Mapping[str, Any], ...]
    needs: tuple[Mapping[str, Any], ...]
    replies: tuple[Mapping[str, Any], ...]
    rungs: tuple[Mapping[str, Any], ...]
    leaves: tuple[Leaf, ...]
    tree_size: int
    inclusion: Mapping[int, tuple[bytes, ...]]
    consistency: tuple[OldHead, ...]
    checkpoint: str
    keys: tuple[PublicKey, ...]
    vkey: str
    witnesses: tuple[str, ...]
    participants: Mapping[str, Participant]
    judgements: tuple[Mapping[str, Any], ...] = ()

    @property
    def referral_id(self) -> str:
        """The referral the bundle is about."""
        return str(self.manifest["referral_id"])

    @property
    def gateway(self) -> str:
        """The gateway's party id."""
        return str(self.manifest["gateway"])

    @property
    def made_at(self) -> datetime:
        """When the bundle was made, by the gateway's clock."""
        found: datetime = self.manifest["made_at"]
        return found

    @property
    def erased_at(self) -> datetime | None:
        """When the case's content was erased; None while it is there."""
        found: datetime | None = self.manifest.get("erased_at")
        return found

    @cached_property
    def by_id(self) -> Mapping[tuple[str, str], Paper]:
        """Messages by (source, id)."""
        return {(paper.envelope.source, paper.envelope.id): paper for paper in self.messages}

    @cached_property
    def ours(self) -> Mapping[str, Paper]:
        """The gateway's own messages by id."""
        return {paper.envelope.id: paper for paper in self.messages if paper.envelope.source == self.gateway}

    @cached_property
    def leaf_of(self) -> Mapping[str, Leaf]:
        """The first leaf that fixes a digest."""
        found: dict[str, Leaf] = {}
        for leaf in self.leaves:
            if leaf.entry.digest is not None:
                found.setdefault(leaf.entry.digest, leaf)
        return found

    @cached_property
    def live_from(self) -> int | None:
        """From this leaf on the log grew as things happened; None where no receipt tells. Before it may stand what was
        on file before the log was, or came back after a loss: in another order, under the moments of then."""
        places = [paper.said.place for paper in self.receipts if paper.said is not None]
        told = [one.tree_size for one in places if one is not None and one.origin == self.manifest["origin"]]
        return min(told, default=None)

    def is_live(self, leaf: Leaf) -> bool:
        """Whether the leaf was added when what it is of happened."""
        return self.live_from is not None and leaf.index >= self.live_from

    def message_leaf_at(self, index: int) -> Leaf | None:
        """The leaf there, if it is a message's."""
        return self._message_leaves.get(index)

    @cached_property
    def _message_leaves(self) -> Mapping[int, Leaf]:
        return {leaf.index: leaf for leaf in self.leaves if leaf.entry.kind is EntryKind.MESSAGE}

    def logged_at(self, paper: Paper) -> datetime:
        """When the gateway took or made it: by the log where it grew as things happened, else by the gateway's receipt,
        by the receipt's own words, by the message's own time."""
        leaf = self.leaf_of.get(paper.digest)
        if leaf is not None and self.is_live(leaf):
            return leaf.at
        return self._receipted_at.get(paper.digest, paper.envelope.time) if paper.said is None else paper.said.at

    @cached_property
    def _receipted_at(self) -> Mapping[str, datetime]:
        """When the gateway says that it took a message, by the message's digest."""
        return {
            paper.envelope.in_reply_to_digest or "": paper.said.at
            for paper in self.receipts
            if paper.said is not None and paper.said.rung is Rung.SUBMISSION and paper.envelope.source == self.gateway
        }


def fingerprint(files: Mapping[str, bytes]) -> str:
    """指纹 SHA-256 over the lines `sha256sum` prints of the evidence, the manifest and the two summaries left out."""
    left_out = {bundle.MANIFEST, bundle.SEAL, bundle.PAGE, bundle.PLAIN}
    lines = [f"{sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files) if name not in left_out]
    return sha256("".join(lines).encode()).hexdigest()


def read_manifest(files: Mapping[str, bytes]) -> dict[str, Any]:
    """The manifest. Raises BundleBroken, also for another version of the format."""
    members = _json(files, bundle.MANIFEST)
    if isinstance(members, dict) and type(members.get("version")) is int and members["version"] != VERSION:
        raise BundleBroken("version_unknown", ids={"subject": bundle.MANIFEST})
    return _shaped(members, shapes.MANIFEST, bundle.MANIFEST)


def read_contents(files: Mapping[str, bytes]) -> Contents:
    """Every member read. Raises BundleBroken naming the first that is not in its shape."""
    unreadable: list[Unreadable] = []
    readings = _load(files, bundle.READINGS, shapes.READINGS)
    proofs = _load(files, bundle.PROOFS, shapes.PROOFS)
    keys = _load(files, bundle.KEYS, shapes.KEYS)
    participants = _load(files, bundle.PARTICIPANTS, shapes.PARTICIPANTS)["participants"]
    return Contents(
        manifest=read_manifest(files),
        messages=_papers(files, "messages/", unreadable),
        receipts=_papers(files, "receipts/", unreadable),
        unreadable=tuple(unreadable),
        decisions=tuple(_load(files, bundle.DECISIONS, shapes.DECISIONS)["decisions"]),
        attempts=tuple(_load(files, bundle.ATTEMPTS, shapes.ATTEMPTS)["attempts"]),
        needs=tuple(readings["needs"]),
        replies=tuple(readings["replies"]),
        rungs=tuple({**row, "rung": Rung(row["rung"])} for row in readings["rungs"]),
        leaves=_leaves(_load(files, bundle.ENTRIES, shapes.ENTRIES)["entries"]),
        tree_size=proofs["tree_size"],
        inclusion={item["index"]: _hashes(item["proof"]) for item in proofs["inclusion"]},
        consistency=tuple(
            OldHead(size=item["size"], root=bytes.fromhex(item["root"]), proof=_hashes(item["proof"]))
            for item in proofs["consistency"]
        ),
        checkpoint=_text(files, bundle.CHECKPOINT),
        keys=read_keys(keys["keys"], bundle.KEYS),
        vkey=keys["log"]["vkey"],
        witnesses=tuple(keys["log"]["witnesses"]),
        participants={row["party_id"]: Participant(**row) for row in participants},
        judgements=tuple(readings.get("judgements", ())),
    )


def read_keys(rows: Sequence[Mapping[str, Any]], subject: str) -> tuple[PublicKey, ...]:
    """Loaded keys. Raises BundleBroken for one whose name is not its thumbprint, for a private one, for no key."""
    return tuple(_key(row, subject) for row in rows)


def _key(row: Mapping[str, Any], subject: str) -> PublicKey:
    at = {"subject": f"{subject} {row['kid']}"}
    if "d" in row["jwk"]:
        raise BundleBroken("key_is_private", ids=at)
    try:
        found = PublicKey.from_jwk(
            row["jwk"], row["party"], not_before=row["not_before"], not_after=row.get("not_after")
        )
    except ConfigError as error:
        raise BundleBroken("key_unreadable", ids=at) from error
    if found.kid != row["kid"]:
        raise BundleBroken("key_kid_wrong", ids=at)
    return PublicKey(
        kid=found.kid,
        party_id=found.party_id,
        alg=found.alg,
        jwk=found.jwk,
        use=row["use"],
        not_before=row["not_before"],
        not_after=row.get("not_after"),
        revoked_at=row.get("revoked_at"),
    )


def read_paper(name: str, raw: bytes) -> Paper:
    """One message or receipt, its signature not asked. Raises XianjieError."""
    parts = split(raw)
    try:
        envelope = Envelope.from_payload(decode_segment(parts.payload_segment))
        said = _said(envelope) if name.startswith("receipts/") else None
    except (ValidationError, ValueError) as error:
        raise SchemaInvalid("paper") from error
    return Paper(name=name, jws=raw, digest=digest(raw), parts=parts, envelope=envelope, said=said)


def _said(envelope: Envelope) -> Said:
    if envelope.in_reply_to is None:
        raise ValueError("a receipt answers something")
    body = RECEIPT.load(envelope.data)
    place = body.get("log")
    return Said(
        rung=Rung(body["rung"]),
        verdict=ReceiptVerdict(body["verdict"]),
        reason_code=body.get("reason_code"),
        at=body["at"],
        place=LogPlace(**place) if place is not None else None,
    )


def _papers(files: Mapping[str, bytes], folder: str, unreadable: list[Unreadable]) -> tuple[Paper, ...]:
    found = []
    for name in sorted((name for name in files if name.startswith(folder)), key=lambda name: (len(name), name)):
        try:
            found.append(read_paper(name, files[name]))
        except XianjieError as error:
            unreadable.append(Unreadable(name=name, reason=error.code, digest=sha256(files[name]).hexdigest()))
    return tuple(found)


def _leaves(rows: Sequence[Mapping[str, Any]]) -> tuple[Leaf, ...]:
    found = []
    for row in rows:
        text = row["entry"].encode()
        try:
            found_entry = entry.read(text)
            at = _MOMENT.read(found_entry.fields["at"])
        except (MalformedJson, TooLarge, ValidationError) as error:
            raise BundleBroken("entry_malformed", ids={"subject": f"{bundle.ENTRIES} #{row['index']}"}) from error
        found.append(Leaf(index=row["index"], text=text, entry=found_entry, at=at))
    return tuple(found)


def _load(files: Mapping[str, bytes], name: str, schema: Schema) -> dict[str, Any]:
    return _shaped(_json(files, name), schema, name)


def _json(files: Mapping[str, bytes], name: str) -> Any:
    try:
        return strict_json.loads(files[name], max_bytes=bundle.MAX_MEMBER)
    except MalformedJson as error:
        raise BundleBroken(f"json_{error.note}", ids={"subject": name}) from error


def _shaped(members: Any, schema: Schema, name: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = schema.load(members)
    except ValidationError as error:
        pointer, code = flatten(error.messages, limit=1)[0]
        raise BundleBroken("shape_wrong", ids={"subject": f"{name}{pointer} {code}"}) from error
    return found


def _text(files: Mapping[str, bytes], name: str) -> str:
    try:
        return files[name].decode("utf-8")
    except UnicodeDecodeError as error:
        raise BundleBroken("json_not_utf8", ids={"subject": name}) from error


def _hashes(texts: Sequence[str]) -> tuple[bytes, ...]:
    return tuple(b64decode(text) for text in texts)


def moment_of(milliseconds: int) -> datetime:
    """A decision's `at`."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
