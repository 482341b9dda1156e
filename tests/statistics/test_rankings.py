import numpy as np
import pytest

from blackbox_align.statistics.rankings import compare_pairs, rank


def test_mean_ranks_and_critical_difference_of_a_published_example():
    """Demsar (2006, sec. 3.2.2): 14 data sets, 4 classifiers; q = 2.569 gives a difference of 1.25."""
    found = rank(np.random.default_rng(0).random((14, 4)))
    assert found.critical_difference == pytest.approx(1.25, abs=0.005)
    assert sum(found.ranks) == pytest.approx(10)


def test_an_unreached_target_is_worse_than_every_reached_one():
    """inf ranks last, and two of them tie."""
    found = rank(np.array([[5.0, np.inf, np.inf], [7.0, 9.0, np.inf]]))
    assert found.ranks == (1.0, 2.25, 2.75)


def test_an_unreached_target_is_worse_than_one_that_the_first_evaluation_reached():
    """1 against not reached, the smallest figures that there are."""
    assert rank(np.array([[1.0, np.inf]])).ranks == (1.0, 2.0)


def test_a_problem_on_which_all_tie_leaves_the_test_on_the_others():
    """Friedman's p is one as long as a single problem tells methods apart."""
    values = np.array([[3.0, 3.0, 3.0], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])
    assert 0 < rank(values).p < 1
    assert np.isnan(rank(values[:1].repeat(3, axis=0)).p)


def test_holm_multiplies_the_smallest_by_the_number_of_pairs():
    """Three methods where only the last differs: its two p-values times 3 and 2, the other one 1."""
    rng = np.random.default_rng(0)
    a = rng.random(12)
    pairs = compare_pairs(np.stack([a, a, a + 1 + rng.random(12)], axis=1))
    assert pairs[0].p == 1.0
    raw = 2 / 2**12  # the exact signed-rank test where all 12 differences have one sign
    assert [pairs[1].p, pairs[2].p] == pytest.approx([3 * raw, 3 * raw])
    assert (pairs[0].superiority, pairs[1].superiority) == (0.5, 1.0)


def test_holm_and_friedman_are_those_of_the_libraries():
    """Beside scikit-posthocs, where it is installed, on random tables with ties and unreached targets."""
    posthocs = pytest.importorskip("scikit_posthocs")
    from scipy.stats import friedmanchisquare

    rng = np.random.default_rng(2)
    for _ in range(6):
        table = rng.integers(1, 30, (9, 4)).astype(float)
        ours = compare_pairs(table)
        theirs = posthocs.posthoc_wilcoxon(
            [*table.T], p_adjust="holm", zero_method="wilcox"
        ).to_numpy()
        for pair in ours:
            assert pair.p == pytest.approx(theirs[pair.a, pair.b], abs=1e-9)
        assert rank(table).p == pytest.approx(friedmanchisquare(*table.T).pvalue)


def test_families_of_equal_methods_seldom_differ():
    """Of 200 families of four equal methods at most 6 % hold a pair with p below 5 % after Holm."""
    rng = np.random.default_rng(3)
    alarms = sum(
        min(pair.p for pair in compare_pairs(rng.random((10, 4)))) < 0.05 for _ in range(200)
    )
    assert alarms <= 12
