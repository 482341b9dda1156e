"""Baselines that are hard to beat, against plain scripts and numbers worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from blackbox_align.statistics.baselines import mixture_of_others, mode
from blackbox_align.statistics.bootstrap import Bootstrap
from blackbox_align.statistics.correction import fit_correction
from blackbox_align.statistics.distances import entropy, js_distance, total_variation, variance
from blackbox_align.statistics.permutations import sign_flip_p
from blackbox_align.statistics.sampling import errors_of_shares, sample_shares, worth

SIZES = np.array([3, 2, 3, 3, 2, 3])


@pytest.fixture(scope="module")
def peoples():
    """(5, 6, 3) shares of five peoples, zeros behind an item's options."""
    rng = np.random.default_rng(0)
    shares = np.zeros((5, 6, 3))
    for item, size in enumerate(SIZES):
        shares[:, item, :size] = rng.dirichlet(np.full(size, 2.0), size=5)
    return shares


def test_the_mixture_of_others_is_that_of_a_plain_script(peoples):
    """SLSQP on the loss as it is written down: to 1e-6, though one people lacks an item."""
    own, others = peoples[0], peoples[1:].copy()
    others[2, 4] = np.nan
    known = np.array([True, True, True, True, False, False])
    mixed = mixture_of_others(others, own, known, SIZES)

    filled = others.copy()
    filled[2, 4] = others[[0, 1, 3], 4].mean(0)
    smooth = np.stack([0.99 * filled[:, i, :n] @ np.eye(n, 3) for i, n in enumerate(SIZES)], 1)
    smooth += np.stack([0.01 / n * np.eye(n, 3).sum(0) for n in SIZES])
    log_of = np.where(own[:4] > 0, own[:4], 1)

    def loss(weights):
        blend = np.maximum(np.tensordot(weights, smooth[:, :4], 1), 1e-300)
        kl = (own[:4] * np.log(log_of / np.where(own[:4] > 0, blend, 1))).sum()
        return 30 * kl - np.log(np.maximum(weights, 1e-300)).mean()

    found = minimize(
        loss, np.full(4, 0.25), bounds=[(1e-9, 1)] * 4, method="SLSQP",
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1}, options={"ftol": 1e-15, "maxiter": 1000},
    )  # fmt: skip
    script = np.tensordot(found.x, filled, 1)
    for item in (4, 5):
        assert js_distance(mixed[item], own[item]) == pytest.approx(
            js_distance(script[item], own[item]), abs=1e-6
        )


def test_a_people_that_is_one_of_the_others_is_found(peoples):
    """The mixture is that people alone; with nothing known it is the mean."""
    others = peoples[1:]
    every = np.ones(6, dtype=bool)
    found = mixture_of_others(others, others[2], every, SIZES)
    assert (
        js_distance(found, others[2]).mean() < 0.5 * js_distance(others.mean(0), others[2]).mean()
    )
    none = mixture_of_others(others, others[2], ~every, SIZES)
    np.testing.assert_allclose(none, others.mean(0))


def test_the_correction_is_that_of_a_general_solver(peoples):
    """The same loss by another method, to 1e-6; behind an item's options stays nothing."""
    answers, observed = peoples[0], peoples[1]
    found = fit_correction(answers[:4], observed[:4], SIZES[:4])

    def corrected(at, rows, sizes):
        scores = [
            np.exp(at[0] * np.log(rows[i, :n]) + at[1 : 1 + n]) @ np.eye(n, 3)
            for i, n in enumerate(sizes)
        ]
        return np.array([s / s.sum() for s in scores])

    def loss(at):
        made = corrected(at, answers[:4], SIZES[:4])
        kl = sum(
            (q[:n] * np.log(q[:n] / p[:n])).sum()
            for p, q, n in zip(made, observed[:4], SIZES[:4], strict=True)
        )
        return kl + ((at[0] - 1) ** 2 + (at[1:] ** 2).sum()) / 2

    exact = {"xatol": 1e-10, "fatol": 1e-14, "maxiter": 10000, "maxfev": 10000}
    script = minimize(loss, [1, 0, 0, 0], method="Nelder-Mead", options=exact).x
    np.testing.assert_allclose(
        found(answers[4:], SIZES[4:]), corrected(script, answers[4:], SIZES[4:]), atol=1e-6
    )
    assert found(answers, SIZES)[1, 2] == 0


