"""Candidates per second of several ways to ask a survey, side by side on the same prompts.

python benchmarks/evaluator/run.py                       # both CPU models, or an 8B shape on a GPU
python benchmarks/evaluator/run.py --model 6x256 --threads 1
"""

from __future__ import annotations

import argparse
import ctypes
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import psutil
import torch
from models import benchmark_model
from peer import SharedPrefix
from torch import Tensor

from blackbox_align import minimize
from blackbox_align.adapters import Adapter, SoftPrompt
from blackbox_align.engines.checkpoint import LanguageModel
from blackbox_align.engines.local.engine import LocalEngine
from blackbox_align.engines.local.packed import PackedLinear
from blackbox_align.engines.local.prefix_tree import flat_tokens, prefix_tree
from blackbox_align.engines.local.questions import Tokenized, tokenize_survey
from blackbox_align.engines.local.tree_attention import pack
from blackbox_align.surveys import Survey, load_survey
from blackbox_align.surveys.sheet import sheet

GENERATED = 8  # tokens of an answer in words


@dataclass
class Way:
    """A way to answer ``candidates`` of the prompts; ``flops`` are what one candidate needs."""

    name: str
    ask: Callable[[np.ndarray], np.ndarray | None]
    candidates: int
    flops: float
    seconds: float = float("inf")
    processor: float = float("inf")
    memory: float = 0.0
    answers: np.ndarray | None = field(default=None, repr=False)


@torch.inference_mode()
def generate(model: LanguageModel, questions: Sequence[Tokenized], prompts: np.ndarray) -> None:
    """One ``generate`` per question, as the papers do it; the answer would be parsed from the text."""
    embed = model.model.get_input_embeddings()
    for prompt in as_tensor(model, prompts):
        for question in questions:
            ids = torch.tensor(question.context, device=model.device)
            embeds = torch.cat([prompt, embed(ids)])[None]
            model.model.generate(
                inputs_embeds=embeds,
                attention_mask=torch.ones(embeds.shape[:2], dtype=torch.long, device=model.device),
                max_new_tokens=GENERATED,
                min_new_tokens=GENERATED,
                do_sample=False,
            )


@torch.inference_mode()
def one_by_one(
    model: LanguageModel, questions: Sequence[Tokenized], width: int, prompts: np.ndarray
) -> np.ndarray:
    """One forward call per question, with the logits of its last place alone."""
    embed = model.model.get_input_embeddings()
    answers = np.zeros((len(prompts), len(questions), width), np.float32)
    for answer, prompt in zip(answers, as_tensor(model, prompts), strict=True):
        for row, question in zip(answer, questions, strict=True):
            ids = torch.tensor(question.context, device=model.device)
            embeds = torch.cat([prompt, embed(ids)])[None]
            last = model.model(inputs_embeds=embeds, use_cache=False, logits_to_keep=1).logits
            own = list(question.labels)
            row[: len(own)] = last[0, -1, own].float().softmax(-1).cpu().numpy()
    return answers


@torch.inference_mode()
def padded(
    model: LanguageModel, questions: Sequence[Tokenized], width: int, prompts: np.ndarray
) -> np.ndarray:
    """One padded batch per candidate with all logits: transformers as its manual shows it."""
    embed = model.model.get_input_embeddings()
    lengths = torch.tensor([len(question.context) for question in questions])
    ids = torch.zeros(len(questions), int(lengths.max()), dtype=torch.long)
    for row, question in zip(ids, questions, strict=True):
        row[: len(question.context)] = torch.tensor(question.context)
    mask = torch.arange(ids.shape[1] + prompts.shape[1]) < (lengths + prompts.shape[1])[:, None]
    text, mask = embed(ids.to(model.device)), mask.long().to(model.device)
    ends = lengths.to(model.device) + prompts.shape[1] - 1
    answers = np.zeros((len(prompts), len(questions), width), np.float32)
    for answer, prompt in zip(answers, as_tensor(model, prompts), strict=True):
        embeds = torch.cat([prompt.expand(len(questions), -1, -1), text], dim=1)
        logits = model.model(inputs_embeds=embeds, attention_mask=mask, use_cache=False).logits
        last = logits[torch.arange(len(questions), device=model.device), ends].float()
        for row, question, one in zip(answer, questions, last, strict=True):
            row[: len(question.labels)] = one[list(question.labels)].softmax(-1).cpu().numpy()
    return answers


def as_tensor(model: LanguageModel, prompts: np.ndarray) -> Tensor:
    return torch.as_tensor(prompts).to(model.device, model.dtype)


def needed_flops(model: LanguageModel, depths: Sequence[int], ends: int, labels: int) -> float:
    """Multiplications and additions for tokens at ``depths`` and the label rows at ``ends`` places."""
    config = model.model.config
    names = ("embed_tokens", "lm_head", "wte", "wpe")
    inner = sum(
        p.numel() for n, p in model.model.named_parameters() if not any(m in n for m in names)
    )
    width = config.num_attention_heads * (
        getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    )
    scores = 4 * config.num_hidden_layers * width * sum(depth + 1 for depth in depths)
    return 2 * inner * len(depths) + scores + 2 * config.hidden_size * labels * ends


