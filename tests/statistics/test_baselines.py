"""The trivial baselines, against the figures that are known for the public files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from blackbox_align.assessment import score
from blackbox_align.populations import find_population
from blackbox_align.statistics.baselines import (
    TEMPERATURES,
    always,
    best_temperature,
    mean_of_others,
    middle,
    mode,
    sharpened,
    tempered,
    uniform,
)
from blackbox_align.statistics.distances import js_distance
from blackbox_align.surveys import load_survey
from blackbox_align.surveys.assembly import RawAnswers, Source, assemble
from blackbox_align.surveys.instruments import Opinions, shares_by_country
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
    n = {s.population: s.n for s in rows if s.metric == "one_minus_js_distance_nats"}
    assert n["mean"] == 1772 and n["USA"] == 181 and n["ZWE"] == 5 and n["GBR"] == 158


def test_the_other_countries_are_a_stronger_baseline_than_any_published_system(palette):
    """Their mean scores 84.7 (1 - distance, nats); the best published system has 75.9."""
    assert round(100 * palette.value("mean of other countries", population="mean"), 1) == 84.7


def test_leaving_out_no_opinion_changes_the_score_and_is_said():
    """Without "don't know" a uniform guess scores higher: a table has to say which rule it used."""
    tables = {
        missing: score(reference(PLURALISM), country="USA", conditions=(), samples="all",
                       missing=missing, resamples=10)
        for missing in ("keep", "drop")
    }  # fmt: skip
    assert tables["drop"].value("uniform") > tables["keep"].value("uniform") + 0.05
    assert "left out" in tables["drop"].notes[0] and "count as options" in tables["keep"].notes[0]


def test_uniform_always_and_middle_are_distributions():
    """Each gives every item a distribution over the options that it has; the middle is all threes."""
    sizes = np.array([len(item.scale) for item in load_survey("vsm2013").items])
    for answers in (uniform(sizes), always(sizes, 0), always(sizes, -1), middle(sizes)):
        np.testing.assert_allclose(answers.sum(1), 1)
    assert (middle(sizes)[:, 2] == 1).all() and (always(sizes, -1)[:, 4] == 1).all()
    odd = np.array([2, 3, 4])
    np.testing.assert_array_equal(middle(odd)[:, 1], [0.5, 1, 0.5])
    assert always(odd, -1).argmax(1).tolist() == [1, 2, 3]


def test_the_mode_is_the_likeliest_option_for_certain():
    """One option of each row has everything; a row that is not known stays unknown."""
    rows = mode(np.array([[0.2, 0.5, 0.3], [np.nan, np.nan, np.nan]]))
    assert rows[0].tolist() == [0, 1, 0] and np.isnan(rows[1]).all()


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
    codes = tuple(opinions.countries)
    shares = shares_by_country(opinions, codes, opinions.survey)

    def others(code):
        return mean_of_others(shares, codes.index(code))

    kenya = others("KEN")
    np.testing.assert_allclose(kenya[0], [(0.6 + 0.2) / 2, (0.4 + 0.8) / 2])
    np.testing.assert_allclose(others("CHN")[0], [0.8, 0.2])
    assert np.isnan(kenya[1]).all(), "nobody else was asked"
    made = Opinions.of(opinions, "all").select([find_population("KEN")])
    measured = made.baselines(find_population("KEN"))["mean of other countries"]["js_distance_nats"]
    np.testing.assert_allclose(measured[0], js_distance(kenya[0], np.array([1.0, 0.0])))
    assert np.isnan(measured[1])


def test_a_temperature_mends_sharpness_and_sees_no_question_that_it_answers():
    """Answers that are twice too sharp are mended; a question's own answer never moves its T."""
    rng = np.random.default_rng(0)
    observed = rng.dirichlet(np.full(4, 3.0), size=60)
    sharp = sharpened(observed, 0.5)
    items = np.arange(60)
    mended = tempered(sharp, observed, items)
    assert js_distance(mended, observed).mean() < 0.1 * js_distance(sharp, observed).mean()
    other = observed.copy()
    other[0] = [0, 0, 0, 1]
    np.testing.assert_array_equal(tempered(sharp, other, items)[0], mended[0])
    np.testing.assert_array_equal(tempered(sharp[:1], observed[:1], items[:1]), sharp[:1])


def test_a_temperature_of_one_changes_nothing_and_extremes_are_finite():
    """p^(1/T) is p at T = 1, nearly one-hot when cold, nearly uniform when hot; zeros stay."""
    p = np.array([[0.6, 0.4, 0.0], [1e-30, 1 - 1e-30, 0]])
    np.testing.assert_allclose(sharpened(p, 1.0), p)
    np.testing.assert_allclose(sharpened(p, 0.01)[0], [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(sharpened(p, 1e6)[0], [0.5, 0.5, 0], atol=1e-5)
    assert np.isfinite(sharpened(p, 0.1)).all()


def test_a_temperature_is_never_fitted_on_the_fold_that_it_answers():
    """Where one fold alone is sharp, its own temperature would mend it: the other folds' does not."""
    observed = np.tile([0.97, 0.01, 0.01, 0.01], (50, 1))
    answers = observed.copy()
    fold = np.arange(50) % 5 == 2
    answers[fold] = sharpened(observed[fold], 3.0)
    given = tempered(answers, observed, np.arange(50))
    own = best_temperature(answers[fold], observed[fold])
    others = best_temperature(answers[~fold], observed[~fold])
    assert own < 0.5 < 0.9 < others < 1.2
    np.testing.assert_array_equal(given[fold], sharpened(answers[fold], others))
    assert np.abs(given[fold] - sharpened(answers[fold], own)).max() > 0.05


def test_what_people_answered_in_a_fold_never_moves_its_own_temperature():
    """Whatever is observed in a fold, its answers stay to the bit; those of the other folds do not."""
    rng = np.random.default_rng(3)
    observed = rng.dirichlet(np.full(3, 5.0), size=25)
    noisy = 0.6 * observed + 0.4 * rng.dirichlet(np.full(3, 5.0), size=25)
    answers = sharpened(noisy, 0.5)
    before = tempered(answers, observed, np.arange(25))
    moved = 0.0
    for part in range(5):
        fold = np.arange(25) % 5 == part
        certain = observed.copy()
        certain[fold] = np.eye(3)[answers[fold].argmax(1)]
        after = tempered(answers, certain, np.arange(25))
        np.testing.assert_array_equal(before[fold], after[fold])
        moved = max(moved, np.abs(before[~fold] - after[~fold]).max())
    assert moved > 0


def test_samples_of_one_question_are_in_one_fold():
    """A question that two samples were asked is not fitted on in the one and scored in the other."""
    rng = np.random.default_rng(1)
    observed = rng.dirichlet(np.ones(3), size=20)
    answers = rng.dirichlet(np.ones(3), size=20)
    question = np.repeat(np.arange(10), 2)
    moved = observed.copy()
    moved[1] = [1, 0, 0]  # the second sample of the first question
    before, after = (tempered(answers, o, question) for o in (observed, moved))
    np.testing.assert_array_equal(before[0], after[0])


def test_the_best_temperature_is_one_of_those_tried():
    """It is the one with the least mean distance, over all rows alike."""
    rng = np.random.default_rng(2)
    observed = rng.dirichlet(np.ones(4), size=30)
    best = best_temperature(sharpened(observed, 0.5), observed)
    assert best in TEMPERATURES and best == pytest.approx(2, rel=0.15)
