"""The trivial baselines, against the figures that are known for the public files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from blackbox_align.assessment import score
from blackbox_align.assessment.baselines import (
    always,
    at,
    mean_of_others,
    middle,
    tempered,
    uniform,
)
from blackbox_align.statistics.distances import js_distance
from blackbox_align.surveys import load_survey
from blackbox_align.surveys.assembly import RawAnswers, Source, assemble
from tests.reference_data import reference

PLURALISM = "goqa/raw/modular_pluralism_small.json.gz"


def opinions_of(*rows, options=("yes", "no")):
    raw = [
        RawAnswers(f"row {n}", q, options, label, shares)
        for n, (q, label, shares) in enumerate(rows)
    ]
    return assemble(raw, Source(Path("hand"), "Hand", "hand"))


@pytest.fixture(scope="module")
def palette():
    return score(
        reference(PLURALISM),
        country="cultural-palette",
        conditions=(),
        samples="all",
        missing="keep",
        resamples=50,
    )


def test_uniform_on_the_public_subset_is_what_is_published(palette):
    """Averaged over 18 countries: 88.1, 82.8, 68.7 and 62.4 for the four ways to print it."""
    expected = {
        "one_minus_js_divergence_nats": 88.1,
        "one_minus_js_divergence_bits": 82.8,
        "one_minus_js_distance_nats": 68.7,
        "one_minus_js_distance_bits": 62.4,
    }
    found = {name: round(100 * palette.value("uniform", name, "mean"), 1) for name in expected}
    assert found == expected
    rows = [s for s in palette.scores if s.condition == "uniform"]
    n = {s.country: s.n for s in rows if s.metric == "one_minus_js_distance_nats"}
    assert n["mean"] == 1772 and n["USA"] == 181 and n["ZWE"] == 5 and n["GBR"] == 158


def test_the_other_countries_are_a_stronger_baseline_than_any_published_system(palette):
    """Their mean scores 84.7 (1 - distance, nats); the best published system has 75.9."""
    assert round(100 * palette.value("mean of other countries", country="mean"), 1) == 84.7


def test_leaving_out_no_opinion_changes_the_score_and_is_said():
    """Without "don't know" a uniform guess scores higher: a table has to say which rule it used."""
    tables = {
        missing: score(reference(PLURALISM), country="cultural-palette", conditions=(), samples="all",
                       missing=missing, resamples=10)
        for missing in ("keep", "drop")
    }  # fmt: skip
    assert tables["drop"].value("uniform") > tables["keep"].value("uniform") + 0.05
    assert "left out" in tables["drop"].notes[0] and "count as options" in tables["keep"].notes[0]


def test_uniform_always_and_middle_are_distributions():
    """Each gives every item a distribution over the options that it has; the middle is all threes."""
    survey = load_survey("vsm2013")
    for answers in (uniform(survey), always(survey, 0), always(survey, -1), middle(survey)):
        np.testing.assert_allclose(answers.sum(1), 1)
    assert (middle(survey)[:, 2] == 1).all() and (always(survey, -1)[:, 4] == 1).all()


def test_all_threes_score_nought_on_every_index_before_constants():
    """In VSM 2013 all threes give 0 in all six indices, so its error is the mean target."""
    table = score("vsm2013", country="USA", conditions=(), constants="zero", resamples=10)
    assert table.value("all threes") == pytest.approx((40 + 91 + 62 + 46 + 26 + 68) / 6)


def test_the_mean_of_the_others_leaves_the_own_country_out():
    """A country's own answers never enter its prediction; each other country counts once."""
    opinions = opinions_of(
        ("q", "Kenya", (1.0, 0.0)),
        ("q", "Ghana", (0.6, 0.4)),
        ("q", "China", (0.0, 1.0)),
        ("q", "China (Non-national sample)", (0.4, 0.6)),
        ("alone", "Kenya", (0.5, 0.5)),
    )
    prediction = mean_of_others(opinions, opinions)
    np.testing.assert_allclose(prediction[0], [(0.6 + 0.2) / 2, (0.4 + 0.8) / 2])
    np.testing.assert_allclose(prediction[2], [0.8, 0.2])
    np.testing.assert_allclose(prediction[3], [0.8, 0.2])
    assert np.isnan(prediction[4]).all()
    kenya = opinions.select(countries=["KEN"])
    np.testing.assert_allclose(mean_of_others(kenya, opinions)[0], prediction[0])


def test_a_temperature_mends_sharpness_and_sees_no_question_that_it_answers():
    """Answers that are twice too sharp are mended; a question's own answer never moves its T."""
    rng = np.random.default_rng(0)
    observed = rng.dirichlet(np.full(4, 3.0), size=60)
    sharp = at(observed, 0.5)
    items = [f"q{n}" for n in range(60)]
    mended = tempered(sharp, observed, items)
    assert js_distance(mended, observed).mean() < 0.1 * js_distance(sharp, observed).mean()
    other = observed.copy()
    other[0] = [0, 0, 0, 1]
    np.testing.assert_array_equal(tempered(sharp, other, items)[0], mended[0])
    np.testing.assert_array_equal(tempered(sharp[:1], observed[:1], items[:1]), sharp[:1])


def test_a_temperature_of_one_changes_nothing_and_extremes_are_finite():
    """p^(1/T) is p at T = 1, nearly one-hot when cold, nearly uniform when hot; zeros stay."""
    p = np.array([[0.6, 0.4, 0.0], [1e-30, 1 - 1e-30, 0]])
    np.testing.assert_allclose(at(p, 1.0), p)
    np.testing.assert_allclose(at(p, 0.01)[0], [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(at(p, 1e6)[0], [0.5, 0.5, 0], atol=1e-5)
    assert np.isfinite(at(p, 0.1)).all()
