"""What a page must bear: hostile words in every text, a narrow screen, paper, and no script at all."""

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page

from gateway.flows.reconcile import reconcile_all
from tests.browser.conftest import Opened
from tests.browser.province import COURT, Province
from tests.browser.test_every_page import kind_of, links
from tests.builders import an_id_number
from tests.gateway_world import a_referral_body

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(240)]

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)><a href=javascript:alert(3)>x</a>"
STARTS = {"reconciler": "/console/referrals", "court": "/court", "agency": "/agency"}


@pytest.fixture(scope="module")
def hostile(told: Province) -> Province:
    """A referral whose every free text is hostile, handed to the agency and reconciled."""
    body = a_referral_body(referral_id="hostile-1", case_number="（2026）黔01司救执999号")
    person = body["person"] | {
        "name": HOSTILE[:90],
        "id_number": an_id_number(serial=55),
        "residence": HOSTILE,
        "household_registration_region": "520103",
    }
    body |= {
        "person": person,
        "recipient_region": "520103",
        "needs": [one | {"note": HOSTILE} for one in body["needs"]],
        "survey": body["survey"] | {"summary": HOSTILE, "investigators": [HOSTILE[:50], "测试书记员"]},
        "contact": {"name": HOSTILE[:50], "phone": "0851-00000000"},
    }
    court = told.world.partners[COURT]
    told.world.accept(court.sign("referral.submitted", body, now=told.world.now, subject="hostile-1"))
    told.world.dispatch()
    reconcile_all(told.world.context, now=told.world.now)
    return told


def walk(page: Page, start: str, most: int = 25) -> list[str]:
    """Opens pages by their links, one of a kind; where it came."""
    waiting, seen = [start], {}
    while waiting and len(seen) < most:
        path = waiting.pop(0)
        if kind_of(path) not in seen:
            answer = page.goto(path)
            assert answer is not None
            assert answer.status == 200, path
            seen[kind_of(path)] = path
            waiting += links(page)
    return list(seen.values())


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("reconciler", "/console/referrals/hostile-1"),
        ("auditor", "/console/referrals/hostile-1"),
        ("court", "/court/referrals/hostile-1"),
    ],
)
def test_hostile_words_are_words(opened: Opened, hostile: Province, name: str, path: str) -> None:
    page = opened(name)
    page.goto(path)
    reveal = page.locator("form").filter(has=page.get_by_role("button", name=re.compile("个人信息|完整信息"))).first
    reveal.locator("[name=why]").fill(HOSTILE[:200])
    reveal.get_by_role("button").first.click()
    page.wait_for_load_state()
    assert HOSTILE[:40] in page.locator("main").inner_text()
    assert page.locator("main img, main script, main a[href^=javascript]").count() == 0


def test_hostile_words_of_a_handoff_are_words(opened: Opened, hostile: Province) -> None:
    page = opened("agency")
    page.locator("tr", has_text="hostile-1").locator("a").first.click()
    page.wait_for_load_state()
    assert "alert(1)" in page.locator("main").inner_text()
    assert page.locator("main img, main script, main a[href^=javascript]").count() == 0


@pytest.mark.parametrize("name", sorted(STARTS))
def test_on_a_narrow_screen_nothing_is_wider_than_it(opened: Opened, name: str) -> None:
    page = opened(name, viewport={"width": 390, "height": 800})
    too_wide = []
    for path in walk(page, STARTS[name], most=14):
        page.goto(path)
        if page.evaluate("document.documentElement.scrollWidth > window.innerWidth + 1"):
            too_wide.append(path)
    assert too_wide == []


@pytest.mark.parametrize("name", sorted(STARTS))
def test_without_any_script_everything_is_reached_all_the_same(opened: Opened, name: str) -> None:
    page = opened(name, java_script_enabled=False)
    assert len(walk(page, STARTS[name], most=14)) > 3
    assert urlsplit(page.url).path.startswith(("/console", "/court", "/agency", "/account"))


def test_on_paper_there_is_the_matter_and_no_button(opened: Opened) -> None:
    page = opened("auditor")
    page.goto("/console/referrals/story-heard-false-2")
    page.emulate_media(media="print")
    assert page.locator("h1").is_visible()
    assert page.locator("ol.line").first.is_visible()
    assert [one for one in page.locator("nav.desk, form, .pager, .self").all() if one.is_visible()] == []
    assert page.pdf()[:5] == b"%PDF-"
