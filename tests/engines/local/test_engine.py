from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import Gemma3nTextConfig

from blackbox_align.adapters.adapter import PLACEMENTS, Adapter, SoftPrompt
from blackbox_align.engines.base import PARITY
from blackbox_align.engines.checkpoint import load_model
from blackbox_align.engines.local import engine as engine_module
from blackbox_align.engines.local.chat import Reader
from blackbox_align.engines.local.engine import LocalEngine
from blackbox_align.engines.local.passes import Passes
from blackbox_align.engines.local.questions import tokenize
from blackbox_align.engines.local.shadow import bytes_per_token
from blackbox_align.errors import ModelError, OutOfMemoryError, SpecificationError
from blackbox_align.surveys import load_survey
from blackbox_align.surveys.sheet import Sheet, sheet
from tests.small_models import ARCHITECTURES, save_small_model


@pytest.fixture(scope="module")
def asked():
    return sheet(load_survey("vsm2013"))


@pytest.fixture(scope="module")
def small_model(tmp_path_factory):
    loaded = {}

    def get(architecture):
        if architecture not in loaded:
            folder = save_small_model(architecture, tmp_path_factory.mktemp(architecture))
            loaded[architecture] = load_model(str(folder), device="cpu")
        return loaded[architecture]

    return get


THIRD = slice(
    None, None, 3
)  # asking plainly costs the most here, so every third question is asked so


def random_adapters(model, count, tokens, placement, seed=0):
    rng = np.random.default_rng(seed)
    shape = (count, tokens, model.embedding_width)
    vectors = rng.normal(0, model.embedding_std(), shape)
    return [Adapter(prompt=SoftPrompt(v, placement)) if tokens else Adapter() for v in vectors]


def answer_one_by_one(model, adapter, questions):
    """The plain way: the whole sequence, one question at a time, all logits, no cache."""
    rows, reader = [], Reader(model.tokenizer)
    for asked in questions:
        question = tokenize(asked, reader, adapter.text)
        with torch.inference_mode():
            text = model.model.get_input_embeddings()(torch.tensor(question.context))
            if adapter.prompt is not None:
                places = {"first": 0, "message": question.opening, "last": len(text)}
                at = places[adapter.prompt.placement]
                prompt = torch.tensor(adapter.prompt.vectors)
                text = torch.cat([text[:at], prompt, text[at:]])
            logits = model.model(inputs_embeds=text[None], use_cache=False).logits[0, -1]
        rows.append(logits[list(question.labels)].softmax(-1).numpy())
    return np.array(rows)


CASES = [(0, "first"), *((3, placement) for placement in PLACEMENTS)]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(("tokens", "placement"), CASES)
def test_answers_are_those_of_asking_one_question_at_a_time(
    architecture, tokens, placement, small_model, asked
):
    """Sharing openings, packing and the short output layer change nothing but float noise."""
    model = small_model(architecture)
    adapters = random_adapters(model, 4, tokens, placement)
    engine = LocalEngine(model)
    answers = engine.answer(adapters, asked).probabilities
    plain = np.array(
        [answer_one_by_one(model, adapter, asked.questions[THIRD]) for adapter in adapters]
    )
    assert answers.std(axis=1).max() > 0.01  # a flat answer would hide a mistake
    # Weights this large make a probability of 2.4e-6 of the rounding, under MKL_CBWR=COMPATIBLE.
    np.testing.assert_allclose(answers[:, THIRD], plain, rtol=0, atol=5e-6)
    assert engine.notes == ()


@pytest.mark.parametrize("architecture", ["llama-chat", "gemma3", "mistral"])
def test_adapters_of_all_kinds_may_come_together(architecture, small_model, asked):
    """Texts, and prompts of several lengths at several places, in one call: each row as alone."""
    model = small_model(architecture)
    adapters = [Adapter(), Adapter("You live in Chad."), Adapter()]
    for seed, (tokens, placement) in enumerate(
        [(1, "last"), (3, "message"), (2, "first"), (3, "last")]
    ):
        adapters += random_adapters(model, 2, tokens, placement, seed)
    adapters.append(Adapter("You live in Chad.", adapters[-3].prompt))
    adapters = adapters[::2] + adapters[1::2]
    engine = LocalEngine(model)
    together = engine.answer(adapters, asked)
    for number, adapter in enumerate(adapters):
        alone = LocalEngine(model).answer([adapter], asked)
        np.testing.assert_allclose(
            together.probabilities[number], alone.probabilities[0], rtol=0, atol=1e-5
        )
        plain = answer_one_by_one(model, adapter, asked.questions[THIRD])
        np.testing.assert_allclose(alone.probabilities[0, THIRD], plain, rtol=0, atol=1e-5)
    assert together.failures == (None,) * len(adapters)


