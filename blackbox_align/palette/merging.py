"""Merges of LoRA by what they change: soup, TIES, Model Stock.

Each works on the products B A, not on A and B apart, as PEFT's kinds without `_svd` do: crosswise products
then make something that is no average (in simulation worse than no adapter at all).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ..adapters.adapter import Lora
from ..errors import SpecificationError, UnknownNameError

Array = NDArray[np.floating]
MERGES = ("soup", "ties", "model-stock")
_APART = ("linear", "dare_linear", "dare_ties", "magnitude_prune", "ties_svd", "dare_ties_svd",
          "cat", "svd")  # fmt: skip


def merge(loras: Sequence[Lora], how: str, density: float = 0.2) -> Lora:
    """One LoRA of several, by one of :data:`MERGES`.

    Parameters
    ----------
    loras : two or more, on the same model; one without an update of a module changes it by nothing
    density : the share of entries that TIES keeps

    Raises
    ------
    SpecificationError
        There is one LoRA alone, they are of different models, or a kind of PEFT's is asked for that does
        not do what its name says.
    """
    if how in _APART:
        raise SpecificationError(
            f"{how!r} is a kind of PEFT's: 'linear' and its like combine A and B apart, so that crosswise "
            f"products come in and the result is no average. Choose one of {', '.join(map(repr, MERGES))}, "
            "which work on the products; 'soup' is what 'linear' and 'cat' mean to be."
        )
    if how not in MERGES:
        raise UnknownNameError("merge", how, MERGES)
    if len(loras) < 2:
        raise SpecificationError(f"A merge is of two LoRA or more; not of {len(loras)}.")
    if not 0 < density <= 1:
        raise SpecificationError(f"TIES keeps a share of entries in (0, 1]; not {density:g}.")
    ways: dict[str, Callable[[list[tuple[Array, Array]]], tuple[Array, Array]]] = {
        "soup": _soup,
        "ties": lambda pairs: _ties(pairs, density),
        "model-stock": _model_stock,
    }
    names = list(dict.fromkeys(name for lora in loras for name in lora.updates))
    return Lora({name: ways[how](_pairs(loras, name)) for name in names})


def _pairs(loras: Sequence[Lora], name: str) -> list[tuple[Array, Array]]:
    """A (r, in) and B (out, r) of every LoRA, zeros of rank 1 where there is no update."""
    known = [lora.updates[name] for lora in loras if name in lora.updates]
    shapes = {(np.shape(a)[1], np.shape(b)[0]) for a, b in known}
    if len(shapes) > 1:
        raise SpecificationError(
            f"The LoRA update {name!r} in different sizes ({sorted(shapes)}); they are of different models."
        )
    wide, out = next(iter(shapes))
    none = np.zeros((1, wide)), np.zeros((out, 1))
    return [
        (np.asarray(a, np.float64), np.asarray(b, np.float64))
        for a, b in (lora.updates.get(name, none) for lora in loras)
    ]


def _soup(pairs: list[tuple[Array, Array]]) -> tuple[Array, Array]:
    """The mean of the products, exactly: all A above, all B / K beside one another."""
    a = np.concatenate([a for a, _ in pairs])
    b = np.concatenate([b for _, b in pairs], axis=1) / len(pairs)
    return a.astype(np.float32), b.astype(np.float32)


def _model_stock(pairs: list[tuple[Array, Array]]) -> tuple[Array, Array]:
    """t times the mean, t = K cos / (1 + (K - 1) cos) of the mean cosine (Model Stock, Jang et al. 2024)."""
    count = len(pairs)
    cosines = []
    for one, other in combinations(pairs, 2):
        lengths = np.sqrt(_product(one, one) * _product(other, other))
        cosines.append(_product(one, other) / lengths if lengths > 0 else 0.0)
    cosine = float(np.mean(cosines))
    a, b = _soup(pairs)
    return a, np.asarray(b * (count * cosine / (1 + (count - 1) * cosine)), np.float32)


def _product(one: tuple[Array, Array], other: tuple[Array, Array]) -> float:
    """The sum over all entries of two products B A, without making them."""
    return float(((one[1].T @ other[1]) * (one[0] @ other[0].T)).sum())


def _ties(pairs: list[tuple[Array, Array]], density: float) -> tuple[Array, Array]:
    """Trim, elect signs, and average what agrees (Yadav et al. 2023); of full rank, so by an exact SVD."""
    deltas = np.stack([b @ a for a, b in pairs])
    flat = np.abs(deltas).reshape(len(deltas), -1)
    kept = max(1, round(density * flat.shape[1]))
    least = np.partition(flat, flat.shape[1] - kept, axis=1)[:, flat.shape[1] - kept]
    trimmed = np.where(np.abs(deltas) >= least[:, None, None], deltas, 0.0)
    sign = np.sign(trimmed.sum(0))
    agree = (np.sign(trimmed) == sign) & (trimmed != 0)
    merged = np.where(agree, trimmed, 0.0).sum(0) / np.maximum(agree.sum(0), 1)
    left, size, right = np.linalg.svd(merged, full_matrices=False)
    return right.astype(np.float32), np.asarray(left * size, np.float32)