def matmul_rates(device: torch.device, dtype: torch.dtype) -> dict[str, float]:
    """The machine's best rates on a square matrix product, in FLOP/s, by the library that makes it.

    On a CPU they are per second of one thread's processor time, so that a busy machine counts little.
    """
    size = 8192 if device.type == "cuda" else 1024
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    products: dict[str, Callable[[], object]] = {"torch": lambda: torch.nn.functional.linear(a, b)}
    if device.type == "cpu" and dtype == torch.float32 and torch.backends.mkldnn.is_available():
        layer = PackedLinear.over(torch.nn.Linear(size, size, bias=False))
        products["oneDNN"] = torch.inference_mode()(lambda: layer(a))
    now = time.process_time if device.type == "cpu" else partial(clock, device)
    rates = {}
    for name, product in products.items():
        best = float("inf")
        for _ in range(12):
            begin = now()
            product()
            best = min(best, now() - begin)
        rates[name] = 2 * size**3 / best
    return rates


def clock(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


class PeakMemory:
    """The most memory used above what was in use at the start, in MB: of the GPU, or resident."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.megabytes = 0.0

    def __enter__(self) -> PeakMemory:
        if sys.platform == "linux":  # what was freed before and kept is no use of this one's
            ctypes.CDLL(None).malloc_trim(0)
        self.begin = self._now()
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        else:
            self.done = threading.Event()
            self.thread = threading.Thread(target=self._watch)
            self.thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self.device.type == "cuda":
            self.megabytes = (torch.cuda.max_memory_allocated() - self.begin) / 1e6
        else:
            self.done.set()
            self.thread.join()

    def _now(self) -> int:
        if self.device.type == "cuda":
            return torch.cuda.memory_allocated()
        return psutil.Process().memory_info().rss

    def _watch(self) -> None:
        while not self.done.wait(0.002):
            self.megabytes = max(self.megabytes, (self._now() - self.begin) / 1e6)


def measure(name: str, options: argparse.Namespace, survey: Survey) -> None:
    """Measure one model and print its table."""
    model = benchmark_model(name, options.device, options.dtype)
    questions = tokenize_survey(survey, model.tokenizer)
    rng = np.random.default_rng(0)
    shape = (options.candidates, options.tokens, model.embedding_width)
    prompts = rng.normal(0, model.embedding_std(), shape).astype(np.float32)
    tree = prefix_tree([question.context for question in questions])
    labels = len({label for question in questions for label in question.labels})
    items, lengths = len(questions), [len(question.context) for question in questions]
    row = pack(tree, options.tokens)
    first = needed_flops(model, row.positions, items, labels)
    behind = [length + i for length in lengths for i in range(options.tokens)]
    last = needed_flops(model, behind, items, labels)
    engine, asked = LocalEngine(model), sheet(survey)

    def ours(placement: str, vectors: np.ndarray) -> np.ndarray:
        adapters = [Adapter(prompt=SoftPrompt(each, placement)) for each in vectors]
        return engine.answer(adapters, asked).probabilities

    peer = SharedPrefix(model, questions, survey.width)
    ways = [
        Way("(1) one generate per question", lambda p: generate(model, questions, p), 1, first),
        Way("(2) one forward per question",
            lambda p: one_by_one(model, questions, survey.width, p), 1, first),
        Way("(3) one padded batch per candidate",
            lambda p: padded(model, questions, survey.width, p), min(4, options.candidates), first),
        Way("(4) shared prefix in a cache, three groups", peer, options.candidates, first),
        Way("(5) ours, prompt first", partial(ours, "first"), options.candidates, first),
        Way("(6) ours, prompt last", partial(ours, "last"), options.candidates, last),
    ]  # fmt: skip
    begin = clock(model.device)
    ours("first", prompts)
    warm_up = clock(model.device) - begin
    for way in ways:
        with PeakMemory(model.device) as peak:
            way.answers = way.ask(prompts[: way.candidates])
        way.memory = peak.megabytes
    rates: dict[str, float] = {}
    slow = options.repeats if options.all else 1
    for turn in range(options.repeats):  # in turn, so that a busy moment of the machine hits all
        for name_, found in matmul_rates(model.device, model.dtype).items():
            rates[name_] = max(rates.get(name_, 0.0), found)
        for way in ways:
            if way in ways[:3] and turn >= slow:
                continue
            begin, own = clock(model.device), time.process_time()
            way.ask(prompts[: way.candidates])
            way.seconds = min(way.seconds, (clock(model.device) - begin) / way.candidates)
            way.processor = min(way.processor, (time.process_time() - own) / way.candidates)

    config = model.model.config
    where = torch.cuda.get_device_name() if model.device.type == "cuda" else (
        f"CPU, {engine.threads} thread(s)"
    )  # fmt: skip
    rate = max(rates.values())
    told = ", ".join(f"{found / 1e9:,.0f} GFLOP/s by {library}" for library, found in rates.items())
    apart = sum(lengths) + items * options.tokens
    beginnings = {q.context[:end] for q in questions for end in range(1, len(q.context) + 1)}
    could = apart - len(beginnings) - options.tokens  # were every beginning that recurs read once
    saved, others = ((apart - n) / could for n in (len(row), peer.tokens(options.tokens)))
    print(
        f"\n**{name}** ({config.num_hidden_layers} layers, {config.hidden_size} wide, vocabulary "
        f"{config.vocab_size:,}; {str(model.dtype).removeprefix('torch.')}; {where}; load "
        f"{os.getloadavg()[0]:.1f})  \n"
        f"{items} items of {min(lengths)} to {max(lengths)} tokens, {options.tokens} virtual tokens: "
        f"{len(row):,} tokens per candidate prompt first ({sum(1 for _ in flat_tokens(tree)):,} of them "
        f"text, {apart:,} if nothing were shared), {len(behind):,} prompt last. Tokens saved of those "
        f"that sharing could save: ours {saved:.0%}, (4) {others:.0%}.  \n"
        f"Matrix products: {told}; useful FLOPs are shares of the faster. Best of {options.repeats} "
        f"turns ({slow} of (1) to (3)); {items / ways[4].seconds:,.0f} questions a second under as many "
        f"prompts; the first pass took {warm_up:.1f} s.\n"
    )
    print(
        "| | candidates/s | per s of processor | times (1) | times (4) | useful FLOPs | peak memory |"
    )
    print("|---|---|---|---|---|---|---|")
    on_gpu = model.device.type == "cuda"

    def spent(way: Way) -> float:
        """What is compared: on a CPU the processor's time, which others' work stretches little."""
        return way.seconds if on_gpu else way.processor

    for way in ways:
        print(
            f"| {way.name} | {1 / way.seconds:,.2f} | {1 / way.processor:,.2f} | "
            f"{spent(ways[0]) / spent(way):,.1f} | {spent(ways[3]) / spent(way):,.2f} | "
            f"{way.flops / spent(way) / rate:.0%} | {way.memory:,.0f} MB |"
        )
    assert ways[3].answers is not None and ways[4].answers is not None
    gap = np.abs(ways[3].answers - ways[4].answers).max()
    print(
        f"\nLargest difference in a label's probability between (4) and (5): {gap:.1e}. Prompt last is "
        f"{spent(ways[4]) / spent(ways[5]):.1f} times prompt first."
    )
    if options.search:
        share = search_share(model, survey, options, not on_gpu)
        print(f"A search asks at {share:.2f} of the rate of bare asking, in turn with it.")


def search_share(
    model: LanguageModel, survey: Survey, options: argparse.Namespace, processor: bool
) -> float:
    """The rate of a whole search (its optimizer, its losses, its batches) over that of bare asks.

    A bare ask of as many prompts follows each of the search's, so that both meet the machine's pace.
    """
    now = time.process_time if processor else time.perf_counter
    bare = 0.0
    with LocalEngine(model) as engine:
        asked = sheet(survey)
        target = engine.answer([Adapter()], asked).probabilities[0]
        width = model.embedding_width
        dimension, scale = options.tokens * width, model.embedding_std()

        def adapters(vectors: np.ndarray) -> list[Adapter]:
            shaped = vectors.reshape(len(vectors), options.tokens, width).astype(np.float32)
            return [Adapter(prompt=SoftPrompt(each, "first")) for each in shaped]

        same = adapters(np.zeros((options.candidates, dimension)) + scale)

        def loss(vectors: np.ndarray) -> np.ndarray:
            nonlocal bare
            answers = engine.answer(adapters(vectors), asked).probabilities
            begin = now()
            engine.answer(same[: len(vectors)], asked)
            bare += now() - begin
            return np.square(answers - target).sum((1, 2))

        loss(np.zeros((options.candidates, dimension)))  # warm
        bare, begin = 0.0, now()
        minimize(
            loss, dimension, optimizer="cma-diagonal", budget=options.search, seed=0,
            options={"population": options.candidates}, target_loss=0.0,
        )  # fmt: skip
        return bare / (now() - begin - bare)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", action="append", help="a shape of models.py, or any model")
    parser.add_argument("--candidates", type=int, default=20)
    parser.add_argument("--tokens", type=int, default=5, help="length of the soft prompt")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--all", action="store_true", help="as many turns of the slow ways")
    parser.add_argument(
        "--search",
        type=int,
        default=0,
        help="evaluations of a search, measured against bare asking",
    )
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--threads", type=int, help="CPU threads; by default all")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    on_gpu = torch.cuda.is_available() and options.device != "cpu"
    survey = load_survey("vsm2013")
    for name in options.model or (["llama-3-8b"] if on_gpu else ["respondent-tiny", "6x256"]):
        measure(name, options, survey)


if __name__ == "__main__":
    main()