@pytest.mark.parametrize("architecture", ["llama-chat", "gemma2"])
def test_asking_plainly_shares_nothing_and_gives_the_same(architecture, small_model, asked):
    """One by one under the model's own attention: the same answers, with the mass of the labels."""
    model = small_model(architecture)
    adapters = [Adapter("Be brief."), *random_adapters(model, 2, 3, "message")]
    engine = LocalEngine(model)
    shared, plain = engine.answer(adapters, asked), engine.answer(adapters, asked, plainly=True)
    np.testing.assert_allclose(shared.probabilities, plain.probabilities, rtol=0, atol=2e-6)
    assert ((plain.mass > 0) & (plain.mass < 1)).all()
    np.testing.assert_allclose(shared.mass[0], plain.mass[0], rtol=1e-4)
    assert np.isnan(shared.mass[1:]).all()  # all words at once would cost more than the answers


@pytest.mark.parametrize(("placement", "noise"), [("first", 1e-6), ("last", 2e-6)])
@pytest.mark.parametrize("architecture", ["llama", "gpt2", "gemma3"])
def test_answers_do_not_depend_on_the_batch_size(
    architecture, placement, noise, small_model, asked
):
    """One at a time, in sevens or all at once: probabilities differ by float noise alone."""
    model = small_model(architecture)
    adapters = random_adapters(model, 20, 3, placement, seed=1)
    whole = LocalEngine(model, 64).answer(adapters, asked).probabilities
    for batch_size in (1, 7):
        parts = LocalEngine(model, batch_size).answer(adapters, asked).probabilities
        np.testing.assert_allclose(parts, whole, atol=noise)


@pytest.mark.parametrize(("dtype", "noise"), [("bfloat16", 2e-2), ("float16", 3e-3)])
@pytest.mark.parametrize("placement", PLACEMENTS)
def test_half_precision_answers_within_its_noise_of_float32(dtype, noise, placement, asked):
    """On random prompts of the embedded model, as docs/evaluator.md tells it."""
    full, half = (load_model(dtype=name, device="cpu") for name in ("float32", dtype))
    adapters = random_adapters(full, 20, 5, placement)
    expected, answers = (
        LocalEngine(model).answer(adapters, asked).probabilities for model in (full, half)
    )
    assert 1e-5 < np.abs(answers - expected).max() < noise < PARITY[dtype]


def test_the_batch_halves_itself_when_memory_runs_out(small_model, asked, monkeypatch):
    """Too large a batch is tried once; the answers are complete, and the smaller batch is kept."""
    model = small_model("llama")
    engine, adapters = LocalEngine(model, 16), random_adapters(model, 10, 2, "first")
    expected = engine.answer(adapters, asked).probabilities
    in_a_row, sizes = Passes.in_a_row, []

    def with_little_memory(self, plan, prompts, *more):
        sizes.append(len(prompts))
        if len(prompts) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return in_a_row(self, plan, prompts, *more)

    monkeypatch.setattr(Passes, "in_a_row", with_little_memory)
    np.testing.assert_allclose(engine.answer(adapters, asked).probabilities, expected, atol=1e-6)
    assert sizes == [10, 5, 2, 2, 2, 2, 2] and engine.batch_size == 2
    engine.batch_size = 1
    monkeypatch.setattr(
        Passes,
        "in_a_row",
        lambda *_: (_ for _ in ()).throw(torch.OutOfMemoryError("out of memory")),
    )
    with pytest.raises(OutOfMemoryError, match="Memory ran out on cpu for a single candidate"):
        engine.answer(adapters, asked)


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_a_pass_is_cut_to_the_memory_that_is_free(placement, small_model, asked, monkeypatch):
    """Halves of the usual size, down to one candidate: no pass fails, and the answers are the same."""
    model = small_model("llama")
    adapters = random_adapters(model, 40, 4, placement)
    usual = LocalEngine(model)
    expected = usual.answer(adapters, asked).probabilities
    sizes = [usual.candidates_per_pass(4, placement, asked)]
    for free in (2**24, 2**23, 1):
        monkeypatch.setattr(engine_module, "free_memory", lambda device, free=free: free)
        engine = LocalEngine(model)
        np.testing.assert_allclose(
            engine.answer(adapters, asked).probabilities, expected, atol=2e-6
        )
        sizes.append(engine.candidates_per_pass(4, placement, asked))
    assert sizes == sorted(set(sizes), reverse=True) and sizes[-1] == 1


