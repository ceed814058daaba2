"""后续办理 The forms of what a court says after its referral: shown, checked, sent once, told in words.

A withdrawal is dangerous and is confirmed by the password. Another court's referral and none at all answer alike.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from flask import request
from werkzeug.wrappers import Response

from gateway.domain.access import Right
from gateway.errors import NotFound, ReferralUnknown, SchemaInvalid, XianjieError
from gateway.web.court.act_forms import ACTS, LONGEST, WITHDRAW, Act, field_at, read_act
from gateway.web.court.form_fields import wrong_text
from gateway.web.court.parts import back_to_case, require_own, without_list
from gateway.web.desk import Desk
from gateway.web.pages.clerk import act_of, can_send, form_of, new_form, send
from gateway.web.pages.routes import Pages
from gateway.web.pages.said import tells
from gateway.web.pages.visit import Visit

SAID = {
    "withdraw": tells(
        "court_withdrawn",
        "移送已撤回；已开始办理的需求须经部门同意后取消。",
        "The referral was withdrawn; needs at work end once the agency agrees.",
    ),
    "payment": tells("court_paid", "发放已登记。", "The payment was recorded."),
    "plan": tells("court_planned", "发放计划已登记。", "The plan was recorded."),
    "use-report": tells("court_use_reported", "使用报告已登记。", "The report of use was recorded."),
    "visit": tells("court_visited", "回访已登记。", "The visit was recorded."),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Filled:
    """What stands in a form."""

    form: str
    typed: Mapping[str, str] = field(default_factory=dict)
    wrong: Mapping[str, Sequence[str]] = field(default_factory=dict)


def pages(desk: Desk) -> Pages:
    """One form for each kind of message, and the withdrawal."""
    found = Pages(desk, "court_acts", "/court/referrals")

    @found.get("/<referral_id>/<path>", Right.COURT_WORK)
    def act_form(visit: Visit, referral_id: str, path: str) -> Response:
        require_own(visit, referral_id)
        return _form(visit, referral_id, _act(path), Filled(form=new_form()))

    @found.post("/<referral_id>/<path>", Right.COURT_WORK)
    def record(visit: Visit, referral_id: str, path: str) -> Response:
        act = _act(path)
        if act.confirmed:
            raise NotFound
        return _record(visit, referral_id, act)

    @found.post("/<referral_id>/withdraw", Right.COURT_WORK, confirmed=True)
    def withdraw(visit: Visit, referral_id: str) -> Response:
        return _record(visit, referral_id, WITHDRAW)

    return found


def _act(path: str) -> Act:
    if path not in ACTS:
        raise NotFound
    return ACTS[path]


def _record(visit: Visit, referral_id: str, act: Act) -> Response:
    require_own(visit, referral_id)
    form, typed = form_of(visit), _typed(act)
    data, wrong = read_act(act, typed, referral_id=referral_id, form=form)
    filled = Filled(form=form, typed=typed, wrong=wrong)
    if wrong or not can_send(visit):
        return _form(visit, referral_id, act, filled, refused=SchemaInvalid() if wrong else None)
    try:
        sent = send(visit, act.type, data, form=act_of(form, data), subject=referral_id)
    except ReferralUnknown:
        raise NotFound from None
    except XianjieError as error:
        if error.status == 500:
            raise
        wrong = {field_at(one.pointer): [one.code] for one in error.problems}
        filled = Filled(form=form, typed=typed, wrong=wrong)
        return _form(visit, referral_id, act, filled, refused=without_list(error))
    return back_to_case(visit, referral_id, sent, SAID[act.path])


def _typed(act: Act) -> dict[str, str]:
    names = [one.name for one in act.fields]
    names += [f"{one.name}.{code}" for one in act.fields if one.kind == "spent" for code in one.codes]
    return {name: "、".join(request.form.getlist(name))[:LONGEST] for name in names}


def _form(visit: Visit, referral_id: str, act: Act, filled: Filled, *, refused: XianjieError | None = None) -> Response:
    known = {one.name for one in act.fields}
    return visit.page(
        "court/act.html",
        status=200 if refused is None else refused.status,
        refused=None if filled.wrong else refused,
        referral_id=referral_id,
        act=act,
        form_id=filled.form,
        typed=filled.typed,
        wrong={name: [wrong_text(code) for code in codes] for name, codes in filled.wrong.items()},
        elsewhere=[
            (code, wrong_text(code)) for name, codes in filled.wrong.items() if name not in known for code in codes
        ],
        can_send=can_send(visit),
    )
