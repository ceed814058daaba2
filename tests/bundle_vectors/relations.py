"""Bundles whose papers do not hang together."""

from tests.bundle_builder import (
    AGENCY,
    COURT,
    REFERRAL,
    brief,
    honest,
    minutes,
)
from tests.bundle_vectors.registry import accepted, fails, sent


@fails(
    "message_not_the_gateways",
    "messages/001.jws",
    "收件方不是本网关",
    "a message to another gateway",
    "receipt_by_other_party",
)
def message_to_another_gateway() -> bytes:
    other = {"recipient": "cn/gateway/530000"}
    return brief(referral={"envelope": other, "leaf": other}).build()


@fails("message_of_other_referral", "messages/001.jws", "夹入另一案的移送", "the referral is another case's")
def referral_of_another_case() -> bytes:
    return brief(referral={"data": {"referral_id": "r-2026-0002", "decided_amount_fen": 1}}).build()


@fails("message_of_other_referral", "messages/002.jws", "夹入另一案的转办", "the handoff is another case's")
def handoff_of_another_case() -> bytes:
    return brief(handoff={"subject": "r-2026-0002"}, relay={"envelope": {"subject": None}}).build()


@fails(
    "message_id_repeated",
    "messages/003.jws",
    "同一编号有两份不同内容",
    "two contents under one id",
    "receipt_digest_other",
)
def one_id_two_contents() -> bytes:
    scene = brief()
    same = scene.said["referral"].id
    body = {"referral_id": REFERRAL, "decided_amount_fen": 9}
    accepted(scene, COURT, "referral.submitted", body, seq=8, envelope={"id": same}, leaf={"message_id": same})
    return scene.build()


@fails(
    "answered_message_missing",
    "messages/003.jws",
    "部门答复的是包内没有的报文",
    "the agency answers something that is not in the bundle",
)
def answer_to_nothing() -> bytes:
    scene = brief()
    nothing = {"in_reply_to": "01900000-0000-7000-8000-00000000dead"}
    accepted(scene, AGENCY, "handoff.delivered", {}, answers=scene.said["handoff"], envelope=nothing)
    return scene.build()


@fails(
    "answered_digest_other",
    "messages/003.jws",
    "部门答复的是转办的另一内容",
    "the agency answers another content of the handoff",
)
def answer_to_another_content() -> bytes:
    scene = brief()
    other = {"in_reply_to_digest": "ab" * 32}
    accepted(scene, AGENCY, "handoff.delivered", {}, answers=scene.said["handoff"], envelope=other)
    return scene.build()


@fails(
    "answered_by_other_party",
    "messages/003.jws",
    "答复者不是收到转办的部门",
    "somebody else than the recipient answers the handoff",
)
def answered_by_somebody_else() -> bytes:
    scene = brief()
    accepted(scene, COURT, "handoff.delivered", {}, answers=scene.said["handoff"], seq=8)
    return scene.build()


@fails(
    "answered_before_it_was_sent",
    "messages/003.jws",
    "答复的存证早于其所答的报文",
    "the answer was logged before what it answers",
)
def answered_before_it_was_sent() -> bytes:
    scene = brief()
    reminder = sent(scene, at=minutes(2300), logged=False, filed=False)
    accepted(scene, AGENCY, "handoff.delivered", {}, answers=reminder)
    sent(scene, at=minutes(2300), filed=False, envelope={"id": reminder.id}, leaf={"message_id": reminder.id})
    scene.messages.append(reminder.jws)
    return scene.build()


@fails(
    "time_after_logging",
    "messages/001.jws",
    "移送自称的时间晚于收到的时间",
    "the referral is dated later than it was received",
)
def dated_in_the_future() -> bytes:
    return brief(referral={"envelope": {"time": minutes(60)}}).build()


@fails(
    "accepted_after_expiry", "messages/001.jws", "移送收下时已过有效期", "the referral had expired when it was accepted"
)
def accepted_after_its_expiry() -> bytes:
    return brief(referral={"envelope": {"expires_at": minutes(-5)}}).build()


@fails("seq_repeated", "messages/003.jws", "法院两份报文同一序号", "two messages of the court under one number")
def number_given_twice() -> bytes:
    scene = brief()
    paid = {"referral_id": REFERRAL, "payment_id": "p-1", "amount_fen": 2_000_000}
    accepted(scene, COURT, "judicial_assistance.paid", paid, seq=7)
    return scene.build()


