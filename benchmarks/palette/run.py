"""What a blend and five drafts cost over the model as it is.

    python benchmarks/palette/run.py                     # the embedded model
    python benchmarks/palette/run.py --model 12x768      # random weights, shapes of ../evaluator/models.py
    python benchmarks/palette/run.py --memory --model 1b # peak memory, each in a process of its own

Five LoRA of rank 8 on gate, up and down projections, random. Prints a line of JSON. Times are of the
processor, all threads; what is compared takes turns, and the median of the ratios of the turns is told, so
that other work on the machine disturbs it little. Run it alone all the same, and state the load.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "evaluator"))
from models import SHAPES, benchmark_model

from blackbox_align.adapters.adapter import Adapter, Gate, Lora
from blackbox_align.engines.base import Request, Sampling
from blackbox_align.engines.local.engine import LocalEngine
from blackbox_align.palette.gate import one_hot
from blackbox_align.surveys.opinion_files import load_opinions
from blackbox_align.surveys.sheet import sheet

COLOURS, RANK, TOKENS = 5, 8, 24
QUESTION = "How important is religion in the life of somebody who lives in Kenya, and why?"


def random_loras(model: torch.nn.Module, rng: np.random.Generator) -> tuple[Lora, ...]:
    """Updates of a tenth of the weights' size, drawn anew for each colour."""
    shapes = {
        name: tuple(module.weight.shape)
        for name, module in model.named_modules()
        if name.endswith(("gate_proj", "up_proj", "down_proj"))
    }

    def update(out: int, wide: int) -> tuple[np.ndarray, np.ndarray]:
        a, b = rng.normal(size=(RANK, wide)), rng.normal(size=(out, RANK))
        return (a / wide**0.5).astype(np.float32), (0.1 * b / RANK**0.5).astype(np.float32)

    return tuple(
        Lora({name: update(*shape) for name, shape in shapes.items()}) for _ in range(COLOURS)
    )


def ratio(dear: Callable[[], object], plain: Callable[[], object], turns: int) -> dict[str, float]:
    """The median over turns of the processor time of one over the other, and the quarters around it."""
    found, base = [], []
    for _ in range(turns):
        times = []
        for job in (plain, dear):
            began = time.process_time()
            job()
            times.append(time.process_time() - began)
        found.append(times[1] / times[0])
        base.append(times[0])
    low, middle, high = np.quantile(found, (0.25, 0.5, 0.75))
    return {
        "times": round(float(middle), 2), "quarters": [round(float(low), 2), round(float(high), 2)],
        "plain_ms": round(1000 * float(np.median(base)), 1),
    }  # fmt: skip


def times(name: str, turns: int) -> dict[str, object]:
    model = benchmark_model(name, "cpu", "float32")
    rng = np.random.default_rng(0)
    loras = random_loras(model.model, rng)
    layers, width = model.model.config.num_hidden_layers, model.model.config.hidden_size
    rows = rng.normal(size=(layers, COLOURS, width)).astype(np.float32)
    token = Adapter(
        loras=loras, gate=Gate(rows=rows / np.linalg.norm(rows, axis=-1, keepdims=True))
    )
    prompt = Adapter(loras=loras, gate=Gate(np.full((layers, COLOURS), 1 / COLOURS, np.float32)))
    alone = [Adapter(loras=loras, gate=one_hot(layers, COLOURS, n)) for n in range(COLOURS)]
    asked = sheet(load_opinions("world-opinions").survey, "reversed")
    sampling = Sampling(TOKENS)

    with LocalEngine(model) as engine:

        def write(adapters: list[Adapter]) -> list[tuple[int, ...]]:
            replies = [
                engine.submit(Request(QUESTION, sampling, ((one, 1.0),))) for one in adapters
            ]
            return [reply.result().tokens for reply in replies]

        # A text that an end token cut would be cheap: all are of one length here, or are told.
        lengths = [len(tokens) for tokens in write([*alone, Adapter(), token])]
        same = write(alone) == [write([one])[0] for one in alone]
        plainly = lambda adapter: engine.answer([adapter], asked)  # noqa: E731
        return {
            "model": name, "tokens": lengths, "same_tokens": same,
            "five drafts over one answer": ratio(lambda: write(alone), lambda: write([Adapter()]), turns),
            "five drafts over one draft": ratio(lambda: write(alone), lambda: write(alone[:1]), turns),
            "five drafts one by one over one answer": ratio(
                lambda: [write([one]) for one in alone], lambda: write([Adapter()]), turns // 4 + 1
            ),
            "pass blended a token over dense": ratio(
                lambda: plainly(token), lambda: plainly(Adapter()), turns // 2 + 1
            ),
            "pass blended a prompt over dense": ratio(
                lambda: plainly(prompt), lambda: plainly(Adapter()), turns // 2 + 1
            ),
            "text blended a token over dense": ratio(
                lambda: write([token]), lambda: write([Adapter()]), turns
            ),
            "load": round(os.getloadavg()[0], 1),
        }  # fmt: skip


def peak(name: str, blended: bool) -> None:
    """Prints what one pass takes at its most, in a process of its own (MiB), and what the adapters take."""
    model = benchmark_model(name, "cpu", "float32")
    loras = random_loras(model.model, np.random.default_rng(0)) if blended else ()
    size = sum(a.nbytes + b.nbytes for lora in loras for a, b in lora.updates.values())
    layers = model.model.config.num_hidden_layers
    gate = Gate(np.full((layers, COLOURS), 1 / COLOURS, np.float32)) if blended else None
    asked = sheet(load_opinions("world-opinions").survey, "1")
    with LocalEngine(model) as engine:
        engine.answer([Adapter(loras=loras, gate=gate)], asked)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"peak": most, "adapters": size / 2**20}))


def memory(name: str) -> dict[str, object]:
    def of(kind: str) -> dict[str, float]:
        command = [sys.executable, __file__, "--peak", kind, "--model", name]
        out = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        return json.loads(out.splitlines()[-1])

    dense, blended = of("dense"), of("blended")
    allowed = dense["peak"] + blended["adapters"]
    return {
        "model": name, "dense_MiB": round(dense["peak"]), "blended_MiB": round(blended["peak"]),
        "adapters_MiB": round(blended["adapters"], 1),
        "over dense and adapters": round(blended["peak"] / allowed - 1, 3),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", default="respondent-tiny", help=f"also {', '.join(SHAPES)}")
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--peak", choices=("dense", "blended"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.peak:
        peak(given.model, given.peak == "blended")
    elif given.memory:
        print(json.dumps(memory(given.model)))
    else:
        print(json.dumps(times(given.model, given.turns)))


if __name__ == "__main__":
    main()
