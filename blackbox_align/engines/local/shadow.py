"""Modules of an engine's own over the weights of a model that others may hold.

Nothing is ever swapped on the model that an engine was given: it works on a tree of modules of its
own, with configurations of their own, which share the weights and nothing else.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor

from ...errors import ModelError
from ..checkpoint import LanguageModel


def shadow(module: Any, attention: str | None = None) -> Any:
    """A copy of a module over the same weights; ``attention`` is one registered with transformers.

    Buffers are copied, for some models rewrite them while they run. What moves offloaded weights to
    the device comes along and goes on working.
    """
    memo: dict[int, Any] = {id(parameter): parameter for parameter in module.parameters()}
    for part in module.modules():
        hook = getattr(part, "_hf_hook", None)
        for each in getattr(hook, "hooks", (hook,)):
            for name in ("weights_map", "tied_params_map"):
                kept = getattr(each, name, None)
                if kept is not None:
                    memo[id(kept)] = kept
    copied = copy.deepcopy(module, memo)
    if attention is not None:
        copied.config.get_text_config()._attn_implementation = attention
    return copied


def decoder_layers(model: Any) -> list[Any]:
    """The decoder's layers: the list of as many modules as the configuration has layers."""
    count = model.config.get_text_config().num_hidden_layers
    for part in model.modules():
        if isinstance(part, torch.nn.ModuleList) and len(part) == count:
            return list(part)
    raise ModelError(f"The layers of a model of type {model.config.model_type!r} cannot be found.")


class _LabelHead(torch.nn.Linear):
    """Rows of an output layer, which may lie on another GPU than the last layer does."""

    def forward(self, hidden: Tensor) -> Tensor:
        return super().forward(hidden.to(self.weight.device))


def ending_in(model: Any, label_ids: Tensor) -> Any | None:
    """``model`` with an output layer of the rows of the labels alone; what it does with logits
    afterwards (a soft cap, a scale) still applies.

    A shell over the same parts: ``model`` stays as it is. None where rows cannot be picked, as of
    quantised or offloaded weights, or of a layer that is not at the top.
    """
    head = model.get_output_embeddings()
    if type(head) is not torch.nn.Linear or head.weight.is_meta:
        return None
    name = next((name for name, part in model._modules.items() if part is head), None)
    if name is None:
        return None
    ids = label_ids.to(head.weight.device)
    rows = _LabelHead(head.in_features, len(ids), bias=head.bias is not None, device="meta")
    rows.weight = torch.nn.Parameter(head.weight[ids], requires_grad=False)
    if head.bias is not None:
        rows.bias = torch.nn.Parameter(head.bias[ids], requires_grad=False)
    shell = copy.copy(model)
    shell.__dict__.pop("forward", None)  # of accelerate, and bound to the whole model
    shell._modules = {**model._modules, name: rows}
    return shell


def check_causal(model: LanguageModel) -> None:
    """Refuse what is no causal model, in a sentence."""
    config = model.model.config
    if getattr(config, "is_encoder_decoder", False) or model.model.get_output_embeddings() is None:
        raise ModelError(
            f"{model.name!r} ({config.model_type}) is no causal language model: it does not continue "
            "a text token by token, so it cannot be asked here. Choose one that does, such as Llama, "
            "Qwen, Mistral, Gemma or Phi."
        )


def bytes_per_token(model: LanguageModel, beside: int = 0) -> int:
    """What a pass needs for each of its tokens at most: 1.2 to 3 times what was measured.

    A layer holds six rows of its width at a time and three inside its MLP. With the prompt last it
    holds the scores of each head as well, for the ``beside`` tokens that each token sees.
    """
    config = model.model.config.get_text_config()
    heads = getattr(config, "num_attention_heads", None) or 1
    hidden = model.embedding_width if not hasattr(config, "hidden_size") else config.hidden_size
    head_dim = getattr(config, "head_dim", None) or 0
    # Some models give a width for each layer.
    width = max(hidden, int(torch.tensor(heads).max()) * int(torch.tensor(head_dim).max()))
    inner = int(torch.tensor(getattr(config, "intermediate_size", None) or 4 * hidden).max())
    return int(
        2 * model.dtype.itemsize * (6 * width + 3 * inner)
        + 24 * int(torch.tensor(heads).max()) * beside
    )
