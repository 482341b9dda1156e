"""The page in a real browser: asked by keyboard, on a narrow screen, in light and dark, for everybody."""

from __future__ import annotations

import shutil

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium here")


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def opened(browser, server):
    """Opens the page in a theme and a width; whatever it says to the console or asks elsewhere fails."""
    contexts = []

    def open_page(theme="light", width=1100):
        context = browser.new_context(
            color_scheme=theme, viewport={"width": width, "height": 900}, reduced_motion="reduce"
        )
        contexts.append(context)
        page = context.new_page()
        page.troubles = []
        page.on("console", lambda m: page.troubles.append(m.text) if m.type == "error" and (
            "401" not in m.text) else None)  # fmt: skip
        page.on("pageerror", lambda error: page.troubles.append(str(error)))
        page.on("request", lambda r: None if r.url.startswith((server.url, "data:")) else (
            page.troubles.append(r.url)))  # fmt: skip
        page.goto(server.url)
        page.get_by_label("API key").fill("secret")
        page.get_by_label("API key").press("Tab")
        page.get_by_role("button", name="Japan (JPN)").wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()


def violations(page):
    from axe_playwright_python.sync_playwright import Axe

    return [f"{v['id']}: {v['nodes'][0]['html']}" for v in Axe().run(page).response["violations"]]


def ask_closed(page):
    """By keyboard alone: question, options, who, and Enter."""
    page.get_by_label("Question", exact=True).focus()
    page.keyboard.type("Is it right to keep what one finds?")
    page.keyboard.press("Tab")
    page.keyboard.type("yes, no, it depends")
    page.keyboard.press("Tab")
    page.keyboard.type("SAU=0.3, EGY=0.7")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Who answers, and why").wait_for()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1100])
def test_a_closed_question_shows_parts_weights_mixture_and_why(opened, theme, width, request):
    """Asked by keyboard; nothing sticks out of the screen, and axe finds nothing."""
    page = opened(theme, width)
    assert not violations(page)
    ask_closed(page)
    mixture = page.get_by_role("region", name="Mixture")
    assert (
        mixture.get_by_role("row").count() == 4 and mixture.get_by_role("progressbar").count() == 3
    )
    parts = page.get_by_role("region", name="Parts")
    assert parts.get_by_role("row").count() == 4, "options, two experts, their mixture"
    weights = page.get_by_role("region", name="Weights").inner_text()
    assert "Egypt (EGY)" in weights and "70.0 %" in weights
    assert "The weights are stated" in page.get_by_role("list").last.inner_text()
    assert page.evaluate("document.activeElement.id") == "answer"
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not violations(page) and not page.troubles


def test_an_open_question_shows_a_text_of_each(opened):
    """Experts are added by their buttons; the page works without a mouse, and says what is wrong."""
    page = opened(width=375)
    page.get_by_label("Question", exact=True).fill("How do you greet an elder?")
    for name in ("Japan (JPN)", "Kenya (KEN)"):
        page.get_by_role("button", name=name).press("Enter")
    assert page.get_by_label("Who answers").input_value() == "JPN=1, KEN=1"
    page.get_by_role("button", name="Ask", exact=True).press("Enter")
    page.get_by_role("heading", name="The texts").wait_for()
    assert page.locator(".text").count() == 2 and "JPN" in page.locator(".text").first.inner_text()
    assert "cannot write prose" in page.get_by_role("region", name="Answer").inner_text()
    assert not violations(page)
    page.get_by_label("Who answers").fill("FRA=1")
    page.get_by_role("button", name="Ask", exact=True).press("Enter")
    page.get_by_text("Unknown expert 'FRA'").wait_for()
    page.get_by_label("Who answers").fill("FRA=many")
    page.get_by_role("button", name="Ask", exact=True).press("Enter")
    page.get_by_text("is no share").wait_for()
    assert not violations(page)


def test_a_sample_shows_how_often_each_option_was_drawn(opened):
    """Ten simulated answers, by radio button."""
    page = opened()
    page.get_by_label("a sample of ten").check()
    page.get_by_label("Question", exact=True).focus()
    page.keyboard.type("Is it right?")
    page.get_by_label("Options").fill("yes, no")
    page.get_by_label("Who answers").fill("SAU")
    page.get_by_label("Who answers").press("Enter")
    page.get_by_role("heading", name="Simulated answers, 10 in all").wait_for()
    assert page.get_by_role("region", name="Counts").get_by_role("row").count() == 3
