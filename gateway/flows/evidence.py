"""证据调取 One referral's evidence as a sealed bundle that anybody can check offline.

1. who may: its court, an auditor, the operator with a reason; a stranger's id gets the same answer as none;
2. collect: every message, receipt, decision, attempt and reading, every leaf of the log about them, and the proofs to
   the newest signed checkpoint, all of one moment;
3. keep on file who asked and why: a decision, and so a leaf, before anything is shown;
4. pack, seal with the gateway's key.

Rows that do not fit together are packed as they are: it is the verifier who says so, to whoever reads the bundle.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping

from gateway.domain.agreement import PartyKind
from gateway.envelope.compact import split
from gateway.envelope.message import digest
from gateway.errors import (
    BundleBroken,
    EvidenceDamaged,
    EvidenceNotReady,
    FieldProblem,
    InvalidQuery,
    ReferralUnknown,
    XianjieError,
)
from gateway.evidence.checkpoint import with_cosignature
from gateway.evidence.contents import OldHead, Participant, read_paper
from gateway.evidence.entry import EntryKind, read
from gateway.evidence.merkle import EMPTY_ROOT, Hashes, consistency_proof, inclusion_proof, root_at
from gateway.evidence.packing import Collected, pack
from gateway.flows.context import Context
from gateway.flows.operate import require_reason
from gateway.store import checkpoints, decisions, evidence_rows, findings, log, referrals, vault
from gateway.store.clock import from_ms
from gateway.store.evidence_rows import StoredMessage
from gateway.store.log import Place

WHAT = "evidence_exported"
OVER_HTTP = "经接口调取 asked for over HTTP"
_RETRY_SECONDS = 2
MOST_WITNESSED = 20


def export(
    context: Context,
    referral_id: str,
    *,
    who: str,
    why: str,
    now: datetime,
    court: str | None = None,
    witnessed: Sequence[int] = (),
) -> bytes:
    """The bundle. court: only if it is this court's referral; witnessed: sizes of checkpoints the reader holds, each
    of which the bundle then proves to be its beginning. Raises ReferralUnknown, EvidenceNotReady, EvidenceDamaged,
    EvidenceTooLarge, InvalidQuery, ConfigError."""
    require_reason(who, why)
    with context.store.reading() as connection:
        log.hold_still(connection)
        found = referrals.court_of(connection, [referral_id]).get(referral_id)
        if found is None or court not in (None, found):
            raise ReferralUnknown(ids={"referral_id": referral_id})
        collected = _collect(connection, context, referral_id, witnessed, now)
        if court is None:  # they tell of other courts' cases
            collected = replace(collected, judgements=_judgements(connection, referral_id))
    decision_id = context.store.write(
        lambda connection: decisions.put(connection, who=who, what=WHAT, subject=referral_id, why=why, now=now)
    )
    try:
        return pack(replace(collected, decision_id=decision_id, who=who, why=why), context.key)
    except BundleBroken as error:
        raise EvidenceDamaged(error.note, ids={"referral_id": referral_id}) from error


def _collect(
    connection: Connection, context: Context, referral_id: str, witnessed: Sequence[int], now: datetime
) -> Collected:
    head, newest = log.head(connection), checkpoints.newest(connection)
    if newest is None or newest["epoch"] != head.epoch or context.log_key is None:
        raise EvidenceNotReady("no_checkpoint", retry_after=_RETRY_SECONDS)
    size, origin = int(newest["size"]), context.origin(head.epoch)
    stored = evidence_rows.messages(connection, referral_id)
    ids = {message.message_id for message in stored} | evidence_rows.named_ids(connection, referral_id)
    rungs = evidence_rows.rungs(connection, ids)
    decided = evidence_rows.decisions(connection, referral_id, ids)
    papers = _papers(stored, rungs)
    kids = papers.kids | {context.key.kid}
    places = _places(connection, referral_id, ids, decided, kids)
    proofs = _Proofs(log.hashes(connection), size)
    snapshot = context.snapshot(now)
    erased = vault.erased_among(connection, [referral_id]).get(referral_id)
    parties = {context.party_id, *(message.party for message in stored), *_parties_of(places)}
    return Collected(
        referral_id=referral_id,
        gateway=context.party_id,
        origin=origin,
        epoch=head.epoch,
        tree_size=size,
        made_at=now,
        decision_id="",
        who="",
        why="",
        erased_at=from_ms(erased) if erased is not None else None,
        messages=_in_log_order(papers.messages, places),
        receipts=_in_log_order(papers.receipts, places),
        decisions=[{name: row[name] for name in _DECISION} for row in decided],
        attempts=[_attempt(row) for row in evidence_rows.attempts(connection, ids)],
        needs=[_need(row) for row in evidence_rows.needs(connection, referral_id)],
        replies=[_reading(row) for row in evidence_rows.replies(connection, referral_id)],
        rungs=[_rung(row) for row in rungs if row["evidence_id"] is not None],
        leaves=[(place.index, place.entry) for place in places],
        inclusion={place.index: proofs.inclusion(place.index) for place in places if place.index < size},
        consistency=[proofs.head(old) for old in _told_sizes(papers.receipts, witnessed, size)],
        checkpoint=_cosigned(connection, newest),
        keys=[key for key in snapshot.keys if key.kid in kids],
        vkey=context.log_key.named(origin).vkey(),
        witnesses=context.witnesses,
        participants=[
            Participant(party_id=one.party_id, kind=one.kind.value, name_zh=one.name_zh, region=one.region)
            for party_id, one in snapshot.parties.items()
            if party_id in parties
        ],
    )


_DECISION = ("decision_id", "at", "who", "what", "subject", "why")


@dataclass(frozen=True, kw_only=True)
class _Papers:
    """The signed texts of the case, and the names of the keys that signed them."""

    messages: list[bytes]
    receipts: list[bytes]
    kids: set[str]


def _papers(stored: Sequence[StoredMessage], rungs: Iterable[Mapping[str, Any]]) -> _Papers:
    messages = [_bytes(message.jws) for message in stored if message.jws is not None]
    receipts = [_bytes(message.receipt) for message in stored if message.receipt]
    receipts += [_bytes(row["jws"]) for row in rungs if row["evidence_id"] is None]
    return _Papers(
        messages=messages,
        receipts=receipts,
        kids={kid for jws in (*messages, *receipts) if (kid := _kid(jws)) is not None},
    )


def _bytes(text: str) -> bytes:
    """What somebody put into the database is packed as it is, whatever it is."""
    return text.encode("utf-8", "surrogatepass")


def _kid(jws: bytes) -> str | None:
    try:
        return split(jws).header.kid
    except XianjieError:
        return None


def _places(
    connection: Connection,
    referral_id: str,
    ids: Iterable[str],
    decided: Iterable[Mapping[str, Any]],
    kids: Iterable[str],
) -> list[Place]:
    """Every leaf about the case, in order. Those of messages and decisions are found though their rows may be gone; of
    receipts only those for this case's messages count."""
    sent = [place for place in log.about(connection, [referral_id]) if place.kind == EntryKind.MESSAGE.value]
    found = {place.index: place for place in sent}
    message_ids = {*ids, *(place.ref for place in sent)}
    foreign = evidence_rows.foreign_receipts(connection, message_ids, referral_id)
    ours = {row["decision_id"] for row in decided}
    subjects = {referral_id, *message_ids, *(row["subject"] for row in decided)}
    lost = {
        place.ref
        for place in log.about(connection, {subject[: log.MOST_ABOUT] for subject in subjects})
        if place.kind == EntryKind.DECISION.value and place.ref not in ours
    }
    wanted = {
        EntryKind.MESSAGE.value: message_ids,
        EntryKind.RECEIPT.value: message_ids,
        EntryKind.DECISION.value: ours | lost - evidence_rows.decided(connection, lost),
        EntryKind.DIRECTORY.value: set(kids),
    }
    for place in log.places(connection, set().union(*wanted.values())):
        if place.ref not in wanted.get(place.kind, ()) or place.digest in foreign:
            continue
        if place.kind != EntryKind.MESSAGE.value or _about(place) == referral_id:
            found[place.index] = place
    return [found[index] for index in sorted(found)]


