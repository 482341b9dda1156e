"""A short pass recorded once as a CUDA graph: its thousands of launches become one.

What is recorded reads and writes the same places of memory whenever it is replayed, so a batch is copied
into them and the answers out of them.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Body = Callable[[Tensor], Tensor]
"""A whole pass: from (candidates, tokens, D) prompts to (candidates, questions, labels) logits."""

Record = Callable[[Callable[[], Tensor]], tuple[Callable[[], object], Tensor]]
"""From a function to one that does the same again, and the tensor that holds what came of it."""


class Captured:
    """A :data:`Body` of prompts of one shape, recorded."""

    def __init__(self, body: Body, prompts: Tensor, record: Record) -> None:
        self._prompts = prompts.clone()
        self._again, self._out = record(lambda: body(self._prompts))

    def __call__(self, prompts: Tensor) -> Tensor:
        self._prompts.copy_(prompts)
        self._again()
        return self._out.clone()


def recorder(device: torch.device) -> Record | None:
    """How a pass is recorded on a device; None where that cannot be."""
    if device.type != "cuda":
        return None
    pool = torch.cuda.graph_pool_handle()  # one for all: they are replayed one after another

    def record(body: Callable[[], Tensor]) -> tuple[Callable[[], object], Tensor]:
        side = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(side):  # what is made ready on the way is made outside of the record
            body()
            body()
        torch.cuda.current_stream(device).wait_stream(side)
        torch.cuda.synchronize(device)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=pool):
            out = body()
        return graph.replay, out

    return record
