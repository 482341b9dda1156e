"""Attention along a row: what transformers calls in the place of its own, in an engine's own modules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

from .last_layer import AtEnds, Keys, KeysKnown
from .rows import Steps
from .shadow import shadow
from .tree_attention import (
    Block,
    Continuations,
    KeysAndValues,
    OtherAttentionError,
    PackedRow,
    joined,
)

if TYPE_CHECKING:
    from .flex import LayerBehind

_NAME = "blackbox_align_tree"


def tree_shadow(module: Any) -> Any:
    """A :func:`.shadow.shadow` that attends along the ``row`` that its forward call is given."""
    AttentionInterface.register(_NAME, _attend_along)
    return shadow(module, _NAME)


# What layers hand over that changes nothing here: there is no cache, no dropout and no training.
_HARMLESS = frozenset(
    ("dropout", "position_ids", "cache_position", "is_causal", "use_cache", "output_attentions",
     "output_hidden_states", "return_dict", "past_key_values", "logits_to_keep", "output_router_logits",
     "inputs_embeds")
)  # fmt: skip


def _attend_along(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    row: PackedRow | Continuations | Steps | Keys | AtEnds | None = None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attention of (rows, heads, T, d) queries: what transformers calls instead of its own.

    ``s_aux`` are attention sinks, a logit per head that takes its share and gives nothing.
    """
    if row is None:
        raise OtherAttentionError("does not hand its attention what it is given")
    given = [name for name, value in kwargs.items() if value is not None]
    unknown = sorted(set(given) - _HARMLESS)
    if unknown:
        raise OtherAttentionError(f"attends with {', '.join(unknown)}")
    layer = int(module.layer_idx)  # type: ignore[arg-type]
    at_ends = isinstance(row, AtEnds)
    if isinstance(row, Keys):
        row.row.meet(layer, key, value)
        row.own = key, value
        raise KeysKnown
    if isinstance(row, AtEnds):
        (key, value), row = row.own, row.row
    else:
        row.meet(layer, key, value)
    scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
    sinks = None if s_aux is None else s_aux.to(query.dtype)
    more = (scaling, sliding_window, softcap, sinks)
    if isinstance(row, Continuations):
        return attend_behind(query, (key, value), row.past[layer], row, *more), None
    if isinstance(row, Steps):
        return _attend_one_more(query, layer, row, *more), None
    attend = _attend_at_once if row.dense else _attend_blocks
    return attend(query, (key, value), row, at_ends, *more), None


def _attend_at_once(
    query: Tensor,
    own: KeysAndValues,
    row: PackedRow,
    at_ends: bool,
    scaling: float,
    sliding_window: int | None,
    softcap: float | None,
    sinks: Tensor | None,
) -> Tensor:
    """What :func:`_attend_blocks` gives, in one call under one mask of the whole row."""
    window = sliding_window if sliding_window and len(row) > sliding_window else None
    mask = row.whole_mask(window, query)
    if at_ends:
        assert row.ends is not None
        mask = mask[list(row.ends)]
    return _attend(query, *own, mask, scaling, softcap, sinks)


def _attend_blocks(
    query: Tensor,
    own: KeysAndValues,
    row: PackedRow,
    at_ends: bool,
    scaling: float,
    sliding_window: int | None,
    softcap: float | None,
    sinks: Tensor | None,
) -> Tensor:
    """(rows, T, heads, d): every span attends to itself and to its way from the root.

    ``at_ends``: (rows, ends, heads, d), queries of the ends alone, keys and values of all places.
    """
    whole = ((block, slice(None), block.here) for block in row.blocks)
    rows, heads, length, _ = query.shape
    out = query.new_empty(rows, length, heads, own[1].shape[-1])
    for block, within, numbers in row.blocks_of_ends() if at_ends else whole:
        k, v = _on_the_way(own, block)
        window = sliding_window if sliding_window and k.shape[2] > sliding_window else None
        mask = row.mask(block, window, query)[within]
        q = query[:, :, numbers]
        out[:, numbers] = _attend(q, k, v, mask, scaling, softcap, sinks)
    return out


def _on_the_way(own: KeysAndValues, block: Block) -> KeysAndValues:
    """Keys and values of the spans from the root to a block, and its own."""
    pieces = joined(block.path, block.here)
    if len(pieces) == 1:  # the first of its parent's children, or the root: nothing lies between
        return own[0][:, :, pieces[0]], own[1][:, :, pieces[0]]
    k, v = (torch.cat([part[:, :, piece] for piece in pieces], dim=2) for part in own)
    return k, v


