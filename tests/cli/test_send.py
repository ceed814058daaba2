"""法院报送 `send`: what a clerk at a court hands in, row by row: nothing lost, nothing twice, every fault named."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from gateway.sandbox.court_sheet import write_court_sheet
from gateway.store import tables as t
from tests.builders import an_id_number
from tests.cli.installed import CONCLUDED, COURT, TODAY, Installed, a_row, ndjson

SECRETS = ("测试甲", "529999", "13900000000", "测试路1号")


def told(installed: Installed, *arguments: str | Path) -> tuple[int, dict[str, Any]]:
    """Exit code and the JSON a machine gets."""
    result = installed.send(*arguments, "--json")
    return result.exit_code, json.loads(result.stdout)


def counts(found: dict[str, Any]) -> tuple[int, int, int, int]:
    return found["accepted"], found["accepted_before"], found["refused"], found["unreadable"]


def on_file(installed: Installed) -> list[str]:
    """Ids of the referrals the gateway has."""
    with installed.context() as context, context.store.reading() as connection:
        return sorted(
            row[0] for row in connection.execute(t.referrals.select().with_only_columns(t.referrals.c.referral_id))
        )


def gaps(installed: Installed) -> list[int]:
    """Numbers of the court's messages, as the gateway has them."""
    with installed.context() as context, context.store.reading() as connection:
        return sorted(row[0] for row in connection.execute(t.inbox.select().with_only_columns(t.inbox.c.seq)))


def filled(installed: Installed, *rows: dict[str, Any]) -> Path:
    """The template that `--template` writes, its cells typed by a clerk."""
    template = installed.folder / "template.xlsx"
    assert installed.send("--template", template).exit_code == 0
    typed = installed.folder / "typed.xlsx"
    write_court_sheet(typed, rows)
    source, target = openpyxl.load_workbook(typed).worksheets[0], openpyxl.load_workbook(template)
    page = target.worksheets[0]
    columns = {cell.value: cell.column for cell in page[1]}
    for row in source.iter_rows(min_row=3):
        for key, cell in zip(source[1], row, strict=True):
            page.cell(cell.row, columns[key.value]).value = cell.value
    target.save(template)
    return template


# --- every format ---


def test_json_ndjson_and_the_filled_template_go_in_one_run(installed: Installed) -> None:
    whole = installed.folder / "rows.json"
    whole.write_text(json.dumps([a_row(1), a_row(2)]), encoding="utf-8")
    lines = ndjson(installed.folder / "rows.ndjson", a_row(3))
    sheet = filled(installed, a_row(4), a_row(5))
    with installed.serving():
        assert told(installed, whole, lines, sheet) == (
            0,
            {
                "ready": 0,
                "accepted": 5,
                "accepted_before": 0,
                "refused": 0,
                "unreadable": 0,
                "stopped": None,
                "rows": [],
            },
        )
    assert on_file(installed) == ["r-1", "r-2", "r-3", "r-4", "r-5"]


def test_payments_and_withdrawals_follow_their_referrals(installed: Installed) -> None:
    referrals = ndjson(installed.folder / "rows.ndjson", a_row(1), a_row(2))
    day = CONCLUDED.isoformat()
    paid = [
        {"referral_id": "r-1", "payment_id": f"p-{n}", "amount_fen": 100, "paid_on": day, "payee": "BENEFICIARY"}
        for n in (1, 2)
    ]
    payments = ndjson(installed.folder / "q.judicial_assistance.paid.ndjson", *paid)
    withdrawn = ndjson(
        installed.folder / "w.ndjson",
        {"type": "referral.withdrawn", "data": {"referral_id": "r-2", "reason": "报送有误"}},
    )
    with installed.serving():
        assert counts(told(installed, referrals, payments, withdrawn)[1]) == (5, 0, 0, 0)
        assert counts(told(installed, referrals, payments, withdrawn)[1]) == (0, 5, 0, 0)


