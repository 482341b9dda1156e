"""Heard precisely: noise is measured before a search, and the last choice is made in float32."""

from __future__ import annotations

import numpy as np
import pytest

import blackbox_align as bba
from blackbox_align.adapters import Adapter, SoftPrompt
from blackbox_align.engines import open as open_engine
from blackbox_align.engines.base import PARITY
from blackbox_align.engines.rounding import STEP, neighbour, noise_and_moves
from blackbox_align.experts import prove, read_expert
from blackbox_align.fitting.asking import Asked, search_space
from blackbox_align.fitting.data import PROMPT, generator, load_data
from blackbox_align.fitting.noise import Noise
from blackbox_align.fitting.problem import pose
from blackbox_align.surveys import load_survey
from blackbox_align.surveys.sheet import sheet


def test_a_neighbour_is_one_step_away():
    """Half of its entries above, half below; rounded to the precision none of them is the same."""
    prompt = SoftPrompt(np.full((2, 2), 1.5, np.float32))
    moved = neighbour(Adapter(prompt=prompt), "float16").prompt.vectors
    assert moved.ravel() == pytest.approx(1.5 * (1 + STEP["float16"] * np.array([1, -1, 1, -1])))
    assert (moved.astype(np.float16) != np.float16(1.5)).all()
    told = Adapter("told")
    assert neighbour(told, "float32") is told


def test_noise_is_what_differs_within_pairs():
    """Three prompts and their neighbours: the difference by rounding, and the spread of the prompts."""
    values = np.array([[0.0], [1.0], [2.0], [0.2], [0.8], [2.2]])
    assert noise_and_moves(values) == pytest.approx((0.2 / np.sqrt(2), 1.0))
    loud = Noise("bfloat16", 0.3, 0.5, 0.4, 1.0)
    assert not loud.heard and "more than a third" in loud.describe()
    assert "--dtype float16" in loud.describe()
    alone = Noise("float32", np.nan, 0.1, np.nan, 1.0)
    assert alone.heard and Noise.from_facts(alone.to_facts()).describe() == alone.describe()
    assert "an index" not in alone.describe()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    settings = {"optimizer": "adam", "tokens": 2, "dtype": "bfloat16", "device": "cpu"}
    return bba.fit("SAU", budget=8, runs=folder, **settings)


def test_a_fit_in_half_precision_ends_in_float32(run):
    """Its noise is measured and stated, the best few are asked again, and the proof is in float32."""
    noise = run.record["facts"]["noise"]
    assert noise["dtype"] == "bfloat16" and 0.01 < noise["points"] < 4 < 3 * noise["moves_points"]
    notes = " ".join(run.result.notes)
    assert "Rounding in bfloat16 moves an index by" in notes
    assert "Searched in bfloat16; the best 5 were scored again in float32" in notes
    expert = read_expert(run.expert)
    assert expert.proof.holds and expert.proof.dtype == run.result.provenance.dtype == "float32"


def test_the_prompt_that_is_kept_is_the_best_of_the_few_in_float32(run):
    """Asked in float32, none of the five best of the search comes nearer."""
    past = run._record.past(vectors=True)
    order = np.argsort([loss for entry in past.entries for loss in entry.losses])[:5]
    with open_engine(device="cpu") as engine:
        settings = run.specification
        problem = pose(load_data(settings), Asked(engine, orders="reversed"), run.record["facts"])
        space = search_space(settings, engine, generator(settings, PROMPT))
        kept = [read_expert(run.expert).adapter()]
        asked = [*space.adapters(past.vectors[order]), *kept]
        _, losses = problem.score(engine.answer(asked, problem.sheet).probabilities, 0)
    assert losses[0, -1] == pytest.approx(losses[0, :-1].min(), abs=0.02)  # words were rounded
    assert run.loss == pytest.approx(losses[0, -1], abs=1e-2)


def test_a_proof_allows_what_rounding_makes_of_a_prompt():
    """A prompt of thousands of words' length in half precision: no right way could do better."""
    rng = np.random.default_rng(0)
    with open_engine(device="cpu", dtype="bfloat16") as engine:
        asked = sheet(load_survey("vsm2013"))
        far = Adapter(
            prompt=SoftPrompt(rng.normal(0, 500, (3, engine.info.width)).astype(np.float32))
        )
        proof = prove(engine, far, asked)
    assert proof.holds and proof.allowed >= PARITY["bfloat16"]
