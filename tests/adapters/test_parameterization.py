"""From vectors to soft prompts: where they start, how far they move, and that they repeat exactly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blackbox_align.adapters import FullSpace, RandomSubspace, parameterize
from blackbox_align.errors import SpecificationError

TOKENS, WIDTH, STD = 4, 16, 0.37
SUBSPACES = [0, 12]


def make(subspace, *, alpha=1.0, seed=0, tokens=TOKENS, width=WIDTH):
    rng = np.random.default_rng(seed)
    initial = rng.normal(size=(tokens, width)).astype(np.float32)
    return initial, parameterize(initial, STD, subspace=subspace, rng=rng, alpha=alpha)


@pytest.mark.parametrize(
    ("subspace", "kind", "dimension"),
    [(0, FullSpace, 64), (12, RandomSubspace, 12), (64, FullSpace, 64), (999, FullSpace, 64)],
)
def test_the_dimension_is_that_of_the_subspace_or_of_the_prompt(subspace, kind, dimension):
    """0, or as many dimensions as the prompt has entries, is the full space."""
    _, space = make(subspace)
    assert isinstance(space, kind)
    assert space.dimension == dimension


@pytest.mark.parametrize("subspace", SUBSPACES)
@pytest.mark.parametrize("candidates", [0, 1, 5])
def test_prompts_have_one_row_of_tokens_per_candidate(subspace, candidates):
    """(candidates, dimension) vectors become (candidates, tokens, width) float32 prompts."""
    _, space = make(subspace)
    prompts = space.soft_prompts(np.ones((candidates, space.dimension)))
    assert prompts.shape == (candidates, TOKENS, WIDTH)
    assert prompts.dtype == np.float32


@pytest.mark.parametrize("subspace", SUBSPACES)
def test_zero_is_the_initial_prompt(subspace):
    """The vector 0 is the prompt that the search starts from, exactly."""
    initial, space = make(subspace)
    np.testing.assert_array_equal(space.soft_prompts(np.zeros((1, space.dimension)))[0], initial)


@pytest.mark.parametrize("subspace", [0, 30])
@pytest.mark.parametrize("alpha", [0.5, 1.0, 3.0])
def test_a_standard_normal_moves_every_entry_by_alpha_times_the_spread(subspace, alpha):
    """BBT's scale rule: p - p0 has the standard deviation alpha * std of the word embeddings."""
    initial, space = make(subspace, alpha=alpha, tokens=10, width=40)
    vectors = np.random.default_rng(1).standard_normal((400, space.dimension))
    moved = space.soft_prompts(vectors) - initial
    assert moved.std() == pytest.approx(alpha * STD, rel=0.05)
    assert moved.mean() == pytest.approx(0, abs=0.02 * alpha)


def test_the_scale_does_not_depend_on_the_dimension_of_the_subspace():
    """Small and large subspaces move a prompt equally far for a standard normal vector."""
    spreads = []
    for subspace in (5, 50, 300):
        initial, space = make(subspace, tokens=10, width=40)
        vectors = np.random.default_rng(1).standard_normal((2000, subspace))
        spreads.append((space.soft_prompts(vectors) - initial).std())
    np.testing.assert_allclose(spreads, STD, rtol=0.08)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 20), st.sampled_from(SUBSPACES))
def test_the_same_vector_gives_the_same_bits_alone_and_in_company(seed, candidates, subspace):
    """A prompt does not depend on the vectors that it is computed with, nor on their layout."""
    _, space = make(subspace, width=64)
    vectors = np.random.default_rng(seed).standard_normal((candidates, space.dimension))
    together = space.soft_prompts(vectors)
    alone = np.concatenate([space.soft_prompts(vector[None]) for vector in vectors])
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(space.soft_prompts(np.asfortranarray(vectors)), alone)


@pytest.mark.parametrize("subspace", SUBSPACES)
def test_the_map_is_affine(subspace):
    """Twice the step moves the prompt twice as far, and steps add up."""
    initial, space = make(subspace)
    one, other = np.random.default_rng(1).standard_normal((2, 1, space.dimension))

    def move(vector):
        return space.soft_prompts(vector) - initial

    np.testing.assert_allclose(move(2 * one), 2 * move(one), atol=1e-5)
    np.testing.assert_allclose(move(one + other), move(one) + move(other), atol=1e-5)


def test_full_space_moves_one_entry_per_coordinate():
    """In the full space the k-th coordinate moves the k-th entry and no other."""
    initial, space = make(0)
    moved = space.soft_prompts(np.eye(space.dimension)) - initial
    np.testing.assert_allclose(
        moved.reshape(64, 64), STD * np.eye(64), atol=1e-6, err_msg="row-major order"
    )


def test_a_subspace_repeats_with_its_seed_and_differs_with_another():
    """The random matrix is a function of the generator that was handed in."""
    matrices = [make(12, seed=seed)[1].matrix for seed in (0, 0, 1)]
    np.testing.assert_array_equal(matrices[0], matrices[1])
    assert not np.array_equal(matrices[0], matrices[2])
    assert np.linalg.matrix_rank(matrices[0]) == 12


def test_numpys_global_state_is_not_touched():
    """Drawing a subspace leaves the global generator where it was."""
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    make(12)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@pytest.mark.parametrize(
    ("settings_", "sentence"),
    [
        ({"subspace": -1}, "0 \\(full\\) or more dimensions; not -1"),
        ({"subspace": 0, "alpha": 0.0}, "alpha must be above 0; not 0"),
        ({"subspace": 0, "alpha": -2.0}, "alpha must be above 0; not -2"),
        ({"subspace": 0, "alpha": float("nan")}, "alpha must be above 0; not nan"),
        ({"subspace": 0, "alpha": float("inf")}, "alpha must be above 0"),
    ],
)
def test_impossible_settings_are_refused(settings_, sentence):
    """A negative subspace or a scale that is no positive number is a SpecificationError."""
    with pytest.raises(SpecificationError, match=sentence):
        make(**settings_)


@pytest.mark.parametrize("subspace", SUBSPACES)
def test_gradients_are_pulled_back_by_the_transpose(subspace):
    """<A z, g> = <z, A' g> for the map p = p0 + A z, whatever z and g are."""
    initial, space = make(subspace)
    rng = np.random.default_rng(3)
    vectors, gradients = rng.normal(size=(3, space.dimension)), rng.normal(size=(3, *initial.shape))
    moved = space.soft_prompts(vectors) - initial
    forwards = (moved * gradients).sum(axis=(1, 2))
    np.testing.assert_allclose((space.pull(gradients) * vectors).sum(1), forwards, rtol=1e-4)


def test_vectors_become_adapters_at_the_place_that_was_asked_for():
    """One adapter a vector, with the prompt that the vector stands for."""
    rng = np.random.default_rng(0)
    space = parameterize(np.zeros((2, 3)), STD, subspace=4, rng=rng, placement="message")
    vectors = rng.normal(size=(5, 4))
    adapters = space.adapters(vectors)
    assert [adapter.prompt.placement for adapter in adapters] == ["message"] * 5
    prompts = np.stack([adapter.prompt.vectors for adapter in adapters])
    np.testing.assert_array_equal(prompts, space.soft_prompts(vectors))
