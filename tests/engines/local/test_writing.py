"""Texts that are written side by side: each as transformers writes it alone, under whatever voices."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from blackbox_align.adapters import Adapter
from blackbox_align.engines.base import Request, Sampling
from blackbox_align.engines.local.detokenizer import Detokenizer, Speller
from blackbox_align.engines.local.engine import LocalEngine
from blackbox_align.engines.local.sampling import draw, mixture
from blackbox_align.errors import ModelError, SpecificationError
from blackbox_align.surveys import load_survey
from blackbox_align.surveys.sheet import Sheet, sheet
from tests.architectures import build_model
from tests.engines.local.test_engine import random_adapters

LONG = Sampling(max_tokens=12)


def by_hand(model, voices, prompt, sampling, pool="linear"):
    """Greedy, all of the text again for each token, whole sequences, without a cache."""
    embed, tokens = model.model.get_input_embeddings(), []
    weights = np.array([weight for _, weight in voices])
    while len(tokens) < sampling.max_tokens:
        logits = []
        for adapter, _ in voices:
            lead = f"{adapter.text}\n" if adapter.text else ""
            before = model.tokenizer(lead + prompt).input_ids
            text = embed(torch.tensor(before + tokens))
            if adapter.prompt is not None:
                at = {"first": 0, "message": 1, "last": len(before)}[adapter.prompt.placement]
                vectors = torch.tensor(adapter.prompt.vectors)
                text = torch.cat([text[:at], vectors, text[at:]])
            with torch.inference_mode():
                logits.append(model.model(inputs_embeds=text[None]).logits[0, -1].numpy())
        token = int(mixture(np.stack(logits), weights, pool).argmax())
        if token == model.tokenizer.eos_token_id:
            break
        tokens.append(token)
    return tuple(tokens)


@pytest.mark.parametrize("architecture", ["llama", "gemma3_text", "gpt_oss", "stablelm", "mamba"])
def test_texts_are_those_that_a_model_writes_alone(architecture):
    """Several at once, under prompts of all lengths and places, and under a text."""
    model = build_model(architecture)
    engine = LocalEngine(model)
    adapters = [Adapter(), Adapter("You live in Chad.")]
    for seed, (tokens, place) in enumerate(
        [(3, "first"), (1, "message"), (5, "last"), (2, "first")]
    ):
        adapters += random_adapters(model, 1, tokens, place, seed)
    prompts = ["How are you", "Where", "The scale of time is", "A", "Answer the question", "With"]
    replies = [
        engine.submit(Request(prompt, LONG, ((adapter, 1.0),)))
        for prompt, adapter in zip(prompts, adapters, strict=True)
    ]
    for reply, prompt, adapter in zip(replies, prompts, adapters, strict=True):
        text = reply.result()
        assert text.tokens == by_hand(model, [(adapter, 1.0)], prompt, LONG)
        assert (
            "".join(reply)
            == text.text
            == model.tokenizer.decode(text.tokens, skip_special_tokens=True)
        )


@pytest.mark.parametrize("pool", ["linear", "log"])
def test_voices_write_one_text_from_their_mixture(pool):
    """Each token is drawn once, from the pool of all voices by weight."""
    model = build_model("llama")
    voices = [(Adapter(), 0.2), *((a, 0.4) for a in random_adapters(model, 2, 2, "first"))]
    reply = LocalEngine(model).submit(Request("How are you", LONG, tuple(voices), pool))
    assert reply.result().tokens == by_hand(model, voices, "How are you", LONG, pool)


def test_mixtures_are_the_pools_of_the_definition():
    """Worked out by hand for two words."""
    logits = np.log(np.array([[0.5, 0.5], [0.9, 0.1]]))
    weights = np.array([1.0, 3.0])
    np.testing.assert_allclose(np.exp(mixture(logits, weights, "linear")), [0.8, 0.2])
    raw = np.array([0.5**0.25 * 0.9**0.75, 0.5**0.25 * 0.1**0.75])
    np.testing.assert_allclose(np.exp(mixture(logits, weights, "log")), raw / raw.sum())


def test_draws_follow_their_probabilities_and_the_nucleus():
    """Shares of 4,000 draws, and none outside of the smallest set that holds ``top_p``."""
    logits, rng = np.log(np.array([[0.6, 0.3, 0.1]])), np.random.default_rng(0)
    for top_p, expected in ((1.0, [0.6, 0.3, 0.1]), (0.7, [2 / 3, 1 / 3, 0]), (0.1, [1, 0, 0])):
        sampling = Sampling(temperature=1.0, top_p=top_p)
        drawn = [draw(logits, np.ones(1), "linear", sampling, rng)[0] for _ in range(4000)]
        np.testing.assert_allclose(np.bincount(drawn, minlength=3) / 4000, expected, atol=0.03)


def test_a_seed_gives_the_same_text_in_any_company():
    """Sampled texts, alone and among others, and while questions are asked."""
    model = build_model("llama")
    asked = Sheet(sheet(load_survey("vsm2013")).questions[:4])
    requests = [Request("How", Sampling(10, 1.0, seed=seed)) for seed in range(5)]
    alone = [LocalEngine(model).submit(request).result() for request in requests]
    engine = LocalEngine(model)
    adapters = random_adapters(model, 3, 3, "last")
    expected = engine.answer(adapters, asked).probabilities
    replies = [engine.submit(request) for request in requests]
    between = engine.answer(adapters, asked).probabilities
    np.testing.assert_array_equal(between, expected)
    for reply, text in zip(replies, alone, strict=True):
        assert reply.result().tokens == text.tokens
        np.testing.assert_allclose(reply.result().logprobs, text.logprobs, atol=1e-4)
    assert len({text.tokens for text in alone}) > 1


def test_a_text_ends_at_a_stop_at_its_length_or_when_it_is_cancelled():
    """A stop is cut off and never shown in part; a cancelled text says so."""
    model = build_model("llama")
    engine = LocalEngine(model)
    whole = engine.submit(Request("How are you", LONG)).result()
    assert whole.reason == "length" and len(whole.tokens) == 12 == len(whole.logprobs)
    stop = whole.text[len(whole.text) // 2 :][:3]
    reply = engine.submit(Request("How are you", Sampling(12, stop=(stop,))))
    assert "".join(reply) == reply.result().text == whole.text[: whole.text.find(stop)]
    assert reply.result().reason == "stop"
    cancelled = engine.submit(Request("How are you", Sampling(400)))
    cancelled.cancel()
    assert cancelled.result().reason == "cancelled" and len(cancelled.result().tokens) < 400


def test_what_cannot_be_written_is_said_before_it_begins():
    """Too long, no tokens, no message of a user; a closed engine ends its texts."""
    model = build_model("llama")
    engine = LocalEngine(model)
    with pytest.raises(ModelError, match="has learned 512 positions; ask for less"):
        engine.submit(Request("How", Sampling(600)))
    with pytest.raises(SpecificationError, match="one token or more"):
        engine.submit(Request(()))
    with pytest.raises(SpecificationError, match="a message of the user"):
        engine.submit(Request([{"role": "system", "content": "Be brief."}]))
    reply = engine.submit(Request("How", Sampling(400)))
    engine.close()
    with pytest.raises(ModelError, match="was closed"):
        reply.result()


def whole_pass(model, adapter, tokens):
    """(tokens - 1, words) log-probabilities of what follows each token, in one pass of its own."""
    text = model.model.get_input_embeddings()(torch.tensor(tokens))
    places = range(len(tokens) - 1)
    if adapter.prompt is not None:
        width = len(adapter.prompt)
        at = {"first": 0, "message": 1, "last": len(tokens)}[adapter.prompt.placement]
        text = torch.cat([text[:at], torch.tensor(adapter.prompt.vectors), text[at:]])
        places = [place + (width if place + 1 >= at else 0) for place in places]
    with torch.inference_mode():
        return model.model(inputs_embeds=text[None]).logits[0, list(places)].log_softmax(-1)


@pytest.mark.parametrize("architecture", ["llama", "mamba"])
def test_an_echo_tells_how_likely_the_prompt_was(architecture):
    """All of its tokens but the first, under prompts in all places; as one pass of its own has it."""
    model = build_model(architecture)
    engine = LocalEngine(model)
    adapters = [Adapter()]
    for tokens, place in ((3, "first"), (2, "message"), (4, "last")):
        adapters += random_adapters(model, 1, tokens, place, tokens)
    text = "The scale of time is long"
    asked = Sampling(1, logprobs=3)
    replies = [engine.submit(Request(text, asked, ((a, 1.0),), echo=True)) for a in adapters]
    for adapter, reply in zip(adapters, replies, strict=True):
        read = reply.result().read
        tokens = [token.token for token in read]
        assert tokens == model.tokenizer(text).input_ids and np.isnan(read[0].logprob)
        expected = whole_pass(model, adapter, tokens)
        for place, token in enumerate(read[1:]):
            assert token.logprob == pytest.approx(float(expected[place, token.token]), abs=1e-4)
            best = expected[place].topk(3)
            assert [word for word, _ in token.top] == best.indices.tolist()
            assert text[token.start :].startswith(model.tokenizer.decode([token.token]))
    given = engine.submit(Request(tuple(tokens), Sampling(0), echo=True)).result()
    assert given.text == "" and len(given.read) == len(tokens)
    pair = ((Adapter(), 0.5), (Adapter("You live in Chad."), 0.5))
    with pytest.raises(SpecificationError, match="read different texts"):
        engine.submit(Request(text, voices=pair, echo=True))


def test_a_long_echo_is_read_in_parts(monkeypatch):
    """Where not all logits are held at once the figures stay the same."""
    engine = LocalEngine(build_model("llama"))
    request = Request("The scale of time is long", Sampling(1), echo=True)
    whole = engine.submit(request).result().read
    monkeypatch.setattr("blackbox_align.engines.local.row_reader._LOGITS_AT_ONCE", 3 * 400)
    parts = engine.submit(request).result().read
    np.testing.assert_allclose([t.logprob for t in parts], [t.logprob for t in whole], atol=1e-6)


def test_rows_of_all_lengths_come_go_and_outgrow_their_banks():
    """Texts of 3 to 90 tokens behind prompts of 2 to 150; each as it is written alone."""
    model = build_model("llama", eos_token_id=None)
    engine = LocalEngine(model)
    engine._batch._ends = frozenset()
    requests = [
        Request("time " * (2 + 9 * number), Sampling(3 + 29 * (number % 4)))
        for number in range(0, 9)
    ]
    replies = [engine.submit(request) for request in requests]
    together = [reply.result().tokens for reply in replies]
    assert together == [engine.submit(request).result().tokens for request in requests]
    assert [len(tokens) for tokens in together] == [3 + 29 * (n % 4) for n in range(9)]
    engine.embed([0])  # behind the last step
    assert not engine._batch._reader._banks, "what is over is forgotten"


def test_the_likeliest_tokens_are_told_beside_each():
    """Best first, the drawn one's figure among them; a listener hears of every token and of the end."""
    engine = LocalEngine(build_model("llama"))
    reply = engine.submit(Request("How are you", Sampling(5, logprobs=2)))
    heard = []
    reply.follow(lambda: heard.append(reply.since(0, 0)))
    text = reply.result()
    for token in text.written:
        assert len(token.top) == 2 and token.top[0] == (token.token, token.logprob)
    assert heard and heard[-1].whole is text and heard[-1].tokens == text.written
    starts = [token.start for token in text.written]
    assert starts == sorted(starts) and starts[0] == 0


