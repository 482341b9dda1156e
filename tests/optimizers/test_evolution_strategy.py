"""One step by hand, and what does not move it."""

import numpy as np

from blackbox_align.optimizers import Evaluation, create


def test_a_step_by_hand():
    """Losses 0 and 2 are -1 and 1 deviations from their mean: a step from the second to the first."""
    search = create("es", 3, np.random.default_rng(0), batch_size=2, sigma=0.5, learning_rate=4.0)
    better, worse = search.ask()
    search.tell([better, worse], [Evaluation(0.0), Evaluation(2.0)])
    np.testing.assert_allclose(search.m, 2.0 * (better.vector - worse.vector))
    before = search.m.copy()
    tied = search.ask()
    search.tell(tied, [Evaluation(1.0)] * 2)
    np.testing.assert_array_equal(search.m, before)


def test_signs_are_drawn_where_they_are_asked_for():
    """Every coordinate is sigma away from the centre, on either side."""
    vectors = np.array(
        [c.vector for c in create("fzoo", 50, np.random.default_rng(0), sigma=0.5).ask(20)]
    )
    assert set(np.unique(vectors)) == {-0.5, 0.5}
    assert 0.4 < (vectors > 0).mean() < 0.6


def test_a_generation_of_failures_halves_the_directions():
    """They lead nowhere that can be evaluated."""
    search = create("fzoo", 4, np.random.default_rng(0))
    search.tell(search.ask(), [Evaluation.failed("no")] * 8)
    assert search.sigma == 0.5
