"""回访与量化 `follow-ups` and `standard` as a clerk runs them."""

import json

from tests.cli.installed import Installed, a_row, ndjson, run


def test_the_working_is_shown_and_a_decision_far_off_needs_a_reason() -> None:
    given = ("--on", "2026-03-02", "--ground", "G6", "--loss", "20000000", "--wage", "600000", "--dependants", "1")
    shown = run("standard", *given)
    assert (shown.exit_code, "建议金额 recommended 48,000.00 元" in shown.stderr) == (0, True), shown.output
    told = run("standard", *given, "--decided", "2000000", "--json")
    assert (told.exit_code, json.loads(told.stdout)["needs_reason"]) == (1, True)


def test_a_standard_that_is_not_there_is_named() -> None:
    told = run("standard", "--name", "NONE", "--on", "2026-03-02", "--ground", "G6", "--loss", "1", "--wage", "1")
    assert (told.exit_code, "no standard NONE" in told.stderr) == (2, True)


def test_a_court_sends_its_plan_and_visit_as_files(installed: Installed) -> None:
    row = a_row(1)
    with installed.serving():
        assert installed.send(ndjson(installed.folder / "rows.ndjson", row)).exit_code == 0
        visit = {
            "referral_id": row["referral_id"],
            "visit_id": "f-1",
            "visited_on": row["concluded_on"],
            "mode": "PHONE",
            "situation": "STABLE",
        }
        sent = installed.send(ndjson(installed.folder / "visits.follow_up.recorded.ndjson", visit))
        assert sent.exit_code == 0, sent.output
    assert installed.json("follow-ups") == []
