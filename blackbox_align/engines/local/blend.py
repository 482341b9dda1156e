"""LoRA that share every feed-forward part under a gate: Eq. 1 of Cultural Palette (arXiv 2412.11167).

    y = sum_c G_c(h) E_c(h),    E_c(h) = (D + dD_c) a_c,    a_c = act((W + dW_c) h) * (U + dU_c) h

The K experts are one frozen model with K low-rank updates, so nothing is merged: the products with W and U
are computed once, and sum_c G_c a_c goes once through D. Hooks make a model's own module compute it: what
its first layers put out gets a dimension of K in front, through which activation and product go as they are.
That works for any part of the form down(act(gate h) * up h), whatever its activation, fused or not. Rows
that have one expert each, as drafts do, go through that one alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...adapters.adapter import Adapter, Gate, Lora
from ...errors import ModelError, SpecificationError
from .hidden import feed_forward
from .shadow import decoder_layers

_FIRST = ("gate_proj", "up_proj", "gate_up_proj")
_LAST = "down_proj"
_AT_ONCE = (128, 2048)  # tokens, on a CPU and elsewhere
Hook = Callable[[Any, Any, Tensor], Tensor]


def refuse_unblendable(model: Any) -> None:
    """Raise :class:`ModelError` unless all feed-forward parts are of the form that can be blended."""
    for layer in decoder_layers(model):
        part = feed_forward(layer)
        named = dict(part.named_children())
        if _LAST not in named or not set(_FIRST) & set(named):
            raise ModelError(
                f"A gate over LoRA needs feed-forward parts of the form down(act(gate x) * up x), as Llama, "
                f"Mistral and Qwen have them; those of {model.config.model_type!r} are made of "
                f"{', '.join(named) or 'nothing that has a name'}."
            )


def gates_of(adapter: Adapter, model: Any) -> tuple[Gate, ...]:
    """The gate of an adapter, where it has one that fits its LoRA and the model.

    Raises
    ------
    SpecificationError
        It has another shape, or weights that are no shares.
    ModelError
        The model's feed-forward parts are of a form that cannot be blended.
    """
    gate = adapter.gate
    if gate is None:
        return ()
    refuse_unblendable(model)
    layers, count = len(decoder_layers(model)), len(adapter.loras)
    given = [part for part in (gate.weights, gate.rows) if part is not None]
    if len(given) != 1 or count < 1 or not gate.temperature > 0:
        raise SpecificationError(
            f"A gate has either weights or rows, a temperature above 0 and LoRA to share; this one has "
            f"{len(given)} of the two, the temperature {gate.temperature:g} and {count} LoRA."
        )
    shape = np.shape(given[0])
    width = model.get_input_embeddings().weight.shape[1]
    expected = (layers, count) if gate.rows is None else (layers, count, width)
    if shape != expected:
        raise SpecificationError(
            f"A gate over {count} LoRA of this model is an array {expected}; not {shape}."
        )
    if gate.weights is not None:
        sums = np.asarray(gate.weights, np.float64).sum(-1)
        if not (np.abs(sums - 1) < 1e-4).all() or (np.asarray(gate.weights) < 0).any():
            raise SpecificationError(
                "The weights of a gate are shares: 0 or more, and 1 in sum in every layer."
            )
    return (gate,)


class Blend:
    """K LoRA, stacked for each feed-forward part of a model.

    Raises
    ------
    SpecificationError
        An update is outside the feed-forward parts, where a gate has nothing to share, or of another size.
    ModelError
        The model's feed-forward parts are of another form.
    """

    def __init__(self, model: Any, loras: Sequence[Lora], device: torch.device) -> None:
        refuse_unblendable(model)
        self.count = len(loras)
        self.parts = [_name_of(model, feed_forward(layer)) for layer in decoder_layers(model)]
        self.stacks: dict[str, tuple[Tensor, Tensor]] = {}
        self._alone: tuple[Any, tuple[Gate, ...], list[tuple[str, _Alone]]] | None = None
        for name in sorted({name for lora in loras for name in lora.updates}):
            part, _, last = name.rpartition(".")
            if part not in self.parts or last not in (*_FIRST, _LAST):
                raise SpecificationError(
                    f"A gate shares the feed-forward parts of LoRA, and one updates {name!r}: train LoRA on "
                    "gate_proj, up_proj and down_proj alone."
                )
            self.stacks[name] = _stacked(
                model, name, [lora.updates.get(name) for lora in loras], device
            )

    @contextmanager
    def hooked(
        self,
        model: Any,
        gates: Sequence[Gate],
        on: Callable[[], bool],
        spans: Sequence[int] = (),
    ) -> Iterator[None]:
        """``model`` blends for as long as this lasts, and while ``on``.

        ``gates`` are those of the rows of a batch, each with weights of its own, or one for all of them;
        with ``spans``, the lengths of texts that lie behind one another in one row, those of the texts.
        """
        hooks: list[Any] = []
        before: list[tuple[Any, Any]] = []
        alone = self._alone_of(gates, spans, on)
        try:
            for name, hook in alone:
                hooks.append(model.get_submodule(name).register_forward_hook(hook))
            for layer, name in enumerate(() if alone else self.parts):
                part = model.get_submodule(name)
                shared = _Shared(part.forward, _shares(gates, layer, spans), on)
                before.append((part, part.__dict__.get("forward")))
                part.forward = shared.forward
                for first in _FIRST:
                    stack = self.stacks.get(f"{name}.{first}")
                    if stack is not None:
                        module = part.get_submodule(first)
                        hooks.append(module.register_forward_hook(shared.spread(*stack)))
                last = part.get_submodule(_LAST)
                hooks.append(last.register_forward_pre_hook(shared.gather))
                stack = self.stacks.get(f"{name}.{_LAST}")
                if stack is not None:
                    hooks.append(last.register_forward_hook(shared.add(*stack)))
            yield
        finally:
            for hook in hooks:
                hook.remove()
            for part, usual in before:
                if usual is None:
                    del part.forward
                else:
                    part.forward = usual

    def _alone_of(
        self, gates: Sequence[Gate], spans: Sequence[int], on: Callable[[], bool]
    ) -> list[tuple[str, Hook]]:
        """Hooks of rows, or spans of one row, that have one expert each in every layer; else none.

        They are kept for the next step, which mostly has the same rows.
        """
        key = (tuple(map(id, gates)), tuple(spans))
        if self._alone is None or self._alone[0] != key:
            hooks: list[tuple[str, _Alone]] = []
            for layer, name in enumerate(self.parts):
                chosen = _chosen(gates, layer)
                if chosen is None:
                    hooks.clear()
                    break
                for module in (f"{name}.{last}" for last in (*_FIRST, _LAST)):
                    if module in self.stacks:
                        hooks.append((module, _Alone(*self.stacks[module], chosen, spans)))
            self._alone = key, tuple(gates), hooks  # with the gates, so that an id stays theirs
        return [(name, one.hook(on)) for name, one in self._alone[2]]


class _Alone:
    """One expert's update for each row, (rows, in, r) and (rows, r, out), or for each span of one row."""

    def __init__(self, a: Tensor, b: Tensor, chosen: Sequence[int], spans: Sequence[int]) -> None:
        one = len(set(chosen)) == 1
        self._spans = [] if one else list(spans)
        rows = list(chosen[:1]) if one else list(chosen)
        self._a, self._b = a[rows].transpose(1, 2), b[rows].transpose(1, 2)

    def hook(self, on: Callable[[], bool]) -> Hook:
        def add(module: Any, given: Any, out: Tensor) -> Tensor:
            if not on():
                return out
            hidden = given[0]
            if not self._spans:
                return out + hidden @ self._a @ self._b
            parts = hidden[0].split(self._spans)
            own = [part @ a @ b for part, a, b in zip(parts, self._a, self._b, strict=True)]
            return out + torch.cat(own)[None]

        return add


