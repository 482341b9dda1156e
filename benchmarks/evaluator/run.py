"""Candidates per second of four ways to ask a survey, side by side on the same prompts.

python benchmarks/evaluator/run.py                       # both CPU models, or an 8B shape on a GPU
python benchmarks/evaluator/run.py --model 6x256 --threads 1
"""

from __future__ import annotations

import argparse
import ctypes
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
from torch import Tensor

from blackbox_align.adapters import Adapter, SoftPrompt
from blackbox_align.engines.checkpoint import LanguageModel
from blackbox_align.engines.local.engine import LocalEngine
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


def matmul_rate(device: torch.device, dtype: torch.dtype) -> float:
    """The machine's best rate on a square matrix product, in FLOP/s."""
    size = 8192 if device.type == "cuda" else 1024
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    best = float("inf")
    for _ in range(12):
        begin = clock(device)
        a @ b
        best = min(best, clock(device) - begin)
    return 2 * size**3 / best


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

    ways = [
        Way("(1) one generate per question", lambda p: generate(model, questions, p), 1, first),
        Way("(2) one padded batch per candidate",
            lambda p: padded(model, questions, survey.width, p), min(4, options.candidates), first),
        Way("(3) ours, prompt first", partial(ours, "first"), options.candidates, first),
        Way("(4) ours, prompt last", partial(ours, "last"), options.candidates, last),
    ]  # fmt: skip
    for way in ways:
        with PeakMemory(model.device) as peak:
            way.answers = way.ask(prompts[: way.candidates])
        way.memory = peak.megabytes
    rate = 0.0
    for _ in range(options.repeats):  # in turn, so that a busy moment of the machine hits all
        rate = max(rate, matmul_rate(model.device, model.dtype))
        for way in ways:
            begin = clock(model.device)
            way.ask(prompts[: way.candidates])
            way.seconds = min(way.seconds, (clock(model.device) - begin) / way.candidates)

    config = model.model.config
    where = torch.cuda.get_device_name() if model.device.type == "cuda" else (
        f"CPU, {torch.get_num_threads()} thread(s)"
    )  # fmt: skip
    print(
        f"\n**{name}** ({config.num_hidden_layers} layers, {config.hidden_size} wide, vocabulary "
        f"{config.vocab_size:,}; {str(model.dtype).removeprefix('torch.')}; {where})  \n"
        f"{items} items of {min(lengths)} to {max(lengths)} tokens, {options.tokens} virtual tokens: "
        f"{len(row):,} tokens per candidate prompt first ({sum(1 for _ in flat_tokens(tree)):,} of them "
        f"text, {sum(lengths):,} if nothing were shared), {len(behind):,} prompt last.  \n"
        f"Matrix products: {rate / 1e9:,.0f} GFLOP/s. Best of {options.repeats} turns.\n"
    )
    print("| | candidates/s | times (1) | times (2) | useful FLOPs | peak memory |")
    print("|---|---|---|---|---|---|")
    slowest, batch = ways[0].seconds, ways[1].seconds
    for way in ways:
        share = way.flops / way.seconds / rate
        print(
            f"| {way.name} | {1 / way.seconds:,.2f} | {slowest / way.seconds:,.1f} | "
            f"{batch / way.seconds:,.1f} | {share:.0%} | {way.memory:,.0f} MB |"
        )
    assert ways[1].answers is not None and ways[2].answers is not None
    gap = np.abs(ways[1].answers - ways[2].answers[: ways[1].candidates]).max()
    twenty = 20 * ways[2].seconds
    print(
        f"\nLargest difference in a label's probability between (2) and (3): {gap:.1e}. "
        f"Twenty candidates take {twenty:.2f} s. Prompt last is {ways[2].seconds / ways[3].seconds:.1f} "
        "times prompt first."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", action="append", help="a shape of models.py, or any model")
    parser.add_argument("--candidates", type=int, default=20)
    parser.add_argument("--tokens", type=int, default=5, help="length of the soft prompt")
    parser.add_argument("--repeats", type=int, default=5)
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
