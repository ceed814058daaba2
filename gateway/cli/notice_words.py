"""通知文字 What a notice of the gateway's says, in the words of a clerk: in one line for a list, in full for who acts.

In one line nobody is named; names and numbers are shown only where one notice is opened. Codes stay beside the words,
so that what is read here is found again in docs/wire.md.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.cli.console import yuan
from gateway.domain.programmes import load_programmes
from gateway.domain.rules import read_table

ANSWERS = {
    "ACTIVE": "正在享受 active",
    "ENDED": "曾享受已停 ended",
    "NEVER": "从未享受 never",
    "UNKNOWN": "不掌握 unknown",
    "NOT_ANSWERED": "未答复 not answered",
}
STATES = {
    "accepted": "已受理 accepted",
    "held": "人工核查 a person looks first",
    "routed": "已派 routed",
    "handed_off": "已转办 handed over",
    "received": "部门已收 received",
    "under_review": "审核中 under review",
    "information_requested": "要求补充材料 information requested",
    "accepted_by_agency": "部门已受理 taken on",
    "declined": "部门不予受理 declined",
    "in_progress": "办理中 in progress",
    "assisted": "已救助 assisted",
    "partially_assisted": "部分救助 partly assisted",
    "not_assisted": "未予救助 not assisted",
    "followed_up": "已回访 followed up",
    "closed": "办结 closed",
    "withdrawn": "已撤回 withdrawn",
    "cancel_requested": "请求取消 cancel requested",
    "cancelled": "已取消 cancelled",
    "rerouted": "已改派 sent on",
    "entered_in_error": "误录 entered in error",
}
CIRCUMSTANCES = {
    "CRIME_VICTIM": "刑事被害人 victim of a crime",
    "BREADWINNER_LOST": "家庭失去主要劳动力 breadwinner lost",
    "UNPAID_COMPENSATION": "赔偿执行不到位 compensation not paid",
    "UNPAID_SUPPORT": "抚养赡养费执行不到位 support not paid",
    "URGENT_TREATMENT": "急需救治 urgent treatment",
    "DOMESTIC_VIOLENCE": "家庭暴力 domestic violence",
    "OTHER": "其他 other",
}
_PERSON = {
    "name": "姓名 name",
    "id_type": "证件类型 kind of number",
    "id_number": "证件号码 number",
    "sex": "性别 sex",
    "birth_date": "出生日期 born",
    "phone": "电话 phone",
    "household_registration_region": "户籍地 registered in",
}
_MORE = {
    "case_number": "案号 case number",
    "from": "来自 from",
    "court": "法院 court",
    "note": "说明 note",
    "amount_fen": "金额 amount",
    "refusal_code": "不予救助理由 reason of refusal",
    "to": "转往 to",
}


def in_short(type_: str, data: Mapping[str, Any]) -> str:
    """One line without a person's data."""
    return "；".join(_lines(type_, data)) or str(data.get("code") or data.get("kind") or "")


def in_full(type_: str, data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every field a clerk acts on, each with its label; the person included."""
    for name, label in _MORE.items():
        if name in data:
            yield label, f"{yuan(data[name])} 元" if name == "amount_fen" else str(data[name])
    person = data.get("person")
    if isinstance(person, Mapping):
        yield from ((label, str(person[name])) for name, label in _PERSON.items() if name in person)
    for line in _lines(type_, data):
        yield "内容 says", line


def _lines(type_: str, data: Mapping[str, Any]) -> Iterator[str]:
    if type_ == "inquiry.result":
        yield from (_answer(one) for one in data.get("answers", ()))
    elif type_ == "inquiry.forwarded":
        yield from (programme(code) for code in data.get("programmes", ()))
    elif type_ in ("referral.status", "referral.outcome"):
        yield from (_need(one) for one in data.get("needs", ()))
    elif type_ == "clue.forwarded":
        yield from (CIRCUMSTANCES.get(code, code) for code in data.get("circumstances", ()))
    elif type_ == "clue.answer":
        yield _clue_word(str(data.get("code", "")))


def _answer(one: Mapping[str, Any]) -> str:
    said = [programme(one["programme"]), ANSWERS.get(one["answer"], one["answer"])]
    said += [f"截至 as of {one['as_of']}"] if "as_of" in one else []
    said += [f"{yuan(one['amount_fen'])} 元"] if "amount_fen" in one else []
    return " ".join(said)


def _need(one: Mapping[str, Any]) -> str:
    said = [programme(one["programme"]), STATES.get(one["state"], one["state"])]
    said += [f"{yuan(one[name])} 元" for name in ("paid_fen", "approved_fen") if one.get(name)][:1]
    said += [f"{one['from']}–{one.get('until', '')}"] if "from" in one else []
    said += [str(one["office_id"])] if "office_id" in one else []
    return " ".join(said)


def _clue_word(code: str) -> str:
    words = {row["code"]: row["zh"] for row in read_table("replies") if row["layer"] == "clue_answer"}
    return f"{words.get(code, '')} {code}".strip()


def programme(code: str) -> str:
    """A programme's name with its code."""
    found = load_programmes().get(code)
    return code if found is None else f"{found.name_zh}（{code}）"
