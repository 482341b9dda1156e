"""Parameterizations: from the vectors that an optimizer sees to the adapters that an engine applies.

An optimizer works in standardised coordinates: it starts at z = 0, the initial prompt, and a step
of 1 per coordinate moves every virtual token by ``alpha`` times the norm of a word. Up to a few percent
that is the scale of black-box tuning (BBT; Sun et al. 2022, sec. 3.2), which takes the standard deviation
of the embeddings' entries; norms are what carries over from one model to another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..errors import SpecificationError
from .adapter import Adapter, Placement, SoftPrompt


class Parameterization(Protocol):
    """Vectors of a search to adapters, p = p0 + A z, and the transpose for gradients."""

    @property
    def dimension(self) -> int: ...

    def adapters(self, vectors: np.ndarray) -> list[Adapter]:
        """(P, d) vectors to P adapters."""
        ...

    def soft_prompts(self, vectors: np.ndarray) -> np.ndarray:
        """(P, d) vectors to (P, tokens, D) float32 soft prompts."""
        ...

    def pull(self, gradients: np.ndarray) -> np.ndarray:
        """(P, tokens, D) derivatives by the prompts to (P, d) by the vectors."""
        ...


class _Placed:
    """What parameterizations of soft prompts share: where the prompts stand."""

    placement: Placement

    def soft_prompts(self, vectors: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def adapters(self, vectors: np.ndarray) -> list[Adapter]:
        prompts = self.soft_prompts(np.asarray(vectors))
        return [Adapter(prompt=SoftPrompt(prompt, self.placement)) for prompt in prompts]


@dataclass(frozen=True, eq=False)
class FullSpace(_Placed):
    """Every entry of the prompt is a coordinate: p = p0 + unit z."""

    initial: np.ndarray  # (tokens, D)
    unit: float
    placement: Placement = "first"

    @property
    def dimension(self) -> int:
        return self.initial.size

    def soft_prompts(self, vectors: np.ndarray) -> np.ndarray:
        moved = self.initial + self.unit * vectors.reshape(-1, *self.initial.shape)
        with np.errstate(over="ignore"):  # a prompt that overflows is a failed evaluation, no more
            return np.asarray(moved.astype(np.float32))

    def coordinates(self, prompts: np.ndarray) -> np.ndarray:
        """(P, tokens, D) soft prompts to the (P, d) float64 vectors that stand for them."""
        moved = prompts.astype(np.float64) - self.initial
        return np.asarray(moved.reshape(len(prompts), -1) / self.unit)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, FullSpace)
            and (self.unit, self.placement) == (other.unit, other.placement)
            and np.array_equal(self.initial, other.initial)
        )

    def pull(self, gradients: np.ndarray) -> np.ndarray:
        return self.unit * gradients.reshape(len(gradients), -1)


@dataclass(frozen=True, eq=False)
class RandomSubspace(_Placed):
    """A random linear subspace: p = p0 + A z, with A_ij ~ N(0, s^2) and s = unit / sqrt(d).

    BBT (Sun et al. 2022), equations 3 and 5; ``matrix`` is A, (tokens * D, d) float32.
    """

    initial: np.ndarray  # (tokens, D)
    matrix: np.ndarray
    placement: Placement = "first"

    @classmethod
    def draw(
        cls,
        initial: np.ndarray,
        unit: float,
        dimension: int,
        rng: np.random.Generator,
        placement: Placement = "first",
    ) -> RandomSubspace:
        matrix = rng.standard_normal((initial.size, dimension), dtype=np.float32)
        matrix *= np.float32(unit / np.sqrt(dimension))
        return cls(initial, matrix, placement)

    @property
    def dimension(self) -> int:
        return self.matrix.shape[1]

    def soft_prompts(self, vectors: np.ndarray) -> np.ndarray:
        # One product per vector: the sums of a matrix product depend on how many rows it has, and
        # the same vector must give the same prompt to the last bit in any company.
        moved = np.zeros((len(vectors), self.initial.size), np.float32)
        for row, vector in zip(moved, vectors, strict=True):
            row[:] = self.matrix @ vector.astype(np.float32)
        return self.initial.astype(np.float32) + moved.reshape(-1, *self.initial.shape)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, RandomSubspace)
            and self.placement == other.placement
            and np.array_equal(self.initial, other.initial)
            and np.array_equal(self.matrix, other.matrix)
        )

    def pull(self, gradients: np.ndarray) -> np.ndarray:
        return gradients.reshape(len(gradients), -1) @ self.matrix


def parameterize(
    initial: np.ndarray,
    unit: float,
    *,
    subspace: int,
    rng: np.random.Generator,
    alpha: float = 1.0,
    placement: Placement = "first",
) -> Parameterization:
    """The parameterization of a run.

    Parameters
    ----------
    initial : (tokens, D) the prompt at z = 0
    unit : by how much a step of 1 moves an entry: a word's norm over sqrt(D)
    subspace : dimension of the random subspace; 0, or as many as the prompt has entries, is full
        space
    alpha : a factor on the scale, BBT's
    placement : where the prompts stand; see :data:`.adapter.PLACEMENTS`
    """
    if subspace < 0:
        raise SpecificationError(
            f"The subspace must have 0 (full) or more dimensions; not {subspace}."
        )
    if not 0 < alpha < np.inf:
        raise SpecificationError(f"The scale alpha must be above 0; not {alpha:g}.")
    unit = alpha * unit
    if subspace == 0 or subspace >= initial.size:
        return FullSpace(initial, unit, placement)
    return RandomSubspace.draw(initial, unit, subspace, rng, placement)
