"""Experts in a vocabulary: the same logits from token ids alone, and no virtual token in what is written."""

from __future__ import annotations

import json

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from blackbox_align.adapters.adapter import Adapter, SoftPrompt
from blackbox_align.engines.base import Request, Sampling
from blackbox_align.engines.checkpoint import find_model
from blackbox_align.engines.local.engine import LocalEngine
from blackbox_align.errors import ExpertError, SpecificationError
from blackbox_align.experts import write_expert
from blackbox_align.experts.vocabulary import export_vocabulary
from tests.experts.hand_made import KINDS, PROOF, card, vectors
from tests.small_models import save_small_model

PLACES = {"first": 3, "message": 2, "last": 5}
QUESTION = [{"role": "user", "content": "What is the scale of time?"}]


def _tied(folder, tie):
    """The same random model with or without an output layer of its own."""
    model = AutoModelForCausalLM.from_pretrained(folder)
    rows = model.get_input_embeddings().weight
    if tie:
        model.get_output_embeddings().weight = rows
    else:
        model.get_output_embeddings().weight = torch.nn.Parameter(torch.randn_like(rows) * 0.3)
    model.config.tie_word_embeddings = tie
    model.save_pretrained(folder)


def _experts(folder, checkpoint, width):
    made = []
    for seed, (place, tokens) in enumerate(PLACES.items()):
        adapter = Adapter(prompt=SoftPrompt(vectors(tokens, width, seed), place))
        made.append(
            write_expert(folder / place, adapter, card(checkpoint.name, checkpoint.revision), PROOF)
        )
    return made


@pytest.fixture(scope="module", params=["llama-chat", "qwen2", "gpt2", "llama"])
def exported(request, tmp_path_factory):
    """A small model of each kind, tied and untied, with three experts in its vocabulary."""
    made = {}
    for tie in (True, False):
        folder = tmp_path_factory.mktemp("vocabulary")
        save_small_model(request.param, folder / "model")
        _tied(folder / "model", tie)
        checkpoint = find_model(str(folder / "model"), device="cpu")
        experts = _experts(folder / "experts", checkpoint, 32)
        made[tie] = checkpoint, experts, export_vocabulary(checkpoint, experts, folder / "out")
    return made


@pytest.mark.parametrize("tie", [True, False], ids=["tied", "untied"])
def test_token_ids_alone_have_the_parity_of_the_vectors(exported, tie):
    """What transformers writes from the chat template is what the engine writes under the vectors."""
    checkpoint, experts, out = exported[tie]
    assert out.difference <= 1e-5 and not checkpoint.folder.samefile(out.path)
    tokenizer = AutoTokenizer.from_pretrained(out.path)
    model = AutoModelForCausalLM.from_pretrained(out.path).eval()
    assert not model.config.tie_word_embeddings
    engine = LocalEngine(find_model(str(checkpoint.folder), device="cpu").model)
    for expert in experts:
        request = Request(QUESTION, Sampling(max_tokens=8), ((expert.adapter(), 1.0),))
        wanted = engine.submit(request).result().tokens
        ids = tokenizer.apply_chat_template(
            QUESTION, expert=expert.name, add_generation_prompt=True, return_tensors="pt"
        )["input_ids"]
        assert [i for i in ids[0].tolist() if i in out.tokens[expert.name]] == list(
            out.tokens[expert.name]
        )
        written = model.generate(ids, max_new_tokens=8, do_sample=False, pad_token_id=0)
        assert tuple(written[0, ids.shape[1] :].tolist())[: len(wanted)] == wanted
    engine.close()


@pytest.mark.parametrize("tie", [True, False], ids=["tied", "untied"])
def test_without_an_expert_it_is_the_model_as_it_was(exported, tie):
    """The same text, the same logits."""
    checkpoint, _, out = exported[tie]
    before = find_model(str(checkpoint.folder), device="cpu").model
    after = AutoModelForCausalLM.from_pretrained(out.path).eval()
    tokenizer = AutoTokenizer.from_pretrained(out.path)
    text = tokenizer.apply_chat_template(QUESTION, tokenize=False, add_generation_prompt=True)
    if before.tokenizer.chat_template:
        own = before.tokenizer.apply_chat_template(
            QUESTION, tokenize=False, add_generation_prompt=True
        )
        assert text == own
    ids = tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids
    words = min(len(before.tokenizer), before.info.vocabulary)
    with torch.inference_mode():
        gap = before.model(ids).logits[..., :words] - after(ids).logits[..., :words]
    assert float(gap.abs().max()) <= 1e-5
    with pytest.raises(Exception, match="there is no expert SUA"):
        tokenizer.apply_chat_template(QUESTION, expert="SUA")


