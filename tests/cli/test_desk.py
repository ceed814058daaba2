"""管理台: what an administrator sees and decides; exit codes a timer can act on; looking ahead writes nothing."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import sqlalchemy as sa

from gateway.flows.deliver import Courier, deliver
from gateway.store import tables as t
from gateway.transport.answer import Answer
from tests.cli.installed import CONCLUDED, COURT, TODAY, Installed, a_row, ndjson

WHO = ("--who", "督导员", "--why", "测试核查")
LATER = {"XIANJIE_CLOCK_OFFSET_SECONDS": str(timedelta(days=90).total_seconds())}
IN_90_DAYS = (TODAY + timedelta(days=90)).isoformat()
PERIOD = ("--from", (CONCLUDED - timedelta(days=1)).isoformat(), "--to", TODAY.isoformat())
SECRETS = ("测试甲", "529999", "13900000000", "测试路1号")


def refer(installed: Installed, *rows: dict[str, Any]) -> None:
    with installed.serving():
        result = installed.send(ndjson(installed.folder / "rows.ndjson", *rows))
    assert result.exit_code == 0, result.stderr


def held(installed: Installed) -> None:
    refer(installed, a_row(1, unenforced_balance_fen=1, needs=[{"programme": "MLG"}, {"programme": "ASD"}]))


def states(installed: Installed) -> list[str]:
    with installed.context() as context, context.store.reading() as connection:
        return list(connection.execute(sa.select(t.needs.c.state).order_by(t.needs.c.need_id)).scalars())


def decisions(installed: Installed) -> list[tuple[str, str, str]]:
    """Who, what and why, but for what acceptance itself put on file."""
    columns = (t.decisions.c.who, t.decisions.c.what, t.decisions.c.why)
    with installed.context() as context, context.store.reading() as connection:
        rows = connection.execute(sa.select(*columns).order_by(t.decisions.c.row))
        return [(who, what, why) for who, what, why in rows if who == "督导员"]


def everything(installed: Installed) -> dict[str, int]:
    """Rows of every table."""
    with installed.context() as context, context.store.reading() as connection:
        return {
            table.name: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for table in t.metadata.sorted_tables
        }


def refused_by_the_office(installed: Installed) -> str:
    """A handoff that civil affairs' server would not take; its message id."""
    refer(installed, a_row(1))
    installed.dispatch()

    def refuse(*_: Any) -> Answer:
        return Answer(status=422, body=b"")

    with installed.context() as context:
        deliver(context, "civil_affairs-520102", Courier(push=refuse, owner="test", clock=now, jitter=lambda: 0.0))
    (stuck,) = installed.json("outbox", "list")
    return str(stuck["message_id"])


def now() -> datetime:
    return datetime.now(UTC)


# --- reconcile, findings ---


def test_with_nothing_wrong_reconciling_ends_well(installed: Installed) -> None:
    refer(installed, a_row(1))
    result = installed.run("reconcile")
    assert (result.exit_code, "没有未结疑点 no open findings" in result.stdout) == (0, True), result.output
    assert installed.run("findings").exit_code == 0


def test_looking_ahead_tells_what_would_be_overdue_and_writes_nothing(installed: Installed) -> None:
    refer(installed, a_row(1), a_row(2))
    installed.dispatch()
    before = everything(installed)
    ahead = installed.run("reconcile", "--as-of", IN_90_DAYS, "--json")
    assert ahead.exit_code == 1
    assert {one["referral"] for one in json.loads(ahead.stdout)["findings"]} == {"r-1", "r-2"}
    assert everything(installed) == before
    assert installed.run("reconcile", "--as-of", TODAY.isoformat()).exit_code == 0


def test_open_findings_are_exit_one_and_a_second_run_finds_them_once(installed: Installed) -> None:
    refer(installed, a_row(1))
    installed.dispatch()
    first = installed.run("reconcile", "--json", env=LATER)
    again = installed.run("reconcile", "--json", env=LATER)
    assert (first.exit_code, again.exit_code) == (1, 1)
    opened = json.loads(first.stdout)
    assert (opened["opened"] > 0, json.loads(again.stdout)["opened"]) == (True, 0)
    found = installed.run("findings", "--json")
    rows = json.loads(found.stdout)
    assert (found.exit_code, {row["code"]: 1 for row in rows}) == (1, opened["open"])
    assert {row["referral"] for row in rows} == {"r-1"}


