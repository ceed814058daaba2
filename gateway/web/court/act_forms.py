"""后续报送 What a court says after its referral, each as a small form: withdrawal, payment, plan, use, visit.

Rules: a field is the wire's own field; cells are spelled as in the workbook (yuan, days, 、 between names); what is
typed goes through the wire shape, and a problem stands at its field. An id nobody typed is made from the form's own
name, so that a form pressed twice says one thing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from gateway.domain.values import InvalidValue
from gateway.workbook.court_files import SHAPES
from gateway.workbook.rows import shape_problems
from gateway.workbook.spellings import read_day, read_texts, read_yuan
from schemas.court_money import CIRCUMSTANCES, IRREGULARITIES, MODES, PURPOSES, SITUATIONS, VISIT_MODES
from schemas.referral import PAYEES

LONGEST = 4000


@dataclass(frozen=True, kw_only=True, slots=True)
class ActField:
    """One field. kind: text, area, day, yuan, code, codes, texts, instalments or spent; words: kind of word of its
    codes."""

    name: str
    kind: str
    zh: str
    en: str
    required: bool = False
    codes: tuple[str, ...] = ()
    words: str = ""
    hint_zh: str = ""
    hint_en: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Act:
    """One kind of message as a form. own_id: the field that names it, made where it is left blank."""

    path: str
    type: str
    zh: str
    en: str
    fields: tuple[ActField, ...]
    own_id: str = ""
    confirmed: bool = False


Typed = Mapping[str, str]
"""Text by field; of what was spent, by `spent.` and the purpose; several codes with 、 between."""


def _own_id(name: str, zh: str, en: str) -> ActField:
    return ActField(name=name, kind="text", zh=zh, en=en, hint_zh="空白自动编号。", hint_en="Blank: made by itself.")


_NOTE = ActField(name="note", kind="area", zh="说明", en="Note")

WITHDRAW = Act(
    path="withdraw",
    type="referral.withdrawn",
    zh="撤回移送",
    en="Withdraw the referral",
    confirmed=True,
    fields=(ActField(name="reason", kind="area", zh="撤回理由", en="Reason", required=True),),
)
PAYMENT = Act(
    path="payment",
    type="judicial_assistance.paid",
    zh="登记发放",
    en="Record a payment",
    own_id="payment_id",
    fields=(
        ActField(name="amount_fen", kind="yuan", zh="金额（元）", en="Amount (yuan)", required=True),
        ActField(name="paid_on", kind="day", zh="发放日期", en="Paid on", required=True),
        ActField(name="payee", kind="code", zh="领款人", en="Payee", required=True, codes=PAYEES, words="payee"),
        ActField(
            name="account",
            kind="text",
            zh="收款账户",
            en="Account",
            hint_zh="只用于核对账户共用，网关只留存其密钥摘要。",
            hint_en="Compared with others only; the gateway keeps a keyed hash of it.",
        ),
        _own_id("payment_id", "发放编号", "Payment id"),
    ),
)
PLAN = Act(
    path="plan",
    type="disbursement.planned",
    zh="发放计划",
    en="Disbursement plan",
    own_id="plan_id",
    fields=(
        ActField(name="mode", kind="code", zh="发放方式", en="Mode", required=True, codes=MODES, words="plan_mode"),
        ActField(
            name="purposes", kind="codes", zh="用途", en="Purposes", required=True, codes=PURPOSES, words="purpose"
        ),
        ActField(
            name="instalments",
            kind="instalments",
            zh="分期",
            en="Instalments",
            hint_zh="每行一期：日期 金额（元），按日期先后。例：2026-04-01 5000.00",
            hint_en="One per line: day and yuan, in order. E.g. 2026-04-01 5000.00",
        ),
        ActField(name="manager_name", kind="text", zh="管护人", en="Trustee"),
        _NOTE,
        _own_id("plan_id", "计划编号", "Plan id"),
    ),
)
USE_REPORT = Act(
    path="use-report",
    type="fund_use.reported",
    zh="资金使用报告",
    en="Report of use",
    own_id="report_id",
    fields=(
        ActField(name="from_day", kind="day", zh="起始日期", en="From", required=True),
        ActField(name="to_day", kind="day", zh="截止日期", en="To", required=True),
        ActField(
            name="spent",
            kind="spent",
            zh="支出（元）",
            en="Spent (yuan)",
            required=True,
            codes=PURPOSES,
            words="purpose",
        ),
        ActField(
            name="irregularity", kind="code", zh="异常", en="Irregularity", codes=IRREGULARITIES, words="irregularity"
        ),
        ActField(name="irregular_fen", kind="yuan", zh="异常金额（元）", en="Amount irregular (yuan)"),
        _NOTE,
        _own_id("report_id", "报告编号", "Report id"),
    ),
)
VISIT = Act(
    path="visit",
    type="follow_up.recorded",
    zh="登记回访",
    en="Record a visit",
    own_id="visit_id",
    fields=(
        ActField(name="visited_on", kind="day", zh="回访日期", en="Visited on", required=True),
        ActField(name="mode", kind="code", zh="方式", en="Mode", required=True, codes=VISIT_MODES, words="visit_mode"),
        ActField(
            name="situation", kind="code", zh="情况", en="Situation", required=True, codes=SITUATIONS, words="situation"
        ),
        ActField(
            name="circumstances",
            kind="codes",
            zh="另有情形",
            en="Besides",
            codes=CIRCUMSTANCES,
            words="visit_circumstance",
        ),
        ActField(name="recovered_fen", kind="yuan", zh="事后执行到位（元）", en="Recovered since (yuan)"),
        ActField(name="next_visit_on", kind="day", zh="下次回访日期", en="Next visit on"),
        ActField(
            name="visitors",
            kind="texts",
            zh="回访人",
            en="Visitors",
            hint_zh="几人之间用、隔开。",
            hint_en="Several with 、 between.",
        ),
        _NOTE,
        _own_id("visit_id", "回访编号", "Visit id"),
    ),
)
ACTS = {act.path: act for act in (WITHDRAW, PAYMENT, PLAN, USE_REPORT, VISIT)}


def read_act(act: Act, typed: Typed, *, referral_id: str, form: str) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """The message's data, and the codes of what is wrong by field."""
    data: dict[str, Any] = {"referral_id": referral_id}
    wrong: dict[str, list[str]] = {}
    for field in act.fields:
        try:
            value = _READERS[field.kind](field, typed)
        except InvalidValue as error:
            wrong[field.name] = [error.code]
            continue
        if value not in (None, "", []):
            data[field.name] = value
    if act.own_id:
        data.setdefault(act.own_id, f"{act.path[0]}-{sha256(form.encode()).hexdigest()[:24]}")
    for pointer, code in shape_problems(SHAPES[act.type], data):
        name = field_at(pointer)
        if name not in wrong:  # what could not be read is complained about once
            wrong[name] = [code]
    return data, wrong


