"""LoRA under a gate inside the feed-forward parts: Eq. 1, its borders, and what is refused."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model

from blackbox_align.adapters import Adapter, Gate, Lora
from blackbox_align.engines.base import Request, Sampling
from blackbox_align.engines.local.blend import Blend
from blackbox_align.engines.local.engine import LocalEngine
from blackbox_align.errors import ModelError, SpecificationError
from blackbox_align.surveys import load_survey
from blackbox_align.surveys.sheet import Sheet, sheet
from tests.architectures import build_model

ASKED = Sheet(sheet(load_survey("vsm2013")).questions[:3], (("I live", " in Chad."),))
LAYERS, COLOURS, WIDTH = 2, 3, 32


def made_by_peft(model, seed, rank):
    """PEFT's own model with a random LoRA on the feed-forward parts, and the same as a value."""
    torch.manual_seed(seed)
    config = LoraConfig(
        r=rank,
        lora_alpha=2 * rank,
        target_modules=["gate_proj", "up_proj", "down_proj"],
        init_lora_weights=False,
    )
    adapted = get_peft_model(copy.deepcopy(model.model), config).eval()
    parts = {}
    for name, value in adapted.state_dict().items():
        if ".lora_" in name:
            module, kind = name.removeprefix("base_model.model.").split(".lora_")
            parts.setdefault(module, {})[kind[0]] = value.detach().numpy()
    return adapted, Lora({module: (p["A"], 2 * p["B"]) for module, p in parts.items()})


def one_hot(colour):
    return Gate(np.tile(np.eye(COLOURS, dtype=np.float32)[colour], (LAYERS, 1)))


def by_token(seed=0, temperature=1.0):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(LAYERS, COLOURS, WIDTH)).astype(np.float32)
    return Gate(rows=rows, temperature=temperature)


@pytest.fixture(scope="module", params=["llama", "mistral", "qwen2", "qwen3"])
def blended(request):
    """An engine, what PEFT makes of each LoRA (of different ranks), and the LoRA."""
    model = build_model(request.param)
    made = [made_by_peft(model, seed, rank=2 + seed) for seed in range(COLOURS)]
    return LocalEngine(model), [adapted for adapted, _ in made], tuple(lora for _, lora in made)


def test_a_one_hot_gate_is_that_peft_adapter(blended):
    """Probabilities and greedy texts, three colours in one call, as PEFT gives them one by one."""
    engine, peft, loras = blended
    adapters = [Adapter(loras=loras, gate=one_hot(n)) for n in range(COLOURS)]
    given = engine.answer(adapters, ASKED).probabilities
    alone = engine.answer([Adapter(loras=(lora,)) for lora in loras], ASKED).probabilities
    np.testing.assert_allclose(given, alone, atol=1e-5)
    assert np.abs(given[0] - given[1]).max() > 0.01
    prompt = tuple(engine.tokenize("I live in a town"))
    replies = [engine.submit(Request(prompt, Sampling(10), ((one, 1.0),))) for one in adapters]
    for reply, adapted in zip(replies, peft, strict=True):
        with torch.inference_mode():
            tokens = adapted.generate(
                input_ids=torch.tensor([prompt]), max_new_tokens=10, do_sample=False,
                eos_token_id=None, pad_token_id=0,
            )  # fmt: skip
        written = reply.result().tokens
        assert list(written) == tokens[0, len(prompt) :].tolist()[: len(written)] and written


def test_identical_colours_are_the_dense_model(blended):
    """Whatever the gate, to 1e-5 of the logits' scale; with no update at all it is the model itself."""
    engine, _, loras = blended
    nothing = Lora({name: (a, np.zeros_like(b)) for name, (a, b) in loras[0].updates.items()})
    same = [
        Adapter(loras=(loras[0],) * COLOURS, gate=by_token()),
        Adapter(loras=(nothing,) * COLOURS, gate=by_token()),
    ]
    given = engine.answer(same, ASKED)
    dense = engine.answer([Adapter(loras=(loras[0],)), Adapter()], ASKED)
    np.testing.assert_allclose(given.probabilities, dense.probabilities, atol=1e-5)
    np.testing.assert_allclose(given.divergence, dense.divergence, atol=1e-5)


def test_a_block_computes_equation_1(blended):
    """The output of a feed-forward part, against softmax(h W_g) and every expert written out."""
    engine, _, loras = blended
    model = copy.deepcopy(engine.model.model)
    hidden = torch.randn(2, 5, WIDTH, generator=torch.Generator().manual_seed(0))
    gate, layer = by_token(temperature=0.7), 1
    part = model.model.layers[layer].mlp
    with Blend(model, loras, torch.device("cpu")).hooked(model, [gate], lambda: True):
        given = part(hidden)
    weights = {name: getattr(part, name).weight for name in ("gate_proj", "up_proj", "down_proj")}
    rows = torch.from_numpy(gate.rows[layer])
    shares = (hidden @ rows.T / gate.temperature).softmax(-1)
    expected = torch.zeros_like(hidden)
    for colour, lora in enumerate(loras):
        moved = {}
        for name, weight in weights.items():
            a, b = map(torch.from_numpy, lora.updates[f"model.layers.{layer}.mlp.{name}"])
            moved[name] = weight + b @ a
        inner = torch.nn.functional.silu(hidden @ moved["gate_proj"].T) * (
            hidden @ moved["up_proj"].T
        )
        expected += shares[..., [colour]] * (inner @ moved["down_proj"].T)
    torch.testing.assert_close(given, expected, atol=1e-5 * float(expected.abs().max()), rtol=0)
    torch.testing.assert_close(
        part(hidden), copy.deepcopy(part)(hidden)
    )  # and nothing stays behind


