"""Where a search by gradients puts its prompt: as far from the answer as the model heeds it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import blackbox_align as bba
from blackbox_align.cli.output import print_experts
from blackbox_align.engines import open as open_engine
from blackbox_align.fitting.asking import Asked, search_space
from blackbox_align.fitting.data import PROMPT, generator, load_data
from blackbox_align.fitting.placing import HEEDED, describe_place, place, slope_of
from blackbox_align.fitting.problem import pose
from blackbox_align.fitting.settled import settle
from blackbox_align.fitting.specification import Specification
from blackbox_align.optimizers import Capabilities
from tests.fitting.test_adam_fits import smooth_loss
from tests.small_models import save_small_model

GRADIENT = Capabilities(uses_gradient=True)


@pytest.fixture(scope="module")
def deaf(tmp_path_factory):
    """A model of random weights that hardly looks back: what its last words say is its answer."""
    import torch
    from transformers import AutoModelForCausalLM

    folder = save_small_model("llama", tmp_path_factory.mktemp("deaf"))
    model = AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight.mul_(1e-3)
    model.save_pretrained(folder)
    return folder


def settled(engine, **settings):
    asked = Specification("SAU", optimizer="adam", **settings)
    return asked, settle(asked, engine.info, {}, uses_gradient=True)


def test_the_slope_is_what_a_short_step_along_the_gradient_takes_off(tmp_path):
    """Points for a word's length, against the loss a hundredth of a word away."""
    with open_engine(device="cpu") as engine:
        asked, settings = settled(engine, tokens=2)
        data, known = load_data(asked), Asked(engine, orders=settings.orders)
        problem = pose(replace(data, specification=settings), known)
        space = search_space(settings, engine, generator(settings, PROMPT))
        slope = slope_of(engine, settings, data, known)

        def loss(vectors):
            given = engine.answer(space.adapters(vectors), problem.sheet)
            return smooth_loss(problem, given.probabilities)

        rng, root = np.random.default_rng(0), np.sqrt(engine.info.width)
        ways = rng.standard_normal((64, space.dimension))
        ways *= 0.01 * root / np.linalg.norm(ways, axis=1, keepdims=True)
        slopes = (loss(ways) - loss(-ways)) / 0.02
        # A random direction of d holds 1/d of the square of a gradient.
        assert np.sqrt((slopes**2).mean() * space.dimension) == pytest.approx(slope, rel=0.3)
        assert slope > HEEDED, "the embedded model reads what stands first"


def test_a_prompt_that_is_not_heeded_stands_last_and_it_is_said(deaf, tmp_path, capsys):
    """Twenty tokens, the language weighed as before; recorded, so that the run goes on there."""
    settings = {"model": deaf, "optimizer": "adam", "runs": tmp_path, "device": "cpu"}
    run = bba.fit("SAU", budget=1, target_loss=0.0, **settings)
    facts = run.record["facts"]
    assert (facts["placement"], facts["length"], facts["language"]) == ("last", 20, 1.0)
    assert facts["slope_at"] == "first" and facts["slope"] < HEEDED
    assert any("The prompt stands last: before everything" in note for note in run.result.notes)
    print_experts(run)
    said = "".join(capsys.readouterr())
    assert "it is for questionnaires" in said and "--placement" not in said  # which was tried
    again = bba.fit("SAU", budget=2, target_loss=0.0, **settings)
    assert again.record["facts"]["slope"] == facts["slope"] and len(again.entries()) == 2


def test_what_is_asked_for_recorded_or_on_a_card_is_not_measured(deaf):
    """Nor is anything where no gradient is followed; a length that was asked for stays."""
    with open_engine(str(deaf), device="cpu") as engine:
        asked, settings = settled(engine, tokens=2)
        known = Asked(engine, orders=settings.orders)
        moved, facts = place(engine, settings, load_data(asked), known, {}, GRADIENT)
        assert (moved.placement, moved.tokens) == ("last", 2) and facts
        for given, recorded, search in (
            (replace(asked, placement="first"), {}, GRADIENT),
            (asked, {"placement": "first"}, GRADIENT),
            (asked, {}, Capabilities()),
        ):
            data = load_data(given)
            assert place(engine, settings, data, known, recorded, search) == (settings, {})
    assert not describe_place({"slope": 2 * HEEDED, "slope_at": "first"}) and not describe_place({})