def _attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Tensor,
    scaling: float,
    softcap: float | None,
    sinks: Tensor | None,
) -> Tensor:
    """(rows, queries, heads, d) under an additive ``mask`` (queries, keys)."""
    rows, heads, _, width = q.shape
    shared = heads // k.shape[1]  # queries per key: grouped-query attention
    if shared > 1:  # queries that share a key stand behind each other: no key is copied
        q = q.reshape(rows, heads // shared, -1, width)
        mask = torch.cat([mask] * shared, dim=-2)
    if softcap is None and sinks is None:
        answer = scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scaling)
    else:
        sink = None if sinks is None else _by_place(sinks.view(-1, shared), q.shape[2] // shared)
        answer = _weights(q @ k.transpose(2, 3) * scaling, mask, softcap, sink) @ v
    if shared > 1:
        answer = answer.reshape(rows, heads, -1, v.shape[-1])
    return answer.transpose(1, 2)


def attend_behind(
    query: Tensor,
    own: KeysAndValues,
    past: KeysAndValues,
    row: Continuations | LayerBehind,
    scaling: float,
    sliding_window: int | None,
    softcap: float | None,
    sinks: Tensor | None,
) -> Tensor:
    """(questions, T, heads, d): every span, or the last tokens of each, attends to its question and itself.

    The two are two products, so that neither are the keys of the questions copied for each
    candidate nor do candidates stand in each other's masks.
    """
    questions, heads, length, width = query.shape
    groups, longest = own[0].shape[1], row.longest
    spans, asking = (row.candidates, row.width), length // row.candidates
    window = sliding_window if sliding_window and longest + row.width > sliding_window else None
    q = query.reshape(questions, groups, -1, width)
    q_own = q.view(questions, groups, -1, row.candidates, asking, width)
    k_own, v_own = (part.reshape(questions, groups, 1, *spans, -1) for part in own)
    there = (q @ past[0].transpose(2, 3)).view(*q_own.shape[:-1], longest)
    scores = torch.cat([there, q_own @ k_own.transpose(-1, -2)], dim=-1) * scaling
    mask = row.mask(window, query)[:, None, None, None, -asking:]
    sink = None if sinks is None else sinks.view(groups, -1, 1, 1, 1)
    weights = _weights(scores, mask, softcap, sink)
    there, here = weights[..., :longest], weights[..., longest:]
    answer = (here @ v_own).flatten(2, 4) + there.flatten(2, 4) @ past[1]
    return answer.reshape(questions, heads, length, -1).transpose(1, 2)


def _attend_one_more(
    query: Tensor,
    layer: int,
    steps: Steps,
    scaling: float,
    sliding_window: int | None,
    softcap: float | None,
    sinks: Tensor | None,
) -> Tensor:
    """(rows, 1, heads, d): the last token of every row attends to its own past and to itself."""
    answers = []
    for bank, here in steps.places():
        keys, values, mask = bank.seen(layer, sliding_window)
        q = query[here].reshape(
            *keys.shape[:2], -1, query.shape[-1]
        )  # (rows, groups, queries of a key, d)
        scores = q @ keys.transpose(2, 3) * scaling
        sink = None if sinks is None else sinks.view(keys.shape[1], -1, 1)
        weights = _weights(scores, mask[:, None, None], softcap, sink)
        answers.append((weights @ values).reshape(len(q), 1, -1, values.shape[-1]))
    return torch.cat(answers)


def _by_place(sinks: Tensor, length: int) -> Tensor:
    """(groups, queries of a key times ``length``, 1) of (groups, queries of a key) sinks."""
    return sinks[..., None].expand(-1, -1, length).reshape(len(sinks), -1, 1)


def _weights(
    scores: Tensor, mask: Tensor, softcap: float | None, sink: Tensor | None = None
) -> Tensor:
    if softcap is not None:
        scores = softcap * torch.tanh(scores / softcap)
    scores = scores + mask
    if sink is not None:
        scores = torch.cat([scores, sink.expand(*scores.shape[:-1], 1)], dim=-1)
    weights = scores.softmax(-1, dtype=torch.float32).to(scores.dtype)
    return weights if sink is None else weights[..., :-1]
