"""清除 `erase`: asked twice, named, and nothing of the case can be read afterwards; its traces can."""

import json

from gateway.store import tables as t
from tests.cli.installed import Installed, a_row, ndjson, run

WHO = ("--who", "档案员甲", "--why", "法院裁定清除")
ORDER = ("--court-order", "（2026）黔01行初1号")


def referred(installed: Installed) -> None:
    """A concluded case for which nothing is asked of anybody."""
    row = a_row(1, assessment="NO_NEED", needs=[])
    with installed.serving():
        assert installed.send(ndjson(installed.folder / "a.ndjson", row)).exit_code == 0


def test_a_case_is_erased_by_a_courts_order(installed: Installed) -> None:
    referred(installed)
    told = json.loads(installed.run("erase", "r-1", *WHO, *ORDER, "--yes", "--json").stdout)
    assert (told["referral_id"], told["scrubbed"]) == ("r-1", True)
    with installed.context() as context, context.store.reading() as connection:
        assert connection.scalar(t.case_keys.select().with_only_columns(t.case_keys.c.wrapped)) is None
    again = installed.run("erase", "r-1", *WHO, *ORDER, "--yes")
    assert (again.exit_code, again.stderr.partition(":")[0]) == (1, "case_erased")


def test_a_case_whose_term_runs_is_kept(installed: Installed) -> None:
    referred(installed)
    result = installed.run("erase", "r-1", *WHO, "--yes")
    assert (result.exit_code, result.stderr.partition(":")[0]) == (1, "still_retained")
    assert "P08" in result.stderr


def test_nothing_is_erased_without_a_second_word(installed: Installed) -> None:
    referred(installed)
    result = run("--config", installed.config_path, "erase", "r-1", *WHO, *ORDER)
    assert (result.exit_code, "Go on?" in result.output) == (1, True)
    assert installed.run("erase", "r-1", *WHO, *ORDER, "--yes").exit_code == 0


def test_a_case_nobody_knows_and_a_nameless_decision_are_refused(installed: Installed) -> None:
    assert installed.run("erase", "r-9", *WHO, "--yes").stderr.startswith("referral_unknown")
    assert installed.run("erase", "r-9", "--who", " ", "--why", "x", "--yes").exit_code == 2
    assert installed.run("erase", "r-9", "--yes").exit_code == 2
