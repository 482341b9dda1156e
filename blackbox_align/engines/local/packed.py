"""Linear layers over weights that oneDNN has laid out for the CPU, where that is the faster library."""

from __future__ import annotations

import hashlib
import platform
import time
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

from ..kept import cache_folder

# Fewer rows are no matter of a kernel. A packed product has to take clearly less of the other's time, for
# what is measured in a moment is noise to some per cent, and the last bits depend on the choice. On Zen 4 it
# takes 0.63 to 0.78 of it at 768 x 256 and above, 0.9 on a busy machine. Small weights gain a tenth at most
# (0.83 to 0.90 at 256 x 64), where the choice would be a toss: theirs are torch's own.
_LEAST_ROWS, _CLEARLY, _ROWS = 64, 0.95, 2048
_LEAST_NUMBERS = 65_536  # of the largest weights
_TURNS, _SECONDS = (5, 25), 0.1  # as many turns as are done in a moment, of these
_SHARE_OF_MEMORY = 0.25  # of what is free, for a second copy of the weights


class PackedLinear(torch.nn.Linear):
    """A linear layer with a second copy of its weights, for many rows without gradients."""

    packed: Tensor

    @classmethod
    def over(cls, layer: torch.nn.Linear) -> PackedLinear:
        """The same weights, which are not copied but once, by oneDNN."""
        made = cls(layer.in_features, layer.out_features, layer.bias is not None, device="meta")
        made.weight, made.bias = layer.weight, layer.bias
        made.packed = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach())
        made.training = layer.training
        return made

    def forward(self, given: Tensor) -> Tensor:
        rows = given.numel() // self.in_features
        if rows < _LEAST_ROWS or torch.is_grad_enabled():
            return super().forward(given)
        return _product(given, self.packed, self.bias)


def _product(given: Tensor, packed: Tensor, bias: Tensor | None) -> Tensor:
    out: Tensor = torch.ops.mkldnn._linear_pointwise(given, packed, bias, "none", [], "")
    return out


def pack_linears(model: Any, free: float) -> bool:
    """Put packed layers into the place of all plain ones of a ``model`` of our own, if that is faster.

    Says whether it did; never for weights that are small, that are not float32 on a CPU, that take more than
    a quarter of the ``free`` bytes, or under a torch without oneDNN.
    """
    found = [
        (parent, name, layer)
        for parent in model.modules()
        for name, layer in parent.named_children()
        if type(layer) is torch.nn.Linear and layer is not model.get_output_embeddings()
    ]
    weights = {layer.weight for _, _, layer in found}
    if not found or not all(_can_be_packed(weight) for weight in weights):
        return False
    largest = max(weights, key=Tensor.numel)
    size = sum(w.numel() * w.itemsize for w in weights)
    if largest.numel() < _LEAST_NUMBERS or size > _SHARE_OF_MEMORY * free:
        return False
    try:
        if not _chosen(largest):
            return False
        made = {id(layer): PackedLinear.over(layer) for _, _, layer in found}
    except (RuntimeError, AttributeError, NotImplementedError):
        return False  # this torch has no oneDNN, or calls it otherwise
    for parent, name, layer in found:
        setattr(parent, name, made[id(layer)])
    return True


def _can_be_packed(weight: Tensor) -> bool:
    return weight.device.type == "cpu" and weight.dtype == torch.float32


def _chosen(weight: Tensor) -> bool:
    """Whether packed weights are taken for weights of this shape: measured once a machine, and kept.

    Whoever measures first decides for all processes, whatever their number of threads, so that a run that
    goes on, or is spread over workers, has the bits it had. Where nothing can be kept torch's own products
    are taken.
    """
    about = (
        torch.__version__, platform.node(), torch.backends.cpu.get_cpu_capability(), tuple(weight.shape),
        _CLEARLY,
    )  # fmt: skip
    name = hashlib.sha256(repr(about).encode()).hexdigest()[:16]
    file = cache_folder() / "kernels" / name
    try:
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            said = "packed" if _faster(weight) else "plain"
            with suppress(FileExistsError), file.open("x", encoding="ascii") as new:
                new.write(said)
        return file.read_text(encoding="ascii") == "packed"
    except OSError:
        return False


@torch.inference_mode()
def _faster(weight: Tensor) -> bool:
    """Whether a product with packed weights takes clearly less than torch's own, and comes to the same."""
    given = torch.ones(_ROWS, weight.shape[1]) / weight.shape[1]
    packed = torch.ops.mkldnn._reorder_linear_weight(weight.detach())
    if not torch.allclose(_product(given, packed, None), linear(given, weight), atol=1e-6):
        return False
    spent = [float("inf"), float("inf")]
    least, most = _TURNS
    started = time.thread_time()
    for turn in range(most):  # in turn, so that a busy moment hits both
        begin = time.thread_time()
        if turn >= least and begin - started > _SECONDS:
            break
        linear(given, weight)
        between = time.thread_time()
        _product(given, packed, None)
        spent[0] = min(spent[0], between - begin)
        spent[1] = min(spent[1], time.thread_time() - between)
    return spent[1] <= _CLEARLY * spent[0]
