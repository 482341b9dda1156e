"""Differential Evolution and its adaptive kin, against their formulas."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest

from blackbox_align.errors import OptimizerError
from blackbox_align.optimizers import Evaluation, Optimizer, create


def told_population(name: str, losses: list[float], **options: Any) -> Optimizer:
    """An optimizer in 4 dimensions whose first population has these losses."""
    options = {"population": len(losses), **options}
    optimizer = create(name, 4, np.random.default_rng(0), **options)
    optimizer.tell(optimizer.ask(), [Evaluation(loss) for loss in losses])
    return optimizer


@pytest.mark.parametrize("name", ["de", "de-best", "de-current-to-best"])
def test_a_trial_is_what_its_strategy_says(name: str) -> None:
    """With CR = 1 the trial of line 0 is the strategy's vector for some distinct others."""
    optimizer = told_population(name, [5.0, 4.0, 3.0, 2.0, 1.0], CR=1.0, F=0.5)
    X = optimizer.X.copy()
    trial = optimizer.ask(1)[0].vector
    possible = {
        "de": [X[a] + 0.5 * (X[b] - X[c]) for a, b, c in permutations(range(1, 5), 3)],
        "de-best": [X[4] + 0.5 * (X[a] - X[b]) for a, b in permutations(range(1, 5), 2)],
        "de-current-to-best": [
            X[0] + 0.5 * (X[4] - X[0]) + 0.5 * (X[a] - X[b])
            for a, b in permutations(range(1, 5), 2)
        ],
    }
    assert any(np.allclose(trial, vector) for vector in possible[name])


def test_a_trial_takes_at_least_one_coordinate() -> None:
    """With a crossover rate near 0 a trial differs from its parent in exactly one coordinate."""
    optimizer = told_population("de", [1.0] * 6, CR=1e-12)
    X = optimizer.X.copy()
    for row, candidate in enumerate(optimizer.ask()):
        assert np.count_nonzero(candidate.vector != X[row]) == 1


def test_a_trial_replaces_its_parent_only_if_it_is_no_worse() -> None:
    """Better and equal trials replace, worse and failed ones leave the parent."""
    optimizer = told_population("de", [3.0, 3.0, 3.0, 3.0])
    before = optimizer.X.copy()
    trials = optimizer.ask()
    evaluations = [Evaluation(2.0), Evaluation(3.0), Evaluation(4.0), Evaluation.failed("timeout")]
    optimizer.tell(trials, evaluations)
    kept = [np.array_equal(a, b) for a, b in zip(optimizer.X, before, strict=True)]
    assert kept == [False, False, True, True]
    assert optimizer.f.tolist() == [2.0, 3.0, 3.0, 3.0]


@pytest.mark.parametrize(
    "options", [{"population": 3}, {"F": 0.0}, {"F": 2.5}, {"CR": 1.5}, {"strategy": "rand/2/bin"}]
)
def test_options_out_of_range_are_refused(options: dict) -> None:
    """Each option has its range, and the error names the option and the value."""
    with pytest.raises(OptimizerError, match=next(iter(options))):
        create("de", 4, np.random.default_rng(0), **options)


def test_shade_learns_the_weighted_lehmer_mean_of_its_successes() -> None:
    """M_F becomes sum w F^2 / sum w F with w proportional to the improvement, M_CR alike."""
    optimizer = told_population("shade", [10.0] * 10)
    trials = optimizer.ask()
    drawn = {id: trial[1:] for id, trial in optimizer.trials.items()}
    gains = {trials[2].id: 1.0, trials[5].id: 3.0}
    optimizer.tell(trials, [Evaluation(10.0 - gains.get(t.id, -1.0)) for t in trials])
    F, CR = np.array([drawn[id] for id in gains]).T
    w = np.array([0.25, 0.75])
    assert optimizer.M_F[0] == pytest.approx((w @ F**2) / (w @ F))
    assert optimizer.M_CR[0] == pytest.approx((w @ CR**2) / (w @ CR))
    assert optimizer.M_F[1] == 0.5 and len(optimizer.A) == 2


def test_lshade_ends_with_four_members_at_the_budget() -> None:
    """The population shrinks linearly from N^init to 4, and keeps the best."""
    optimizer = create("lshade", 4, np.random.default_rng(0), budget=400, population=40)
    sizes = []
    while not optimizer.stop():
        candidates = optimizer.ask()
        losses = [float((c.vector**2).sum()) for c in candidates]
        optimizer.tell(candidates, [Evaluation(loss) for loss in losses])
        sizes.append(len(optimizer.X))
    assert sizes[0] == 40 - round(40 / 400 * (40 - 4))  # Eq. 10, after the first 40
    assert sizes[-1] <= 6 and sizes == sorted(sizes, reverse=True)
    assert optimizer.f.min() == pytest.approx(float((optimizer.recommend().vector ** 2).sum()))


def test_lshade_needs_a_budget() -> None:
    """Without a budget there is nothing to shrink over, and the error names the way out."""
    with pytest.raises(OptimizerError, match="'shade'"):
        create("lshade", 4, np.random.default_rng(0))


@pytest.mark.parametrize("name", ["de", "shade"])
def test_the_first_population_has_the_spread_that_was_asked(name: str) -> None:
    """Its entries are N(0, sigma^2): with sigma 3 their standard deviation is about 3."""
    optimizer = create(name, 200, np.random.default_rng(0), sigma=3.0)
    first = np.array([candidate.vector for candidate in optimizer.ask()])
    assert first.std() == pytest.approx(3.0, rel=0.05) and abs(first.mean()) < 0.2


def test_shade_draws_f_and_cr_within_their_ranges() -> None:
    """0 < F <= 1 and 0 <= CR <= 1, about what the history holds; a terminal entry gives CR = 0."""
    optimizer = create("shade", 4, np.random.default_rng(0))
    drawn = np.array([optimizer._draw_parameters() for _ in range(4000)])
    assert drawn.min() >= 0.0 and drawn[:, 0].min() > 0.0 and drawn.max() <= 1.0
    assert np.median(drawn, axis=0) == pytest.approx([0.5, 0.5], abs=0.02)
    optimizer.M_CR[:] = np.nan
    assert {optimizer._draw_parameters()[1] for _ in range(20)} == {0.0}


def test_shade_writes_its_history_entry_by_entry() -> None:
    """Each generation with a success fills the next of six entries, and the first again after the
    sixth."""
    optimizer = told_population("shade", [1e9] * 10)
    for generation in range(7):
        before = optimizer.M_F.copy()
        trials = optimizer.ask()
        optimizer.tell(trials, [Evaluation(1e8 - generation) for _ in trials])
        assert np.flatnonzero(before != optimizer.M_F).tolist() == [generation % 6]
