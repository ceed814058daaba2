"""A real Chromium over the told cases. One province a worker; a test gets a browser of its own that is nobody yet."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Request, sync_playwright

from gateway.cli.demo_people import DEMO_PASSWORD
from tests.browser.province import Province, province
from tests.chromium import FLAGS, HOW_TO_GET_ONE, find


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Province]:
    """The province, served."""
    with province(tmp_path_factory.mktemp("province")) as served:
        yield served


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The browser; tests fail rather than go without."""
    found = find()
    assert found is not None, HOW_TO_GET_ONE
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS, headless=True)
        yield browser
        browser.close()


class Watched:
    """What a page did that no page of ours may do."""

    def __init__(self, page: Page, url: str) -> None:
        self.wrongs: list[str] = []
        self._url = url
        page.on("dialog", self._close)
        page.on("request", self._look)
        page.on("pageerror", lambda error: self.wrongs.append(f"script error {error}"))
        page.on("console", self._hear)

    def _close(self, dialog: Dialog) -> None:
        self.wrongs.append(f"dialog {dialog.message}")
        dialog.dismiss()

    def _hear(self, said: ConsoleMessage) -> None:
        # that a form was not taken is no fault of the page's
        if said.type == "error" and "server responded with a status of 4" not in said.text:
            self.wrongs.append(said.text)

    def _look(self, request: Request) -> None:
        if not request.url.startswith((f"{self._url}/", "data:")):
            self.wrongs.append(f"foreign request {request.url}")


Opened = Callable[..., Page]


@pytest.fixture
def opened(chromium: Browser, told: Province) -> Iterator[Opened]:
    """`opened("reconciler")`: a page of somebody who signed in; more: options of the browser's context."""
    contexts = []
    pages: list[Watched] = []

    def open_(name: str | None = None, *, language: str = "zh", **more: object) -> Page:
        locale = "zh-CN" if language == "zh" else "en"
        options: dict[str, object] = {
            "base_url": told.url,
            "locale": locale,
            "viewport": {"width": 1280, "height": 900},
        }
        context = chromium.new_context(**{**options, **more})  # type: ignore[arg-type]
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        pages.append(Watched(page, told.url))
        page.goto("/sign-in")
        if name is not None:
            page.fill("input[name=name]", name)
            page.fill("input[name=password]", DEMO_PASSWORD)
            page.click("article button")
            page.wait_for_url(lambda url: "/sign-in" not in url)
        return page

    yield open_
    wrongs = [wrong for watched in pages for wrong in watched.wrongs]
    for context in contexts:
        context.close()
    assert wrongs == []


def shot(page: Page, path: Path) -> None:
    """The whole page as a picture."""
    page.screenshot(path=path, full_page=True)
