"""Rows as compiled layers take them: in tensors, with nothing in them that tells one layer from another.

A token at place q of a packed row sees that at place k where k <= q < end[k], the place behind the last
descendant of k's span: two numbers for each place describe the whole tree, which FlexAttention (Dong et
al. 2024, arXiv:2412.05496) turns into a mask of blocks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .attention import attend_behind
from .tree_attention import (
    Continuations,
    KeysAndValues,
    OtherAttentionError,
    PackedRow,
    subtree_ends,
)

Windows = Iterable[int | None]
"""The sliding windows of a model's layers, None for those without one."""


@dataclass(frozen=True, eq=False)
class FlexRow:
    """A packed row: the ``positions`` of its places, and a block mask for each window."""

    positions: Tensor
    masks: dict[int | None, Any]

    @classmethod
    def of(cls, row: PackedRow, windows: Windows, device: torch.device) -> FlexRow:
        positions = torch.tensor(row.positions, device=device)
        ends = torch.tensor(subtree_ends(row), device=device)
        return cls(positions[None], {w: _block_mask(positions, ends, w) for w in windows})

    def of_layer(self, number: int) -> FlexRow:
        return self


def _block_mask(positions: Tensor, ends: Tensor, window: int | None) -> Any:
    from torch.nn.attention.flex_attention import create_block_mask

    def seen(b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
        inside = (k <= q) & (q < ends[k])
        return inside if window is None else inside & (positions[q] - positions[k] < window)

    length = len(positions)
    return create_block_mask(seen, None, None, length, length, device=str(positions.device))


@dataclass(frozen=True, eq=False)
class LayerBehind:
    """What one layer has of :class:`.tree_attention.Continuations`, whose names these are."""

    past: KeysAndValues
    longest: int
    width: int
    candidates: int
    masks: dict[int | None, Tensor]

    def mask(self, window: int | None, like: Tensor) -> Tensor:
        return self.masks[window]


@dataclass(frozen=True, eq=False)
class FlexBehind:
    """Continuations: their ``positions``, and what each layer has of them."""

    positions: Tensor
    layers: dict[int, LayerBehind]

    @classmethod
    def of(cls, row: Continuations, windows: Windows) -> FlexBehind:
        like = next(iter(row.past.values()))[0]
        masks = {window: row.mask(window, like) for window in windows}
        sizes = (row.longest, row.width, row.candidates)
        layers = {n: LayerBehind(past, *sizes, masks) for n, past in row.past.items()}
        return cls(row.positions, layers)

    def of_layer(self, number: int) -> LayerBehind:
        return self.layers[number]


def attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    row: FlexRow | LayerBehind | None = None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    **more: Any,
) -> tuple[Tensor, None]:
    """Attention of (rows, heads, T, d) queries. It reads no number of a layer: there would be a graph
    for each."""
    from torch.nn.attention.flex_attention import flex_attention

    if row is None or s_aux is not None:
        raise OtherAttentionError("attends in a way that is not compiled here")
    scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
    if isinstance(row, LayerBehind):
        behind = attend_behind(
            query, (key, value), row.past, row, scaling, sliding_window, softcap, None
        )
        return behind, None
    window = sliding_window if sliding_window and query.shape[2] > sliding_window else None

    def capped(score: Tensor, b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
        assert softcap is not None
        return softcap * torch.tanh(score / softcap)

    out: Tensor = flex_attention(
        query,
        key,
        value,
        score_mod=None if softcap is None else capped,
        block_mask=row.masks[window],
        scale=scaling,
        enable_gqa=query.shape[1] != key.shape[1],
    )
    return out.transpose(1, 2), None
