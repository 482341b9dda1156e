"""Where a search starts: zeros, words of the vocabulary, or a text."""

from __future__ import annotations

import numpy as np
import pytest

from blackbox_align.adapters import from_text, from_vocabulary, zeros
from blackbox_align.engines.checkpoint import load_model
from blackbox_align.errors import SpecificationError
from tests.small_models import save_small_model


@pytest.fixture(scope="module", params=["llama", "gemma2"])
def model(request, tmp_path_factory):
    """A model, and one that scales its embeddings inside the embedding module."""
    folder = save_small_model(request.param, tmp_path_factory.mktemp("model"))
    return load_model(str(folder), device="cpu")


def is_row_of(vector, table):
    return (np.abs(table - vector).max(axis=1) == 0).any()


def test_zeros_are_zeros_of_the_models_width(model):
    """The default start prefers no direction."""
    initial = zeros(model, 3)
    assert initial.shape == (3, model.embedding_width)
    assert initial.dtype == np.float32
    assert not initial.any()


def test_vocabulary_starts_at_embedded_words(model):
    """Every token of the start is an embedded word as the model sees it, drawn by the generator."""
    size = len(model.tokenizer)
    table = model.embed(range(size))
    initial = from_vocabulary(model, 6, size, np.random.default_rng(0))
    assert initial.shape == (6, model.embedding_width)
    assert all(is_row_of(token, table) for token in initial)
    assert len(np.unique(initial, axis=0)) > 1
    again = from_vocabulary(model, 6, size, np.random.default_rng(0))
    other = from_vocabulary(model, 6, size, np.random.default_rng(1))
    np.testing.assert_array_equal(initial, again)
    assert not np.array_equal(initial, other)


def test_text_is_cut_or_repeated_to_the_length_of_the_prompt(model):
    """The start is the embedding of the text's tokens, cut where it is long, repeated where short."""
    ids = model.tokenizer("You live in Chad", add_special_tokens=False).input_ids
    embedded = model.embed(ids)
    np.testing.assert_array_equal(from_text(model, 2, ids), embedded[:2])
    twice = np.concatenate([embedded, embedded])[: len(ids) + 2]
    np.testing.assert_array_equal(from_text(model, len(ids) + 2, ids), twice)


def test_the_start_is_what_the_embedding_module_puts_out(model):
    """Models that scale inside the embedding module are met at its output, not at its weights."""
    weight = model.model.get_input_embeddings().weight.float().numpy()
    scale = model.model.config.hidden_size**0.5 if "Gemma" in type(model.model).__name__ else 1.0
    np.testing.assert_allclose(model.embed([5, 7]), weight[[5, 7]] * scale, rtol=1e-5)
    assert model.embedding_std() == pytest.approx(weight.std() * scale, rel=1e-5)


def test_an_empty_text_is_refused(model):
    """A text of no tokens cannot be repeated to any length."""
    with pytest.raises(SpecificationError, match="a text that is not empty"):
        from_text(model, 3, [])
