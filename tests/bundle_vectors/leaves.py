"""Bundles whose things and log entries differ."""

from tests.bundle_builder import (
    AGENCY,
    MADE_AT,
    REFERRAL,
    brief,
    honest,
    minutes,
)
from tests.bundle_vectors.registry import erase, fails, sent


@fails(
    "leaf_of_other_referral",
    "log #6",
    "转办的存证条目记在另一案名下",
    "the handoff's entry names another case",
)
def entry_of_another_case() -> bytes:
    return brief(handoff={"leaf": {"about": "r-2026-0002"}}).build()


@fails("leaf_repeated", "log #4", "同一条目列了两次", "one entry is told twice")
def entry_told_twice() -> bytes:
    scene = brief()
    scene.told.append(4)
    return scene.build()


@fails(
    "log_time_backwards",
    "log #7",
    "日志条目的时间倒退",
    "an entry is older than those before it",
)
def entry_dated_back() -> bytes:
    return brief(relay={"leaf": {"at": minutes(-60)}}).build()


@fails(
    "logged_after_export",
    "log #7",
    "条目晚于本包出具的时间",
    "an entry is later than the bundle",
)
def entry_after_the_bundle() -> bytes:
    scene = brief()
    scene.made_at = minutes(60)
    return scene.build()


@fails(
    "message_withheld",
    "log #9",
    "日志记有撤回报文,包内不给",
    "the log has a withdrawal that is kept back",
)
def withdrawal_kept_back() -> bytes:
    scene = brief()
    sent(scene, "handoff.withdrawn", filed=False)
    return scene.build()


@fails(
    "message_altered",
    "messages/003.jws",
    "存证之后换了报文内容(用真密钥重签)",
    "after it was logged the message was signed anew with other content",
)
def message_changed_after_logging() -> bytes:
    scene = brief()
    first = sent(scene, filed=False)
    sent(scene, logged=False, envelope={"id": first.id, "data": {"handoff_id": "h-1", "changed": True}})
    return scene.build()


@fails(
    "message_logged_otherwise",
    "messages/002.jws",
    "存证写撤回,报文却是转办",
    "the log says withdrawn, the message hands over",
)
def message_logged_as_another_type() -> bytes:
    return brief(handoff={"leaf": {"message_type": "handoff.withdrawn"}}).build()


@fails(
    "message_not_logged",
    "messages/003.jws",
    "补造的催办没有存证",
    "a reminder that was made up is not in the log",
)
def message_made_up() -> bytes:
    scene = brief()
    sent(scene, logged=False)
    return scene.build()


@fails("receipt_withheld", "log #7", "日志记有部门回执,包内不给", "the log has the agency's receipt, it is kept back")
def receipt_kept_back() -> bytes:
    return brief(relay={"filed": False}).build()


@fails(
    "receipt_withheld",
    "log #9",
    "隐去对网关不利的逾期回执",
    "the gateway's own negative receipt is kept back",
)
def timeout_kept_back() -> bytes:
    scene = brief()
    scene.receipt(scene.said["handoff"], "delivery", "timeout", at=minutes(2200), filed=False)
    return scene.build()


@fails(
    "receipt_altered",
    "receipts/002.jws",
    "存证之后换了回执(改了时间)",
    "after it was logged the receipt was signed anew with another time",
)
def receipt_changed_after_logging() -> bytes:
    scene = brief(relay={"filed": False})
    scene.receipt(scene.said["handoff"], "relay", by=AGENCY, at=minutes(5), logged=False)
    return scene.build()


@fails(
    "receipt_logged_otherwise",
    "receipts/002.jws",
    "存证写拒绝,回执却是肯定",
    "the log says refused, the receipt accepted",
)
def receipt_logged_as_refused() -> bytes:
    return brief(relay={"leaf": {"verdict": "refused"}}).build()


@fails("receipt_not_logged", "receipts/002.jws", "部门回执没有存证", "the agency's receipt is not in the log")
def receipt_made_up() -> bytes:
    return brief(relay={"logged": False}).build()


@fails("decision_withheld", "{decision}", "日志记有决定,包内不给", "the log has a decision that is kept back")
def decision_kept_back() -> bytes:
    return honest(decision={"filed": False}).build()


@fails(
    "decision_altered",
    "{decision}",
    "事后改了决定人",
    "who decided was changed afterwards",
)
def decision_by_somebody_else() -> bytes:
    return honest(decision={"after": {"who": "值班员乙"}}).build()


@fails("decision_not_logged", "{decision}", "补造的决定没有存证", "a decision that was made up is not in the log")
def decision_made_up() -> bytes:
    return honest(decision={"logged": False}).build()


@fails(
    "erased_without_decision",
    REFERRAL,
    "称内容已删除以掩盖缺失,却无删除决定",
    "the content is said to be erased, and nobody decided so",
)
def erased_by_nobody() -> bytes:
    return erase(brief(), decided=False).build()


@fails(
    "message_withheld",
    "log #10",
    "删除之后的报文也称已删除",
    "a message from after the erasure is missing, too",
)
def missing_after_the_erasure() -> bytes:
    scene = brief()
    erase(scene)
    sent(scene, at=minutes(60 * 50), filed=False)
    scene.made_at = MADE_AT
    return scene.build()
