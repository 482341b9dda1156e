from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import Gemma3nTextConfig, MambaConfig, MambaForCausalLM

from blackbox_align.engines.base import PARITY, PLACEMENTS
from blackbox_align.engines.checkpoint import load_model
from blackbox_align.engines.local import in_process
from blackbox_align.engines.local.in_process import InProcessEvaluator
from blackbox_align.engines.local.questions import tokenize_survey
from blackbox_align.errors import ModelError, SpecificationError
from blackbox_align.surveys import load_survey
from tests.small_models import ARCHITECTURES, save_small_model


@pytest.fixture(scope="module")
def survey():
    return load_survey("vsm2013")


@pytest.fixture(scope="module")
def small_model(tmp_path_factory):
    loaded = {}

    def get(architecture):
        if architecture not in loaded:
            folder = save_small_model(architecture, tmp_path_factory.mktemp(architecture))
            loaded[architecture] = load_model(str(folder), device="cpu")
        return loaded[architecture]

    return get


def answer_one_by_one(model, soft_prompt, survey, placement="first"):
    """The plain way: the whole sequence, one question at a time, all logits, no cache."""
    rows = []
    for question in tokenize_survey(survey, model.tokenizer):
        with torch.inference_mode():
            ids = torch.tensor([question.context])
            text = model.model.get_input_embeddings()(ids)
            prompt = torch.tensor(soft_prompt)[None]
            parts = [prompt, text] if placement == "first" else [text, prompt]
            embeds = torch.cat(parts, dim=1)
            logits = model.model(inputs_embeds=embeds, use_cache=False).logits[0, -1]
        rows.append(logits[list(question.labels)].softmax(-1).numpy())
    return np.array(rows)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(("tokens", "placement"), [(0, "first"), (3, "first"), (3, "last")])
def test_answers_are_those_of_asking_one_question_at_a_time(
    architecture, tokens, placement, small_model, survey
):
    """Sharing openings, packing and the short output layer change nothing but float noise."""
    model = small_model(architecture)
    rng = np.random.default_rng(0)
    scale = model.embedding_std()
    prompts = rng.normal(0, scale, (4, tokens, model.embedding_width)).astype(np.float32)
    answers = InProcessEvaluator(model, placement=placement).answer(prompts, survey)
    plain = np.array([answer_one_by_one(model, p, survey, placement) for p in prompts])
    assert answers.std(axis=1).max() > 0.01  # a flat answer would hide a mistake
    np.testing.assert_allclose(answers, plain, atol=2e-6)


@pytest.mark.parametrize(("placement", "noise"), [("first", 1e-6), ("last", 2e-6)])
@pytest.mark.parametrize("architecture", ["llama", "gpt2", "gemma3"])
def test_answers_do_not_depend_on_the_batch_size(
    architecture, placement, noise, small_model, survey
):
    """One at a time, in sevens or all at once: probabilities differ by float noise alone."""
    model = small_model(architecture)
    rng = np.random.default_rng(1)
    shape = (20, 3, model.embedding_width)
    prompts = rng.normal(0, model.embedding_std(), shape).astype(np.float32)
    whole = InProcessEvaluator(model, placement=placement, batch_size=64).answer(prompts, survey)
    for batch_size in (1, 7):
        evaluator = InProcessEvaluator(model, placement=placement, batch_size=batch_size)
        parts = evaluator.answer(prompts, survey)
        np.testing.assert_allclose(parts, whole, atol=noise)


@pytest.mark.parametrize(("dtype", "noise"), [("bfloat16", 2e-2), ("float16", 3e-3)])
@pytest.mark.parametrize("placement", PLACEMENTS)
def test_half_precision_answers_within_its_noise_of_float32(dtype, noise, placement, survey):
    """On random prompts of the embedded model, as docs/evaluator.md tells it."""
    full, half = (load_model(dtype=name, device="cpu") for name in ("float32", dtype))
    rng = np.random.default_rng(0)
    prompts = rng.normal(0, full.embedding_std(), (20, 5, full.embedding_width))
    expected, answers = (
        InProcessEvaluator(model, placement=placement).answer(prompts, survey)
        for model in (full, half)
    )
    assert 1e-5 < np.abs(answers - expected).max() < noise < PARITY[dtype]


