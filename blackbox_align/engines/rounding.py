"""What a precision makes of the same prompt: its neighbours, which answer alike but for rounding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..adapters.adapter import Adapter

# The distance of 1 from the next number.
STEP = {"float32": 2.0**-23, "tf32": 2.0**-10, "bfloat16": 2.0**-7, "float16": 2.0**-10}


def neighbour(adapter: Adapter, dtype: str) -> Adapter:
    """The adapter with every entry of its soft prompt moved by one step of a precision, up and down in turn.

    Any exact way of computing tells the two apart by next to nothing, so what their answers differ by is
    about what rounding makes of them. Without a soft prompt it is the same adapter.
    """
    if adapter.prompt is None:
        return adapter
    vectors = np.asarray(adapter.prompt.vectors, np.float32)
    signs = 1 - 2 * (np.arange(vectors.size) % 2).reshape(vectors.shape)
    moved = (vectors * (1 + STEP[dtype] * signs)).astype(np.float32)
    return replace(adapter, prompt=replace(adapter.prompt, vectors=moved))


def noise_and_moves(values: np.ndarray) -> tuple[float, float]:
    """Of (prompts and then their neighbours, m) the root mean square of what differs within pairs, and the
    standard deviation over prompts.
    """
    first, again = np.split(np.asarray(values, np.float64), 2)
    noise = np.sqrt(((first - again) ** 2).mean() / 2)
    return float(noise), float(np.sqrt(first.var(axis=0, ddof=1).mean()))
