"""The last layer of a decoder computes only what is read of it.

Of all tokens it computes keys and values, and the rest at the places behind which an answer is read: of a
small model with short questions that is a quarter of all products.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .tree_attention import Continuations, KeysAndValues, OtherAttentionError, PackedRow


class KeysKnown(Exception):
    """No error: a layer has handed over its keys and values, which is all that is asked of it."""


@dataclass(eq=False)
class Keys:
    """Stands for a row while a layer is asked for the keys and values of all its tokens."""

    row: PackedRow | Continuations
    own: KeysAndValues | None = None


@dataclass(frozen=True, eq=False)
class AtEnds:
    """Stands for a row where there are queries at its ``ends`` alone."""

    row: PackedRow | Continuations
    own: KeysAndValues


def read_ends_only(layer: Any) -> None:
    """Change a layer of an engine's own modules so that it computes what is read, where ``ends`` say what.

    Whether a model stands it is told by the comparison that every way goes through.
    """
    usual = layer.forward

    def forward(hidden_states: Tensor, *more: Any, row: Any = None, **named: Any) -> Any:
        ends = getattr(row, "ends", None)
        if ends is None:
            return usual(hidden_states, *more, row=row, **named)
        keys = Keys(row)
        with suppress(KeysKnown):
            usual(hidden_states, *more, row=keys, **named)
        if keys.own is None:  # an attention that does not go through transformers' interface
            raise OtherAttentionError("does not hand its attention what it is given")
        places = torch.as_tensor(ends, device=hidden_states.device)
        length = hidden_states.shape[1]
        here = [_at(part, places, length) for part in more]
        there = {name: _at(part, places, length) for name, part in named.items()}
        return usual(hidden_states[:, places], *here, row=AtEnds(row, keys.own), **there)

    layer.forward = forward


def _at(given: Any, places: Tensor, length: int) -> Any:
    """What a layer is given for each token, at some places; all else as it is."""
    if isinstance(given, Tensor):
        if given.ndim == 1 and len(given) == length:
            return given[places.to(given.device)]
        if given.ndim > 1 and given.shape[1] == length:
            return given[:, places.to(given.device)]
    if isinstance(given, tuple):
        return tuple(_at(part, places, length) for part in given)
    return given