def test_what_a_candidate_costs_is_its_own_tokens_and_all_that_stands_behind(small_model, asked):
    """In front, the whole survey is read again; behind, only its own tokens are, once a question."""
    engine = LocalEngine(small_model("llama"))
    price = {
        p: engine.tokens_of(random_adapters(engine.model, 1, 4, p)[0], asked) for p in PLACEMENTS
    }
    assert price["last"] == 4 * len(asked.questions)
    assert price["first"] - 4 == engine.tokens_of(random_adapters(engine.model, 1, 0, "")[0], asked)
    words = {len(engine.tokenize(question.text)) for question in asked.questions}
    assert max(words) < price["first"] <= 4 + len(asked.questions) * (max(words) + 20)


def test_the_widest_layer_counts_where_layers_differ():
    """Gemma 3n lists an MLP width per layer; the largest is thought to be that of all."""
    needed = []
    for widths in ([1024, 64], [1024, 1024]):
        config = Gemma3nTextConfig(num_hidden_layers=2, intermediate_size=widths)
        model = SimpleNamespace(model=SimpleNamespace(config=config), dtype=torch.float32)
        needed.append(bytes_per_token(model))
    assert needed[0] == needed[1]


def test_the_model_that_an_engine_was_given_stays_as_it_was(small_model, asked):
    """After answers and after one that failed: the same modules, attention, and bits of its forward."""
    model = small_model("gemma3")
    ids = torch.tensor([tokenize(asked.questions[0], Reader(model.tokenizer)).context])
    before = model.model(input_ids=ids).logits
    modules = [id(part) for part in model.model.modules()]
    attributes = [set(vars(part)) for part in model.model.modules()]
    usual = model.model.config._attn_implementation
    engine = LocalEngine(model)
    for placement in PLACEMENTS:
        engine.answer(random_adapters(model, 2, 3, placement), asked)
    with pytest.raises(SpecificationError, match=r"is 32 wide; not 33"):
        engine.answer([Adapter(prompt=SoftPrompt(np.zeros((2, 33))))], asked)
    assert torch.equal(model.model(input_ids=ids).logits, before)
    assert [id(part) for part in model.model.modules()] == modules
    assert [set(vars(part)) for part in model.model.modules()] == attributes
    assert model.model.config._attn_implementation == usual


def test_a_closed_engine_says_so(small_model, asked):
    """Closing twice is fine; asking afterwards is a sentence."""
    with LocalEngine(small_model("llama")) as engine:
        engine.answer([Adapter()], asked)
    engine.close()
    with pytest.raises(ModelError, match="The engine was closed"):
        engine.answer([Adapter()], asked)


def test_nothing_to_answer_is_no_mistake(small_model, asked):
    """No adapters, and a sheet without questions."""
    engine = LocalEngine(small_model("llama"))
    assert engine.answer([], asked).probabilities.shape == (0, 24, 5)
    assert engine.answer([Adapter()], Sheet(())).probabilities.shape == (1, 0, 0)


def test_a_candidate_of_nan_fails_and_spoils_no_other(small_model, asked):
    """Its answers are NaN and it says why; the others are as they were."""
    model = small_model("llama")
    engine, adapters = LocalEngine(model), random_adapters(model, 3, 2, "last")
    expected = engine.answer(adapters, asked)
    adapters[1].prompt.vectors[0, 0] = np.nan
    answers = engine.answer(adapters, asked)
    assert np.isnan(answers.probabilities[1]).all()
    assert answers.failures == (None, "the model's answer is not a finite number", None)
    np.testing.assert_array_equal(answers.probabilities[::2], expected.probabilities[::2])
