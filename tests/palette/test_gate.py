"""Rows from states, shares from rows, and what is told of a gate."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from blackbox_align.engines import opening
from blackbox_align.errors import SpecificationError
from blackbox_align.palette.gate import (
    PUBLISHED,
    GateSettings,
    gate_report,
    gate_rows,
    name_states,
    one_hot,
    prompt_weights,
    with_settings,
)
from tests.small_models import save_small_model


@pytest.fixture
def states():
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=(3, 4, 8)) for name in ("layer-input", "feed-forward")}


def test_rows_have_length_one_and_centred_ones_differ(states):
    """As published: the state scaled to length 1; centred: the mean of all colours is taken off before."""
    plain = gate_rows(states, GateSettings("layer-input", centred=False))
    raw = states["layer-input"]
    np.testing.assert_allclose(plain, raw / np.linalg.norm(raw, axis=-1, keepdims=True), rtol=1e-6)
    centred = gate_rows(states, GateSettings("layer-input", centred=True))
    moved = raw - raw.mean(1, keepdims=True)
    np.testing.assert_allclose(
        centred, moved / np.linalg.norm(moved, axis=-1, keepdims=True), rtol=1e-5
    )


def test_identical_states_leave_no_row_of_nan(states):
    """Two colours of one name: centring leaves nothing, and the gate is even."""
    same = {"feed-forward": np.ones((2, 3, 4))}
    rows = gate_rows(same, GateSettings())
    assert not rows.any()
    np.testing.assert_allclose(prompt_weights(rows, np.ones((2, 4))), 1 / 3)


def test_shares_are_the_softmax_of_products(states):
    """Layer by layer, and colder is sharper."""
    rows = gate_rows(states, GateSettings())
    subject = np.random.default_rng(1).normal(size=(3, 8))
    scores = np.array([rows[layer] @ subject[layer] for layer in range(3)])
    expected = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    np.testing.assert_allclose(prompt_weights(rows, subject), expected, rtol=1e-6)
    cold = prompt_weights(rows, subject, 0.1)
    assert (cold.max(1) > expected.max(1)).all()


def test_the_report_counts_what_the_gate_does():
    """Entropy over ln K, how often the own colour comes first, and its weight."""
    weights = np.array([[[0.5, 0.5], [1.0, 0.0]], [[0.2, 0.8], [1.0, 0.0]]])
    found = gate_report(weights, [0, 1])
    assert found.own == (1.0, 0.5) and found.own_share == (0.65, 0.5) and found.subjects == 2
    assert found.entropy[0] == pytest.approx((1 + 0.721928) / 2) and found.entropy[1] == 0.0
    assert found.pooled[2] == pytest.approx((0.75 + 0.4) / 2)


def test_states_are_those_of_the_engine(engine):
    """A colour of two phrases has the mean of their states."""
    states = name_states(engine, [["Africa"], ["Kenya", "Chad"]])
    alone = engine.hidden(["Africa", "Kenya", "Chad"], "feed-forward")
    np.testing.assert_allclose(states["feed-forward"][:, 0], alone[0], rtol=1e-6)
    np.testing.assert_allclose(states["feed-forward"][:, 1], (alone[1] + alone[2]) / 2, rtol=1e-5)
    assert (states["layer-input"] != states["feed-forward"]).any()


def test_one_hot_lets_one_through():
    assert one_hot(2, 3, 1).weights.tolist() == [[0, 1, 0], [0, 1, 0]]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"source": "feed"}, "source"),
        ({"scope": "word"}, "scope"),
        ({"temperature": 0.0}, "above 0"),
    ],
)
def test_settings_that_are_none_are_refused(changes, said):
    with pytest.raises(SpecificationError, match=said):
        with_settings(GateSettings(), **changes)


def test_published_rows_are_last_states_of_what_enters_a_layer(tmp_path):
    """As transformers puts them out, scaled to length 1; as mergekit makes them, where it is installed."""
    folder = save_small_model("llama", tmp_path / "model")
    names = ["Africa", "Oceania"]
    with opening.open(str(folder)) as engine:
        rows = gate_rows(name_states(engine, [[name] for name in names]), PUBLISHED)
        model, tokenizer = engine.model.model, engine.model.tokenizer
        for column, name in enumerate(names):
            ids = torch.tensor([tokenizer(name).input_ids])
            with torch.inference_mode():
                states = model(ids, output_hidden_states=True).hidden_states[:-1]
            expected = torch.stack([state[0, -1] for state in states])
            expected = expected / expected.norm(dim=-1, keepdim=True)
            np.testing.assert_allclose(rows[:, column], expected.numpy(), atol=1e-5)
    router = pytest.importorskip("mergekit.moe.router", reason="mergekit is a peer, not installed")
    from mergekit.common import ModelReference
    from mergekit.moe.config import Expert

    experts = [Expert(source_model=str(folder), positive_prompts=[name]) for name in names]
    theirs = router.get_gate_params(
        ModelReference.model_validate(str(folder)), tokenizer, experts, mode="hidden", device="cpu"
    )
    np.testing.assert_allclose(rows, theirs.float().numpy(), atol=2e-2)  # they compute in bfloat16
