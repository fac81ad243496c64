"""The report page and the page of an audit in a browser: sorting, filters, slider, narrow screens, accessibility."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vicious.study.config import Params
from vicious.webpage.page import write

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium")
SERIOUS = ("serious", "critical")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Any) -> Iterator[Any]:
    """Opens a file; a message in the console that is no mere note is an error."""
    problems: list[str] = []
    pages = []

    def opened(file: Path, width: int = 1280, **options: Any) -> Any:
        page = chromium.new_page(viewport={"width": width, "height": 900}, **options)
        page.on("console", lambda one: problems.append(one.text) if one.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("requestfailed", lambda request: problems.append(request.url))
        page.goto(file.resolve().as_uri())
        pages.append(page)
        return page

    yield opened
    for page in pages:
        page.close()
    assert problems == []


@pytest.fixture
def report(study: Params, tmp_path: Path) -> Path:
    write(study, tmp_path / "report.html")
    return tmp_path / "report.html"


def column(page: Any, table: str, number: int) -> list[str]:
    found = page.locator(f"{table} tbody tr:visible td:nth-child({number})").all_inner_texts()
    return [" ".join(text.split()) for text in found]


def test_a_table_is_sorted_by_a_click_on_a_heading(visit: Any, report: Path) -> None:
    page, table = visit(report), "#main_table table"
    head = page.locator(f"{table} th", has_text="PSNR")
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    sorted_up = ["9.50", "15.00 ± 0.01", "1,016.36 ± 0.12", "13.94", "–", "failed (2 of 2 seeds)", "not run"]
    assert column(page, table, 3) == sorted_up, "what the label alone gives away stays below its model"
    head.get_by_role("button").press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    sorted_down = ["1,016.36 ± 0.12", "13.94", "15.00 ± 0.01", "9.50", "–", "failed (2 of 2 seeds)", "not run"]
    assert column(page, table, 3) == sorted_down
    assert column(page, table, 1)[:2] == ["MNIST", "MNIST"], "a row has its dataset wherever it stands"
    page.locator(f"{table} th", has_text="Model").get_by_role("button").click()
    assert column(page, table, 2)[:3] == ["honest", "honest", "other"]


def test_filters_choose_images_and_models(visit: Any, report: Path) -> None:
    page = visit(report)
    form = page.locator(".filters")
    assert form.locator("[name=attack]").input_value() == "best"
    assert set(column(page, "#models", 6)) == {"best"}
    form.locator("[name=attack]").select_option("")
    everything = len(column(page, "#models", 6))
    assert everything > 10
    form.locator("[name=dataset]").select_option("CIFAR-10 (synthetic)")
    assert set(column(page, "#models", 2)) == {"CIFAR-10 (synthetic)"}
    assert set(page.locator("#images h3:visible").all_inner_texts()) == {"CIFAR-10 (synthetic), logits"}
    form.locator("[name=attack]").select_option("kernel ridge")
    rows = column(page, "#models", 4)
    assert sorted(set(rows)) == ["honest", "vicious"]
    cards = page.locator(".card.filtered:visible").count()
    assert form.locator("output").inner_text() == f"{len(rows)} rows, {cards} galleries"
    form.locator("[name=dataset]").select_option("")
    form.locator("[name=attack]").select_option("")
    assert len(column(page, "#models", 6)) == everything


def test_the_slider_fades_from_originals_to_reconstructions(visit: Any, report: Path) -> None:
    page = visit(report)
    slider = page.get_by_role("slider")
    opacity = "element => getComputedStyle(element).opacity"
    image = page.locator(".card:visible .reconstruction").first
    assert image.evaluate(opacity) == "1"
    slider.press("Home")
    assert slider.get_attribute("aria-valuetext") == "0% reconstruction"
    assert image.evaluate(opacity) == "0"
    slider.press("ArrowRight")
    assert float(image.evaluate(opacity)) == pytest.approx(0.01)


@pytest.mark.parametrize("width", [380, 768, 1280])
def test_nothing_lies_beyond_the_edge(visit: Any, report: Path, width: int) -> None:
    page = visit(report, width)
    for summary in page.locator("summary").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [380, 1280])
def test_a_screen_reader_and_a_keyboard_get_all_of_it(visit: Any, report: Path, width: int, scheme: str) -> None:
    page = visit(report, width, color_scheme=scheme)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    for summary in page.locator("summary").all():
        summary.click()
    assert faults(page) == []


def faults(page: Any) -> list[str]:
    """What axe-core finds that is serious."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found if one["impact"] in SERIOUS]


def test_without_its_script_the_page_shows_all(chromium: Any, report: Path) -> None:
    page = chromium.new_page(java_script_enabled=False)
    page.goto(report.resolve().as_uri())
    assert page.locator("#models tbody tr:visible").count() == page.locator("#models tbody tr").count() > 10
    assert page.locator(".reconstruction:visible").count() > 10
    assert page.locator(".filters:visible, .slide:visible").count() == 0
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [380, 1280])
def test_the_page_of_an_audit(visit: Any, width: int, scheme: str) -> None:
    page = visit(ROOT / "docs/audit/example.html", width, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert faults(page) == []
