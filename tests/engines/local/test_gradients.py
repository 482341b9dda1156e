"""Gradients and hidden states of an engine, against plain torch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from blackbox_align.adapters import Adapter
from blackbox_align.engines.local.engine import LocalEngine
from blackbox_align.engines.local.passes import Passes
from blackbox_align.engines.local.questions import tokenize
from blackbox_align.errors import SpecificationError
from blackbox_align.surveys import load_survey
from blackbox_align.surveys.sheet import Sheet, sheet
from tests.architectures import build_model
from tests.engines.local.test_engine import random_adapters

ASKED = Sheet(sheet(load_survey("vsm2013")).questions[:3], (("I live", " in Chad, as you know."),))


def plain_gradient(model, engine, adapter, weights):
    """By autograd through whole sequences, one question at a time."""
    prompt = torch.tensor(adapter.prompt.vectors, requires_grad=True)
    total = torch.zeros(())
    for number, asked in enumerate(ASKED.questions):
        question = tokenize(asked, engine.reader)
        text = model.model.get_input_embeddings()(torch.tensor(question.context))
        places = {"first": 0, "message": question.opening, "last": len(text)}
        at = places[adapter.prompt.placement]
        whole = torch.cat([text[:at], prompt, text[at:]])[None]
        logits = model.model(inputs_embeds=whole).logits[0, -1]
        total = total + (logits[list(question.labels)].softmax(-1) * weights[number]).sum()
    return torch.autograd.grad(total, prompt)[0].numpy()


@pytest.mark.parametrize("architecture", ["llama", "stablelm"])
@pytest.mark.parametrize("placement", ["first", "message", "last"])
def test_the_pullback_is_the_gradient(architecture, placement):
    """Of a model asked in one row and of one asked question by question; other answers stay asked."""
    model = build_model(architecture)
    engine, adapters = LocalEngine(model), random_adapters(model, 3, 2, placement)
    answers, pull = engine.pullback(adapters, ASKED)
    weights = np.random.default_rng(0).normal(size=answers.probabilities.shape).astype(np.float32)
    nothing = np.zeros_like(answers.divergence)
    wanted = replace(answers, probabilities=weights, divergence=nothing, surprise=nothing)
    gradients = pull(wanted)
    assert gradients.shape == (3, 2, model.embedding_width)
    for row, adapter in enumerate(adapters):
        expected = plain_gradient(model, engine, adapter, torch.tensor(weights[row]))
        np.testing.assert_allclose(gradients[row], expected, rtol=1e-3, atol=1e-5)
    again = engine.answer(adapters, ASKED)
    np.testing.assert_array_equal(again.probabilities, answers.probabilities)


def test_the_pullback_goes_through_texts_as_well():
    """Against differences of the answers themselves, along one direction."""
    model = build_model("llama")
    engine, (adapter,) = LocalEngine(model), random_adapters(model, 1, 2, "first")
    answers, pull = engine.pullback([adapter], ASKED)
    wanted = replace(
        answers,
        probabilities=np.zeros_like(answers.probabilities),
        divergence=np.array([[0.7]], np.float32),
        surprise=np.array([[-0.3]], np.float32),
    )
    way = np.random.default_rng(1).normal(size=adapter.prompt.vectors.shape)

    def along(step):
        moved = replace(adapter.prompt, vectors=adapter.prompt.vectors + step * way)
        given = engine.answer([Adapter(prompt=moved)], ASKED)
        return 0.7 * given.divergence[0, 0] - 0.3 * given.surprise[0, 0]

    slope = (along(1e-3) - along(-1e-3)) / 2e-3
    assert (pull(wanted)[0] * way).sum() == pytest.approx(slope, rel=2e-2)


def test_a_prompt_behind_the_questions_lets_them_be_computed_once(monkeypatch):
    """Steps along the gradient with the prompt last pass through its own tokens alone, after the first."""
    engine, passed = LocalEngine(build_model("llama")), []
    adapters = random_adapters(engine.model, 1, 2, "last")
    only_questions = replace(ASKED, texts=())
    whole = Passes.forward

    def forward(self, model, embeds, *more):
        passed.append(embeds.shape[0] * embeds.shape[1])
        return whole(self, model, embeds, *more)

    first, pull = engine.pullback(adapters, only_questions)
    monkeypatch.setattr(Passes, "forward", forward)
    second, again = engine.pullback(adapters, only_questions)
    assert passed == [2 * len(ASKED.questions)]
    np.testing.assert_array_equal(pull(first), again(second))


def test_gradients_need_prompts_of_one_length():
    """Without a prompt there is nothing to differentiate by."""
    model = build_model("llama")
    with pytest.raises(SpecificationError, match="soft prompts of one length"):
        LocalEngine(model).pullback([Adapter(), *random_adapters(model, 1, 2, "first")], ASKED)


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_hidden_states_are_those_of_the_last_token(architecture):
    """What enters each layer is what transformers itself puts out; behind a norm it is another."""
    model = build_model(architecture)
    engine, texts = LocalEngine(model), ["Africa", "the people of Oceania"]
    states = engine.hidden(texts, "layer-input")
    for row, text in enumerate(texts):
        ids = torch.tensor([model.tokenizer(text).input_ids])
        hidden = model.model(input_ids=ids, output_hidden_states=True).hidden_states[:-1]
        expected = torch.stack([layer[0, -1] for layer in hidden]).detach()
        np.testing.assert_allclose(states[row], expected, rtol=1e-5, atol=1e-5)
    inner = engine.hidden(texts, "feed-forward")
    assert inner.shape == states.shape and np.abs(inner - states).max() > 0.1
    with pytest.raises(SpecificationError, match="'layer-input' or 'feed-forward'; not 'end'"):
        engine.hidden(texts, "end")
