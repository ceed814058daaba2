"""日志核对 The log: the checkpoint's signature, each leaf's place in its tree, and every tree that a receipt told of.

A receipt that the gateway signed names the leaf of its message and the tree before it, so each is a witness: that tree
must be the beginning of the checkpoint's. A leaf that came after the checkpoint is not wrong, only not proven yet. A
log that began anew after a loss (a higher epoch) has another name; what its older receipts tell is then left open.
"""

from collections.abc import Mapping

from gateway.errors import CheckpointInvalid
from gateway.evidence import bundle
from gateway.evidence.checkpoint import Checkpoint, NoteVerifier, open_note
from gateway.evidence.contents import Contents, Leaf, OldHead, Paper
from gateway.evidence.merkle import leaf_hash, verify_consistency, verify_inclusion
from gateway.evidence.receipt import LogPlace, Rung
from gateway.evidence.verifier.conclusions import Conclusions
from schemas.fields import format_moment

FIRST_EPOCH = 1
_CODES = {
    "origin": "checkpoint_of_other_log",
    "signature_wrong": "checkpoint_signature_wrong",
    "not_signed_by_log": "checkpoint_not_signed",
    "cosignature_wrong": "cosignature_wrong",
}


def origin_of(gateway: str, epoch: int) -> str:
    """The log's name in an epoch."""
    return gateway if epoch == FIRST_EPOCH else f"{gateway}/{epoch}"


def open_checkpoint(contents: Contents, found: Conclusions) -> Checkpoint | None:
    """The checkpoint of the bundle, signed by the log whose key the bundle names; None with a conclusion otherwise."""
    manifest = contents.manifest
    if manifest["origin"] != origin_of(contents.gateway, manifest["epoch"]):
        ours = manifest["origin"] == contents.gateway or manifest["origin"].startswith(f"{contents.gateway}/")
        found.add("epoch_wrong" if ours else "origin_wrong", bundle.MANIFEST, origin=manifest["origin"])
        return None
    try:
        verifier = NoteVerifier.from_vkey(contents.vkey)
        witnesses = [NoteVerifier.from_vkey(text) for text in contents.witnesses]
    except CheckpointInvalid as error:
        found.add("log_key_unreadable", bundle.KEYS, reason=error.note)
        return None
    try:
        opened = open_note(contents.checkpoint, verifier, witnesses)
    except CheckpointInvalid as error:
        found.add(_CODES.get(error.note, "checkpoint_malformed"), bundle.CHECKPOINT, reason=error.note)
        return None
    checkpoint = opened.checkpoint
    if checkpoint.origin != manifest["origin"]:
        found.add("checkpoint_of_other_log", bundle.CHECKPOINT, reason=checkpoint.origin)
        return None
    if checkpoint.size != manifest["tree_size"]:
        found.add("tree_size_other", bundle.CHECKPOINT, size=checkpoint.size, told=manifest["tree_size"])
        return None
    if checkpoint.size != contents.tree_size:
        found.add("proofs_of_other_tree", bundle.PROOFS, size=checkpoint.size, told=contents.tree_size)
        return None
    found.add("checkpoint_signed", bundle.CHECKPOINT, origin=checkpoint.origin, size=checkpoint.size)
    for name, at in opened.cosigned_by:
        found.add("checkpoint_cosigned", name, at=format_moment(at))
    return checkpoint


def check_tree(contents: Contents, checkpoint: Checkpoint, found: Conclusions) -> None:
    """Every check of this file that needs the checkpoint."""
    included = sum(_check_leaf(leaf, contents, checkpoint, found) for leaf in contents.leaves)
    known = {leaf.index for leaf in contents.leaves}
    for index in sorted(contents.inclusion.keys() - known):
        found.add("proof_without_leaf", f"log #{index}")
    heads = {head.size: head for head in contents.consistency}
    broken = [head for head in contents.consistency if not _continues(head, checkpoint)]
    for head in broken:
        found.add("consistency_wrong", f"tree {head.size}", size=checkpoint.size)
    for receipt in contents.receipts:
        if receipt.envelope.source == contents.gateway:
            _check_place(receipt, heads, contents, checkpoint, found)
    if included:
        found.add("leaves_included", count=included, size=checkpoint.size)
    if heads and not broken:
        found.add("heads_consistent", count=len(heads), size=checkpoint.size)


def _check_leaf(leaf: Leaf, contents: Contents, checkpoint: Checkpoint, found: Conclusions) -> bool:
    """Whether the leaf is proven to stand where it is said to."""
    name = f"log #{leaf.index}"
    if leaf.index >= checkpoint.size:
        found.add("leaf_after_checkpoint", name, size=checkpoint.size)
        return False
    proof = contents.inclusion.get(leaf.index)
    if proof is None:
        found.add("inclusion_missing", name)
        return False
    included = verify_inclusion(
        leaf_hash(leaf.text), index=leaf.index, size=checkpoint.size, proof=proof, root=checkpoint.root
    )
    if not included:
        found.add("inclusion_wrong", name, size=checkpoint.size)
    return included


def _check_place(
    receipt: Paper, heads: Mapping[int, OldHead], contents: Contents, checkpoint: Checkpoint, found: Conclusions
) -> None:
    """What a receipt of ours tells of the log."""
    place = receipt.said.place if receipt.said is not None else None
    if place is None:
        found.add("receipt_without_place", receipt.name)
        return
    earlier = {origin_of(contents.gateway, epoch) for epoch in range(1, contents.manifest["epoch"])}
    if place.origin in earlier:
        if not _agrees(receipt, place, heads, contents):
            found.add("receipt_of_earlier_epoch", receipt.name, origin=place.origin)
        return
    if place.origin != checkpoint.origin:
        found.add("receipt_of_other_log", receipt.name, origin=place.origin)
        return
    _check_index(receipt, place, contents, found)
    head = heads.get(place.tree_size)
    if place.tree_size > checkpoint.size:
        found.add("checkpoint_older_than_receipt", receipt.name, size=checkpoint.size, told=place.tree_size)
    elif head is None:
        found.add("consistency_missing", receipt.name, told=place.tree_size)
    elif head.root.hex() != place.root:
        found.add("receipt_tells_another_tree", receipt.name, told=place.tree_size)


def _agrees(receipt: Paper, place: LogPlace, heads: Mapping[int, OldHead], contents: Contents) -> bool:
    """Whether what a receipt told before a loss is so in the log of today: then it was not lost."""
    head, leaf = heads.get(place.tree_size), contents.message_leaf_at(place.index)
    same_tree = head is not None and head.root.hex() == place.root
    return same_tree and leaf is not None and leaf.entry.digest == receipt.envelope.in_reply_to_digest


def _check_index(receipt: Paper, place: LogPlace, contents: Contents, found: Conclusions) -> None:
    fixed = receipt.envelope.in_reply_to_digest
    there = contents.message_leaf_at(place.index)
    if fixed in contents.leaf_of and (there is None or there.entry.digest != fixed):
        found.add("receipt_index_other", receipt.name, told=place.index)
    submission = receipt.said is not None and receipt.said.rung is Rung.SUBMISSION
    if submission and place.tree_size > place.index:
        found.add("receipt_place_impossible", receipt.name, told=place.tree_size, index=place.index)


def _continues(head: OldHead, checkpoint: Checkpoint) -> bool:
    return verify_consistency(
        old=head.size, new=checkpoint.size, proof=head.proof, old_root=head.root, new_root=checkpoint.root
    )