def field_at(pointer: str) -> str:
    """The field a pointer into the data belongs to."""
    return pointer.removeprefix("/data").strip("/").partition("/")[0]


def _text(field: ActField, typed: Typed) -> str:
    return typed.get(field.name, "").replace("\r\n", "\n").strip()


def _day(field: ActField, typed: Typed) -> str | None:
    text = _text(field, typed)
    return read_day(text).isoformat() if text else None


def _yuan(field: ActField, typed: Typed) -> int | None:
    text = _text(field, typed)
    return read_yuan(text) if text else None


def _several(field: ActField, typed: Typed) -> list[str]:
    return read_texts(_text(field, typed))


def _instalments(field: ActField, typed: Typed) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for line in _text(field, typed).splitlines():
        if parts := line.split():
            if len(parts) != 2:
                raise InvalidValue("pattern")
            day, amount = read_day(parts[0]).isoformat(), read_yuan(parts[1])
            found.append({"number": len(found) + 1, "due_on": day, "amount_fen": amount})
    return found


def _spent(field: ActField, typed: Typed) -> list[dict[str, Any]]:
    cells = {code: typed.get(f"{field.name}.{code}", "").strip() for code in field.codes}
    return [{"purpose": code, "amount_fen": read_yuan(text)} for code, text in cells.items() if text]


_READERS: Mapping[str, Callable[[ActField, Typed], Any]] = {
    "text": _text,
    "area": _text,
    "code": _text,
    "day": _day,
    "yuan": _yuan,
    "codes": _several,
    "texts": _several,
    "instalments": _instalments,
    "spent": _spent,
}