def test_a_text_that_grows_is_the_text_that_is_decoded_whole():
    """Bytes of unfinished characters, special tokens, blanks: token by token."""
    tokenizer = build_model("llama").tokenizer
    rng = np.random.default_rng(0)
    for text in ("Über naïve Ärzte, 日本語 and 🙂 x", None):
        tokens = rng.integers(len(tokenizer), size=60).tolist() if text is None else (
            tokenizer(text).input_ids
        )  # fmt: skip
        growing = Detokenizer(tokenizer)
        for token in tokens:
            grown = growing.add(token)
        assert grown == growing.whole() == tokenizer.decode(tokens, skip_special_tokens=True)
    spell = Speller(tokenizer).spell
    blank = next(n for n, token in enumerate(tokenizer.convert_ids_to_tokens(range(400))) if token[1:] and (
        token.startswith("Ġ")))  # fmt: skip
    assert spell(blank) == " " + tokenizer.convert_ids_to_tokens(blank)[1:]
    assert {spell(n) for n in range(len(tokenizer)) if spell(n).startswith("token_id:")}


def test_a_cancelled_text_leaves_within_one_step():
    """Of two texts one is cancelled: at most one more step reads both, and the other goes on as alone."""
    engine = LocalEngine(build_model("llama", eos_token_id=None))
    engine._batch._ends = frozenset()
    reader, rows = engine._batch._reader, []
    read = reader.go_on

    def counted(tokens):
        rows.append(len(tokens))
        return read(tokens)

    reader.go_on = counted
    gone = engine.submit(Request("How", Sampling(400)))
    stays = engine.submit(Request("Where", Sampling(60)))
    next(iter(gone))
    gone.cancel()
    before = len(rows)
    assert gone.result().reason == "cancelled"
    text = stays.result()
    assert len(text.tokens) == 60 and rows[before + 1 :].count(2) == 0
    assert text.tokens == engine.submit(Request("Where", Sampling(60))).result().tokens
