"""Every page somebody can reach by links: it opens, is quiet on the console, asks nobody else, meets WCAG 2.2 AA.

The walk begins at each role's start and follows every link of its own desk, a few of each kind of page.
"""

import re
from collections import Counter
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page

from gateway.cli.demo_people import PEOPLE
from tests.browser.conftest import Opened

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]

RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
    "resultTypes": ["violations"],
}
OF_A_KIND, MOST = 1, 50
_ID = re.compile(r"/(?!console|agency|court|account)[^/]*[0-9:|~][^/]*")


def kind_of(path: str) -> str:
    """Pages that differ only in what they are about."""
    parts = urlsplit(path)
    asked = sorted(part.partition("=")[0] for part in parts.query.split("&") if part)
    return _ID.sub("/*", parts.path) + "?" + "&".join(asked)


def links(page: Page) -> list[str]:
    """Where this page's links lead, within the desks; a file to keep is no page."""
    found = page.eval_on_selector_all("a[href]:not([download])", "all => all.map(one => one.getAttribute('href'))")
    pages = [one for one in found if one.startswith(("/console", "/agency", "/court", "/account"))]
    return [one for one in pages if not urlsplit(one).path.endswith(("xlsx", "csv", "zip"))]  # no files to download


def problems(page: Page) -> list[str]:
    """What axe finds, in one line each."""
    told = Axe().run(page, options=RULES).response
    return [f"{one['id']}: {one['nodes'][0]['html'][:160]}" for one in told["violations"]]


@pytest.fixture(scope="module")
def judged() -> set[str]:
    """Kinds of pages that axe has seen."""
    return set()


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("name", [one.name for one in PEOPLE if not one.name.endswith("2")])
def test_every_page_that_can_be_reached_is_whole(opened: Opened, judged: set[str], name: str, language: str) -> None:
    page = opened(name, language=language)
    waiting, seen = [urlsplit(page.url).path], Counter[str]()
    wrong: list[str] = []
    visited: set[str] = set()
    while waiting and len(visited) < MOST:
        path = waiting.pop(0)
        if path in visited or seen[kind_of(path)] >= OF_A_KIND:
            continue
        visited.add(path)
        seen[kind_of(path)] += 1
        answer = page.goto(path)
        status = 0 if answer is None else answer.status
        if status != 200:
            wrong.append(f"{path}: {status}")
            continue
        if kind_of(path) not in judged:  # the same elements in either language and for every role
            judged.add(kind_of(path))
            wrong += [f"{path}: {one}" for one in problems(page)]
        if page.locator("h1").count() != 1:
            wrong.append(f"{path}: not one heading")
        if page.evaluate("document.documentElement.scrollWidth > window.innerWidth + 1"):
            wrong.append(f"{path}: wider than the window")
        waiting += links(page)
    assert len(visited) >= 2
    assert wrong == [], "\n".join(wrong)
