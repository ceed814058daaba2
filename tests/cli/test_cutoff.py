"""截止核对 `xianjie cutoff` on an installation: agrees, names what was done to a row, exit codes, JSON."""

import json
import sqlite3

import pytest

from tests.cli.installed import Installed


def test_what_agrees_is_said_and_exits_with_0(installed: Installed) -> None:
    done = installed.run("cutoff")
    assert done.exit_code == 0
    assert "agree" in done.stdout


def test_a_row_that_was_changed_by_sql_is_named_and_exits_with_1(installed: Installed) -> None:
    with sqlite3.connect(installed.folder / "gw" / "xianjie.db") as base:
        base.execute("UPDATE parties SET active = 0 WHERE kind = 'court'")
    done = installed.run("cutoff", "--json")
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert {(one["table"], one["column"]) for one in told["troubles"]} == {("parties", "active")}


@pytest.mark.parametrize("key", ["cutoff_id", "at", "tree_size", "root", "wrong", "troubles", "pairs"])
def test_the_json_holds_what_a_program_needs(installed: Installed, key: str) -> None:
    assert key in json.loads(installed.run("cutoff", "--json").stdout)