def test_more_rows_than_fit_into_one_request(installed: Installed) -> None:
    born = date(1986, 1, 1)
    rows = [
        a_row(n % 100, referral_id=f"r-{n}", case_number=f"（{CONCLUDED.year}）黔01司救执{n}号") for n in range(1, 106)
    ]
    for row in rows[99:]:
        row["person"] |= {"id_number": an_id_number(born.replace(year=1987)), "birth_date": "1987-01-01"}
    file = ndjson(installed.folder / "rows.ndjson", *rows)
    with installed.serving():
        assert counts(told(installed, file)[1]) == (105, 0, 0, 0)
    assert gaps(installed) == list(range(1, 106))


# --- good rows go, bad rows are told ---


def test_a_row_that_cannot_be_read_is_told_and_stops_no_other(installed: Installed) -> None:
    bad = a_row(2) | {"decided_amount_fen": "many", "colour": "red"}
    file = ndjson(installed.folder / "rows.ndjson", a_row(1), bad, "{not json", a_row(4))
    with installed.serving():
        result = installed.send(file)
    assert result.exit_code == 1
    assert "accepted 2 · 此前已接收 accepted before 0 · 未接收 refused 0 · 无法读取 unreadable 2" in result.stderr
    lines = {line.partition(" ")[0]: line for line in result.stderr.splitlines()}
    assert lines["rows.ndjson:2"].startswith("rows.ndjson:2 /")
    assert (
        "rows.ndjson:2 /colour [unknown_field] 字段未定义；删除该字段或核对字段名。 The field is not defined. "
        in result.stderr
    )
    assert "[malformed_json]" in lines["rows.ndjson:3"]
    assert on_file(installed) == ["r-1", "r-4"]


def test_a_row_the_gateway_refuses_names_rule_field_and_what_to_do_in_both_languages(installed: Installed) -> None:
    missing = {key: value for key, value in a_row(2).items() if key != "survey"}
    file = ndjson(installed.folder / "rows.ndjson", a_row(1), missing, a_row(3))
    with installed.serving():
        result = installed.send(file)
    assert (result.exit_code, "accepted 2" in result.stderr) == (1, True), result.stderr
    (head,) = [line for line in result.stderr.splitlines() if "未接收 refused [" in line]
    assert head.startswith("rows.ndjson:2 ")
    assert "业务规则阻断" in head and "A rule blocks this message" in head and "Supply what the rule asks for" in head
    (field,) = [line for line in result.stderr.splitlines() if "[survey_missing]" in line]
    assert "/data/" in field and field.count("；") == 1 and field.endswith(".")


def test_a_bad_cell_of_the_template_is_named_by_sheet_row_and_heading(installed: Installed) -> None:
    sheet = filled(installed, a_row(1), a_row(2), a_row(3))
    book = openpyxl.load_workbook(sheet)
    page = book.worksheets[0]
    column = next(cell.column for cell in page[1] if cell.value == "concluded_on")
    page.cell(4, column).value = "昨天"
    book.save(sheet)
    with installed.serving():
        result = installed.send(sheet)
    assert (result.exit_code, "accepted 2" in result.stderr) == (1, True), result.stderr
    (line,) = [line for line in result.stderr.splitlines() if "[not_a_day]" in line]
    assert line.startswith("template.xlsx:移送 Referrals!4 ")
    assert "Concluded" in line or "审结" in line


def test_a_file_that_is_none_stops_no_other(installed: Installed) -> None:
    (installed.folder / "odd.pdf").write_bytes(b"%PDF")
    (installed.folder / "odd.json").write_text('"text"')
    (installed.folder / "odd.xlsx").write_bytes(b"no workbook")
    good = ndjson(installed.folder / "rows.ndjson", a_row(1))
    odd = [installed.folder / f"odd.{ending}" for ending in ("pdf", "json", "xlsx")]
    with installed.serving():
        result = installed.send(*odd, good)
    assert (result.exit_code, "accepted 1 " in result.stderr) == (1, True), result.stderr
    told_of = [line.partition(" ")[0] for line in result.stderr.splitlines() if "[file_unreadable]" in line]
    assert told_of == ["odd.pdf", "odd.json", "odd.xlsx"]


