"""本部门线索 An agency's own clues: its offices' alone, newest first, read again from the bytes it signed."""

from datetime import timedelta

from gateway.flows.own_clue import told_clue
from gateway.store import own_clues
from gateway.store.own_clues import OwnClue
from tests.gateway_world import World

CIVIL, WOMEN = "cn/agency/civil_affairs.520102", "cn/agency/womens_federation.520102"
PERSON = {"name": "线索甲", "id_type": "111", "household_registration_region": "520102"}


def tell(world: World, clue_id: str, party: str = CIVIL) -> None:
    body = {"clue_id": clue_id, "person": PERSON, "circumstances": ["OTHER"], "legal_basis": "CONSENT", "note": "请核"}
    world.accept(world.partners[party].sign("clue.submitted", body, now=world.now, subject=clue_id))


def ids(world: World, offices: list[str] | None, *, before: int | None = None, limit: int = 10) -> list[str]:
    with world.store.reading() as connection:
        found = own_clues.listed(connection, CIVIL, offices, before=before, limit=limit)
    return [one.clue.clue_id for one in found]


def find(world: World, clue_id: str, offices: list[str] | None = None) -> OwnClue | None:
    with world.store.reading() as connection:
        return own_clues.find(connection, CIVIL, offices, clue_id)


def test_a_party_has_its_own_clues_and_an_office_those_named_after_it(world: World) -> None:
    for clue_id in ("a_1:x", "a-1:y", "k-1"):
        tell(world, clue_id)
    tell(world, "k-2", WOMEN)
    assert ids(world, None) == ["k-1", "a-1:y", "a_1:x"]
    assert ids(world, ["a_1"]) == ["a_1:x"]  # no wildcard of the engine's
    assert ids(world, ["a_1", "a-1"]) == ["a-1:y", "a_1:x"]
    assert ids(world, []) == []
    assert find(world, "a-1:y", ["a-1"]) is not None
    assert [find(world, "k-1", ["a-1"]), find(world, "k-2"), find(world, "none")] == [None] * 3


def test_a_page_begins_where_the_one_before_ended(world: World) -> None:
    for number in range(4):
        tell(world, f"k-{number}")
    last = find(world, "k-2")
    assert last is not None
    assert ids(world, None, limit=2) == ["k-3", "k-2"]
    assert ids(world, None, before=last.row, limit=2) == ["k-1", "k-0"]


def test_it_is_read_again_with_every_answer_that_was_told_back(world: World) -> None:
    tell(world, "k-1")
    said = [{"code": "FILED", "case_number": "（2026）黔01司救执8号"}, {"code": "NOT_COURT", "to": "测试检察院"}]
    for one in said:
        world.wait(timedelta(minutes=1))
        world.accept(world.court.sign("clue.answered", {"clue_id": "k-1", **one}, now=world.now, subject="k-1"))
    own = find(world, "k-1")
    assert own is not None
    told = told_clue(world.context, own, now=world.now)
    assert (told.data["person"], told.data["note"]) == (PERSON, "请核")
    assert [{name: one[name] for name in said[at]} for at, one in enumerate(told.answers)] == said
