"""The page of a process, in a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, expect

from tests.flows.served_job import SECRETS, ServedJob
from tests.live.browser import chromium
from tests.waiting import until

pytestmark = pytest.mark.live

HOSTILE = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>"
"""If the page made HTML of it, its title would change, and it would ask for an image."""
WIDTHS = (390, 768, 1440, 1920)
Scheme = Literal["light", "dark"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def job() -> ServedJob:
    """It has open groups, dead letters, and texts that would like to be HTML."""
    job = ServedJob("localhost:2101", "localhost:2102", show_bodies=True)
    lines = [{"order": f"order-{number}", "type": "line", "amount": 1} for number in range(30)]
    job.publish({"order": HOSTILE, "type": "line", "amount": 1}, *lines, HOSTILE.encode())
    return job


class WatchedPage:
    """A page, and all that went wrong in it."""

    def __init__(
        self, browser: Browser, job: ServedJob, width: int = 1440, scheme: Scheme = "light"
    ) -> None:
        self.errors: list[str] = []
        self.hosts: set[str] = set()
        viewport: Any = {"width": width, "height": 900}
        self.page: Page = browser.new_page(viewport=viewport, color_scheme=scheme)
        self.page.on("console", lambda message: self.errors.append(message.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.hosts.add(request.url.split("/")[2]))
        self.page.goto(job.url)
        expect(self.page.locator("#connection")).to_have_text("Live")
        self.shows(job, "#oldest-groups tr:nth-child(10)", "order")

    def refused(self) -> list[str]:
        """Return what the browser refused so far."""
        self.page.wait_for_timeout(50)  # it tells them while Playwright waits
        return self.errors

    def shows(self, job: ServedJob, selector: str, text: str) -> None:
        """Let the job run until an element has a text."""
        place = self.page.locator(selector)

        def has() -> bool:
            job.run()
            self.page.wait_for_timeout(100)  # the events of the page arrive meanwhile
            return place.count() > 0 and text in (place.text_content() or "")

        until(has)


Opener = Callable[..., WatchedPage]


@pytest.fixture
def opened(browser: Browser, job: ServedJob) -> Iterator[Opener]:
    """Opens pages, and closes them after the test."""
    pages: list[WatchedPage] = []

    def opened(width: int = 1440, scheme: Scheme = "light") -> WatchedPage:
        pages.append(WatchedPage(browser, job, width, scheme))
        return pages[-1]

    yield opened
    for watched in pages:
        watched.page.close()


def test_it_shows_the_job_and_follows_it(opened: Opener, job: ServedJob) -> None:
    watched = opened()
    page = watched.page

    expect(page).to_have_title(f"{job.name}: Healthy · Hopper")
    expect(page.locator("#state")).to_have_text("Healthy")
    expect(page.locator("#limit-by")).to_have_text("nothing")
    expect(page.locator("#latest-letters")).to_contain_text("missing_key: nothing in order")
    expect(page.locator("#spec")).to_contain_text("routing_key: orders.parked")
    expect(page.get_by_role("navigation").get_by_role("link")).to_have_count(2)
    expect(page.locator("#sparklines figure")).to_have_count(8)

    job.publish({"order": "order-1", "type": "end", "amount": 1})
    watched.shows(job, "#ring", "2 stored")
    expect(page.get_by_role("img", name="RabbitMQ has 0 waiting messages")).to_be_visible()
    assert watched.errors == []


def test_texts_of_messages_and_secrets_do_no_harm(opened: Opener, job: ServedJob) -> None:
    watched = opened()
    page = watched.page

    expect(page.locator("#oldest-groups")).to_contain_text("<img src=x")
    expect(page.locator("#latest-letters code")).to_have_text(HOSTILE)
    assert page.locator("img, main script").count() == 0
    assert "run" not in page.title()
    assert [secret for secret in SECRETS if secret in page.content()] == []
    assert watched.hosts == {job.url.removeprefix("http://")}
    assert watched.errors == []


def test_inline_scripts_are_refused(opened: Opener) -> None:
    """By the policy, should a text become HTML all the same."""
    watched = opened()

    watched.page.evaluate(
        "text => document.querySelector('main').insertAdjacentHTML('beforeend', text)", HOSTILE
    )

    expect(watched.page.locator("main > img")).to_have_count(1)
    until(watched.refused)
    assert all("Content Security Policy" in error for error in watched.errors)
    assert "run" not in watched.page.title()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_and_is_accessible(opened: Opener, width: int, scheme: Scheme) -> None:
    """Nothing is cut at the side, and axe finds nothing wrong."""
    page = opened(width, scheme).page

    until(lambda: page.evaluate("document.documentElement.scrollWidth") == width)
    found = Axe().run(page).response["violations"]
    assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in found] == []


def test_the_keyboard_reaches_all_that_scrolls_and_links(opened: Opener) -> None:
    page = opened().page

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    reached = set()
    for _ in range(20):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.getAttribute('aria-labelledby')"))
    assert {"groups-title", "letters-title", "receivers-title", "running-title"} <= reached


def test_it_says_when_the_job_does_not_answer(opened: Opener) -> None:
    watched = opened()
    page = watched.page
    page.clock.install()

    page.context.set_offline(True)

    def silent() -> bool:
        """The page waits from its last snapshot on, which may be older than the clock."""
        page.clock.fast_forward(10_000)
        return "No answer from the job" in (page.locator("#connection").text_content() or "")

    until(silent, timeout=40)