def test_a_hold_is_told_and_is_no_fault(installed: Installed) -> None:
    file = ndjson(installed.folder / "rows.ndjson", a_row(1, unenforced_balance_fen=1))
    with installed.serving():
        result = installed.send(file)
    assert result.exit_code == 0
    assert "rows.ndjson:1 已接收,待人工核查 accepted, held for a person: A02" in result.stderr


def test_what_is_said_repeats_nobodys_name_or_number(installed: Installed) -> None:
    rows = [a_row(1), a_row(2, concluded_on="昨天"), a_row(3, survey=None), a_row(4, unenforced_balance_fen=1)]
    wrong_number = a_row(5)
    wrong_number["person"]["id_number"] = wrong_number["person"]["id_number"][:-1] + "#"
    file = ndjson(installed.folder / "rows.ndjson", *rows, wrong_number, '{"person": {"name": "测试甲"}')
    with installed.serving():
        shown = [installed.send(file, *more).output for more in ((), ("--json",), ("--check",))]
    assert [secret for secret in SECRETS if secret in "".join(shown)] == []


# --- nothing twice ---


def test_a_second_run_sends_nothing_twice_and_a_corrected_row_goes(installed: Installed) -> None:
    bad = {key: value for key, value in a_row(2).items() if key != "survey"}
    file = ndjson(installed.folder / "rows.ndjson", a_row(1), bad, a_row(3))
    with installed.serving():
        assert counts(told(installed, file)[1]) == (2, 0, 1, 0)
        assert counts(told(installed, file)[1]) == (0, 2, 1, 0)
        ndjson(file, a_row(1), a_row(2), a_row(3))
        assert counts(told(installed, file)[1]) == (1, 2, 0, 0)
        assert counts(told(installed, file)[1]) == (0, 3, 0, 0)
    assert on_file(installed) == ["r-1", "r-2", "r-3"]
    assert gaps(installed) == [1, 2, 3]


def test_an_accepted_row_that_was_changed_afterwards_is_refused_not_sent(installed: Installed) -> None:
    file = ndjson(installed.folder / "rows.ndjson", a_row(1))
    with installed.serving():
        installed.send(file)
        ndjson(file, a_row(1, decided_amount_fen=1_000_000))
        code, found = told(installed, file)
    assert (code, counts(found), found["rows"][0]["code"]) == (1, (0, 0, 1, 0), "same_id_different_bytes")


def test_a_lost_journal_does_no_harm(installed: Installed) -> None:
    file = ndjson(installed.folder / "rows.ndjson", a_row(1))
    with installed.serving():
        assert installed.send(file).exit_code == 0
        result = installed.send(file, "--json", XIANJIE_JOURNAL=str(installed.folder / "new.sqlite"))
    assert json.loads(result.stdout)["rows"][0]["code"] == "referral_id_taken"
    assert on_file(installed) == ["r-1"]


def test_a_row_twice_in_one_file_is_one_referral(installed: Installed) -> None:
    file = ndjson(installed.folder / "rows.ndjson", a_row(1), a_row(1))
    with installed.serving():
        assert installed.send(file).exit_code == 0
    assert on_file(installed) == ["r-1"]
    assert gaps(installed) == [1]


# --- the gateway is away ---


def test_a_gateway_that_is_away_is_told_as_unavailable_and_a_later_run_finishes(installed: Installed) -> None:
    file = ndjson(installed.folder / "rows.ndjson", a_row(1), {"odd": 1}, a_row(2))
    code, found = told(installed, file)
    assert (code, counts(found), found["stopped"]) == (3, (0, 0, 0, 1), "partner_unreachable")
    result = installed.send(file)
    assert (result.exit_code, "再次运行即可续报 run it again" in result.stderr) == (3, True)
    with installed.serving():
        assert counts(told(installed, file)[1]) == (2, 0, 0, 1)
    assert gaps(installed) == [1, 2]