@fails(
    "seq_out_of_order",
    "messages/003.jws",
    "网关补造的报文序号在日志顺序之前",
    "a message made up later carries a number from before",
)
def numbered_out_of_order() -> bytes:
    scene = brief()
    sent(scene, seq=2)
    return scene.build()


@fails("attempt_of_unknown_message", "m-none", "投递记录所指报文不存在", "an attempt of a message that does not exist")
def attempt_of_nothing() -> bytes:
    scene = honest()
    scene.attempts[1] = {**scene.attempts[1], "message_id": "m-none", "number": 1}
    return scene.build()


@fails("attempt_missing", "{handoff}", "抽走了第一次失败的投递", "the first, failed attempt was taken out")
def failed_attempt_taken_out() -> bytes:
    scene = honest()
    del scene.attempts[0]
    return scene.build()


@fails(
    "attempt_ends_before_it_begins",
    "{handoff}",
    "投递先结束后开始",
    "an attempt ends before it begins",
)
def attempt_backwards() -> bytes:
    scene = honest()
    scene.attempts[0]["finished_at"] = minutes(1)
    return scene.build()


@fails(
    "reading_of_unknown_message",
    "m-none",
    "反馈记录没有部门报文为据",
    "an answer is told that no agency sent",
)
def answer_made_up() -> bytes:
    scene = honest()
    scene.replies.append({**scene.replies[0], "message_id": "m-none", "amount_fen": 99_000_000})
    return scene.build()


@fails(
    "reading_of_other_referral",
    "{answer}",
    "把本案反馈记到另一案的需求上",
    "the answer was applied to another case's need",
)
def answer_credited_elsewhere() -> bytes:
    scene = honest()
    scene.replies[0]["need_id"] = "r-2026-00012:1"
    return scene.build()


@fails(
    "rung_of_unknown_message",
    "m-none outcome",
    "办理结果挂在不存在的转办上",
    "an outcome of a handoff that does not exist",
)
def rung_of_nothing() -> bytes:
    scene = honest()
    scene.rungs[2]["message_id"] = "m-none"
    return scene.build()


@fails(
    "rung_without_evidence",
    "{handoff} outcome",
    "称已有办理结果,却无部门报文",
    "an outcome is claimed that no message shows",
)
def outcome_without_evidence() -> bytes:
    return honest(outcome_rung={"evidence_id": "m-none"}).build()


@fails(
    "rung_by_other_message",
    "{handoff} disposition",
    "拿法院自己的报文充作部门意见",
    "the court's own message stands for the agency's disposition",
)
def disposition_by_the_court() -> bytes:
    scene = brief()
    scene.rung(scene.said["handoff"], "disposition", scene.said["referral"])
    return scene.build()


@fails(
    "rung_not_of_this_type",
    "{handoff} outcome",
    "拿签收充作办理结果",
    "that somebody opened it is told as its outcome",
)
def opening_told_as_outcome() -> bytes:
    scene = honest()
    scene.rungs[2] = {**scene.rungs[0], "rung": "outcome"}
    return scene.build()


@fails("rung_not_positive", "{handoff} outcome", "部门报文被记为逾期", "the agency's answer is told as a timeout")
def answer_told_as_timeout() -> bytes:
    return honest(outcome_rung={"verdict": "timeout"}).build()


@fails("rung_told_twice", "{handoff} outcome", "同一环节两次达到", "one rung is reached twice")
def outcome_told_twice() -> bytes:
    scene = honest()
    scene.rungs.append(dict(scene.rungs[2]))
    return scene.build()


@fails(
    "decision_of_other_referral",
    "{decision}",
    "夹入另一案的决定",
    "the decision is about another case",
)
def decision_of_another_case() -> bytes:
    return honest(decision={"subject": "r-2026-00010"}).build()


@fails("decision_repeated", "{decision}", "同一决定列了两次", "one decision is told twice")
def decision_told_twice() -> bytes:
    scene = honest()
    scene.decisions.append(dict(scene.decisions[0]))
    return scene.build()


@fails("need_of_other_referral", "r-2026-0002:1", "把另一案的需求状态列进来", "another case's need is told here")
def need_of_another_case() -> bytes:
    scene = brief()
    scene.needs[0]["need_id"] = "r-2026-0002:1"
    return scene.build()
