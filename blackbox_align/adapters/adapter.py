"""What is applied to a language model for one row of a batch, as a value that only engines apply."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..errors import SpecificationError

Array = NDArray[np.floating]

Placement = Literal["first", "message", "last"]
PLACEMENTS: tuple[Placement, ...] = get_args(Placement)
"""Where a soft prompt stands. ``first`` is before everything, the BOS token included, exactly where PEFT
puts it; ``message`` is at the beginning of the first message's content, behind what the chat template
writes before it; ``last`` is right before the answer, so that the questions are computed once for all
candidates."""


def check_placement(placement: str) -> Placement:
    """``placement`` where it is one of :data:`PLACEMENTS`; else :class:`SpecificationError`."""
    for known in PLACEMENTS:
        if placement == known:
            return known
    names = " or ".join(repr(name) for name in PLACEMENTS)
    raise SpecificationError(f"The placement must be {names}; not {placement!r}.")


@dataclass(frozen=True, eq=False)
class SoftPrompt:
    """Virtual tokens: (tokens, D) float32 ``vectors``, and where they stand."""

    vectors: Array
    placement: Placement = "first"

    def __post_init__(self) -> None:
        check_placement(self.placement)
        vectors = np.ascontiguousarray(self.vectors, np.float32)
        if vectors.ndim != 2 or not len(vectors):
            raise SpecificationError(
                f"A soft prompt is an array (tokens, width) of 1 token or more; not {vectors.shape}."
            )
        object.__setattr__(self, "vectors", vectors)

    def __len__(self) -> int:
        return len(self.vectors)


@dataclass(frozen=True, eq=False)
class Lora:
    """Low-rank updates by module name: ``(A (r, in), B (out, r))``, the scale already in B."""

    updates: Mapping[str, tuple[Array, Array]]


@dataclass(frozen=True, eq=False)
class Gate:
    """How K LoRA share a row.

    ``weights`` (layers, K) are the same for a whole prompt, one-hot being one LoRA alone; ``rows``
    (layers, K, D) are a gate for every token: softmax of hidden states times rows over
    ``temperature``.
    """

    weights: Array | None = None
    rows: Array | None = None
    temperature: float = 1.0


@dataclass(frozen=True, eq=False)
class Adapter:
    """All that is applied to one row of a batch; ``Adapter()`` is the model as it is.

    ``text`` stands in front of a question, on a line of its own.
    """

    text: str = ""
    prompt: SoftPrompt | None = None
    loras: tuple[Lora, ...] = field(default=())
    gate: Gate | None = None

    def digest(self) -> str:
        """A hash of kinds and bytes: the key in caches, journals and cards."""
        hashed = hashlib.sha256(f"text {self.text}\n".encode())
        if self.prompt is not None:
            shape = "x".join(map(str, self.prompt.vectors.shape))
            hashed.update(f"prompt {self.prompt.placement} {shape}\n".encode())
            hashed.update(self.prompt.vectors.astype("<f4").tobytes())
        for lora in self.loras:
            hashed.update(b"lora\n")
            for name in sorted(lora.updates):
                for part in lora.updates[name]:
                    hashed.update(f"{name} {part.shape}\n".encode())
                    hashed.update(np.ascontiguousarray(part, "<f4").tobytes())
        if self.gate is not None:
            hashed.update(f"gate {self.gate.temperature!r}\n".encode())
            for name, array in (("weights", self.gate.weights), ("rows", self.gate.rows)):
                if array is not None:
                    hashed.update(f"{name} {array.shape}\n".encode())
                    hashed.update(np.ascontiguousarray(array, "<f4").tobytes())
        return hashed.hexdigest()
