"""From answer probabilities to item means, by each of the three readouts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blackbox_align.errors import SpecificationError
from blackbox_align.surveys import READOUTS, Item, Scale, Survey, item_means, load_survey


@pytest.fixture(scope="module")
def survey():
    """Two items: one of three options coded 1, 3, 9, and one of two coded 1, 2."""
    three = Scale("three", ("1", "3", "9"), ("a", "b", "c"), (1.0, 3.0, 9.0))
    two = Scale("two", ("A", "B"), ("d", "e"), (1.0, 2.0))
    return Survey("s", "S", 1, "Answer.", (Item("q1", "Q1?", three), Item("q2", "Q2?", two)))


ANSWERS = np.array([[[0.5, 0.3, 0.2], [0.25, 0.75, 0.0]]], np.float32)


def random_answers(seed, candidates):
    p = np.random.default_rng(seed).gamma(0.5, size=(candidates, 24, 5)).astype(np.float32)
    return p / p.sum(-1, keepdims=True)


def test_expected_is_the_sum_of_code_times_probability(survey):
    """`expected` gives 0.5 + 3 * 0.3 + 9 * 0.2 = 3.2 and 0.25 + 2 * 0.75 = 1.75."""
    np.testing.assert_allclose(item_means(ANSWERS, survey), [[3.2, 1.75]], atol=1e-6)


def test_greedy_is_the_code_of_the_likeliest_option(survey):
    """`greedy` gives a code, not a position and not a mean."""
    assert item_means(ANSWERS, survey, "greedy").tolist() == [[1.0, 2.0]]
    last = np.array([[[0.1, 0.1, 0.8], [0.6, 0.4, 0.0]]])
    assert item_means(last, survey, "greedy").tolist() == [[9.0, 1.0]]


@pytest.mark.parametrize("readout", READOUTS)
def test_certain_answers_read_the_same_by_every_readout(readout, survey):
    """Where one option has all the probability, all readouts give its code."""
    certain = np.array([[[0, 1, 0], [0, 1, 0]]], np.float32)
    means = item_means(certain, survey, readout, rng=np.random.default_rng(0))
    assert means.tolist() == [[3.0, 2.0]]


def test_sampled_answers_repeat_with_the_seed(survey):
    """`sampled` depends on the generator alone: the same seed gives the same draw, another does not."""

    def draw(seed):
        return item_means(ANSWERS, survey, "sampled", rng=np.random.default_rng(seed)).tolist()

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)


def test_sampled_means_converge_to_the_expectation(survey):
    """The mean of very many respondents is the expected readout; of few it differs."""
    many = item_means(
        ANSWERS, survey, "sampled", respondents=1_000_000, rng=np.random.default_rng(0)
    )
    np.testing.assert_allclose(many, item_means(ANSWERS, survey), atol=0.02)
    few = item_means(ANSWERS, survey, "sampled", respondents=5, rng=np.random.default_rng(0))
    assert np.abs(few - item_means(ANSWERS, survey)).max() > 0.02


def test_a_mean_of_n_respondents_is_a_sum_of_n_codes(survey):
    """With 4 respondents coded 1 or 2 the mean is a multiple of a quarter between 1 and 2."""
    rng = np.random.default_rng(0)
    answers = np.repeat(ANSWERS, 50, axis=0)
    means = item_means(answers, survey, "sampled", respondents=4, rng=rng)[:, 1]
    assert set(means * 4) <= {4, 5, 6, 7, 8}
    assert len(set(means)) > 2


def test_options_that_an_item_does_not_have_are_never_drawn(survey):
    """At any temperature the padding behind an item's options gets no respondent."""
    for temperature in (0.01, 1.0, 1e6):
        means = item_means(
            np.repeat(ANSWERS, 20, axis=0), survey, "sampled",
            temperature=temperature, rng=np.random.default_rng(0),
        )  # fmt: skip
        assert means[:, 1].min() >= 1.0


def test_temperature_sharpens_and_flattens(survey):
    """Near temperature 0 a sample is greedy; a high one is uniform; in between p^(1/T) holds."""

    def mean(temperature):
        rng = np.random.default_rng(0)
        return item_means(
            ANSWERS, survey, "sampled", respondents=1_000_000, temperature=temperature, rng=rng
        )

    np.testing.assert_array_equal(mean(1e-4), item_means(ANSWERS, survey, "greedy"))
    np.testing.assert_allclose(mean(1e6), [[13 / 3, 1.5]], atol=0.02)
    squared = np.array([0.25, 0.09, 0.04]) / 0.38
    assert mean(0.5)[0, 0] == pytest.approx(squared @ [1, 3, 9], abs=0.02)


@pytest.mark.parametrize("readout", READOUTS)
def test_a_failed_candidate_stays_failed(readout, survey):
    """NaN answers give NaN means, never a made-up code, and leave the others' means finite."""
    answers = np.concatenate([ANSWERS, ANSWERS * np.nan, ANSWERS])
    means = item_means(answers, survey, readout, rng=np.random.default_rng(0))
    assert np.isnan(means[1]).all()
    assert np.isfinite(means[[0, 2]]).all()


@pytest.mark.parametrize("readout", ["expected", "greedy"])
def test_a_failed_candidate_does_not_change_the_others(readout, survey):
    """Readouts that draw nothing give the other candidates the same bits beside a failed one."""
    answers = np.concatenate([ANSWERS, ANSWERS * np.nan])
    alone = item_means(ANSWERS, survey, readout)
    np.testing.assert_array_equal(item_means(answers, survey, readout)[:1], alone)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), candidates=st.integers(1, 9))
def test_means_are_the_same_bits_alone_and_in_company(seed, candidates):
    """A candidate's expected means do not depend on who is read with it, or on the memory layout."""
    survey = load_survey("vsm2013")
    answers = random_answers(seed, candidates)
    together = item_means(answers, survey)
    alone = np.concatenate([item_means(p[None], survey) for p in answers])
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(item_means(np.asfortranarray(answers), survey), together)
    assert together.dtype == np.float64
    assert ((together >= 1 - 1e-6) & (together <= 5 + 1e-6)).all()


def test_no_candidates_give_no_means(survey):
    """An empty batch is read without complaint."""
    for readout in READOUTS:
        means = item_means(np.zeros((0, 2, 3)), survey, readout, rng=np.random.default_rng(0))
        assert means.shape == (0, 2)


@pytest.mark.parametrize(
    ("settings_", "sentence"),
    [
        ({"readout": "sample"}, "'expected', 'greedy', 'sampled'; not 'sample'"),
        ({"readout": "sampled", "rng": None}, "needs a generator"),
        ({"readout": "sampled", "respondents": 0}, "at least 1 respondent"),
        ({"readout": "sampled", "temperature": 0.0}, "temperature above 0; not 50 and 0"),
        ({"readout": "sampled", "temperature": -1.0}, "temperature above 0"),
        ({"readout": "sampled", "temperature": float("nan")}, "temperature above 0"),
        ({"readout": "sampled", "temperature": float("inf")}, "temperature above 0"),
    ],
)
def test_impossible_readouts_are_refused(settings_, sentence, survey):
    """A readout that cannot be made is a SpecificationError with the value seen."""
    with pytest.raises(SpecificationError, match=sentence):
        item_means(ANSWERS, survey, **{"rng": np.random.default_rng(0), **settings_})
