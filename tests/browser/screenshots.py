"""`make screenshots`: the pictures of `docs/images`, from the told cases; synthetic people."""

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from gateway.cli.demo_people import DEMO_PASSWORD
from tests.browser.province import Province, province
from tests.chromium import FLAGS, find

LONG = frozenset({"court", "court-new", "findings", "reports", "agency-handoff"})
"""Of these only what a screen shows."""
IMAGES = Path(__file__).parents[2] / "docs" / "images"


@dataclass(frozen=True, kw_only=True)
class Picture:
    """What is shown. clicks: where one goes on from the address."""

    name: str
    account: str
    path: str
    clicks: Sequence[str] = ()
    language: str = "zh"


PICTURES = (
    Picture(name="today", account="reconciler", path="/console"),
    Picture(name="today-en", account="reconciler", path="/console", language="en"),
    Picture(name="findings", account="reconciler", path="/console/findings?family=duplicate"),
    Picture(name="finding", account="reconciler", path="/console/findings?family=duplicate", clicks=["tbody a"]),
    Picture(name="match", account="reconciler", path="/console/matches", clicks=["tbody a"]),
    Picture(name="referral", account="auditor", path="/console/referrals/story-heard-false-2"),
    Picture(name="delivery", account="admin", path="/console/delivery"),
    Picture(name="reports", account="auditor", path="/console/reports?from=2022-01-01&to=2026-12-31"),
    Picture(name="evidence", account="auditor", path="/console/log"),
    Picture(name="parties", account="keys", path="/console/parties"),
    Picture(name="diagnostics", account="admin", path="/console/diagnostics"),
    Picture(name="agency-inbox", account="agency", path="/agency"),
    Picture(name="agency-handoff", account="agency", path="/agency", clicks=["tbody a"]),
    Picture(name="court", account="court", path="/court"),
    Picture(name="court-new", account="court", path="/court/new"),
    Picture(name="court-case", account="court", path="/court/referrals/story-heard-false-1"),
)


def take(browser: Browser, served: Province, picture: Picture) -> None:
    """One picture."""
    locale = "zh-CN" if picture.language == "zh" else "en"
    context = browser.new_context(base_url=served.url, locale=locale, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto("/sign-in")
    page.fill("input[name=name]", picture.account)
    page.fill("input[name=password]", DEMO_PASSWORD)
    page.click("article button")
    page.wait_for_url(lambda url: "/sign-in" not in url)
    page.goto(picture.path)
    for click in picture.clicks:
        page.locator(click).first.click()
        page.wait_for_load_state()
    page.screenshot(path=IMAGES / f"{picture.name}.png", full_page=picture.name not in LONG)
    context.close()


def main() -> int:
    """All of them."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, province(Path(folder)) as served, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find(), args=FLAGS)
        for picture in PICTURES:
            take(browser, served, picture)
            sys.stdout.write(f"docs/images/{picture.name}.png\n")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
