"""Texts that a model only reads: divergence and surprise against sums written out here."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from blackbox_align.adapters import Adapter, SoftPrompt
from blackbox_align.engines.checkpoint import load_model
from blackbox_align.engines.local.engine import LocalEngine
from blackbox_align.engines.local.texts import Reading, read
from blackbox_align.surveys.neutral_texts import neutral_texts
from blackbox_align.surveys.sheet import Sheet
from tests.small_models import save_small_model

PAIRS = (("Question: how important", " is time for you"), ("", "security of employment"))


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def model(request, tmp_path_factory):
    """A tokenizer with a begin token, and one without."""
    return load_model(
        str(save_small_model(request.param, tmp_path_factory.mktemp("m"))), device="cpu"
    )


def by_hand(model, adapter, context, continuation):
    """Log-probabilities of all words where the tokens of the continuation are predicted, and those."""
    begin = [model.tokenizer.bos_token_id] if model.tokenizer("").input_ids else []
    lead = adapter.text + ("\n" if adapter.text and context else "") + context
    before = begin + model.tokenizer(lead, add_special_tokens=False).input_ids
    behind = model.tokenizer(continuation, add_special_tokens=False).input_ids
    embed = model.model.get_input_embeddings()
    text = embed(torch.tensor(before + behind))
    width = 0
    if adapter.prompt is not None:
        at = {"first": 0, "message": len(begin), "last": len(before)}[adapter.prompt.placement]
        vectors = torch.tensor(adapter.prompt.vectors)
        text, width = torch.cat([text[:at], vectors, text[at:]]), len(vectors)
    with torch.inference_mode():
        logs = model.model(inputs_embeds=text[None]).logits[0].log_softmax(-1)
    skip = 0 if begin or context else 1  # the first of all tokens is predicted by nothing
    ends = [width + len(before) + n - 1 for n in range(skip, len(behind))]
    return logs[ends], behind[skip:]


@pytest.mark.parametrize("placement", ["first", "message", "last"])
def test_divergence_and_surprise_are_those_of_the_definition(model, placement):
    """KL of the next token from the model as it is, and the mean of its surprise, token by token."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(0, model.embedding_std(), (2, 3, model.embedding_width))
    adapters = [Adapter(), *(Adapter(prompt=SoftPrompt(v, placement)) for v in vectors)]
    adapters.append(Adapter("You live in Chad.", adapters[1].prompt))
    answers = LocalEngine(model).answer(adapters, Sheet((), PAIRS))
    assert (answers.divergence[0] == 0).all() and (answers.divergence[1:] > 0.01).all()
    for column, pair in enumerate(PAIRS):
        usual, _ = by_hand(model, Adapter(), *pair)
        for row, adapter in enumerate(adapters):
            logs, words = by_hand(model, adapter, *pair)
            gap = (logs.exp() * (logs - usual)).sum(-1).mean()
            surprise = -logs[range(len(words)), words].mean()
            assert answers.divergence[row, column] == pytest.approx(float(gap), abs=1e-5)
            assert answers.surprise[row, column] == pytest.approx(float(surprise), abs=1e-5)


def test_in_one_row_texts_are_read_as_by_themselves(tmp_path):
    """Those that ship, in front of a chat template and inside its message; some of one token alone."""
    model = load_model(str(save_small_model("llama-chat", tmp_path)), device="cpu")
    engine = LocalEngine(model)
    texts = (*neutral_texts().search, ("Name a number.", "1"), ("", "1"), ("", ""))
    reading = Reading.of(texts, engine.reader)
    vectors = np.random.default_rng(0).normal(0, 1, (2, 3, model.embedding_width))
    prompts = torch.tensor(vectors, dtype=torch.float32)
    with torch.inference_mode():
        for place in ("first", "message"):
            together, alone = (
                torch.stack(read(engine._passes, reading, prompts, place, way))
                for way in (False, True)
            )
            assert torch.allclose(together, alone, atol=2e-5, equal_nan=True)
            assert together[:, :, -1].isnan().all() and together[:, :, :-1].isfinite().all()
            rows = [bundle for bundle in reading.bundled(place == "message", False, 10**6)]
            assert max(len(bundle.columns) for bundle in rows) > 10
    engine.close()
