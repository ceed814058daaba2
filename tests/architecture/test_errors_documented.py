"""The generated pages say what the code says; `python -m tests.architecture.generate_docs --write` mends them."""

from collections import Counter
from pathlib import Path

import pytest

from gateway.domain.field_codes import load_field_codes
from gateway.domain.lifecycle import MACHINES
from gateway.errors import every_error
from tests.architecture.generate_docs import PAGES, errors_page, out_of_step, states_page, write
from tests.architecture.sources import ROOT

MEND = "run: python -m tests.architecture.generate_docs --write"


def own_errors() -> list[str]:
    return [error.code for error in every_error() if error.__module__.startswith("gateway.errors.")]


@pytest.mark.parametrize("name", PAGES)
def test_the_page_in_the_docs_is_what_the_code_says(name: str) -> None:
    page = ROOT / name
    assert page.is_file(), MEND
    assert PAGES[name]() == page.read_text(encoding="utf-8"), MEND


def test_every_error_code_belongs_to_one_class() -> None:
    assert {code: times for code, times in Counter(own_errors()).items() if times > 1} == {}


def test_every_error_has_its_own_heading_to_link_to() -> None:
    headings = [line.removeprefix("## ") for line in errors_page().splitlines() if line.startswith("## ")]
    assert headings[:-1] == own_errors()


def test_every_error_explains_itself_in_both_languages() -> None:
    silent = [
        error.code for error in every_error() if not (error.__doc__ and all(error.title) and all(error.next_step))
    ]
    assert silent == []


def test_every_field_code_is_on_the_errors_page() -> None:
    page = errors_page()
    assert [code for code in load_field_codes() if f"| `{code}` |" not in page] == []


def test_every_move_of_every_machine_is_an_arrow_on_the_states_page() -> None:
    page = states_page()
    moves = [
        f"    {here.value} --> {there.value}\n"
        for machine in MACHINES.values()
        for here, successors in machine.moves.items()
        for there in successors
    ]
    assert [move for move in moves if move not in page] == []


def test_every_machine_can_leave_its_first_state_and_has_a_row_for_each_state() -> None:
    for machine in MACHINES.values():
        assert machine.moves[machine.initial]
        assert set(machine.moves) == set(type(machine.initial))


def test_a_page_that_was_edited_by_hand_is_noticed(tmp_path: Path) -> None:
    write(tmp_path)
    assert out_of_step(tmp_path) == []
    page = tmp_path / "docs/states.md"
    page.write_text(page.read_text(encoding="utf-8") + "a word of one's own\n", encoding="utf-8")
    assert out_of_step(tmp_path) == ["docs/states.md"]


def test_an_absent_page_is_noticed(tmp_path: Path) -> None:
    assert out_of_step(tmp_path) == sorted(PAGES)
