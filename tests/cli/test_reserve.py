"""占位 `reserve`: an office asks on the command line before it grants, and the operator sees what is held."""

import json
from collections.abc import Iterator

import pytest
from click.testing import Result

from tests.cli.installed import Installed, party_of

AGENCY = "civil_affairs"


@pytest.fixture
def served(installed: Installed) -> Iterator[Installed]:
    with installed.serving():
        (installed.folder / "number.txt").write_text("529999199001010019\n", encoding="utf-8")
        yield installed


def reserve(made: Installed, *arguments: str, agency: str = AGENCY) -> Result:
    return made.as_partner(agency, party_of(agency), "reserve", *arguments)


def ask(made: Installed, reservation_id: str, *more: str, agency: str = AGENCY) -> Result:
    person = ("--id-number-file", str(made.folder / "number.txt"), "--agreement", "黔高法〔2022〕98号")
    return reserve(
        made, "ask", reservation_id, *person, "--programme", "MLG", "--from", "2030-03", *more, agency=agency
    )


def test_who_asks_first_has_it_and_the_other_is_told_why_not(served: Installed) -> None:
    first = ask(served, "v-1", "--until", "2030-12")
    assert (first.exit_code, "已占位 reserved" in first.stderr) == (0, True), first.output
    second = ask(served, "v-2", "--json", agency="disabled_persons")
    assert second.exit_code == 1
    told = json.loads(second.stdout)
    assert (told["state"], told["conflicts"][0]["code"]) == ("conflict", "DUP_SAME_PROGRAMME_PERIOD")


def test_it_is_confirmed_and_released(served: Installed) -> None:
    ask(served, "v-1")
    assert reserve(served, "confirm", "v-1").exit_code == 0
    assert served.json("reservations")[0]["state"] == "confirmed"
    assert reserve(served, "release", "v-1").exit_code == 0
    assert "已释放 released" in served.done("reservations").stdout
    again = reserve(served, "confirm", "v-9")
    assert (again.exit_code, "reservation_unknown" in again.stderr) == (1, True)


def test_the_same_command_again_changes_nothing(served: Installed) -> None:
    first = json.loads(ask(served, "v-1", "--json").stdout)
    second = json.loads(ask(served, "v-1", "--json").stdout)
    assert (second["replayed"], second["until"], second["message_id"]) == (True, first["until"], first["message_id"])


def test_the_number_is_shown_nowhere(served: Installed) -> None:
    shown = ask(served, "v-1").output + served.done("reservations").stdout
    assert "529999" not in shown