def test_the_batch_halves_itself_when_memory_runs_out(small_model, survey, monkeypatch):
    """Too large a batch is tried once; the answers are complete, and the smaller batch is kept."""
    model = small_model("llama")
    evaluator = InProcessEvaluator(model, batch_size=16)
    prompts = np.ones((10, 2, model.embedding_width), np.float32) * np.arange(10)[:, None, None]
    expected = evaluator.answer(prompts, survey)
    answer_batch, sizes = InProcessEvaluator._answer_batch, []

    def with_little_memory(self, batch, plan):
        sizes.append(len(batch))
        if len(batch) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return answer_batch(self, batch, plan)

    monkeypatch.setattr(InProcessEvaluator, "_answer_batch", with_little_memory)
    np.testing.assert_allclose(evaluator.answer(prompts, survey), expected, atol=1e-6)
    assert sizes == [10, 5, 2, 2, 2, 2, 2] and evaluator.batch_size == 2
    evaluator.batch_size = 1
    monkeypatch.setattr(
        InProcessEvaluator,
        "_answer_batch",
        lambda *_: (_ for _ in ()).throw(torch.OutOfMemoryError("out of memory")),
    )
    with pytest.raises(ModelError, match="Memory ran out on cpu for a single candidate"):
        evaluator.answer(prompts, survey)


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_a_pass_is_cut_to_the_memory_that_is_free(placement, small_model, survey, monkeypatch):
    """Halves of the usual size, down to one candidate: no pass fails, and the answers are the same."""
    model = small_model("llama")
    prompts = np.ones((40, 4, model.embedding_width), np.float32) * np.arange(40)[:, None, None]
    usual = InProcessEvaluator(model, placement=placement)
    expected, sizes = usual.answer(prompts, survey), [usual.candidates_per_pass(4, survey)]
    for free in (2**24, 2**23, 1):
        monkeypatch.setattr(in_process, "free_memory", lambda device, free=free: free)
        evaluator = InProcessEvaluator(model, placement=placement)
        np.testing.assert_allclose(evaluator.answer(prompts, survey), expected, atol=2e-6)
        sizes.append(evaluator.candidates_per_pass(4, survey))
    assert sizes == sorted(set(sizes), reverse=True) and sizes[-1] == 1


def test_the_widest_layer_counts_where_layers_differ():
    """Gemma 3n lists an MLP width per layer; the largest is thought to be that of all."""
    needed = []
    for widths in ([1024, 64], [1024, 1024]):
        config = Gemma3nTextConfig(num_hidden_layers=2, intermediate_size=widths)
        model = SimpleNamespace(model=SimpleNamespace(config=config), dtype=torch.float32)
        needed.append(in_process.bytes_per_token(model))
    assert needed[0] == needed[1]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
@pytest.mark.parametrize("placement", PLACEMENTS)
def test_a_pass_takes_no_more_memory_than_it_is_thought_to(placement):
    """The peak of a real process stays below the estimate, and is not far from it."""
    estimate, taken = map(float, run_python(PEAK_OF_A_PASS, placement).split())
    assert 0.25 * estimate < taken < estimate


PEAK_OF_A_PASS = """
import sys
from pathlib import Path
import numpy as np
from blackbox_align.engines.local.in_process import InProcessEvaluator, bytes_per_token
from blackbox_align.engines.checkpoint import load_model
from blackbox_align.surveys import load_survey

model, survey = load_model(), load_survey("vsm2013")
evaluator = InProcessEvaluator(model, placement=sys.argv[1])
count = evaluator.candidates_per_pass(5, survey)
prompts = np.ones((count, 5, model.embedding_width), np.float32)
evaluator.answer(prompts[:2], survey)
longest = max(len(question.context) for question in evaluator._plan(survey).questions) + 5
status = Path("/proc/self/status")  # getrusage would tell the peak of the process that began this one
before = int(status.read_text().split("VmRSS:")[1].split()[0])
evaluator.answer(prompts, survey)
peak = int(status.read_text().split("VmHWM:")[1].split()[0])
estimate = 16_384 * bytes_per_token(model, longest if sys.argv[1] == "last" else 0)
print(estimate, 1024 * (peak - before))
"""


def run_python(script, *arguments):
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_a_model_that_attends_in_another_way_is_refused(small_model, survey, tmp_path):
    """State from token to token, which a tree of questions would mix up, gets a sentence."""
    folder = save_small_model("llama", tmp_path / "mamba")
    config = MambaConfig(vocab_size=600, hidden_size=32, num_hidden_layers=2, state_size=4)
    torch.manual_seed(0)
    MambaForCausalLM(config).save_pretrained(folder)
    model = load_model(str(folder), device="cpu")
    nothing = np.zeros((1, 0, model.embedding_width), np.float32)
    with pytest.raises(
        ModelError, match=r"\(mamba\) does not attend as a plain causal transformer"
    ):
        InProcessEvaluator(model).answer(nothing, survey)


def test_the_models_own_attention_is_left_as_it_was(small_model, survey):
    """After an answer, and after one that failed, the model works as before."""
    model = small_model("llama")
    usual = model.model.config._attn_implementation
    evaluator = InProcessEvaluator(model)
    evaluator.answer(np.zeros((1, 2, model.embedding_width), np.float32), survey)
    with pytest.raises(RuntimeError):
        evaluator.answer(np.zeros((1, 2, model.embedding_width + 1), np.float32), survey)
    assert model.model.config._attn_implementation == usual
    assert model.model.lm_head.out_features == model.model.config.vocab_size


def test_an_unknown_placement_gets_a_sentence(small_model):
    """Anything but first and last is refused."""
    with pytest.raises(SpecificationError, match="must be 'first' or 'last'; not 'middle'"):
        InProcessEvaluator(small_model("llama"), placement="middle")
