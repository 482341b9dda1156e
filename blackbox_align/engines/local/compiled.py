"""Compiled decoder layers: for devices on which a call costs more than a product.

A kind of pass (a survey, a place and a length of the prompt, a number of candidates) is compiled once, and
only where somebody says that it is worth it: before a search that is long enough. Then the ways to compute
it are compared, in what they answer and in how long they take, and the fastest is kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import Tensor

from ...errors import SpecificationError
from .flex import FlexBehind, FlexRow, attend
from .graphs import Body, Captured, Record
from .plan import Plan
from .shadow import decoder_layers, ending_in, shadow
from .sizes import in_a_known_size
from .tree_attention import Continuations, PackedRow

CHOICES = ("auto", "never", "always")
SECONDS = 5.0
"""What compiling the layers for one kind of pass takes on a GPU (seen on an H100: 4 to 5 s)."""
PAYS = 5.0
"""A search pays for compiling where it takes so many times as long: it saves a fifth to a third."""

_NAME = "blackbox_align_flex"
_GRAPHS = 256
_SHORT = 0.05  # seconds: of a longer pass launches are no part that is worth a graph
_AGREES = {"float32": 1e-5, "bfloat16": 5e-2, "float16": 1e-2, "tf32": 1e-2}


def compiles(choice: str, device: str) -> bool:
    """Whether layers may be compiled on a kind of device; SpecificationError for another ``choice``."""
    if choice not in CHOICES:
        known = ", ".join(map(repr, CHOICES))
        raise SpecificationError(f"What is compiled must be one of {known}; not {choice!r}.")
    return choice == "always" or (choice == "auto" and device == "cuda")


class Compiled:
    """A model whose layers are compiled, over the same weights as the one that it is compared with.

    ``why_not`` says why it is not used: it could not be compiled, or does not agree. ``took`` are the
    seconds that each way took for a number of candidates, as far as they were compared.

    Parameters
    ----------
    always : compile whatever comes and use it, instead of what comes while :meth:`opened`, if it is faster
    record : makes a graph of a pass, where the device has such
    """

    def __init__(
        self,
        model: Any,
        backend: Any = "inductor",
        *,
        dtype: str = "float32",
        always: bool = True,
        record: Record | None = None,
    ) -> None:
        from transformers import AttentionInterface

        AttentionInterface.register(_NAME, attend)
        self.model = shadow(model, _NAME)
        self.windows = {None, getattr(model.config.get_text_config(), "sliding_window", None)}
        for number, layer in enumerate(decoder_layers(self.model)):
            layer.compile(backend=backend, dynamic=False)
            _given_its_own(layer, number)
        self.why_not: str | None = None
        self.took: dict[int, dict[str, float]] = {}
        self._agrees, self._record = _AGREES[dtype], record
        self._always, self._open = always, always
        self._heads: dict[int, tuple[Plan, Any]] = {}
        self._taken: dict[Hashable, Body | None] = {}

    @contextmanager
    def opened(self) -> Iterator[None]:
        """For as long as this lasts, what was not compiled before is."""
        usual, self._open = self._open, True
        try:
            yield
        finally:
            self._open = usual

    @property
    def kinds(self) -> int:
        """How many kinds of passes are compiled."""
        return sum(way is not None for way in self._taken.values())

    def along(self, plan: Plan, row: PackedRow, before: Tensor, behind: Tensor) -> Body:
        """A pass along a row with (opening, D) words before the prompt and (text, D) behind it."""
        flex = FlexRow.of(row, self.windows, before.device)
        ends = [row.paths[item][-1].stop - 1 for item in range(len(plan.questions))]
        keep = torch.tensor(ends, device=before.device)

        def body(prompts: Tensor) -> Tensor:
            first, last = (part.expand(len(prompts), -1, -1) for part in (before, behind))
            return self._logits(plan, torch.cat([first, prompts, last], dim=1), flex, keep)

        return body

    def behind(self, plan: Plan, row: Continuations) -> Body:
        """A pass of prompts behind the questions."""
        flex, count = FlexBehind.of(row, self.windows), len(plan.questions)
        ends = range(row.width - 1, row.candidates * row.width, row.width)
        keep = torch.tensor(ends, device=flex.positions.device)

        def body(prompts: Tensor) -> Tensor:
            # Copied, for strides belong to what layers are compiled for: there would be two graphs.
            embeds = prompts.flatten(0, 1).repeat(count, 1, 1)
            return self._logits(plan, embeds, flex, keep).transpose(0, 1)

        return body

    def _logits(
        self, plan: Plan, embeds: Tensor, row: FlexRow | FlexBehind, keep: Tensor
    ) -> Tensor:
        # The default is 8 of them for all surveys and models of a process, and then none without a word.
        from torch._dynamo import config as compiler

        if id(plan) not in self._heads:
            self._heads[id(plan)] = plan, ending_in(self.model, plan.label_ids)
        head = self._heads[id(plan)][1]
        with compiler.patch(recompile_limit=_GRAPHS):
            logits: Tensor = (head or self.model)(
                inputs_embeds=embeds, position_ids=row.positions, use_cache=False, row=row,
                logits_to_keep=keep,
            ).logits  # fmt: skip
        return (logits if head is not None else logits[..., plan.label_ids]).float()

    def answered(
        self,
        plan: Plan,
        kind: Hashable,
        make: Callable[[int], Body],
        prompts: Tensor,
        usual: Callable[[], Tensor],
    ) -> Tensor:
        """(candidates, questions, labels of the sheet) logits behind every question.

        ``make`` gives the pass for a number of candidates, ``usual`` their logits without any of this.
        """
        given = in_a_known_size(prompts)
        key = (id(plan), kind, prompts.shape[1], len(given))
        if self.why_not is None and self._open and key not in self._taken:
            return self._chosen(key, lambda: make(len(given)), prompts, usual)
        way = self._taken.get(key) if self.why_not is None else None
        return usual() if way is None else way(given)[: len(prompts)]

    def _chosen(
        self,
        key: Hashable,
        make: Callable[[], Body],
        prompts: Tensor,
        usual: Callable[[], Tensor],
    ) -> Tensor:
        """The first pass of its kind: compile, compare, and keep the fastest way that agrees."""
        given = in_a_known_size(prompts)
        try:
            body = make()
            logits = body(given)[: len(prompts)]
        except Exception as error:  # the compiler and its back ends raise whatever they like
            if isinstance(error, torch.OutOfMemoryError):
                raise
            self.why_not = f"it could not be compiled ({type(error).__name__})"
            return usual()
        expected = usual()
        gap = float((logits.softmax(-1) - expected.softmax(-1)).abs().max())
        if not gap <= self._agrees:  # NaN does not agree
            self.why_not = f"compiled, a label's probability differs by {gap:.2g}"
            return expected
        took = {} if self._always else {"as before": _seconds(usual, given.device)}
        took["compiled"] = _seconds(lambda: body(given), given.device)
        ways: dict[str, Body | None] = {"as before": None, "compiled": body}
        if self._record is not None and took["compiled"] < _SHORT:
            with suppress(Exception):  # whatever cannot be recorded is called
                ways["a graph"] = graph = Captured(body, given, self._record)
                again = graph(given)[: len(prompts)]
                if float((again.softmax(-1) - expected.softmax(-1)).abs().max()) <= self._agrees:
                    took["a graph"] = _seconds(lambda: graph(given), given.device)
        self.took[len(given)] = took
        self._taken[key] = ways[min(took, key=took.__getitem__)]
        return logits


def _given_its_own(layer: Any, number: int) -> None:
    """Whatever only one layer has of a row it is given outside of what is compiled, where all are alike."""
    compiled = layer._compiled_call_impl

    def call(*given: Any, row: FlexRow | FlexBehind, **more: Any) -> Any:
        return compiled(*given, row=row.of_layer(number), **more)

    layer._compiled_call_impl = call


def _seconds(way: Callable[[], Tensor], device: torch.device) -> float:
    """The shorter of two turns, after the first one."""
    best = float("inf")
    for _ in range(2):
        begin = _clock(device)
        way()
        best = min(best, _clock(device) - begin)
    return best


def _clock(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