def test_texts_in_one_row_have_their_own_gates(blended):
    """Spans of a packed row are what each text is by itself, and so are the rows of a batch."""
    engine, _, loras = blended
    model, lengths = copy.deepcopy(engine.model.model), (2, 3, 1)
    part = model.model.layers[0].mlp
    hidden = torch.randn(1, sum(lengths), WIDTH, generator=torch.Generator().manual_seed(1))
    gates = [one_hot(2), Gate(np.full((LAYERS, COLOURS), 1 / COLOURS, np.float32)), one_hot(0)]
    blend = Blend(model, loras, torch.device("cpu"))
    with blend.hooked(model, gates, lambda: True, lengths):
        packed = part(hidden)
    for gate, span, text in zip(
        gates, packed[0].split(lengths), hidden[0].split(lengths), strict=True
    ):
        with blend.hooked(model, [gate], lambda: True):
            torch.testing.assert_close(span, part(text[None])[0])
    rows = hidden[:, :3].transpose(0, 1)
    with blend.hooked(model, gates, lambda: True):
        together = part(rows)
    for gate, row, given in zip(gates, rows, together, strict=True):
        with blend.hooked(model, [gate], lambda: True):
            torch.testing.assert_close(given, part(row[None])[0])


def test_shared_passes_answer_as_plain_ones(blended):
    """A gate for every token: one packed row, and question by question."""
    engine, _, loras = blended
    adapter = [Adapter(loras=loras, gate=by_token(temperature=2.0))]
    together = engine.answer(adapter, ASKED).probabilities
    plainly = engine.answer(adapter, ASKED, plainly=True).probabilities
    np.testing.assert_allclose(together, plainly, atol=1e-5)


def test_gates_of_a_prompt_differ_in_one_call(blended):
    """Rows with gates of their own, a gate for every token, one LoRA and nothing: each as alone."""
    engine, _, loras = blended
    mixed = Gate(np.full((LAYERS, COLOURS), 1 / COLOURS, np.float32))
    adapters = [
        Adapter(loras=loras, gate=mixed),
        Adapter(),
        Adapter(loras=loras, gate=one_hot(1)),
        Adapter(loras=loras[:1]),
        Adapter(loras=loras, gate=by_token()),
    ]
    given = engine.answer(adapters, ASKED)
    for row, adapter in enumerate(adapters):
        alone = engine.answer([adapter], ASKED)
        np.testing.assert_allclose(given.probabilities[row], alone.probabilities[0], atol=1e-5)
    assert given.divergence[1] == 0 and (given.divergence[[0, 2, 4]] > 0.01).all()
    prompt = tuple(engine.tokenize("I live in"))
    asked = [Request(prompt, Sampling(6), ((one, 1.0),)) for one in adapters]
    together = [reply.result().tokens for reply in [engine.submit(one) for one in asked]]
    assert together == [engine.submit(one).result().tokens for one in asked]


def test_what_a_gate_cannot_share_is_refused():
    """Shapes, sums, updates outside the feed-forward parts, and parts of another form."""
    model = build_model("llama")
    _, lora = made_by_peft(model, 0, 2)
    engine = LocalEngine(model)

    def refused(gate, said, loras=(lora,) * COLOURS, kind=SpecificationError):
        with pytest.raises(kind, match=said):
            engine.answer([Adapter(loras=loras, gate=gate)], ASKED)

    refused(Gate(), "either weights or rows")
    refused(one_hot(0), "LoRA to share", loras=())
    refused(Gate(np.ones((3, COLOURS)) / COLOURS), r"array \(2, 3\)")
    refused(Gate(np.ones((LAYERS, COLOURS))), "1 in sum")
    refused(Gate(rows=np.ones((LAYERS, COLOURS, 8))), r"array \(2, 3, 32\)")
    attention = Lora({"model.layers.0.self_attn.q_proj": (np.ones((1, 32)), np.ones((32, 1)))})
    refused(one_hot(0), "feed-forward parts of LoRA", loras=(attention,) * COLOURS)
    small = Lora({"model.layers.0.mlp.up_proj": (np.ones((1, 31)), np.ones((48, 1)))})
    refused(one_hot(0), r"A \(r, 32\)", loras=(small,) * COLOURS)
    with pytest.raises(ModelError, match=r"form down\(act"):
        LocalEngine(build_model("gpt2")).answer(
            [Adapter(loras=(lora,) * 3, gate=one_hot(0))], ASKED
        )