def _chosen(gates: Sequence[Gate], layer: int) -> list[int] | None:
    """The one expert of each gate; None where a gate is for every token, or shares."""
    found = []
    for gate in gates:
        weights = None if gate.weights is None else np.asarray(gate.weights[layer])
        if weights is None or weights.max() != 1.0 or np.count_nonzero(weights) > 1:
            return None
        found.append(int(weights.argmax()))
    return found


class _Shared:
    """What the hooks of one feed-forward part hand on to one another, while it runs.

    It runs on some tokens at a time, for what lies between its layers is K times as wide as it is without.
    """

    def __init__(
        self,
        usual: Callable[..., Tensor],
        shares: Callable[[Tensor], Tensor],
        on: Callable[[], bool],
    ) -> None:
        self._usual, self._shares, self._on = usual, shares, on
        self._gate: Tensor | None = None
        self._each: Tensor | None = None

    def forward(self, hidden: Tensor) -> Tensor:
        """The part's own forward; the gate, (K, ..., 1), is read where it begins."""
        self._gate = None
        if not self._on():
            return self._usual(hidden)
        some = _AT_ONCE[hidden.device.type != "cpu"]
        shares = self._shares(hidden)
        shares = shares.expand(*hidden.shape[:-1], shares.shape[-1])
        parts = []
        for part, share in zip(
            torch.split(hidden, some, -2), torch.split(shares, some, -2), strict=True
        ):
            self._gate = share.movedim(-1, 0)[..., None]
            parts.append(self._usual(part))
        return parts[0] if len(parts) == 1 else torch.cat(parts, -2)

    def spread(self, a: Tensor, b: Tensor) -> Callable[[Any, Any, Tensor], Tensor]:
        """(K, ..., out) of (..., out): every expert's own product."""

        def hook(module: Any, given: Any, out: Tensor) -> Tensor:
            return out if self._gate is None else out + _of_all(given[0], a, b)

        return hook

    def gather(self, module: Any, given: Any) -> tuple[Tensor] | None:
        """(..., width): what the experts' activations weigh together."""
        if self._gate is None:
            return None
        self._each = self._gate.to(given[0].dtype) * given[0]
        return (self._each.sum(0),)

    def add(self, a: Tensor, b: Tensor) -> Callable[[Any, Any, Tensor], Tensor]:
        """The experts' own parts of the last product."""

        def hook(module: Any, given: Any, out: Tensor) -> Tensor:
            if self._gate is None or self._each is None:
                return out
            each, self._each = self._each, None
            return out + _of_own(each, a, b)

        return hook


