"""Scoring item means against countries: losses, residuals, gaps, and the laws of a linear form."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blackbox_align.errors import SpecificationError
from blackbox_align.objectives import Constants, IndexObjective, mean_absolute_error
from blackbox_align.objectives.indices import ROUNDED, _smooth_slope
from blackbox_align.populations import load_targets
from blackbox_align.surveys import Index, load_survey

SURVEY = load_survey("vsm2013")
NAMES = [index.name for index in SURVEY.indices]
ZERO = Constants("zero", (0.0,) * 6)
SEEDS = st.integers(0, 2**32 - 1)
examples = settings(max_examples=30, deadline=None)


def objective(targets=None, constants=ZERO):
    return IndexObjective(SURVEY, np.zeros((1, 6)) if targets is None else targets, constants)


def losses(scored, means):
    return scored.losses(scored.indices(means))


def residuals(scored, means):
    """(countries, candidates, indices): outputs minus targets."""
    return scored.indices(means)[None] - scored.targets[:, None]


def random_means(seed, candidates=3):
    return np.random.default_rng(seed).uniform(1, 5, (candidates, 24))


def test_the_loss_is_the_mean_absolute_error_in_points():
    """All-threes against one country: the loss is the mean of its absolute figures."""
    scored = objective(load_targets().target("SAU", NAMES)[None])
    means = np.full((1, 24), 3.0)
    np.testing.assert_array_equal(residuals(scored, means), [[[-72, -48, -43, -64, -27, -14]]])
    assert losses(scored, means)[0, 0] == pytest.approx((72 + 48 + 43 + 64 + 27 + 14) / 6)


def test_constants_shift_the_indices_of_all_candidates_alike():
    """A constant is added to its index, once, for every candidate."""
    shift = Constants("given:x", (1.0, 2.0, 3.0, 4.0, 5.0, 6.0))
    means = random_means(0)
    np.testing.assert_allclose(
        objective(constants=shift).indices(means) - objective().indices(means),
        np.tile(shift.values, (3, 1)),
        atol=1e-12,
    )


def test_gaps_are_left_out_of_the_loss():
    """An index without a published figure has a NaN residual and no part in the mean."""
    targets = load_targets("matrix-2015").target("SAU", NAMES)[None]
    scored, means = objective(targets), np.full((1, 24), 3.0)
    missed = residuals(scored, means)[0, 0]
    assert np.isnan(missed[:4]).all()
    assert missed[4:].tolist() == [-36, -52]
    assert losses(scored, means).tolist() == [[44.0]]


def test_an_item_without_a_mean_spoils_its_own_index_only():
    """A missing item mean makes the index that needs it NaN, and leaves the other five whole."""
    means = random_means(0)
    whole = objective().indices(means)
    means[:, 6] = np.nan  # m07 belongs to PDI
    np.testing.assert_array_equal(objective().indices(means)[:, 1:], whole[:, 1:])
    assert np.isnan(objective().indices(means)[:, 0]).all()


def test_a_country_without_any_figure_is_refused():
    """A row of gaps cannot be fitted, and is said to be one."""
    with pytest.raises(SpecificationError, match="without a figure on any of PDI, IDV"):
        objective(np.array([[1.0] * 6, [np.nan] * 6]))


def test_a_survey_without_indices_is_refused():
    """Questions alone give no index: the message says what to add."""
    questions = dataclasses.replace(SURVEY, indices=())
    with pytest.raises(SpecificationError, match=r"defines no indices.*indices: vsm2013"):
        IndexObjective(questions, np.zeros((1, 0)), Constants("zero", ()))


@examples
@given(SEEDS, st.integers(1, 12))
def test_all_countries_at_once_are_each_alone_to_the_last_bit(seed, candidates):
    """Scoring every country of a set at once gives each country's own losses and residuals."""
    targets = np.array(list(load_targets().figures.values()))
    means = random_means(seed, candidates)
    together = objective(targets)
    for number, target in enumerate(targets):
        alone = objective(target[None])
        np.testing.assert_array_equal(
            residuals(together, means)[number], residuals(alone, means)[0]
        )
        np.testing.assert_array_equal(losses(together, means)[number], losses(alone, means)[0])


