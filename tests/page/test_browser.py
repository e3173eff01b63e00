"""The page in a real browser: charts drawn, controls that work, pictures that load, no fault that axe knows."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.report import made_page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed (Debian: apt install chromium)")

CHARTS = "figure[data-chart]"
MARKS = "document.querySelector('figure[data-chart=rate]').querySelectorAll('.mark-symbol.role-mark path').length"


class Visit:
    """A page that was opened, and what the browser said meanwhile."""

    def __init__(self, page: Any, address: str) -> None:
        self.page = page
        self.said: list[str] = []
        self.asked: list[str] = []
        page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        page.on("request", lambda request: self.asked.append(request.url))
        page.goto(address, wait_until="load")

    def look_at_everything(self) -> None:
        """Scroll down, so that what is made when it comes near the screen is made."""
        page = self.page
        page.evaluate(
            "document.querySelectorAll('main details:not(.plot details)').forEach((one) => (one.open = true))"
        )
        for place in page.query_selector_all(f"{CHARTS}, img[data-picture]"):
            place.scroll_into_view_if_needed()
        page.wait_for_function(
            f"[...document.querySelectorAll('{CHARTS}')].every((one) => one.dataset.drawn) &&"
            " [...document.querySelectorAll('img[data-picture]')].every((one) => one.complete && one.naturalWidth > 0)"
        )

    def marks(self, chart: str = "rate") -> int:
        """Points in the first chart of a kind."""
        return int(self.page.evaluate(MARKS.replace("rate", chart)))

    def words(self, chart: str = "rate") -> str:
        return str(self.page.inner_text(f"figure[data-chart={chart}] svg >> nth=0"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> str:
    return made_page(tmp_path_factory.getbasetemp(), cache).as_uri()


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Visit]:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    yield Visit(page, address)
    page.close()


def test_every_chart_is_drawn_and_every_picture_loads(visit: Visit, address: str) -> None:
    visit.look_at_everything()
    drawn = visit.page.evaluate(f"[...document.querySelectorAll('{CHARTS}')].map((one) => one.dataset.drawn)")
    assert len(drawn) >= 10
    assert "failed" not in drawn
    assert visit.page.evaluate("document.querySelectorAll('img[data-picture]').length") >= 12
    assert visit.said == []
    assert [url for url in visit.asked if url != address and not url.startswith(("data:", "blob:"))] == []


def test_controls_change_what_is_drawn(visit: Visit) -> None:
    page = visit.page
    page.wait_for_selector("figure[data-chart=rate][data-drawn='1']")
    points = 3 + 2 + 2  # jpeg, webp, and jpeg retrained at the level it is tested at
    assert visit.marks() == points
    case = page.locator("section[data-case] >> nth=0")
    case.get_by_label("webp", exact=True).uncheck()
    page.wait_for_function(f"{MARKS} == 5")
    case.get_by_label("jpeg, clean", exact=True).check()
    page.wait_for_function(f"{MARKS} == 8")
    case.locator("[data-control=metric]").select_option(label="AP50")
    case.locator("[data-control=y]").select_option("drop")
    case.locator("[data-control=x]").select_option("psnr")
    page.wait_for_function(
        "document.querySelector('figure[data-chart=rate]').innerText.includes('drop of AP50 against PSNR')"
    )
    assert visit.said == []


def test_pointing_at_a_mark_tells_its_values(visit: Visit) -> None:
    visit.page.wait_for_selector("figure[data-chart=rate][data-drawn='1']")
    visit.page.hover("figure[data-chart=rate] .mark-symbol.role-mark path >> nth=1", force=True)
    told = visit.page.wait_for_selector("#vg-tooltip-element.visible").inner_text()
    assert "quality" in told
    assert "[" in told


def test_the_viewer_opens_steps_and_closes_by_keyboard(visit: Visit) -> None:
    page = visit.page
    visit.look_at_everything()
    first = page.locator(".picture >> nth=0")
    first.focus()
    page.keyboard.press("Enter")
    shown = page.wait_for_selector("#viewer[open] img")
    before = shown.get_attribute("alt")
    page.keyboard.press("ArrowRight")
    assert shown.get_attribute("alt") != before
    page.keyboard.press("ArrowLeft")
    assert shown.get_attribute("alt") == before
    page.keyboard.press("Escape")
    assert page.query_selector("#viewer[open]") is None
    assert first.evaluate("(one) => one === document.activeElement")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light")])
def test_axe_finds_no_serious_fault_and_nothing_is_cut_off(browser: Any, address: str, width: int, scheme: Any) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
    visit = Visit(page, address)
    visit.look_at_everything()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(page)
    serious = [one for one in found.response["violations"] if one["impact"] in ("serious", "critical")]
    assert serious == [], [(one["id"], one["nodes"][0]["html"][:200]) for one in serious]
    page.close()


def test_the_theme_can_be_chosen(visit: Visit) -> None:
    page = visit.page
    paper = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(paper)
    page.click("#theme")
    assert page.evaluate(paper) != before
    assert page.get_attribute("#theme", "aria-pressed") == "true"
    page.wait_for_selector("figure[data-chart=rate][data-drawn='1']")
    label = "getComputedStyle(document.querySelector('figure[data-chart=rate] .role-axis-label text')).fill"
    page.wait_for_function(f"{label} == 'rgb(236, 236, 236)'")


def test_printing_draws_all_charts_and_opens_all_tables(visit: Visit) -> None:
    page = visit.page
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.wait_for_function(f"[...document.querySelectorAll('{CHARTS}')].every((one) => one.dataset.drawn)")
    assert page.evaluate("[...document.querySelectorAll('main details:not(.plot details)')].every((one) => one.open)")
    assert page.pdf()[:5] == b"%PDF-"