def test_findings_can_be_asked_for_by_code_and_in_part(installed: Installed) -> None:
    refer(installed, a_row(1), a_row(2), a_row(3))
    installed.dispatch()
    installed.run("reconcile", env=LATER)
    every = installed.json("findings")
    code = every[0]["code"]
    assert {row["code"] for row in installed.json("findings", "--code", code)} == {code}
    assert len(installed.json("findings", "--limit", "1")) == 1
    assert installed.run("findings", "--code", "NO_SUCH_CODE").exit_code == 0
    assert installed.run("findings").stdout.count("r-2") >= 1


def test_findings_that_were_cured_are_shown_only_when_asked_for(installed: Installed) -> None:
    refer(installed, a_row(1))
    installed.dispatch()
    installed.run("reconcile", env=LATER)
    opened = len(installed.json("findings"))
    withdrawal = {"type": "referral.withdrawn", "data": {"referral_id": "r-1", "reason": "报送有误"}}
    refer(installed, withdrawal)
    assert installed.run("reconcile", env=LATER).exit_code == 0
    assert installed.json("findings") == []
    kept = installed.run("findings", "--all", "--json")
    assert (kept.exit_code, len(json.loads(kept.stdout))) == (0, opened)


# --- balance ---


def test_the_balance_adds_up_for_people_and_machines(installed: Installed) -> None:
    refer(installed, a_row(1), a_row(2, unenforced_balance_fen=1))
    sheet = installed.json("balance")
    (line,), total = sheet["lines"], sheet["total"]
    assert (line["court"], line["referrals"], line["accepted"], line["held"], line["open_in_time"]) == (
        COURT,
        2,
        2,
        1,
        1,
    )
    assert (total["accepted"], total["difference"]) == (2, 0)
    shown = installed.done("balance").stdout
    assert "差额" in shown and "合计 total" in shown and COURT in shown


def test_the_balance_of_another_court_or_time_is_empty(installed: Installed) -> None:
    refer(installed, a_row(1))
    assert installed.json("balance", "--court", "cn/court/none")["lines"] == []
    assert installed.json("balance", "--to", "2020-01-01")["lines"] == []
    assert installed.json("balance", "--from", "2020-01-01")["total"]["accepted"] == 1
    (overdue,) = installed.json("balance", "--as-of", IN_90_DAYS)["lines"]
    assert (overdue["overdue"], overdue["difference"]) == (1, 0)


def test_a_balance_that_does_not_add_up_is_exit_one(installed: Installed) -> None:
    refer(installed, a_row(1, needs=[{"programme": "MLG"}, {"programme": "ASD"}]))
    with installed.context() as context:
        context.store.write(lambda c: c.execute(t.needs.delete().where(t.needs.c.need_id == "r-1:2")))
    result = installed.run("balance", "--json")
    assert (result.exit_code, json.loads(result.stdout)["total"]["difference"]) == (1, 1)


def test_the_balance_is_printed_by_any_dimension_and_says_where_it_was_read(installed: Installed) -> None:
    refer(installed, a_row(1))
    installed.dispatch()
    for by in ("court", "period", "agency", "group", "case_type"):
        result = installed.done("balance", "--by", by)
        assert ("合计 total" in result.stdout, "root" in result.stderr) == (True, True)
    (line,) = installed.json("balance", "--by", "agency", "--office", "civil_affairs-520102")["lines"]
    assert (line["agency"], line["accepted"]) == ("civil_affairs", 1)


# --- the past ---


def test_a_past_run_is_listed_run_again_and_compared_with_today(installed: Installed) -> None:
    refer(installed, a_row(1))
    installed.dispatch()
    installed.run("reconcile", env=LATER)
    (run,) = installed.json("reconcile", "--runs")
    assert (run["referrals"], sum(run["counts"].values()) > 0) == (1, True)
    refer(installed, {"type": "referral.withdrawn", "data": {"referral_id": "r-1", "reason": "报送有误"}})
    result = installed.run("reconcile", "--run", run["run"], "--json")
    again = json.loads(result.stdout)
    assert (result.exit_code, again["same"], again["changed_rules"]) == (1, True, [])
    assert (again["known"]["root"], again["digest"]) == (run["known"]["root"], run["digest"])
    assert {one["referral"] for one in again["since"]["cured"]} == {"r-1"}
    shown = installed.run("reconcile", "--run", run["run"])
    assert ("found the same as then" in shown.stderr, "cured since" in shown.stderr) == (True, True)