def test_a_change_made_while_the_outcome_was_unknown_is_not_lost_sight_of(installed: Installed) -> None:
    """The first bytes go, since nobody knew; what was changed meanwhile is told."""
    file = ndjson(installed.folder / "rows.ndjson", a_row(1))
    assert installed.send(file).exit_code == 3
    ndjson(file, a_row(1, decided_amount_fen=1_000_000))
    with installed.serving():
        assert told(installed, file)[1]["rows"][0]["code"] == "same_id_different_bytes"
    assert on_file(installed) == ["r-1"]


# --- before sending ---


def test_a_check_reads_everything_and_needs_no_gateway(installed: Installed) -> None:
    file = ndjson(installed.folder / "rows.ndjson", a_row(1), {"odd": 1})
    result = installed.send(file, "--check", "--json", XIANJIE_URL="", XIANJIE_KEY="")
    found = json.loads(result.stdout)
    assert (result.exit_code, found["ready"], found["accepted"], found["unreadable"]) == (1, 1, 0, 1)
    assert "可报送 ready 1" in installed.send(file, "--check").stderr
    assert not (installed.folder / "court" / "journal.sqlite").exists()


def test_a_template_never_overwrites_a_filled_one(installed: Installed) -> None:
    sheet = filled(installed, a_row(1))
    before = sheet.read_bytes()
    result = installed.send("--template", sheet)
    assert (result.exit_code, "nothing was overwritten" in result.stderr) == (2, True)
    assert sheet.read_bytes() == before


def test_an_untouched_template_holds_no_rows(installed: Installed) -> None:
    template = installed.folder / "template.xlsx"
    installed.send("--template", template)
    assert counts(told(installed, template, "--check")[1]) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"XIANJIE_URL": "", "XIANJIE_PARTY": ""}, "still needed: --url, --party"),
        ({"XIANJIE_KEY": "none.pem"}, "none.pem cannot be read"),
        ({"XIANJIE_GATEWAY_KEYS": "none.json"}, "none.json is no JWKS file"),
    ],
)
def test_what_is_missing_to_speak_to_a_gateway_is_named(
    installed: Installed, changes: dict[str, str], says: str
) -> None:
    result = installed.send(ndjson(installed.folder / "rows.ndjson", a_row(1)), **changes)
    assert (result.exit_code, says in result.stderr) == (2, True), result.stderr


def test_no_file_is_a_matter_of_usage(installed: Installed) -> None:
    assert installed.send().exit_code == 2


def test_a_key_file_that_is_none_and_an_address_that_is_none_are_named(installed: Installed) -> None:
    file = ndjson(installed.folder / "rows.ndjson", a_row(1))
    (installed.folder / "odd.pem").write_text("no key")
    assert installed.send(file, XIANJIE_KEY=str(installed.folder / "odd.pem")).exit_code == 2
    assert installed.send(file, XIANJIE_URL="gateway.example").exit_code == 2


def test_another_gateways_receipts_are_not_believed(installed: Installed) -> None:
    keys = installed.folder / "gateway-keys.json"
    other = json.loads((installed.folder / "court" / "own.jwk").read_text())
    keys.write_text(json.dumps({"keys": [other]}))
    file = ndjson(installed.folder / "rows.ndjson", a_row(1))
    with installed.serving():
        code, found = told(installed, file)
        assert (code, found["accepted"], found["stopped"]) == (1, 0, "receipt_mismatch")
        installed.done("keys", "publish", keys)
        assert counts(told(installed, file)[1]) == (1, 0, 0, 0)
    assert (on_file(installed), gaps(installed)) == (["r-1"], [1])


def test_a_court_reads_the_fate_of_what_it_sent_on_the_same_day(installed: Installed) -> None:
    with installed.serving():
        installed.send(ndjson(installed.folder / "rows.ndjson", a_row(1)))
    sheet = installed.json("balance", "--court", COURT)
    (line,), total = sheet["lines"], sheet["total"]
    assert (line["accepted"], line["open_in_time"], total["difference"]) == (1, 1, 0)
    assert line["period"] in (f"{TODAY:%Y-%m}", line["period"])