def _of_all(given: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """(K, ..., out) low-rank products of (..., in) with (K, r, in) and (K, out, r)."""
    ranks = given.reshape(-1, given.shape[-1]) @ a.flatten(0, 1).T  # all of them in one product
    down = ranks.view(len(ranks), len(a), -1).transpose(0, 1)
    return (down @ b.transpose(1, 2)).reshape(len(a), *given.shape[:-1], b.shape[1])


def _of_own(given: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """(..., out): the sum over the experts of their products of (K, ..., in)."""
    down = given.reshape(len(a), -1, given.shape[-1]) @ a.transpose(1, 2)  # (K, tokens, r)
    ranks = down.transpose(0, 1).flatten(1)
    return (ranks @ b.transpose(1, 2).flatten(0, 1)).reshape(*given.shape[1:-1], b.shape[1])


def _shares(gates: Sequence[Gate], layer: int, spans: Sequence[int]) -> Callable[[Tensor], Tensor]:
    """From (rows, T, D) to (rows, T, K) or what broadcasts to it; 1 in sum."""
    if len({id(gate) for gate in gates}) == 1 and gates[0].rows is not None:
        rows = torch.from_numpy(np.asarray(gates[0].rows[layer], np.float32))
        temperature = gates[0].temperature

        def read(hidden: Tensor) -> Tensor:
            return (hidden.float() @ rows.to(hidden.device).T / temperature).softmax(-1)

        return read
    if any(gate.weights is None for gate in gates):
        raise SpecificationError("Rows of a batch with a gate for every token have the same gate.")
    some = gates[:1] if len({id(gate) for gate in gates}) == 1 else gates
    weights = np.stack([np.asarray(gate.weights)[layer] for gate in some]).astype(np.float32)
    fixed = torch.from_numpy(weights)[:, None]
    if spans and len(some) > 1:
        fixed = fixed[:, 0].repeat_interleave(torch.tensor(spans), dim=0)[None]
    return lambda hidden: fixed.to(hidden.device)


def _stacked(
    model: Any, name: str, pairs: Sequence[tuple[Any, Any] | None], device: torch.device
) -> tuple[Tensor, Tensor]:
    """(K, r, in) and (K, out, r), zeros behind lower ranks and where an expert has no update."""
    weight = model.get_submodule(name).weight
    wide, out = weight.shape[1], weight.shape[0]
    rank = max(np.shape(pair[0])[0] for pair in pairs if pair is not None)
    a = torch.zeros(len(pairs), rank, wide)
    b = torch.zeros(len(pairs), out, rank)
    for number, pair in enumerate(pairs):
        if pair is None:
            continue
        down, up = (torch.from_numpy(np.asarray(part, np.float32)) for part in pair)
        if down.shape[1:] != (wide,) or up.shape != (out, down.shape[0]):
            raise SpecificationError(
                f"The update of {name!r} is A (r, {wide}) and B ({out}, r) for this model; not "
                f"{tuple(down.shape)} and {tuple(up.shape)}."
            )
        a[number, : len(down)], b[number, :, : len(down)] = down, up
    return a.to(device, weight.dtype), b.to(device, weight.dtype)


def _name_of(model: Any, part: Any) -> str:
    return next(name for name, module in model.named_modules() if module is part)
