"""lm-evaluation-harness itself against the real server, where it is installed."""

from __future__ import annotations

import pytest
import torch

from blackbox_align.experts import Library

openai_completions = pytest.importorskip(
    "lm_eval.models.openai_completions", reason="needs lm-evaluation-harness"
)
PAIRS = (
    ("Question: Is it right?\nA = yes, B = no\nAnswer:", " A"),
    ("What is the scale of time? Answer:", " 1 2 3"),
    ("How", " is it to be answered"),
)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["base", "SAU", "EGY", "JPN"])
def test_its_log_likelihoods_are_our_own(server, tiny, tmp_path, monkeypatch, model):
    """To 1e-4, in batches, from tokens as it sends them by default; the same words are greedy."""
    tiny.tokenizer.save_pretrained(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    harness = openai_completions.LocalCompletionsAPI(
        base_url=f"{server.url}/v1/completions", model=model, tokenizer=str(tmp_path), batch_size=2,
        tokenizer_backend="huggingface", tokenized_requests=True, add_bos_token=True,
    )  # fmt: skip
    from lm_eval.api.instance import Instance

    asked = [Instance("loglikelihood", {}, pair, n) for n, pair in enumerate(PAIRS)]
    found = harness.loglikelihood(asked, disable_tqdm=True)
    prompt = None
    if model != "base":
        prompt = Library(server.folder / "experts").read(model).adapter().prompt
    embed = tiny.model.get_input_embeddings()
    for (context, continuation), (likelihood, greedy) in zip(PAIRS, found, strict=True):
        ids = tiny.tokenizer(context + continuation).input_ids
        behind = len(tiny.tokenizer(context).input_ids)
        embeds, places = embed(torch.tensor(ids)), list(range(behind - 1, len(ids) - 1))
        if prompt is not None:
            at = {"first": 0, "message": 1, "last": len(ids)}[prompt.placement]
            embeds = torch.cat([embeds[:at], torch.tensor(prompt.vectors), embeds[at:]])
            places = [n + (len(prompt) if n + 1 > at else 0) for n in places]
        with torch.inference_mode():
            logs = tiny.model(inputs_embeds=embeds[None]).logits[0, places].log_softmax(-1)
        words = torch.tensor(ids[behind:])
        assert likelihood == pytest.approx(float(logs.gather(1, words[:, None]).sum()), abs=1e-4)
        assert greedy == bool((logs.argmax(-1) == words).all())
