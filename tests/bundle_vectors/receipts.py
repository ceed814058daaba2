"""Bundles whose receipts do not belong to their messages."""

from tests.bundle_builder import (
    AGENCY,
    COURT,
    GATEWAY,
    brief,
    minutes,
)
from tests.bundle_vectors.registry import fails, sent


@fails(
    "receipt_of_unknown_message",
    "receipts/003.jws",
    "夹入别的报文的回执",
    "a receipt for a message of somewhere else",
)
def receipt_of_something_else() -> bytes:
    scene = brief()
    other = sent(scene, logged=False, filed=False)
    scene.receipt(other, "relay", by=AGENCY, at=minutes(2210))
    return scene.build()


@fails(
    "receipt_digest_other",
    "receipts/002.jws",
    "部门回执回的是转办的另一内容",
    "the agency's receipt is for another content of the handoff",
)
def receipt_for_another_content() -> bytes:
    return brief(relay={"envelope": {"in_reply_to_digest": "cd" * 32}}).build()


@fails(
    "receipt_rung_impossible",
    "receipts/002.jws",
    "部门对转办出具“提交”回执",
    "the agency gives a receipt of submission for what it received",
)
def submission_by_the_agency() -> bytes:
    return brief(relay={"rung": "submission", "to": GATEWAY}).build()


@fails(
    "receipt_by_other_party",
    "receipts/002.jws",
    "法院替部门出具转达回执",
    "the court gives the agency's receipt",
)
def receipt_by_the_wrong_party() -> bytes:
    return brief(relay={"by": COURT}).build()


@fails(
    "receipt_by_other_party",
    "receipts/003.jws",
    "网关替部门证明送达",
    "the gateway itself says that the desk has it",
)
def gateway_speaks_for_the_agency() -> bytes:
    scene = brief()
    scene.receipt(scene.said["handoff"], "delivery", at=minutes(2200))
    return scene.build()


@fails(
    "receipt_to_other_party",
    "receipts/001.jws",
    "给法院的回执写给了部门",
    "the court's receipt is addressed to the agency",
)
def receipt_to_the_wrong_party() -> bytes:
    return brief(referral_receipt={"to": AGENCY}).build()


@fails(
    "receipt_type_other",
    "receipts/002.jws",
    "类型写签收,内容写转达",
    "its type says retrieval, its body relay",
)
def receipt_of_two_minds() -> bytes:
    return brief(relay={"envelope": {"type": "receipt.retrieval"}}).build()


@fails(
    "receipt_of_other_referral",
    "receipts/002.jws",
    "部门回执属于另一案",
    "the agency's receipt is about another case",
)
def receipt_of_another_case() -> bytes:
    return brief(relay={"envelope": {"subject": "r-2026-0002"}}).build()


@fails(
    "receipt_before_its_message",
    "receipts/002.jws",
    "回执的时间早于转办",
    "the receipt is older than the handoff",
)
def receipt_dated_back() -> bytes:
    return brief(relay={"body": {"at": "2026-03-01T01:00:00.000Z"}}).build()


@fails(
    "receipt_repeated",
    "receipts/003.jws",
    "同一转办两份肯定的转达回执",
    "two positive receipts of relay for one handoff",
)
def relayed_twice() -> bytes:
    scene = brief()
    scene.receipt(scene.said["handoff"], "relay", by=AGENCY, at=minutes(2200), verdict="duplicate")
    return scene.build()


@fails(
    "receipt_repeated",
    "receipts/004.jws",
    "同一转办两份逾期回执",
    "two negative receipts of one rung",
)
def timed_out_twice() -> bytes:
    scene = brief()
    for at in (2200, 2300):
        scene.receipt(scene.said["handoff"], "delivery", "timeout", at=minutes(at))
    return scene.build()


@fails(
    "submission_receipt_missing",
    "messages/001.jws",
    "收下移送却没有回执",
    "the referral was accepted and has no receipt",
)
def accepted_without_receipt() -> bytes:
    return brief(referral_receipt={"logged": False, "filed": False}).build()
