"""Weights by known answers: the convex problem, its gradient, its optimum, mixtures recovered."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime, minimize

from blackbox_align.committee import fit_weights, weights_by_answers
from blackbox_align.errors import SpecificationError
from blackbox_align.statistics.mixtures import loss_and_gradient


def profiles_of(rng, experts=4, items=12, options=5):
    return rng.dirichlet(np.ones(options), size=(experts, items))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 6))
def test_a_known_mixture_is_recovered(seed, experts):
    """Whole shares of a mixture, and no prior: its weights come back, and sum to 1."""
    rng = np.random.default_rng(seed)
    profiles, weights = profiles_of(rng, experts), rng.dirichlet(np.ones(experts))
    found = fit_weights(profiles, np.tensordot(weights, profiles, 1), strength=0, smoothing=0)
    assert found.weights.sum() == pytest.approx(1) and (found.weights >= 0).all()
    assert found.weights == pytest.approx(weights, abs=2e-2)
    assert found.divergence < 1e-4 and found.gap < 1e-4


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.one_of(st.just(0.0), st.floats(0.01, 20)))
def test_no_weights_are_better(seed, strength):
    """The gap bounds what another point of the simplex could gain; a vertex may be the best."""
    rng = np.random.default_rng(seed)
    profiles = profiles_of(rng)
    answers = rng.multinomial(1, rng.dirichlet(np.ones(5)), size=12)
    found = fit_weights(profiles, answers, strength=strength, smoothing=0)
    assert found.weights.sum() == pytest.approx(1) and (found.weights >= 0).all()

    def loss(weights):
        weights = np.maximum(weights, 1e-12)
        return (
            loss_and_gradient(weights, profiles, answers)[0] - strength * np.log(weights).sum() / 4
        )

    others = rng.dirichlet(np.full(4, 0.5), size=50)
    assert found.gap < 1e-5
    assert loss(found.weights) <= min(map(loss, others)) + 1e-5 * (12 + strength)


def test_a_general_solver_finds_the_same_weights():
    """SLSQP on the loss as it is written down."""
    rng = np.random.default_rng(1)
    profiles, answers = profiles_of(rng), rng.multinomial(3, np.full(5, 0.2), size=12)
    found = fit_weights(profiles, answers, strength=2, smoothing=0)

    def loss(weights):
        return loss_and_gradient(weights, profiles, answers)[0] - 0.5 * np.log(weights).sum()

    simplex = {"type": "eq", "fun": lambda w: w.sum() - 1}
    bounds = [(1e-6, 1)] * 4
    options = {"ftol": 1e-12}
    best = minimize(loss, np.full(4, 0.25), bounds=bounds, constraints=simplex, options=options)
    assert found.weights == pytest.approx(best.x, abs=1e-4)


def test_the_gradient_is_that_of_the_loss():
    """Against differences; and the loss is worked by hand for one answer to one question."""
    rng = np.random.default_rng(2)
    profiles, weights = profiles_of(rng), np.array([0.4, 0.3, 0.2, 0.1])
    answers = rng.multinomial(4, np.full(5, 0.2), size=12)
    slope = approx_fprime(weights, lambda w: loss_and_gradient(w, profiles, answers)[0], 1e-8)
    assert loss_and_gradient(weights, profiles, answers)[1] == pytest.approx(slope, rel=1e-4)
    two = np.array([[[0.5, 0.5]], [[0.1, 0.9]]])
    loss, gradient = loss_and_gradient(np.array([0.5, 0.5]), two, np.array([[1.0, 0.0]]))
    assert loss == pytest.approx(-np.log(0.3))
    assert gradient == pytest.approx([-0.5 / 0.3, -0.1 / 0.3])


def test_the_loss_is_convex():
    """Halfway between two weights it lies nowhere above the mean of their losses."""
    rng = np.random.default_rng(3)
    profiles, answers = profiles_of(rng), rng.multinomial(2, np.full(5, 0.2), size=12)
    for a, b in zip(*rng.dirichlet(np.ones(4), size=(2, 40)), strict=True):
        ends = [loss_and_gradient(w, profiles, answers)[0] for w in (a, b)]
        assert loss_and_gradient((a + b) / 2, profiles, answers)[0] <= np.mean(ends) + 1e-9


def test_few_answers_leave_the_weights_near_the_prior():
    """One answer moves them a little, a hundred of the same kind nearly all the way."""
    two = np.array([[[0.9, 0.1]], [[0.1, 0.9]]])
    one = fit_weights(two, np.array([[1.0, 0.0]])).weights[0]
    many = fit_weights(two, np.array([[100.0, 0.0]])).weights[0]
    assert 0.5 < one < 0.85 < 0.98 < many < 1
    prior = fit_weights(two, np.array([[1.0, 0.0]]), prior=np.array([1, 9]), strength=1e6).weights
    assert prior == pytest.approx([0.1, 0.9], abs=1e-3)


def test_shares_count_as_more_than_an_answer_and_less_than_a_thousand():
    """A row of fractions is a people's: it weighs as the answers that it is said to count as."""
    two = np.array([[[0.9, 0.1]], [[0.1, 0.9]]])
    shares = fit_weights(two, np.array([[0.8, 0.2]])).weights
    assert shares == pytest.approx(fit_weights(two, np.array([[24.0, 6.0]])).weights, abs=1e-6)


