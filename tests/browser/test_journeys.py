"""The three users' whole journeys in a browser, in both languages and without any script.

What is done here is done as somebody does it who has read nothing: by the words on links and buttons.
"""

import re
from pathlib import Path

import pytest
from openpyxl import load_workbook
from playwright.sync_api import Locator, Page, expect

from gateway.cli.demo_people import DEMO_PASSWORD
from gateway.store import tables as t
from gateway.workbook.sheets import HANDOFF_SHEET
from tests.browser.conftest import Opened
from tests.browser.province import AGENCY_PARTY, COURT, Province
from tests.builders import an_id_number
from tests.web.court_desk import typed

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(180)]

ENTERED = "entered-by-form-1"
WORDS = {
    "zh": {
        "findings": "对账日志",
        "same case": "同一原案件重复救助",
        "unroutable": "无承办单位",
        "decide": "决定",
        "confirmed": "属实",
        "download": "下载证据包",
        "referrals": "移送",
        "inbox": "收件箱",
        "sheets": "办理表",
        "new": "录入移送",
        "preview": "预览",
    },
    "en": {
        "findings": "Reconciliation",
        "same case": "aided twice for one original case",
        "unroutable": "no office to go to",
        "decide": "Decide",
        "confirmed": "confirmed",
        "download": "Download",
        "referrals": "Referrals",
        "inbox": "Inbox",
        "sheets": "Sheets",
        "new": "New referral",
        "preview": "Preview",
    },
}


def options(field: Locator) -> list[str]:
    """What can be chosen."""
    return [one for one in field.locator("option").all_inner_texts() if one.strip()]


def go(page: Page, name: str) -> None:
    """By the navigation."""
    page.locator("nav.desk").get_by_role("link", name=name, exact=True).click()
    page.wait_for_load_state()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_stranger_finds_the_duplicated_and_the_missed_person_and_sees_why(opened: Opened, language: str) -> None:
    words = WORDS[language]
    page = opened("reconciler", language=language)
    go(page, words["findings"])
    for wanted in ("same case", "unroutable"):
        go(page, words["findings"])
        page.get_by_role("link", name=re.compile(f"^{re.escape(words[wanted])}")).first.click()
        page.wait_for_load_state()
        page.locator("tbody").get_by_role("link", name=words[wanted]).first.click()
        page.wait_for_load_state()
        expect(page.locator("h1")).to_contain_text(words[wanted])
        expect(page.locator("main")).to_contain_text("story-")


def test_what_was_found_is_decided_with_a_reason_and_proven_by_a_download(
    opened: Opened, told: Province, tmp_path: Path
) -> None:
    page = opened("reconciler")
    page.goto("/console/findings?code=DUP_PAYMENT")
    page.locator("tbody a").first.click()
    form = page.locator("form").filter(has=page.locator("select[name=decision]"))
    form.locator("select[name=decision]").select_option("CONFIRMED")
    form.locator("[name=why]").fill("法院确认重复支付（测试）")
    if form.locator("[name=password_again]").count():
        form.locator("[name=password_again]").fill(DEMO_PASSWORD)
    form.get_by_role("button").last.click()
    expect(page.locator("main")).to_contain_text("属实")
    (row,) = [row for row in told.world.rows(t.findings) if row["code"] == "DUP_PAYMENT"]
    assert (row["state"], row["decided_as"]) == ("decided", "CONFIRMED")
    told.log.sign()  # as the worker does every few seconds
    page.goto(f"/console/referrals/{row['referral_id']}")
    proof = page.locator("form").filter(has=page.get_by_role("button", name="下载证据包"))
    proof.locator("[name=why]").fill("归档（测试）")
    with page.expect_download() as download:
        proof.get_by_role("button").click()
    saved = tmp_path / "case.zip"
    download.value.save_as(saved)
    assert saved.read_bytes()[:2] == b"PK"


