"""The generated pages say what the code says; `python -m tests.architecture.generate_docs --write` mends them."""

import re
from collections import Counter
from pathlib import Path

import pytest

from gateway.domain.field_codes import load_field_codes
from gateway.domain.lifecycle import MACHINES
from gateway.errors import FileUnreadable, MessageError, SchemaInvalid, every_error
from tests.architecture.generate_docs import PAGES, errors_page, out_of_step, states_page, write
from tests.architecture.sources import ROOT

FOR_PROGRAMS = re.compile(
    r"`|xianjie|--|/docs|Retry-After|Content-Type|RFC|JWS|XSD|UUID|[Bb]ytes|字节|message id|digest|摘要|接口|API|重发"
)
"""Words for programs, and for whoever types commands."""
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
        error.code
        for error in every_error()
        if not (error.__doc__ and all((*error.title, *error.next_step, *error.page_step)))
    ]
    assert silent == []


def test_what_a_page_says_can_be_done_with_a_browser() -> None:
    assert {one.code: one.page_step for one in every_error() if FOR_PROGRAMS.search(" ".join(one.page_step))} == {}


def test_a_page_step_is_its_own_classs_or_what_the_class_says_everywhere() -> None:
    class Mended(FileUnreadable):
        """Says what to do anew, and so on pages too."""

        code = "mended"
        next_step = ("一", "one")

    assert Mended().page_step == ("一", "one")
    assert FileUnreadable().page_step != FileUnreadable().next_step
    assert SchemaInvalid.page_step == MessageError.page_step


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