def test_measures_of_two_options_are_those_worked_by_hand():
    """Variance of a die with two faces, entropy of a coin, half the sum of differences, the mode."""
    p, q = np.array([0.75, 0.25, 0.0]), np.array([0.5, 0.25, 0.25])
    assert total_variation(p, q) == pytest.approx(0.25)
    assert entropy(np.array([0.5, 0.5, 0])) == pytest.approx(np.log(2))
    assert variance(p, np.array([0, 0.5, 1])) == pytest.approx(0.25 * 0.75 * 0.25)
    np.testing.assert_array_equal(mode(np.array([q, [np.nan] * 3])), [[1, 0, 0], [np.nan] * 3])


def test_a_ratio_of_means_is_drawn_again_with_its_denominator():
    """(1 + 3) / (2 + 2), and 1 for certain where both are the same."""
    question, group = np.arange(2), np.zeros(2, int)
    values = np.array([[1.0, 2.0], [3.0, 4.0]])
    over = np.array([[2.0, 2.0], [2.0, 4.0]])
    one, same = Bootstrap(question, group, 200).estimate(values, over)
    assert one.value == 1 and (one.low, one.high) == (0.5, 1.5)
    assert (same.value, same.low, same.high) == (1, 1, 1)


def test_signs_turn_by_the_question():
    """Four questions that all fall: 2 of 16 turns are as far; thirty answers to each change nothing."""
    once = np.array([[1.0], [2.0], [3.0], [4.0]])
    rng = np.random.default_rng(0)
    p = sign_flip_p(once, np.arange(4), np.zeros(4), rng, 20000)
    assert p[0] == pytest.approx(2 / 16, abs=0.01)
    often = sign_flip_p(np.tile(once, (30, 1)), np.tile(np.arange(4), 30), np.repeat(np.arange(30), 4),
                        np.random.default_rng(0), 20000)  # fmt: skip
    np.testing.assert_array_equal(often, p)
    assert np.isnan(sign_flip_p(np.full((4, 1), np.nan), np.arange(4), np.zeros(4), rng)[0])
    # One answer of one country counts as much as four of another: parts of 0.5 and of 0.125.
    uneven = np.array([[1.0], [1.0], [1.0], [1.0], [-1.0]])
    p = sign_flip_p(uneven, np.arange(5), np.array([0, 1, 1, 1, 1]), rng, 20000)
    assert p[0] == pytest.approx(10 / 32, abs=0.015)


def test_no_difference_has_a_p_value_that_is_as_small_as_it_says():
    """Of 400 tables without a difference about 5 % have p below 0.05, and p is never 0."""
    rng = np.random.default_rng(1)
    values = rng.normal(size=(20, 400)) * rng.gamma(1, size=(20, 1))
    p = sign_flip_p(values, np.arange(20), np.zeros(20), rng)
    assert 0.02 < (p < 0.05).mean() < 0.09 and p.min() > 0


def test_a_sample_of_people_is_worth_as_many(peoples):
    """By hand: shares 1/2 err by 1/2 an answer; answers of 0.6 lie 0.02 from them, so 25 people."""
    errors, spreads = errors_of_shares(np.array([0.6, 0.4]), np.array([0.5, 0.5]), np.array(np.nan))
    assert (errors, spreads) == (pytest.approx(0.02), pytest.approx(0.5))
    found = worth(np.full(8, errors), np.full(8, spreads))
    assert found.people == pytest.approx(25) and found.questions == 8
    assert worth(np.array([0.1]), np.array([0.5])).questions == 1
    better = worth(np.array([-0.01, 0.005, 0.001]), np.full(3, 0.5))
    assert better.people == np.inf == better.high and better.low < np.inf


def coverage(people, asked, options, questions, trials, rng):
    """In how many of 100 cases the interval holds what a sample of people is worth: its size."""
    held = 0
    for _ in range(trials):
        truth = rng.dirichlet(np.full(options, 1.5), size=questions)
        sample = sample_shares(truth, np.full(questions, people), 1, rng)[0]
        size = np.full(questions, asked)
        seen = sample_shares(truth, size, 1, rng)[0]
        found = worth(*errors_of_shares(sample, seen, size))
        held += found.low <= people <= found.high
    return 100 * held / trials


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    """Simulated people, answers that are samples of 100 of them: 90 to 97 of 100."""
    assert 90 <= coverage(100, 1000, 4, 20, 300, np.random.default_rng(0)) <= 97


@pytest.mark.slow
@pytest.mark.parametrize("options", [3, 5])
@pytest.mark.parametrize("questions", [20, 60])
@pytest.mark.parametrize(("people", "asked"), [(30, 1000), (300, 1000), (1000, 1000), (100, 500)])
def test_the_interval_holds_the_truth_in_90_to_97_of_100(people, asked, questions, options):
    """Over sizes of both samples, numbers of questions and of options."""
    rng = np.random.default_rng(people + asked + questions + options)
    assert 90 <= coverage(people, asked, options, questions, 1000, rng) <= 97
