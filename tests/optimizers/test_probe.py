"""What a few evaluations tell of noise, leverage and linear range, and that a search goes by it."""

from __future__ import annotations

import numpy as np
import pytest

from blackbox_align.optimizers import Evaluation, create
from blackbox_align.optimizers.gauss_newton import USUAL
from blackbox_align.optimizers.probe import LONG, SHORT, Probe, directions, measure, steps

J = np.random.default_rng(1).standard_normal((6, 100))


def probed(function, lengths, seed=0):
    along = directions(100, np.random.default_rng(seed))
    vectors = np.concatenate([np.zeros((1, 100)), steps(along, lengths)])
    return measure(function(vectors), lengths)


def test_what_is_linear_is_found_linear():
    """Up to the longest step, without noise, and the leverage is that of a random step."""
    probe = probed(lambda vectors: vectors @ J.T, (*SHORT, *LONG))
    assert probe.linear == LONG[-1] and probe.noise == 0.0 and not probe.unclear
    assert probe.leverage == pytest.approx(np.sqrt(100), rel=0.5)


@pytest.mark.parametrize("bend", [0.5, 2.0])
def test_a_bend_shortens_the_steps(bend):
    """Outputs that turn at shorter lengths are found linear for less."""
    straight = probed(lambda vectors: vectors @ J.T, LONG)
    bent = probed(lambda vectors: np.sin(bend * vectors @ J.T), LONG)
    assert bent.spread < straight.spread


def test_noise_is_measured_and_makes_steps_longer():
    """Its standard deviation is found within a factor of two, and steps rise above it."""
    found = []
    for seed in range(40):
        noise = 5.0 * np.random.default_rng(seed + 100).standard_normal((9, 6))
        found.append(probed(lambda v, e=noise: v @ J.T + e, (*SHORT, *LONG), seed))
    assert 2.5 < np.median([probe.noise for probe in found]) < 10.0
    assert np.median([probe.spread for probe in found]) > 0.5


@pytest.mark.parametrize(
    ("noise", "noisy", "drowned", "spread"),
    [
        (0.1, False, False, 0.25),
        (0.4, True, False, 0.5),
        (0.6, True, True, 0.6),
        (9.0, True, True, 1.0),
    ],
)
def test_steps_are_as_long_as_noise_asks(noise, noisy, drowned, spread):
    """A step of linear length moves the outputs by a half here: noise counts from a quarter of one on."""
    probe = Probe(noise, leverage=2.0, linear=0.25)
    assert (probe.noisy, probe.drowned, probe.spread) == (noisy, drowned, pytest.approx(spread))


@pytest.mark.parametrize(
    ("function", "asked"),
    [(lambda z: J @ z, 5), (lambda z: np.sin(300 * J @ z), 9), (lambda z: None, 5)],
)
def test_a_search_probes_first_and_goes_by_what_it_found(function, asked):
    """Five evaluations, four more where noise and bend cannot be told apart; when they fail, usual steps."""
    optimizer = create("gauss-newton", 100, np.random.default_rng(0))
    while optimizer.opening.pending:
        candidates = optimizer.ask()
        told = [function(candidate.vector) for candidate in candidates]
        optimizer.tell(
            candidates,
            [
                Evaluation.failed("no") if r is None else Evaluation(float(abs(r).mean()), r)
                for r in told
            ],
        )
    assert optimizer.told == asked and optimizer.batch == 6 - asked % 6
    found = USUAL if optimizer.probe is None else optimizer.probe.spread
    assert optimizer.spread == found and (optimizer.probe is None) == (told[0] is None)


def test_steps_set_by_hand_are_taken_without_a_probe():
    """Then the first batch is of that spread."""
    optimizer = create("gauss-newton", 400, np.random.default_rng(0), spread=3.0)
    vectors = np.array([candidate.vector for candidate in optimizer.ask()])
    assert len(vectors) == 6 and vectors[1:].std() == pytest.approx(3.0, rel=0.1)
    assert optimizer.probe is None
