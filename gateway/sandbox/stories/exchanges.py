"""协查与线索案例 Asked before the decision, and told by an agency: answered, unanswered, and refused on nothing."""

from collections.abc import Iterator
from typing import Any

from gateway.envelope.signing import VerifiedMessage
from gateway.sandbox.stories.story import AGREEMENT, COURT, Stage, Story, party_of


def _ask(stage: Stage, story: Story, *programmes: str) -> None:
    person = {name: value for name, value in story.person().items() if name != "residence"}
    data = {
        "inquiry_id": story.id("i"),
        "agreement_document": AGREEMENT,
        "case_number": story.referral()["case_number"],
        "person": person,
        "programmes": list(programmes),
        "legal_basis": "STATUTORY_DUTY",
        "notice_given_at": stage.now.date().isoformat(),
    }
    stage.send(COURT, "inquiry.asked", data, subject=story.id("i"))


def _answer(stage: Stage, story: Story, programme: str, said: str) -> None:
    (asked,) = stage.heard(party_of("civil_affairs"), "inquiry.forwarded", story.id("i"))
    one = {"programme": programme, "answer": said, "as_of": stage.now.date().isoformat()}
    data = {"inquiry_id": story.id("i"), "answers": [one]}
    stage.send(party_of("civil_affairs"), "inquiry.answered", data, subject=story.id("i"), answers=asked)


def _refuse(stage: Stage, story: Story) -> None:
    story.refer(
        stage,
        needs=(),
        decision="NOT_ASSIST",
        refusal_code="X6",
        ground_code=None,
        decided_amount_fen=None,
        inquiry_ref=story.id("i"),
    )


def _assisted_before(stage: Stage, story: Story) -> Iterator[None]:
    """Civil affairs answered that the benefit runs: the refusal rests on it."""
    _ask(stage, story, "MLG")
    yield
    _answer(stage, story, "MLG", "ACTIVE")
    yield
    (result,) = stage.heard(COURT, "inquiry.result", story.id("i"))
    _expect(result, "ACTIVE")
    _refuse(stage, story)


def _on_nothing(stage: Stage, story: Story) -> Iterator[None]:
    """Nobody knew of any help, and the court refused as if somebody had."""
    _ask(stage, story, "MLG")
    yield
    _answer(stage, story, "MLG", "UNKNOWN")
    yield
    _refuse(stage, story)


def _nobody_answers(stage: Stage, story: Story) -> Iterator[None]:
    """One office answers, the other never does."""
    _ask(stage, story, "MLG", "ASD")
    yield
    _answer(stage, story, "MLG", "NEVER")


def _clue(stage: Stage, story: Story) -> None:
    person = {name: value for name, value in story.person().items() if name != "residence"}
    data = {
        "clue_id": story.id("k"),
        "person": person,
        "circumstances": ["UNPAID_SUPPORT"],
        "legal_basis": "STATUTORY_DUTY",
    }
    stage.send(party_of("womens_federation"), "clue.submitted", data, subject=story.id("k"))


def _clue_answered(stage: Stage, story: Story) -> Iterator[None]:
    """The court tells the federation that the person was aided."""
    _clue(stage, story)
    yield
    (told,) = stage.heard(COURT, "clue.forwarded", story.id("k"))
    data: dict[str, Any] = {"clue_id": story.id("k"), "code": "ASSISTED", "amount_fen": 1_000_000}
    stage.send(COURT, "clue.answered", data, subject=story.id("k"), answers=told)


def _clue_forgotten(stage: Stage, story: Story) -> Iterator[None]:
    """Nobody at the court answers."""
    yield
    _clue(stage, story)


def _expect(result: VerifiedMessage, said: str) -> None:
    if [one["answer"] for one in result.envelope.data["answers"]] != [said]:
        raise AssertionError("the court was told otherwise")


STORIES = (
    Story(name="assisted-before", zh="经协查已获救助", en="Refused on an answer", play=_assisted_before),
    Story(
        name="refused-on-nothing",
        zh="无据以已获救助为由不予救助",
        en="Refused on nothing",
        play=_on_nothing,
        finds=("X6_NOT_SUPPORTED",),
    ),
    Story(
        name="nobody-answers",
        zh="协查无人答复",
        en="An inquiry nobody answers",
        play=_nobody_answers,
        later=("MISS_INQUIRY_UNANSWERED",),
    ),
    Story(name="clue-answered", zh="线索已反馈", en="A clue that was answered", play=_clue_answered),
    Story(
        name="clue-forgotten",
        zh="线索未反馈",
        en="A clue nobody answered",
        play=_clue_forgotten,
        later=("MISS_CLUE_UNANSWERED",),
    ),
)
