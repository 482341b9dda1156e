"""Simulated worlds: shares are shares, and texts packed behind one opening are read as each alone."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from blackbox_align.engines.local.chat import Reader

EXPERIMENT = Path(__file__).parents[2] / "experiments" / "cultural_palette"


@pytest.fixture(scope="module")
def worlds():
    sys.path.insert(0, str(EXPERIMENT))
    try:
        import worlds
    finally:
        sys.path.remove(str(EXPERIMENT))
    return worlds


def test_a_world_is_a_survey_with_answers(worlds, tmp_path):
    """Every country answers every question; the same seed is the same world."""
    world = worlds.World.draw(3)
    opinions = worlds.opinions_of(world, tmp_path)
    assert len(opinions) == 20 * worlds.ITEMS
    np.testing.assert_allclose(world.shares(world.countries).sum(-1), 1.0)
    again = worlds.World.draw(3)
    np.testing.assert_array_equal(again.countries, world.countries)


def test_packed_texts_are_read_as_each_alone(worlds, tmp_path):
    """And what is learnt is turned with the options."""
    world = worlds.World.draw(0)
    opinions = worlds.opinions_of(world, tmp_path)
    texts, goals = worlds.prompts_of(world, opinions)
    np.testing.assert_allclose(goals[0], goals[worlds.ITEMS][::-1])
    tokenizer = worlds.tokenizer_of(texts)
    reader = Reader(tokenizer)
    rows = [reader.tokens(reader.render(text)) for text in texts[: worlds.ITEMS]]
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=16, intermediate_size=24, num_hidden_layers=2,
            num_attention_heads=2, num_key_value_heads=2, initializer_range=0.5, pad_token_id=2,
        )
    ).eval()  # fmt: skip
    ids, positions, mask, ends = worlds.packed(rows)
    with torch.inference_mode():
        given = model(
            input_ids=ids[None], position_ids=positions[None], attention_mask=mask[None, None]
        ).logits[0, ends]
        alone = torch.stack([model(input_ids=torch.tensor([row])).logits[0, -1] for row in rows])
    torch.testing.assert_close(given, alone, atol=1e-4, rtol=1e-4)
