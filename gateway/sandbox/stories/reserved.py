"""占位案例 Two agencies mean to grant one person the same help, and only one of them does."""

from collections.abc import Iterator
from typing import Any

from gateway.sandbox.stories.story import AGREEMENT, ELSEWHERE, HOME, Stage, Story, party_of


def _asked_before(stage: Stage, story: Story) -> Iterator[None]:
    """The second office asks before it grants, is told, and lets it be: nothing is there to be found."""
    person = story.person()
    wanted: dict[str, Any] = {
        "agreement_document": AGREEMENT,
        "person": {"id_type": person["id_type"], "id_number": person["id_number"]},
        "programme": "MLG",
        "from_month": f"{stage.now:%Y-%m}",
    }
    for number, county in enumerate((HOME, ELSEWHERE), start=1):
        body = wanted | {"reservation_id": story.id(number)}
        stage.send(party_of("civil_affairs", county), "reservation.requested", body)
    yield
    stage.send(party_of("civil_affairs"), "reservation.confirmed", {"reservation_id": story.id(1)})
    told = story.refer(stage, needs=("MLG",))
    if "reserved_elsewhere" not in told.warnings:
        raise AssertionError("the court was not warned")


STORIES = (
    Story(
        name="asked-before",
        zh="先占位后给付",
        en="Asked before granting",
        play=_asked_before,
        later=("MISS_NO_RECEIPT",),
    ),
)
