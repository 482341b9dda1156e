"""Published rows stand under a table of the same model, metric and countries, and of no other."""

from __future__ import annotations

import pytest

from blackbox_align.assessment.published import published_note
from blackbox_align.populations.groups import SETS

EIGHTEEN = SETS["cultural-palette"]


@pytest.mark.parametrize(
    ("model", "vanilla"),
    [
        ("meta-llama/Meta-Llama-3.1-8B-Instruct", "vanilla 0.638"),
        ("meta-llama/Llama-3.1-8B", "vanilla 0.638"),
        ("Qwen/Qwen2.5-7B-Instruct", "vanilla 0.612"),
    ],
)
def test_a_known_model_on_the_same_countries_has_its_published_rows(model, vanilla):
    """The rows come with their source, the metric, and what is not known about them."""
    note = published_note(model, "GlobalOpinionQA", EIGHTEEN, EIGHTEEN)
    assert note is not None
    for part in (vanilla, "1 - JS distance (nats)", "arXiv 2412.11167", "not known"):
        assert part in note


@pytest.mark.parametrize(
    ("model", "title", "countries"),
    [
        ("respondent-tiny", "GlobalOpinionQA", EIGHTEEN),
        ("Qwen/Qwen2.5-7B", "World Values Survey", EIGHTEEN),
        ("Qwen/Qwen2.5-7B", "GlobalOpinionQA", EIGHTEEN[:17]),
        ("Qwen/Qwen2.5-72B", "GlobalOpinionQA", EIGHTEEN),
    ],
)
def test_what_is_not_the_same_has_none(model, title, countries):
    """Another model, instrument or set of countries is no comparison."""
    assert published_note(model, title, countries, EIGHTEEN) is None