@examples
@given(SEEDS, st.integers(1, 12))
def test_a_candidate_scores_the_same_bits_alone_and_in_company(seed, candidates):
    """Neither the other candidates nor the memory layout change a candidate's indices."""
    # Nine items in one index: where sums depend on the layout at all, they do from eight terms on.
    wide = Index("ALL", "All", {item.id: 1 / 3 for item in SURVEY.items[:9]})
    survey = dataclasses.replace(SURVEY, indices=(*SURVEY.indices, wide))
    scored = IndexObjective(survey, np.zeros((1, 7)), Constants("zero", (0.0,) * 7))
    means = random_means(seed, candidates)
    alone = np.concatenate([scored.indices(row[None]) for row in means])
    np.testing.assert_array_equal(scored.indices(means), alone)
    np.testing.assert_array_equal(scored.indices(np.asfortranarray(means)), alone)
    np.testing.assert_array_equal(scored.indices(np.repeat(means, 2, axis=0)[::2]), alone)


@examples
@given(SEEDS, st.floats(-1, 1), st.lists(st.floats(-1, 1), min_size=24, max_size=24))
def test_moving_along_the_null_space_of_an_index_leaves_it(seed, shift, direction):
    """A common shift of all answers, or any move orthogonal to the weights, changes no index."""
    means = random_means(seed)
    indices = objective().indices(means)
    np.testing.assert_allclose(objective().indices(means + shift), indices, atol=1e-9)
    weights = SURVEY.index_weights
    move = np.array(direction)
    move = move - np.linalg.pinv(weights) @ (weights @ move)
    np.testing.assert_allclose(objective().indices(means + move), indices, atol=1e-9)


@examples
@given(SEEDS, SEEDS, st.floats(0, 1))
def test_indices_of_a_mixture_are_the_mixture_of_the_indices(one, other, share):
    """Raw indices are linear: a mixed sample scores the mix of its parts."""
    a, b = random_means(one), random_means(other)
    mixed = objective().indices(share * a + (1 - share) * b)
    expected = share * objective().indices(a) + (1 - share) * objective().indices(b)
    np.testing.assert_allclose(mixed, expected, atol=1e-9)


@examples
@given(SEEDS)
def test_the_loss_is_zero_exactly_on_target(seed):
    """Means whose indices are the target score 0 there, and more everywhere else."""
    means = random_means(seed)
    targets = objective().indices(means)
    found = losses(objective(targets), means)
    np.testing.assert_array_equal(np.diagonal(found), 0.0)
    assert (found[~np.eye(3, dtype=bool)] > 0).all()


def test_mean_absolute_error_of_gaps_alone_is_a_gap():
    """NaN residuals are left out; a row of nothing else is NaN, without a warning."""
    residuals = np.array([[1.0, -3.0, np.nan], [np.nan, np.nan, np.nan]])
    np.testing.assert_array_equal(mean_absolute_error(residuals), [2.0, np.nan])


def test_no_candidates_have_no_losses():
    """An empty batch gives one empty row per country."""
    scored = objective(np.zeros((2, 6)))
    assert losses(scored, np.zeros((0, 24))).shape == (2, 0)
    assert residuals(scored, np.zeros((0, 24))).shape == (2, 0, 6)


def test_one_missing_answer_spoils_its_candidate():
    """Even of an item that no target depends on: a failed evaluation has no loss on any index."""
    targets = np.array([[50.0, *[np.nan] * 5]])  # PDI alone, which item m01 has no part in
    scored = objective(targets)
    answers = np.full((2, len(SURVEY.items), SURVEY.width), 1 / SURVEY.width)
    answers[1, 0, 0] = np.nan
    outputs = scored.outputs(answers)
    assert np.isnan(outputs[1]).all() and np.isnan(scored.losses(outputs)[0, 1])
    assert np.isfinite(outputs[0]).all() and np.isfinite(scored.losses(outputs)[0, 0])


def test_the_gradient_rounds_the_kink_off_within_a_point():
    """Half of a right angle at one point, next to nothing at 0, and the sign far away."""
    slope = _smooth_slope(np.array([-1.0, 0.0, 1.0, 100.0]))
    np.testing.assert_allclose(slope, [-(0.5**0.5), 0.0, 0.5**0.5, 1.0], atol=1e-3)


def test_the_slope_is_that_of_finite_differences_where_a_figure_is_missing():
    """By every answer, of the smooth error over the indices that have a figure."""
    target = load_targets().target("SAU", NAMES)
    target[1] = np.nan
    scored = objective(target[None])
    rng = np.random.default_rng(0)
    answers, step = rng.random((1, 24, 5)), rng.normal(size=(1, 24, 5))
    answers /= answers.sum(2, keepdims=True)
    step -= step.mean(2, keepdims=True)  # shares stay shares

    def error(at):
        residuals = scored.outputs(at)[0] - target
        return np.nanmean(np.sqrt(residuals**2 + ROUNDED**2))

    numeric = (error(answers + 1e-5 * step) - error(answers - 1e-5 * step)) / 2e-5
    assert (scored.cotangent(answers, 0) * step).sum() == pytest.approx(numeric, rel=1e-5)
