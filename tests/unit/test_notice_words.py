"""通知文字: every state, answer and circumstance has words; amounts are yuan; one line names nobody."""

from gateway.cli.notice_words import ANSWERS, CIRCUMSTANCES, STATES, in_full, in_short
from gateway.domain.lifecycle import NeedState
from gateway.store.exchanges import NOT_ANSWERED
from schemas.exchanges import CIRCUMSTANCES as CODES
from schemas.exchanges import INQUIRY_ANSWERS


def test_nothing_a_notice_may_say_is_without_words() -> None:
    assert STATES.keys() == {state.value for state in NeedState}
    assert ANSWERS.keys() == {*INQUIRY_ANSWERS, NOT_ANSWERED}
    assert CIRCUMSTANCES.keys() == set(CODES)


def test_a_need_is_told_with_what_was_given_and_by_whom() -> None:
    need = {
        "programme": "MLG",
        "state": "assisted",
        "paid_fen": 60_000,
        "from": "2026-03-01",
        "until": "2026-12-31",
        "office_id": "civil_affairs-520102",
    }
    said = in_short("referral.outcome", {"needs": [need]})
    assert said == "最低生活保障（MLG） 已救助 assisted 600.00 元 2026-03-01–2026-12-31 civil_affairs-520102"


def test_a_clue_names_the_person_only_in_full() -> None:
    clue = {"person": {"name": "样例甲"}, "circumstances": ["OTHER"], "note": "请核"}
    assert "样例甲" not in in_short("clue.forwarded", clue)
    assert ("姓名 name", "样例甲") in list(in_full("clue.forwarded", clue))
