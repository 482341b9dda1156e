"""Models of many architectures: each is asked rightly, at once or slowly, and what it is said is true."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import LlamaForCausalLM, T5Config, T5ForConditionalGeneration

from blackbox_align.adapters import Adapter
from blackbox_align.engines.checkpoint import LanguageModel
from blackbox_align.engines.local.engine import LocalEngine
from blackbox_align.engines.local.questions import tokenize
from blackbox_align.errors import ModelError
from blackbox_align.surveys import load_survey
from blackbox_align.surveys.sheet import Question, Sheet, sheet
from tests.architectures import CONFIGURATIONS, build_model
from tests.engines.local.test_engine import answer_one_by_one, random_adapters
from tests.small_models import build_tokenizer

# Asked one by one: other attention, a state from token to token, or layers that attend twice.
SLOW = {
    "stablelm", "nemotron", "diffllama", "gptj", "codegen", "openai-gpt", "gpt_neo", "xglm", "bloom",
    "mpt", "falcon", "mamba", "falcon_mamba", "mamba2", "falcon_h1", "bamba", "recurrent_gemma", "rwkv",
    "lfm2", "llama4_text",
}  # fmt: skip
GATE = {"qwen3", "gpt_oss", "deepseek_v3", "opt", "stablelm", "falcon_h1", "mamba", "bloom"}
ALL = [
    name if name in GATE else pytest.param(name, marks=pytest.mark.slow) for name in CONFIGURATIONS
]


@pytest.fixture(scope="module")
def asked():
    """Six questions of several lengths and openings."""
    questions = sheet(load_survey("vsm2013")).questions
    return Sheet(questions[:2] + questions[12:14] + questions[-2:])


@pytest.mark.parametrize("architecture", ALL)
def test_every_architecture_is_asked_rightly(architecture, asked):
    """First, inside and last, in float32: as a plain forward of whole sequences to 1e-5."""
    model = build_model(architecture)
    engine = LocalEngine(model)
    for placement in ("first", "message", "last"):
        adapters = [Adapter(), *random_adapters(model, 3, 3, placement)]
        answers = engine.answer(adapters, asked).probabilities
        plain = np.array(
            [answer_one_by_one(model, adapter, asked.questions) for adapter in adapters]
        )
        assert answers.std(axis=1).max() > 1e-3
        np.testing.assert_allclose(answers, plain, rtol=0, atol=1e-5)
    assert bool(engine.notes) == (architecture in SLOW), engine.notes


@pytest.mark.parametrize("architecture", ALL)
def test_half_precision_differs_by_its_own_noise_alone(architecture, asked):
    """In bfloat16 the typical answer is off by no more than another rounding of the prompts makes.

    The typical one, for a mixture of experts that rounds to another expert jumps in any way of asking.
    """
    model = build_model(architecture, "bfloat16")
    engine = LocalEngine(model)
    for placement in ("first", "last"):
        adapters = random_adapters(model, 4, 3, placement)
        off = np.abs(
            engine.answer(adapters, asked).probabilities
            - engine.answer(adapters, asked, plainly=True).probabilities
        )
        assert np.median(off.max(axis=2)) < 2e-2, placement
    assert bool(engine.notes) == (architecture in SLOW), engine.notes


def test_a_model_is_compared_before_it_is_believed_and_again_where_questions_are_longer(asked):
    """A window that longer questions alone reach is noticed when they come; nothing wrong is kept."""
    model = build_model("llama")
    engine = LocalEngine(model)
    engine.answer(random_adapters(model, 2, 3, "first"), asked)
    compared = engine._ways._trusted["first"]
    engine.answer(random_adapters(model, 2, 3, "first"), asked)
    assert engine._ways._trusted["first"] is compared
    longer = Sheet(tuple(Question(q.text * 3, q.labels) for q in asked.questions))
    engine.answer(random_adapters(model, 2, 3, "first"), longer)
    assert engine._ways._trusted["first"][0] > 2 * compared[0]


def test_an_attention_with_arguments_of_its_own_is_not_guessed_at(asked, monkeypatch):
    """What a layer hands over and nobody here knows makes the model slow, and never wrong."""
    from transformers.models.llama import modeling_llama

    usual = modeling_llama.eager_attention_forward
    model = build_model("llama")
    forward = modeling_llama.LlamaAttention.forward

    def with_bias(self, *args, **kwargs):
        return forward(self, *args, **{**kwargs, "head_bias": torch.ones(4)})

    monkeypatch.setattr(modeling_llama.LlamaAttention, "forward", with_bias)
    engine = LocalEngine(model)
    for _ in range(2):  # the second call is told the same as the first
        engine.answer(random_adapters(model, 2, 3, "first"), asked)
        assert any("it attends with head_bias" in note for note in engine.notes)
    assert usual is modeling_llama.eager_attention_forward


def test_a_prompt_beyond_the_positions_of_a_model_gets_a_sentence(asked):
    """More virtual tokens than the model has positions: said before anything is computed."""
    for architecture in ("gpt2", "opt", "llama"):
        model = build_model(architecture)
        engine = LocalEngine(model)
        assert engine.info.positions == 512
        with pytest.raises(ModelError, match=r"has learned 512 positions; .* fewer virtual tokens"):
            engine.answer(random_adapters(model, 1, 500, "first"), asked)
        engine.answer([Adapter()], asked)


ROPES = {
    "longrope": {
        "rope_type": "longrope", "rope_theta": 10000.0, "factor": 8.0,
        "short_factor": [1.0] * 4, "long_factor": [4.0] * 4,
    },
    "dynamic": {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 4.0},
}  # fmt: skip


def test_frequencies_that_follow_from_the_longest_text_are_not_shared(asked):
    """Questions on both sides of the length of training are asked one by one, each as alone."""
    model = build_model(
        "phi3", original_max_position_embeddings=80, rope_parameters=ROPES["longrope"]
    )
    engine = LocalEngine(model)
    adapters = random_adapters(model, 2, 3, "first")
    plain = np.array([answer_one_by_one(model, adapter, asked.questions) for adapter in adapters])
    np.testing.assert_allclose(engine.answer(adapters, asked).probabilities, plain, atol=1e-5)
    assert "by the length of each text" in engine.notes[0]


def test_frequencies_that_depend_on_what_was_asked_before_are_not_reached(asked):
    """A dynamic scale keeps its state: beyond the length of training it is refused."""
    parameters = {**ROPES["dynamic"], "original_max_position_embeddings": 40}
    model = build_model("llama", rope_parameters=parameters)
    with pytest.raises(ModelError, match="has learned 40 positions"):
        LocalEngine(model).answer(random_adapters(model, 1, 30, "first"), asked)


class ReadsNumbers(LlamaForCausalLM):
    """Adds to the embedding of a word something that follows from its number, as Gemma 3n does."""

    def forward(self, input_ids=None, inputs_embeds=None, **more):
        if input_ids is not None:
            inputs_embeds = self.get_input_embeddings()(input_ids)
            inputs_embeds = inputs_embeds + (input_ids % 7)[..., None] / 7
        return super().forward(inputs_embeds=inputs_embeds, **more)


def test_words_beside_their_embeddings_cannot_be_replaced_by_a_prompt(asked):
    """A model that reads the numbers of its words as well: text yes, slowly; a soft prompt no."""
    usual = build_model("llama")
    torch.manual_seed(0)
    network = ReadsNumbers(usual.model.config).eval()
    network.load_state_dict(usual.model.state_dict())
    model = LanguageModel("numbers", "numbers", "0", network, usual.tokenizer)
    engine, adapters = LocalEngine(model), [Adapter("You live in Chad.")]
    answers = engine.answer(adapters, asked).probabilities
    context = tokenize(asked.questions[0], engine.reader, "You live in Chad.")
    logits = network(input_ids=torch.tensor([context.context])).logits[0, -1]
    plain = logits[list(context.labels)].softmax(-1).detach()
    np.testing.assert_allclose(answers[0, 0], plain, rtol=0, atol=1e-5)
    assert "the numbers of its words" in engine.notes[0]
    with pytest.raises(ModelError, match=r"cannot be given a soft prompt: it reads the numbers"):
        engine.answer(random_adapters(model, 1, 3, "first"), asked)


def test_what_is_no_causal_model_is_refused_kindly():
    """An encoder with a decoder does not continue a text."""
    network = T5ForConditionalGeneration(
        T5Config(vocab_size=100, d_model=16, d_kv=4, d_ff=16, num_layers=1, num_heads=2)
    )
    model = LanguageModel("t5", "t5", "0", network, build_tokenizer())
    with pytest.raises(ModelError, match="is no causal language model"):
        LocalEngine(model)
