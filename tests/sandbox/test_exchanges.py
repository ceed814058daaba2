"""模拟协查与线索: simulated offices answer inquiries, simulated courts answer clues, by themselves."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.domain.replies import ClueAnswer
from gateway.sandbox.behaviour import Behaviour
from gateway.sandbox.court_desk import clue_answer
from gateway.sandbox.inquired import answer, remembered
from gateway.store import tables as t
from schemas.exchanges import CLUE_ANSWER, INQUIRY_ANSWER
from tests.sandbox.test_with_gateway import Play, a_play
from tests.sandbox.world import NOW

ASKED = {"inquiry_id": "i-1", "programmes": ["MLG", "LSD"]}


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Play]:
    made = a_play(tmp_path, Behaviour())
    yield made
    made.world.close()


def test_every_agency_answers_what_it_is_asked_and_the_court_gets_the_result(play: Play) -> None:
    world = play.world
    body = {
        "inquiry_id": "i-1",
        "agreement_document": "黔高法〔2022〕98号",
        "case_number": "（2026）黔01司救执1号",
        "person": {"name": "测试甲", "id_type": "113", "household_registration_region": "520102"},
        "agencies": ["civil_affairs", "disabled_persons", "womens_federation"],
        "legal_basis": "EMERGENCY",
    }
    world.accept(world.court.sign("inquiry.asked", body, now=world.now))
    play.run()
    asked, answered = play.count(t.inquiry_questions.c.programme), play.count(t.inquiry_answers.c.programme)
    assert (answered, len(asked) > 15) == (asked, True)
    assert play.count(t.outbox.c.type)["inquiry.result"] == 1
    assert [agency.notebook.counts().get("refused") for agency in play.agencies.values()] == [None] * 3


def test_shares_decide_and_a_repetition_says_the_same() -> None:
    said: Counter[str] = Counter()
    for number in range(100):
        text = remembered(ASKED | {"inquiry_id": f"i-{number}"})
        body = answer(text, Behaviour(), NOW)
        assert body == answer(text, Behaviour(), NOW)
        said.update(one["answer"] for one in INQUIRY_ANSWER.load(body)["answers"])
    assert said.keys() == {"ACTIVE", "ENDED", "NEVER", "UNKNOWN"}
    nobody = Behaviour(inquiry_active=0, inquiry_ended=0, inquiry_unknown=1)
    assert {one["answer"] for one in answer(remembered(ASKED), nobody, NOW)["answers"]} == {"UNKNOWN"}


def test_a_court_answers_a_clue_with_what_the_answer_must_bring_along() -> None:
    found = [CLUE_ANSWER.load(clue_answer({"clue_id": f"k-{n}"}, Behaviour())) for n in range(60)]
    assert {one["code"] for one in found} == {code.value for code in ClueAnswer} - {"FILED"}