def _about(place: Place) -> str | None:
    found = _fields(place).get("about")
    return found if isinstance(found, str) else None


def _parties_of(places: Iterable[Place]) -> set[str]:
    """The parties the leaves name: an erased or deleted message still has its own."""
    return {str(fields[name]) for place in places for name in ("from", "to") if name in (fields := _fields(place))}


def _fields(place: Place) -> Mapping[str, str | int]:
    """What a leaf says. Raises EvidenceDamaged for one that was garbled in the database."""
    try:
        return read(place.entry.encode()).fields
    except XianjieError as error:
        raise EvidenceDamaged("leaf_unreadable", ids={"leaf": place.index}) from error


class _Proofs:
    """Proofs to one tree size. Raises EvidenceDamaged where hashes are missing."""

    def __init__(self, hashes: Hashes, size: int) -> None:
        self._hashes, self._size = hashes, size

    def inclusion(self, index: int) -> list[bytes]:
        """That leaf `index` stands in the tree."""
        try:
            return inclusion_proof(self._hashes, index, self._size)
        except ValueError as error:
            raise EvidenceDamaged("log_hashes_missing", ids={"leaf": index}) from error

    def head(self, old: int) -> OldHead:
        """That the tree of `old` leaves is the beginning of this one."""
        try:
            root = root_at(self._hashes, old) if old else EMPTY_ROOT
            return OldHead(size=old, root=root, proof=tuple(consistency_proof(self._hashes, old, self._size)))
        except ValueError as error:
            raise EvidenceDamaged("log_hashes_missing", ids={"tree_size": old}) from error