def test_in_two_thousand_sampled_tokens_no_virtual_one(exported):
    """Sampled at temperature 1 from random weights, where no token is really unused."""
    _, experts, out = exported[True]
    model = AutoModelForCausalLM.from_pretrained(out.path).eval()
    tokenizer = AutoTokenizer.from_pretrained(out.path)
    virtual = {i for own in out.tokens.values() for i in own}
    ids = tokenizer.apply_chat_template(
        QUESTION, expert=experts[0].name, add_generation_prompt=True, return_tensors="pt"
    )["input_ids"]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        drawn = model.generate(
            ids, do_sample=True, max_new_tokens=50, min_new_tokens=50, top_k=0,
            num_return_sequences=40, pad_token_id=0,
        )[:, ids.shape[1] :]  # fmt: skip
    assert drawn.numel() == 2000 and not virtual & set(drawn.flatten().tolist())
    assert out.share < 0.05


def test_the_list_of_experts_says_where_their_tokens_stand(exported):
    """What a client has to know stands in a file beside the weights."""
    _, experts, out = exported[True]
    listed = json.loads((out.path / "experts.json").read_text())["experts"]
    assert {(one["expert"], one["placement"]) for one in listed} == {(p, p) for p in PLACES}
    assert listed[0]["digest"] == experts[0].adapter().digest()


def test_what_is_no_vector_or_of_another_model_is_refused(tmp_path):
    """Before anything is written."""
    save_small_model("llama", tmp_path / "model")
    checkpoint = find_model(str(tmp_path / "model"), device="cpu")
    other = write_expert(tmp_path / "other", KINDS["first"], card(), PROOF)
    for kind in ("lora", "text"):
        about = card(checkpoint.name, checkpoint.revision)
        expert = write_expert(tmp_path / kind, KINDS[kind], about, PROOF)
        with pytest.raises(ExpertError, match="only vectors"):
            export_vocabulary(checkpoint, [expert], tmp_path / "out")
    narrow = write_expert(
        tmp_path / "narrow", KINDS["first"], card(checkpoint.name, checkpoint.revision), PROOF
    )
    for experts, why in (([other], "another model"), ([narrow], "8 wide"), ([], "no expert")):
        with pytest.raises(ExpertError, match=why):
            export_vocabulary(checkpoint, experts, tmp_path / "out")
    with pytest.raises(SpecificationError, match="there already"):
        export_vocabulary(checkpoint, [narrow], tmp_path)
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob(".*.new"))


@pytest.mark.slow
@pytest.mark.parametrize("tie", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize("architecture", ["llama-chat", "qwen2", "mistral", "gemma2", "phi3"])
def test_continuous_batching_of_transformers_has_the_parity_of_the_vectors(
    tmp_path, architecture, tie
):
    """``generate_batch`` takes token ids alone: all experts in one batch, each as the engine writes it."""
    save_small_model(architecture, tmp_path / "model")
    _tied(tmp_path / "model", tie)
    checkpoint = find_model(str(tmp_path / "model"), device="cpu")
    experts = _experts(tmp_path / "experts", checkpoint, 32)
    out = export_vocabulary(checkpoint, experts, tmp_path / "out")
    assert out.difference <= 1e-5
    tokenizer = AutoTokenizer.from_pretrained(out.path)
    attention = "eager" if architecture == "gemma2" else "sdpa"  # Gemma 2 has no other on a CPU
    model = AutoModelForCausalLM.from_pretrained(out.path, attn_implementation=attention).eval()
    asked = [None, *experts]
    ids = [
        tokenizer.apply_chat_template(
            QUESTION, add_generation_prompt=True, **({"expert": expert.name} if expert else {})
        )["input_ids"]
        for expert in asked
    ]
    written = model.generate_batch(
        inputs=ids,
        generation_config=GenerationConfig(
            max_new_tokens=8, do_sample=False, eos_token_id=2, pad_token_id=0, use_cuda_graph=False
        ),
    )
    found = sorted(
        written.values(), key=lambda one: [list(i) for i in ids].index(list(one.prompt_ids))
    )
    engine = LocalEngine(find_model(str(tmp_path / "model"), device="cpu").model)
    for expert, one in zip(asked, found, strict=True):
        adapter = expert.adapter() if expert else Adapter()
        request = Request(QUESTION, Sampling(max_tokens=8), ((adapter, 1.0),))
        wanted = engine.submit(request).result().tokens
        assert tuple(one.generated_tokens[: len(wanted)]) == wanted
    engine.close()


@pytest.mark.slow
def test_in_ten_thousand_sampled_tokens_no_virtual_one(exported):
    """As above, five times as many."""
    _, experts, out = exported[False]
    model = AutoModelForCausalLM.from_pretrained(out.path).eval()
    tokenizer = AutoTokenizer.from_pretrained(out.path)
    virtual = {i for own in out.tokens.values() for i in own}
    with torch.random.fork_rng():
        torch.manual_seed(1)
        drawn = []
        for expert in experts:
            ids = tokenizer.apply_chat_template(
                QUESTION, expert=expert.name, add_generation_prompt=True, return_tensors="pt"
            )["input_ids"]
            drawn.append(
                model.generate(
                    ids, do_sample=True, max_new_tokens=50, min_new_tokens=50, top_k=0,
                    num_return_sequences=67, pad_token_id=0,
                )[:, ids.shape[1] :]
            )  # fmt: skip
    tokens = torch.cat(drawn).flatten().tolist()
    assert len(tokens) >= 10_000 and not virtual & set(tokens)