def test_unknown_questions_do_not_count():
    """A row of NaN, one without an answer, and one that an expert was not asked change nothing."""
    rng = np.random.default_rng(4)
    profiles, answers = profiles_of(rng), rng.multinomial(5, np.full(5, 0.2), size=12) * 1.0
    expected = fit_weights(profiles[:, 3:], answers[3:])
    profiles[2, 0], answers[1], answers[2] = np.nan, np.nan, 0
    found = fit_weights(profiles, answers)
    assert found.weights == pytest.approx(expected.weights, abs=1e-9) and found.questions == 9


def test_intervals_hold_the_weights_and_narrow_with_questions():
    """Drawn over known questions, the same seed giving the same; fewer than three give none."""
    rng = np.random.default_rng(5)
    profiles = profiles_of(rng, items=60)
    answers = np.tensordot([0.7, 0.3, 0, 0], profiles, 1)
    answers = np.stack([rng.multinomial(3, row) for row in answers])

    def fitted(n):
        draws = np.random.default_rng(0)
        return fit_weights(profiles[:, :n], answers[:n], resamples=60, rng=draws)

    few, many, again = fitted(10), fitted(60), fitted(60)
    assert (many.high - many.low)[:2].sum() < (few.high - few.low)[:2].sum()
    assert many.low[0] <= many.weights[0] <= many.high[0]
    assert (many.low == again.low).all()
    assert np.isnan(fitted(2).low).all()


def test_the_decision_names_the_nearest_and_leaves_out_the_light():
    """Weights, distances alone, intervals and what is known stand in it."""
    rng = np.random.default_rng(6)
    profiles = profiles_of(rng, items=40)
    answers = np.stack([rng.multinomial(50, row) for row in profiles[2]])
    decision = weights_by_answers(list("abcd"), profiles, answers, resamples=20, rng=rng)
    assert next(iter(decision.weights)) == "c" and decision.weights["c"] > 0.9
    assert decision.way == "answers" and "2000 answers to 40 questions" in decision.because[0]
    first = decision.considered[0]
    assert first.expert == "c" and first.low <= decision.weights["c"] <= 1
    assert min(decision.weights.values()) >= 0.01


def test_two_hundred_even_experts_are_not_all_left_out():
    """Where none reaches the least weight, the heaviest stay, and the weights sum to 1."""
    profiles = np.tile(np.array([[[0.5, 0.5]]]), (200, 1, 1))
    decision = weights_by_answers([str(k) for k in range(200)], profiles, np.array([[1, 0]]))
    assert sum(decision.weights.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"answers": np.ones((3, 2))}, "do not fit"),
        ({"answers": np.full((2, 2), np.nan)}, "No question"),
        ({"answers": -np.ones((2, 2))}, "below 0"),
        ({"strength": -1.0}, "strength"),
        ({"prior": np.array([1.0, 0.0])}, "prior"),
        ({"resamples": 5}, "rng"),
    ],
)
def test_what_does_not_fit_is_a_sentence(change, sentence):
    """Shapes, unknown answers and settings."""
    arguments = {"answers": np.ones((2, 2)), **change}
    with pytest.raises(SpecificationError, match=sentence):
        fit_weights(np.full((2, 2, 2), 0.5), **arguments)
