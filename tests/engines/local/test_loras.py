"""A LoRA that PEFT made, beside soft prompts and no adapter: each row as alone, and the model untouched."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model

from blackbox_align.adapters import Adapter, Lora
from blackbox_align.engines.base import Request, Sampling
from blackbox_align.engines.local.engine import LocalEngine
from blackbox_align.engines.local.questions import tokenize
from blackbox_align.errors import SpecificationError
from blackbox_align.surveys import load_survey
from blackbox_align.surveys.sheet import Sheet, sheet
from tests.architectures import build_model
from tests.engines.local.test_engine import random_adapters

ASKED = Sheet(sheet(load_survey("vsm2013")).questions[:4], (("I live", " in Chad."),))


def made_by_peft(model, seed):
    """A model with a random LoRA, and the same as a value."""
    torch.manual_seed(seed)
    targets = ["c_attn"] if hasattr(model.model, "transformer") else ["q_proj", "down_proj"]
    config = LoraConfig(r=3, lora_alpha=6, target_modules=targets, init_lora_weights=False)
    adapted = get_peft_model(copy.deepcopy(model.model), config).eval()
    parts = {}
    for name, value in adapted.state_dict().items():
        if ".lora_" in name:
            module, kind = name.removeprefix("base_model.model.").split(".lora_")
            parts.setdefault(module, {})[kind[0]] = value.detach().numpy()
    return adapted, Lora({module: (p["A"], 2 * p["B"]) for module, p in parts.items()})


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "stablelm"])
def test_each_row_is_answered_as_peft_answers_it_alone(architecture):
    """Two LoRA, prompts in each placement, a LoRA with a prompt, and nothing, in one call."""
    model = build_model(architecture)
    (one, first), (two, second) = (made_by_peft(model, seed) for seed in (1, 2))
    prompts = [random_adapters(model, 1, 2, place)[0] for place in ("first", "message", "last")]
    adapters = [Adapter(loras=(first,)), Adapter(), *prompts, Adapter(loras=(second,))]
    adapters += [Adapter(prompt=prompts[2].prompt, loras=(first,))]
    engine = LocalEngine(model)
    answers = engine.answer(adapters, ASKED)
    for row, adapter in enumerate(adapters):
        alone = LocalEngine(model).answer([adapter], ASKED)
        np.testing.assert_allclose(answers.probabilities[row], alone.probabilities[0], atol=1e-5)
        np.testing.assert_allclose(answers.divergence[row], alone.divergence[0], atol=1e-5)
    for row, adapted in ((0, one), (5, two)):
        for number, asked in enumerate(ASKED.questions):
            question = tokenize(asked, engine.reader)
            with torch.inference_mode():
                logits = adapted(input_ids=torch.tensor([question.context])).logits[0, -1]
            expected = logits[list(question.labels)].softmax(-1)
            np.testing.assert_allclose(answers.probabilities[row, number], expected, atol=1e-5)
    assert answers.divergence[1] == 0 and (answers.divergence[[0, 5]] > 0.01).all()


def test_texts_are_written_under_a_lora_beside_others():
    """Greedy, as PEFT's model would go on, while a text without it is written."""
    model = build_model("llama")
    adapted, lora = made_by_peft(model, 1)
    engine, sampling = LocalEngine(model), Sampling(8)
    voices = (((Adapter(loras=(lora,)), 1.0),), ((Adapter(), 1.0),))
    replies = [engine.submit(Request("How are you", sampling, voice)) for voice in voices]
    for reply, network in zip(replies, (adapted, model.model), strict=True):
        tokens = model.tokenizer("How are you").input_ids
        start = len(tokens)
        with torch.inference_mode():
            while len(tokens) < start + 8:
                tokens.append(int(network(input_ids=torch.tensor([tokens])).logits[0, -1].argmax()))
        assert reply.result().tokens == tuple(tokens[start:])


def test_a_lora_of_another_model_gets_a_sentence():
    """A module that is not there, and shapes that fit nothing."""
    engine = LocalEngine(build_model("llama"))
    part = np.zeros((2, 32), np.float32)
    with pytest.raises(
        SpecificationError, match=r"updates the module 'h.0.attn', which this model"
    ):
        engine.answer([Adapter(loras=(Lora({"h.0.attn": (part, part.T)}),))], ASKED)
    name = "model.layers.0.self_attn.q_proj"
    with pytest.raises(SpecificationError, match=r"A \(r, in\) and B \(out, r\)"):
        engine.answer([Adapter(loras=(Lora({name: (part, part)}),))], ASKED)
