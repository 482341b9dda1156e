"""Fits in every precision and place of the prompt end with an expert: the embedded model, and a real one."""

from __future__ import annotations

from pathlib import Path

import pytest

import blackbox_align as bba
from blackbox_align.experts import read_expert

SMOLLM2 = Path(__file__).parents[2] / "experiments/real_models/models/smollm2-135m-instruct"
PLACES = ("first", "message", "last")
DTYPES = ("float32", "bfloat16", "float16")


def ends_with_an_expert(run, dtype, placement):
    """Its proof holds and is in float32, its noise is stated, and the place is the one asked for."""
    expert = read_expert(run.expert)
    assert run.status == "done" and expert.proof.holds and expert.proof.dtype == "float32"
    assert expert.adapter().prompt.placement == placement
    assert run.record["facts"]["noise"]["dtype"] == dtype
    assert f"Rounding in {dtype} moves" in (run.expert / "README.md").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("placement", PLACES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_fit_of_the_embedded_model_ends_with_an_expert(dtype, placement, tmp_path):
    """A dozen evaluations by the default search."""
    settings = {"dtype": dtype, "placement": placement, "tokens": 2, "device": "cpu"}
    run = bba.fit("SAU", runs=tmp_path, budget=12, **settings)
    ends_with_an_expert(run, dtype, placement)


@pytest.mark.slow
@pytest.mark.skipif(not SMOLLM2.is_dir(), reason="no SmolLM2 here: `make real-models` makes it")
@pytest.mark.parametrize("placement", PLACES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_fit_of_a_real_model_ends_with_an_expert(dtype, placement, tmp_path):
    """Two steps along the gradient; what it leaves of the language stands in the card."""
    settings = {"dtype": dtype, "placement": placement, "tokens": 1, "device": "cpu", "orders": "1"}
    run = bba.fit(
        "SAU", model=SMOLLM2, runs=tmp_path, optimizer="adam", budget=2, target_loss=0.0, **settings
    )
    ends_with_an_expert(run, dtype, placement)
    assert "times as long as a word's" in (run.expert / "README.md").read_text()