def test_a_moment_before_anything_was_signed_is_not_guessed(installed: Installed) -> None:
    refer(installed, a_row(1))
    result = installed.run("reconcile", "--as-of", "2026-01-01")
    assert (result.exit_code, "not kept" in result.stderr) == (2, True)
    assert installed.run("reconcile", "--as-of", "2026-01-01", "--facts-now").exit_code == 0
    assert installed.run("reconcile", "--as-of", "2026-01-01", "--runs").exit_code == 2
    assert installed.run("reconcile", "--facts-now").exit_code == 2


# --- digest ---


def test_this_morning_s_digest_is_shown_and_sends_nothing(installed: Installed) -> None:
    refer(installed, a_row(1))
    installed.dispatch()
    before = everything(installed)
    found = installed.json("digest")
    assert found["courts"][COURT]["balance"]["total"]["accepted"] == 1
    assert (found["offices"], found["courts"][COURT]["overdue"]) == ({}, [])
    shown = installed.done("digest", "--to", COURT)
    assert (COURT in shown.stdout, "root" in shown.stderr) == (True, True)
    assert installed.json("digest", "--to", "nobody")["courts"] == {}
    assert everything(installed) == before


# --- chain ---


def test_a_chain_is_shown_to_who_says_who_and_why_and_the_view_is_kept(installed: Installed) -> None:
    refer(installed, a_row(1))
    shown = installed.json("chain", "r-1", *WHO)
    assert [row["referral"] for row in shown] == ["r-1"] * len(shown) != []
    assert "法院发放 paid by courts" in installed.done("chain", "r-1", *WHO).stderr
    assert decisions(installed) == [("督导员", "chain_viewed", "测试核查")] * 2


def test_a_chain_of_nothing_and_one_without_a_reason_are_refused(installed: Installed) -> None:
    refer(installed, a_row(1))
    assert installed.run("chain", "r-none", *WHO).stderr.startswith("referral_unknown: ")
    assert installed.run("chain", "r-1", "--who", "督导员").exit_code == 2
    assert installed.run("chain", "r-1", "--who", " ", "--why", "核查").exit_code == 2
    assert decisions(installed) == []


# --- holds ---


def test_what_is_held_is_listed_with_its_rules_until_somebody_decides(installed: Installed) -> None:
    held(installed)
    listed = installed.run("holds", "list", "--json")
    (one,) = json.loads(listed.stdout)
    assert (listed.exit_code, one["referral_id"], one["court"], one["needs"]) == (1, "r-1", COURT, 2)
    assert "A02" in str(one["rules"])
    assert "已放行 released 2" in installed.done("holds", "release", "r-1", *WHO).stderr
    assert (states(installed), installed.run("holds", "list").exit_code) == (["accepted", "accepted"], 0)
    assert decisions(installed) == [("督导员", "hold_released", "测试核查")]


def test_a_hold_that_is_upheld_ends_its_needs(installed: Installed) -> None:
    held(installed)
    assert "已终止 ended 2" in installed.done("holds", "uphold", "r-1", *WHO).stderr
    assert states(installed) == ["entered_in_error", "entered_in_error"]


@pytest.mark.parametrize("what", ["release", "uphold"])
def test_a_hold_is_decided_once_and_by_somebody(installed: Installed, what: str) -> None:
    held(installed)
    assert installed.run("holds", what, "r-1", "--who", "督导员").exit_code == 2
    installed.done("holds", what, "r-1", *WHO)
    again = installed.run("holds", what, "r-1", *WHO)
    assert (again.exit_code, again.stderr.partition(":")[0]) == (1, "illegal_move")
    assert installed.run("holds", what, "r-none", *WHO).stderr.startswith("referral_unknown")
    assert len(decisions(installed)) == 1


# --- outbox ---


