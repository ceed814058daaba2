"""Bundles whose log does not hold."""

from dataclasses import replace
from typing import Any

from gateway.evidence.checkpoint import Checkpoint, cosign, sign_checkpoint, with_cosignature
from tests.bundle_builder import (
    GATEWAY,
    MADE_AT,
    WITNESS,
    Scene,
    brief,
    fixed_log_key,
    minutes,
)
from tests.bundle_vectors.registry import fails


def _note(scene: Scene, **changes: Any) -> str:
    size = len(scene.log)
    known = {"origin": GATEWAY, "size": size, "root": scene.root(size), **changes}
    return sign_checkpoint(Checkpoint(**known), fixed_log_key(GATEWAY).named(known["origin"]))


@fails("origin_wrong", "manifest.json", "日志名称是别的网关的", "the log's name is another gateway's")
def log_of_another_gateway() -> bytes:
    return brief().build(manifest={"origin": "cn/gateway/530000"})


@fails(
    "epoch_wrong",
    "manifest.json",
    "称恢复后的第二期,日志却是第一期",
    "a second epoch is claimed for a log of the first",
)
def epoch_made_up() -> bytes:
    return brief().build(manifest={"epoch": 2})


@fails("log_key_unreadable", "keys.json", "日志公钥的校验值不符", "the log's key does not fit its own hash")
def log_key_garbled() -> bytes:
    return brief().build(vkey=fixed_log_key(GATEWAY).vkey().replace("+", "+0", 1)[:-1] + "=")


@fails("checkpoint_malformed", "log/checkpoint.txt", "检查点只有两行", "the checkpoint has two lines only")
def checkpoint_of_two_lines() -> bytes:
    scene = brief()
    return scene.build(checkpoint=_note(scene).replace(f"{GATEWAY}\n", "", 1))


@fails("checkpoint_of_other_log", "log/checkpoint.txt", "检查点是别的日志的", "the checkpoint is another log's")
def checkpoint_of_another_log() -> bytes:
    scene = brief()
    return scene.build(checkpoint=_note(scene, origin="cn/gateway/530000"))


@fails("checkpoint_not_signed", "log/checkpoint.txt", "检查点由别的密钥签名", "the checkpoint is signed by another key")
def checkpoint_by_another_key() -> bytes:
    scene = brief()
    size = len(scene.log)
    checkpoint = Checkpoint(origin=GATEWAY, size=size, root=scene.root(size))
    other = fixed_log_key("somebody").named(GATEWAY)
    return scene.build(checkpoint=sign_checkpoint(checkpoint, other))


@fails(
    "checkpoint_signature_wrong",
    "log/checkpoint.txt",
    "签名之后改了条数",
    "the size was changed after it had been signed",
)
def checkpoint_changed() -> bytes:
    scene = brief()
    size = len(scene.log)
    note = _note(scene).replace(f"\n{size}\n", f"\n{size + 1}\n")
    return scene.build(checkpoint=note, tree_size=size + 1)


@fails("cosignature_wrong", "log/checkpoint.txt", "伪造审计的会签", "the auditor's cosignature is forged")
def cosignature_forged() -> bytes:
    scene = brief()
    other = _note(scene, root=bytes(32))
    return scene.build(checkpoint=with_cosignature(_note(scene), cosign(other, WITNESS, now=MADE_AT)))


@fails("tree_size_other", "log/checkpoint.txt", "清单称日志更长", "the manifest claims a longer log")
def longer_log_claimed() -> bytes:
    scene = brief()
    return scene.build(manifest={"tree_size": len(scene.log) + 1})


@fails("proofs_of_other_tree", "log/proofs.json", "证明属于另一棵树", "the proofs are of another tree")
def proofs_of_another_tree() -> bytes:
    scene = brief()
    size = len(scene.log)
    return scene.build(tree_size=size - 1, manifest={"tree_size": size})


@fails("inclusion_missing", "log #6", "转办没有包含证明", "the handoff has no inclusion proof")
def proof_left_out() -> bytes:
    scene = brief()
    proofs = dict(scene.collected().inclusion)
    del proofs[6]
    return scene.build(inclusion=proofs)


@fails("inclusion_wrong", "log #4", "移送的条目不在签过名的树里", "the referral's entry is not in the signed tree")
def entry_not_in_the_tree() -> bytes:
    scene = brief()
    proofs = dict(scene.collected().inclusion)
    proofs[4] = [bytes(32), *proofs[4][1:]]
    return scene.build(inclusion=proofs)


@fails("proof_without_leaf", "log #3", "给了证明却不给条目", "a proof is there, its entry is not")
def proof_of_nothing() -> bytes:
    scene = brief()
    proofs = dict(scene.collected().inclusion)
    proofs[3] = proofs[4]
    return scene.build(inclusion=proofs)


@fails(
    "consistency_wrong",
    "tree 4",
    "法院回执之后日志被改写,证明是凑的",
    "the log was rewritten after the court's receipt; the proof is made up",
)
def history_rewritten() -> bytes:
    scene = brief(referral_receipt={"place": {"root": "ee" * 32}})
    heads = [replace(head, root=bytes.fromhex("ee" * 32)) for head in scene.collected().consistency]
    return scene.build(consistency=heads)


@fails(
    "consistency_missing", "receipts/001.jws", "回执所载的树没有一致性证明", "the tree a receipt tells of has no proof"
)
def consistency_left_out() -> bytes:
    return brief().build(consistency=())


@fails(
    "receipt_tells_another_tree",
    "receipts/001.jws",
    "法院回执里的树根与包内不同:日志被改写",
    "the court's receipt tells of another tree: the log was rewritten",
)
def receipt_remembers_another_log() -> bytes:
    return brief(referral_receipt={"place": {"root": "ef" * 32}}).build()


@fails("receipt_of_other_log", "receipts/001.jws", "回执指向另一个日志", "the receipt names another log")
def receipt_of_another_log() -> bytes:
    return brief(referral_receipt={"place": {"origin": "cn/gateway/530000"}}).build()


@fails("receipt_index_other", "receipts/001.jws", "回执所指位置是别的条目", "the receipt names another entry's place")
def receipt_points_elsewhere() -> bytes:
    return brief(referral_receipt={"place": {"index": 5}}).build()


@fails(
    "receipt_place_impossible",
    "receipts/001.jws",
    "回执称此前的树已含它所回的报文",
    "the tree before the message is said to hold it already",
)
def receipt_before_its_time() -> bytes:
    scene = brief(referral_receipt={"placed": False, "logged": False, "filed": False})
    size = scene.said["referral"].index + 1
    scene.receipt(scene.said["referral"], "submission", at=minutes(2200), place=_tree(scene, size))
    return _in_order(scene)


def _tree(scene: Scene, size: int) -> dict[str, Any]:
    return {"tree_size": size, "root": scene.root(size).hex()}


def _in_order(scene: Scene) -> bytes:
    """The receipts as the log has them."""
    scene.receipts.reverse()
    return scene.build()
