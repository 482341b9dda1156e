"""Hidden states of the last token of a text, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ...errors import ModelError
from .shadow import decoder_layers

if TYPE_CHECKING:
    from .passes import Passes

_FEED_FORWARD = ("mlp", "feed_forward", "block_sparse_moe", "ffn", "moe")


def hidden_states(passes: Passes, tokens: Sequence[int], source: str) -> Tensor:
    """(layers, D) float32: what enters each layer, or each layer's feed-forward part behind its norm."""
    layers = decoder_layers(passes.plain)
    places = layers if source == "layer-input" else [feed_forward(layer) for layer in layers]
    seen: list[Tensor] = []

    def note(module: Any, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        states = given[0] if given else named["hidden_states"]
        seen.append(states[0, -1] if states.ndim == 3 else states[-1])

    hooks = [place.register_forward_pre_hook(note, with_kwargs=True) for place in places]
    try:
        passes.whole(input_ids=torch.tensor([list(tokens)], device=passes.device), last=1)
    finally:
        for hook in hooks:
            hook.remove()
    return torch.stack([state.float().to(passes.device) for state in seen])


def feed_forward(layer: Any) -> Any:
    """The feed-forward part of a layer."""
    for name in _FEED_FORWARD:
        if hasattr(layer, name):
            return getattr(layer, name)
    raise ModelError(f"The feed-forward part of {type(layer).__name__} cannot be found.")
