"""Engines for the workers of a pool: quick to load, and in trouble on demand."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blackbox_align.engines import FunctionEngine
from blackbox_align.errors import ModelError


def answer(adapters, sheet):
    """Some answer to every question, different for every prompt; NaN for a prompt with NaN in it."""
    items = np.arange(len(sheet.questions))[:, None]
    options = np.arange(sheet.width)
    sums = np.array([adapter.prompt.vectors.sum() for adapter in adapters])[:, None, None]
    odds = np.exp(np.sin(sums + items + options))
    return (odds / odds.sum(axis=2, keepdims=True)).astype(np.float32)


def asked_so_far(folder: Path) -> list[tuple[int, float]]:
    """(process, first entry of a prompt) of every candidate asked, in order."""
    lines = [line for path in folder.glob("asked-*") for line in path.read_text().splitlines()]
    return [(int(pid), float(entry)) for pid, entry in (line.split() for line in lines)]


@dataclass(frozen=True)
class Simulated:
    """Answers after ``seconds``; each trouble needs a file of its name in ``folder``, which it eats.

    ``hang`` sleeps on, ``raise`` raises; ``always`` raises and stays. ``load`` and ``node-ID`` fail at
    loading, once or on that node for good. Every candidate asked is noted in the folder.
    """

    folder: Path
    seconds: float = 0.0

    def __call__(self) -> FunctionEngine:
        import ray

        node = ray.get_runtime_context().get_node_id()
        if self._takes("load") or (self.folder / f"node-{node}").exists():
            raise ModelError("the files of the model are not here")
        return FunctionEngine(self._answer)

    def _answer(self, adapters, sheet):
        with (self.folder / f"asked-{os.getpid()}").open("a") as file:
            firsts = [adapter.prompt.vectors[0, 0] for adapter in adapters]
            file.writelines(f"{os.getpid()} {first}\n" for first in firsts)
        if self._takes("hang"):
            time.sleep(1000)
        if self._takes("raise") or (self.folder / "always").exists():
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        time.sleep(self.seconds)
        return answer(adapters, sheet)

    def _takes(self, trouble: str) -> bool:
        try:
            (self.folder / trouble).unlink()
        except FileNotFoundError:
            return False
        return True
