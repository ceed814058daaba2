"""模拟处置: both simulated sides of a match say what follows from its number, and an agency says it by itself."""

from collections import Counter

from gateway.domain.adjudication import DispositionCode, judge
from gateway.sandbox.adjudicator import disposition, recalled, remembered
from schemas.match import MATCH_DISPOSITION
from tests.sandbox.world import a_message, a_world


def asked(number: int, side: str, kind: str = "same_help") -> dict[str, object]:
    return {"match_id": f"m-{number}", "side": side, "round": 1, "referral_id": f"r-{side}", "kind": kind}


def test_most_sides_agree_and_some_matches_go_before_a_person() -> None:
    outcomes: Counter[str] = Counter()
    for number in range(300):
        said = [MATCH_DISPOSITION.load(disposition(asked(number, side)))["disposition"] for side in ("A", "B")]
        rule = judge(DispositionCode(said[0]), DispositionCode(said[1]), one_party=False)
        outcomes["escalated" if rule.resolution is None else rule.resolution.value] += 1
    assert outcomes.keys() == {"DUPLICATE", "LAWFUL", "NOT_SAME_HELP", "escalated"}
    assert 10 < outcomes["escalated"] < 60


def test_what_is_remembered_of_a_notice_answers_it_as_the_notice_would() -> None:
    notice = asked(7, "B", "same_person")
    assert disposition(recalled(remembered(notice), "r-B")) == disposition(notice)


def test_an_agency_receipts_a_notice_and_disposes_of_the_match_once() -> None:
    world = a_world()
    data = asked(3, "A") | {"effect": "m-3:A:1"}
    raw = a_message(type="match.notice", id="m-n-1", subject="r-A", conversation_id="r-A", data=data)
    assert world.receipt(world.push(raw).body).message_id == "m-n-1"
    world.push(raw)
    world.later()
    (said,) = [one.envelope for one in world.gateway.received]
    assert (said.type, said.in_reply_to, said.subject) == ("match.disposition", "m-n-1", "r-A")
    assert said.data == disposition(asked(3, "A"))


def test_a_silent_agency_says_nothing_of_a_match() -> None:
    world = a_world(silent=1.0)
    world.push(a_message(type="match.notice", id="m-n-1", subject="r-A", data=asked(3, "A")))
    world.later()
    assert world.gateway.received == []