@pytest.mark.parametrize("scripts", [True, False])
def test_a_clerk_answers_a_handoff_by_form(opened: Opened, told: Province, scripts: bool) -> None:
    page = opened("agency", java_script_enabled=scripts)
    page.locator("main tbody a").nth(1 if scripts else 2).click()
    referral = page.locator("dd code", has_text=re.compile("^story-")).first.inner_text()
    form = page.locator("form").filter(has=page.locator("select[name=result]"))
    if not form.first.is_visible():
        page.locator("summary").first.click()
    form.locator("select[name=result]").first.select_option(index=1)
    answered = form.locator("select[name=result] option:checked").first.inner_text()
    form.locator("[name=next_due]").first.fill("2026-03-20")
    form.get_by_role("button").last.click()
    expect(page.locator("main")).to_contain_text(answered.split()[0])
    sent = [row for row in told.world.rows(t.inbox) if row["source"] == AGENCY_PARTY and row["subject"] == referral]
    assert sent[-1]["type"] == "handoff.outcome"
    assert sent[-1]["message_id"].startswith("f-")


def test_a_clerk_answers_by_sheet(opened: Opened, tmp_path: Path) -> None:
    page = opened("agency")
    go(page, "办理表")
    with page.expect_download() as download:
        page.locator("main form button").first.click()
    saved = tmp_path / "sheet.xlsx"
    download.value.save_as(saved)
    book = load_workbook(saved)
    sheet = book[HANDOFF_SHEET]
    headings = {
        str(cell.value).split("\n")[0]: cell.column for row in sheet.iter_rows(max_row=9) for cell in row if cell.value
    }
    first = next(row[0].row for row in sheet.iter_rows() if any(str(cell.value).startswith("story-") for cell in row))
    sheet.cell(first, headings["result"], "受理")
    sheet.cell(first, headings["at"], "2026-03-03")
    sheet.cell(first, headings["next_due"], "2026-03-20")
    book.save(saved)
    upload = page.locator("form").filter(has=page.locator("input[type=file]"))
    upload.locator("input[type=file]").set_input_files(saved)
    upload.get_by_role("button").last.click()
    expect(page.locator("main")).to_contain_text("1")


def test_a_court_clerk_enters_a_referral_follows_it_and_amends_it(opened: Opened, told: Province) -> None:
    page = opened("court")
    go(page, "录入移送")
    page.get_by_role("button", name="预览").first.click()
    assert page.locator("[aria-invalid=true]").count() > 3  # every missing field says so at its place
    for name, value in typed(
        referral_id=ENTERED, case_number="（2026）黔01司救执777号", survey__date="2026-02-20"
    ).items():
        field = page.locator(f'[name="{name}"]').first
        if field.evaluate("one => one.tagName") == "SELECT":
            field.select_option(next(one for one in options(field) if one.split()[0] == value.split()[0]))
        else:
            field.fill(value)
    page.get_by_role("button", name="预览").first.click()
    assert [row for row in told.world.rows(t.referrals) if row["referral_id"] == ENTERED] == []
    page.get_by_role("button", name="报送").first.click()
    page.wait_for_load_state()
    assert [row["court"] for row in told.world.rows(t.referrals) if row["referral_id"] == ENTERED] == [COURT]
    page.goto("/court")
    page.get_by_role("link", name="（2026）黔01司救执777号").click()
    expect(page.locator("main")).to_contain_text("最低生活保障")
    told.world.dispatch()
    page.reload()
    expect(page.locator("main")).to_contain_text("已分派")
    page.locator('form[action$="/anew"] input[name=why]').fill("电话有误")
    page.get_by_role("button", name="更正移送").click()
    page.fill('[name="person.phone"]', "13800000009")
    page.get_by_role("button", name="预览更正").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("button", name="签名并报送更正").click()
    expect(page.locator("main")).to_contain_text("第 2 版（更正）")
    types = [row["type"] for row in told.world.rows(t.outbox) if row["referral_id"] == ENTERED]
    assert types == ["handoff.issued", "handoff.amended"]


