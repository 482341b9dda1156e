"""Each kind of page as Chromium shows it, from disk and without a network."""

from __future__ import annotations

import shutil

import pytest

from blackbox_align.report import comparison_page, fit_page, fits_page, study_page, write_page
from tests.report.conftest import many, renamed

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium on this machine")
A4 = {"width": 673, "height": 986}  # what 18 and 16 mm of margin leave of the sheet, in CSS pixels
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
KINDS = ["fit", "comparison", "many", "study"]
SCRIPT = "<script>document.title = 'owned'</script><img src=x onerror=\"document.title = 'owned'\">"


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def pages(fit, compared, study, tmp_path_factory):
    """A page of each kind; names are scripts where they may be anything."""
    folder = tmp_path_factory.mktemp("pages")
    evil = renamed(fit, "SAU", SCRIPT, SCRIPT)
    made = {
        "fit": fit_page(evil),
        "comparison": comparison_page(compared[1], [evil, fit], SCRIPT),
        "many": fits_page(many(fit, 60)),
        "study": study_page(study, SCRIPT),
    }
    return {name: write_page(page, folder / name) for name, page in made.items()}


@pytest.fixture
def open_page(browser, pages):
    """Open a page and keep what it asked for and complained of."""
    contexts = []

    def start(name, **settings):
        context = browser.new_context(offline=True, **settings)
        contexts.append(context)
        page = context.new_page()
        page.heard, page.asked = [], []
        page.on("console", lambda message: page.heard.append(message.text))
        page.on("pageerror", lambda error: page.heard.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(pages[name].as_uri())
        return page

    yield start
    for context in contexts:
        context.close()


@pytest.mark.parametrize("name", KINDS)
def test_a_page_asks_for_nothing_and_fits_a_phone(open_page, pages, name):
    """No request but its own, no word on the console, no scroll to the side at 375 px, no script run."""
    page = open_page(name, viewport={"width": 375, "height": 700})
    assert [url for url in page.asked if not url.startswith("data:")] == [pages[name].as_uri()]
    assert page.heard == []
    assert page.evaluate("document.documentElement.scrollWidth") == 375
    assert page.title() != "owned"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", KINDS)
def test_a_page_is_for_everyone(open_page, name, scheme):
    """axe finds nothing against WCAG 2.2 AA, with all numbers unfolded."""
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe is not installed"
    )
    page = open_page(name, color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    found = axe.Axe().run(page, options={"runOnly": RULES})
    assert found.violations_count == 0, found.generate_report()


def test_no_figure_is_cut_in_print(open_page):
    """Figures are kept whole between pages, so it is enough that each is lower than a sheet of A4."""
    page = open_page("fit", viewport=A4)
    page.emulate_media(media="print")
    heights = page.evaluate(
        "[...document.querySelectorAll('figure')].map(one => one.getBoundingClientRect().height)"
    )
    kept = page.evaluate("getComputedStyle(document.querySelector('figure')).breakInside")
    assert kept == "avoid"
    assert max(heights) < A4["height"]
    assert page.evaluate("document.documentElement.scrollWidth") == A4["width"]


@pytest.mark.parametrize("name", KINDS)
def test_no_table_is_cut_in_print(open_page, name):
    """Paper does not scroll: names of runs are broken where the sheet would end."""
    page = open_page(name, viewport=A4)
    page.emulate_media(media="print")
    wide = "[...document.querySelectorAll('.wide')]"
    assert page.evaluate(f"{wide}.every(one => one.scrollWidth <= one.clientWidth)")


def test_a_page_is_whole_without_script_and_its_script_sorts(open_page):
    """All figures and tables are there without it; with it, a press on a column's name sorts."""
    bare = open_page("many", java_script_enabled=False)
    page = open_page("many")
    assert bare.locator("svg").count() == page.locator("svg").count() == 2
    assert bare.locator("tbody tr").count() == page.locator("tbody tr").count()
    column = page.get_by_role("button", name="error fitted")
    column.click()
    cells = page.locator(
        "section:has(h2:text-is('Every run')) tbody tr td:last-child"
    ).all_inner_texts()
    assert [float(one) for one in cells] == sorted(float(one) for one in cells)


def test_figures_take_the_colours_of_the_page(open_page):
    """Ink is dark on a light page and light on a dark one, in figures as well."""
    ink = "getComputedStyle(document.querySelector('svg text')).fill"
    colours = [open_page("fit", color_scheme=scheme).evaluate(ink) for scheme in ("light", "dark")]
    assert colours == ["rgb(27, 28, 32)", "rgb(236, 238, 242)"]