def _told_sizes(receipts: Iterable[bytes], witnessed: Sequence[int], size: int) -> list[int]:
    """Sizes of trees that receipts tell of, in whatever epoch, and of those the reader has a checkpoint of."""
    if len(witnessed) > MOST_WITNESSED or any(not 0 <= old <= size for old in witnessed):
        raise InvalidQuery(problems=[FieldProblem(pointer="/witnessed", code="out_of_range")])
    told = {_told_size(jws) for jws in receipts} | set(witnessed)
    return sorted(old for old in told if old is not None and old <= size)


def _told_size(jws: bytes) -> int | None:
    try:
        said = read_paper("receipts/", jws).said
    except XianjieError:
        return None
    return None if said is None or said.place is None else said.place.tree_size


def _in_log_order(papers: Iterable[bytes], places: Iterable[Place]) -> list[bytes]:
    """By the index of their leaves; what has none comes last."""
    index: dict[str, int] = {}
    for place in places:
        if place.digest is not None:
            index.setdefault(place.digest, place.index)
    return sorted(papers, key=lambda jws: index.get(digest(jws), 2**63))


def _cosigned(connection: Connection, checkpoint: RowMapping) -> str:
    note: str = checkpoint["note"]
    for line in checkpoints.cosignatures(connection, epoch=checkpoint["epoch"], size=checkpoint["size"]):
        note = with_cosignature(note, line)
    return note


def _judgements(connection: Connection, referral_id: str) -> list[dict[str, Any]]:
    """Findings that carry what they can be computed from again. Raises EvidenceDamaged for one that was garbled."""
    try:
        kept_ones = findings.of_referral(connection, referral_id)
    except ValueError as error:
        raise EvidenceDamaged("finding_unreadable", ids={"referral_id": referral_id}) from error
    return [
        {
            "key": kept.finding.key,
            "code": kept.finding.code,
            "rule_id": kept.finding.rule_id,
            "state": kept.state.value,
            "opened_at": kept.opened_at,
            "rule_row": kept.finding.evidence["rule_row"],
            "inputs": kept.finding.evidence["inputs"],
        }
        for kept in kept_ones
        if {"rule_row", "inputs"} <= kept.finding.evidence.keys()
    ]


def _attempt(row: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: row[name] for name in ("message_id", "number", "outcome", "http_status", "error")}
    ended = row["finished_at"]
    return found | {
        "started_at": from_ms(row["started_at"]),
        "finished_at": None if ended is None else from_ms(ended),
    }


def _need(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("need_id", "programme", "state")} | {"since": from_ms(row["state_at"])}


def _reading(row: Mapping[str, Any]) -> dict[str, Any]:
    names = ("message_id", "need_id", "code", "applied", "problem", "reason", "programme", "amount_fen")
    days = ("starts_on", "ends_on", "next_due")
    return {name: row[name] for name in (*names, *days)} | {"at": from_ms(row["at"])}


def _rung(row: Mapping[str, Any]) -> dict[str, Any]:
    names = ("message_id", "rung", "verdict", "reason_code", "issuer", "evidence_id")
    return {name: row[name] for name in names} | {"at": from_ms(row["at"])}


def asking_court(context: Context, party_id: str, *, now: datetime) -> str | None:
    """Whose referrals the asking party may have: a court's its own, an auditor's every one (None)."""
    return None if context.snapshot(now).keyring.kind_of(party_id) == PartyKind.AUDITOR else party_id