def name_somebody(page: Page, number: str) -> None:
    """The fields of a person, as both portals have them."""
    page.fill("#name", "样例乙")
    page.fill("#id_number", number)
    page.fill("#household_registration_region", "520103 云岩区")
    page.select_option("#legal_basis", "STATUTORY_DUTY")


@pytest.mark.parametrize("scripts", [True, False])
def test_a_court_asks_an_agency_answers_and_a_referral_cites_it(opened: Opened, told: Province, scripts: bool) -> None:
    inquiry = f"asked-by-form-{int(scripts)}"
    court = opened("court", java_script_enabled=scripts)
    go(court, "匹配、协查与线索")
    court.get_by_role("button", name="发起协查").click()
    name_somebody(court, an_id_number(serial=61))
    court.get_by_role("button", name="签名并报送").click()
    assert court.locator("[id$=-wrong]").count() == 2  # case number, programmes
    court.fill("#case_number", "（2026）黔01司救执778号")
    court.fill("#notice_given_at", "2026-02-28")
    court.fill("#inquiry_id", inquiry)
    court.get_by_label("最低生活保障").check()
    court.get_by_role("button", name="签名并报送").click()
    expect(court.locator("tr", has_text=inquiry)).to_contain_text("未答复")
    agency = opened("agency", java_script_enabled=scripts)
    agency.goto("/agency/letters")
    agency.locator("tr", has_text=inquiry).get_by_role("link").first.click()
    agency.select_option('[name="MLG-answer"]', "NEVER")
    agency.get_by_role("button", name="报送答复").click()
    expect(agency.locator("main")).to_contain_text("从未享受")
    court.reload()
    row = court.locator("tr", has_text=inquiry)
    expect(row).to_contain_text("从未享受")
    row.get_by_role("link", name="据此移送").click()
    expect(court.locator('[name="inquiry_ref"]')).to_have_value(inquiry)
    expect(court.locator('[name="case_number"]')).to_have_value("（2026）黔01司救执778号")
    assert "样例乙" not in court.content()
    assert [row["source"] for row in told.world.rows(t.inbox) if row["subject"] == inquiry] == [COURT, AGENCY_PARTY]


def test_an_agency_tells_a_court_of_somebody_and_sees_what_became_of_it(opened: Opened, told: Province) -> None:
    agency, court = opened("agency", language="en"), opened("court")
    go(agency, "Clues")
    agency.get_by_role("button", name="New clue").click()
    name_somebody(agency, an_id_number(serial=62))
    agency.select_option("#court", COURT)
    agency.get_by_label("support not paid").check()
    agency.get_by_role("button", name="Sign and send").click()
    clue = str(told.world.rows(t.clues)[-1]["clue_id"])
    expect(agency.locator("tr", has_text=clue)).to_contain_text("waits for the court")
    go(court, "匹配、协查与线索")
    court.get_by_role("link", name=clue).click()
    court.select_option("[name=code]", "ASSISTED")
    court.fill("[name=amount_yuan]", "20,000")
    court.get_by_role("button", name="报送反馈").click()
    expect(court.locator("main")).to_contain_text("予以救助")
    agency.reload()
    agency.get_by_role("link", name=clue).click()
    expect(agency.locator("main")).to_contain_text("assisted · 20,000.00")
    expect(agency.locator("main")).to_contain_text("样例乙")


def test_a_court_appeals_a_resolved_match(opened: Opened, told: Province) -> None:
    page = opened("court")
    go(page, "匹配、协查与线索")
    page.locator("tr", has_text="story-heard-lawful-1").get_by_role("link").first.click()
    page.fill("#reason", "结论所据事实有误（测试）")
    page.get_by_role("button", name="报送申诉").click()
    expect(page.locator("main")).to_contain_text("已申诉")
    assert page.locator("#reason").count() == 0
    (said,) = [row for row in told.world.rows(t.dispositions) if row["code"] == "APPEAL"]
    assert (said["party"], page.url.partition("?")[0].rpartition("/")[2]) == (COURT, said["match_id"])
