"""The precision of a model where none was asked for: half of it where the model stands that.

float16 is as fast as bfloat16 on a GPU and several times as precise, but its largest number is 65,504. So
the model is asked to read texts under prompts of random words, also far longer ones than words are, as a
search meets them: all must be finite, and under those of a word's length agree with float32.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ...adapters.adapter import Adapter, SoftPrompt
from ...errors import ModelError, RunError
from ...files.atomic import write_text
from ...surveys.neutral_texts import neutral_texts
from ...surveys.sheet import Sheet
from ..checkpoint import Checkpoint, LanguageModel
from .engine import LocalEngine
from .memory import is_out_of_memory

LENGTHS = (1.0, 8.0, 64.0)  # of the prompts, in lengths of a word
AGREES = 0.02  # nats a token
_TOKENS = 5
_TEXTS = 8


def settled(found: Checkpoint) -> Checkpoint:
    """The checkpoint with float16 where the model stands it, else float32, or bfloat16 where that has no
    room. What was found out of a model on a kind of device is kept.
    """
    known = _kept(found)
    with suppress(OSError):
        name = known.read_text()
        if name in ("float16", "float32", "bfloat16"):
            return replace(found, dtype=getattr(torch, name))
    chosen = _tried(found)
    with suppress(OSError, RunError):
        known.parent.mkdir(parents=True, exist_ok=True)
        write_text(known, str(chosen.dtype).removeprefix("torch."))
    return chosen


def _tried(found: Checkpoint) -> Checkpoint:
    half, whole = (replace(found, dtype=dtype) for dtype in (torch.float16, torch.float32))
    given = _surprise(half.model)
    try:
        expected = _surprise(whole.model)
    except (ModelError, RuntimeError, MemoryError) as error:
        if isinstance(error, RuntimeError) and not is_out_of_memory(error):
            raise
        # There is no room for float32, so nothing to agree with.
        return half if np.isfinite(given).all() else replace(found, dtype=torch.bfloat16)
    fine = np.isfinite(given).all() and abs(given[0] - expected[0]).max() <= AGREES
    return half if fine else whole


def _surprise(model: LanguageModel) -> np.ndarray:
    """(lengths, texts) nats a token under prompts of random words, drawn out to these lengths."""
    rng = np.random.default_rng(0)
    with LocalEngine(model) as engine:
        words = engine.embed(rng.integers(0, engine.info.vocabulary, _TOKENS).tolist())
        prompts = [Adapter(prompt=SoftPrompt(length * words)) for length in LENGTHS]
        texts = neutral_texts().search[:_TEXTS]
        return np.asarray(engine.answer(prompts, Sheet((), texts)).surprise, np.float64)


def _kept(found: Checkpoint) -> Path:
    """Where it is kept what was found out."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    kind = found.device.type
    if kind == "cuda":
        kind = torch.cuda.get_device_name(found.device).replace(" ", "-").replace("/", "-")
    return home / "blackbox_align" / "precision" / f"{found.revision}-{kind}"