def test_a_stuck_message_is_listed_and_sent_again_by_decision(installed: Installed) -> None:
    message_id = refused_by_the_office(installed)
    assert installed.run("outbox", "list").exit_code == 1
    assert "queued again 1 of 1" in installed.done("outbox", "retry", message_id, *WHO).stderr
    assert installed.run("outbox", "list").exit_code == 0
    assert decisions(installed) == [("督导员", "sent_again", "测试核查")]


def test_what_is_not_stuck_is_told(installed: Installed) -> None:
    message_id = refused_by_the_office(installed)
    result = installed.run("outbox", "retry", message_id, "none", *WHO)
    assert (result.exit_code, "queued again 1 of 2" in result.stderr) == (1, True)
    assert installed.run("outbox", "retry", *WHO).exit_code == 2


# --- report ---


def rows_of(path: Path) -> list[list[str]]:
    """A report's cells, of either form."""
    if path.suffix == ".csv":
        return list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
    page = openpyxl.load_workbook(path).worksheets[0]
    return [["" if cell.value is None else str(cell.value) for cell in row] for row in page.iter_rows()]


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_a_report_is_written_in_the_form_its_name_asks_for(installed: Installed, ending: str) -> None:
    refer(installed, a_row(1), a_row(2))
    out = installed.folder / f"report.{ending}"
    installed.done("report", *PERIOD, "--out", out)
    found = rows_of(out)
    assert len(found) > 10
    assert len({len(row) for row in found}) == 1
    assert [secret for secret in SECRETS if secret in str(found)] == []


def test_a_report_is_printed_on_paper(installed: Installed) -> None:
    refer(installed, a_row(1))
    out = installed.folder / "report.pdf"
    installed.done("report", *PERIOD, "--out", out)
    assert out.read_bytes().startswith(b"%PDF-")


def test_a_spreadsheet_program_reads_the_csv_as_what_it_is(installed: Installed) -> None:
    installed.done("report", *PERIOD, "--out", installed.folder / "report.csv")
    assert (installed.folder / "report.csv").read_bytes().startswith(b"\xef\xbb\xbf")


def test_a_public_report_leaves_small_cells_out(installed: Installed) -> None:
    refer(installed, a_row(1))
    own, public = installed.json("report", *PERIOD), installed.json("report", *PERIOD, "--public")
    assert own != public
    assert set(own) == set(public) == {"press", "press_en", "lines"}


def test_a_report_speaks_both_languages(installed: Installed) -> None:
    refer(installed, a_row(1))
    zh, en = (installed.done("report", *PERIOD, "--language", language).stdout for language in ("zh", "en"))
    assert (zh.splitlines()[0], en.splitlines()[0]) == (
        "司法救助与社会救助衔接统计",
        "Judicial and social assistance: statistics",
    )


def test_a_report_that_cannot_be_is_refused(installed: Installed) -> None:
    backwards = ("--from", TODAY.isoformat(), "--to", CONCLUDED.isoformat())
    assert installed.run("report", *backwards).exit_code == 2
    assert installed.run("report", *PERIOD, "--out", installed.folder / "report.odt").exit_code == 2
    assert installed.run("report", "--from", "last week", "--to", TODAY.isoformat()).exit_code == 2


# --- nobody is named ---


def test_no_list_names_anybody(installed: Installed) -> None:
    held(installed)
    installed.run("reconcile", env=LATER)
    commands = [("reconcile",), ("findings",), ("balance",), ("holds", "list"), ("outbox", "list"), ("report", *PERIOD)]
    shown = "".join(installed.run(*command, *more).output for command in commands for more in ((), ("--json",)))
    shown += installed.run("chain", "r-1", *WHO).output
    assert [secret for secret in SECRETS if secret in shown] == []


# --- the store is away ---


def test_a_database_that_is_away_is_exit_three(installed: Installed) -> None:
    gone = {"XIANJIE_DB": "postgresql+psycopg://nobody@127.0.0.1:1/none?connect_timeout=1"}
    for command in (("findings",), ("balance",), ("reconcile",), ("party", "list"), ("migrate",)):
        result = installed.run(*command, env=gone)
        assert (command, result.exit_code, "store_unavailable" in result.stderr) == (command, 3, True)
