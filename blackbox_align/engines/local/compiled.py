"""The tree in one mask, and compiled decoder layers: for devices on which a call costs more than a product.

A token at place q of a packed row sees that at place k where k <= q < end[k], the place behind the last
descendant of k's span: two numbers for each place describe the whole tree, which FlexAttention (Dong et
al. 2024, arXiv:2412.05496) turns into a mask of blocks. Layers are compiled for a shape, once each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ...errors import SpecificationError
from .plan import Plan
from .shadow import decoder_layers, ending_in, shadow
from .sizes import in_a_known_size
from .tree_attention import OtherAttentionError, PackedRow

CHOICES = ("auto", "never", "always")
_NAME = "blackbox_align_flex"
_GRAPHS = 256
_AGREES = {torch.float32: 1e-5, torch.bfloat16: 5e-2, torch.float16: 1e-2}


def compiles(choice: str, device: str) -> bool:
    """Whether layers are compiled on a kind of device; SpecificationError for another ``choice``."""
    if choice not in CHOICES:
        known = ", ".join(map(repr, CHOICES))
        raise SpecificationError(f"What is compiled must be one of {known}; not {choice!r}.")
    return choice == "always" or (choice == "auto" and device == "cuda")


def subtree_ends(row: PackedRow) -> list[int]:
    """For every place of a row, the place behind the last one that sees it."""
    ends = [0] * len(row)
    for block in row.blocks:
        start = block.start
        for span in block.spans:
            for place in range(start, start + span):
                ends[place] = max(ends[place], start + span)
            start += span
        for piece in block.path:
            for place in range(piece.start, piece.stop):
                ends[place] = max(ends[place], block.here.stop)
    return ends


@dataclass(eq=False)
class FlexRow:
    """A packed row as FlexAttention takes it: block masks by the sliding window, None without one."""

    positions: Tensor
    ends: Tensor
    masks: dict[int | None, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, row: PackedRow, device: torch.device) -> FlexRow:
        positions = torch.tensor(row.positions, device=device)
        return cls(positions, torch.tensor(subtree_ends(row), device=device))

    def mask(self, window: int | None) -> Any:
        if window not in self.masks:
            from torch.nn.attention.flex_attention import create_block_mask

            ends, positions, length = self.ends, self.positions, len(self.positions)

            def seen(b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
                inside = (k <= q) & (q < ends[k])
                return inside if window is None else inside & (positions[q] - positions[k] < window)

            self.masks[window] = create_block_mask(
                seen, None, None, length, length, device=str(positions.device)
            )
        return self.masks[window]


def _attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    row: FlexRow | None = None,
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


class Compiled:
    """A model whose layers are compiled, over the same weights as the one that it is compared with.

    ``why_not`` says why it is not used: it could not be compiled, or does not agree.
    """

    def __init__(self, model: Any, backend: Any = "inductor") -> None:
        from transformers import AttentionInterface

        AttentionInterface.register(_NAME, _attend)
        self.model = shadow(model, _NAME)
        self.windows = {None, getattr(model.config.get_text_config(), "sliding_window", None)}
        for layer in decoder_layers(self.model):
            layer.compile(backend=backend, dynamic=False)
        self.why_not: str | None = None
        self._rows: dict[tuple[int, int], FlexRow] = {}
        self._heads: dict[int, tuple[Plan, Any]] = {}
        self._agreed: set[tuple[int, int]] = set()

    def logits(self, plan: Plan, row: PackedRow, embeds: Tensor) -> Tensor:
        """(candidates, questions, labels of the sheet) logits behind every question."""
        count, number = len(embeds), (id(plan), len(row))
        given = in_a_known_size(embeds)
        if number not in self._rows:
            flex = FlexRow.of(row, embeds.device)
            for window in self.windows:
                flex.mask(window)
            self._rows[number] = flex
        if id(plan) not in self._heads:
            self._heads[id(plan)] = plan, ending_in(self.model, plan.label_ids)
        head = self._heads[id(plan)][1]
        ends = [row.paths[item][-1].stop - 1 for item in range(len(plan.questions))]
        flex = self._rows[number]
        # The default is 8 of them for all surveys and models of a process, and then none without a word.
        from torch._dynamo import config as compiler

        with compiler.patch(recompile_limit=_GRAPHS):
            logits = (head or self.model)(
                inputs_embeds=given, position_ids=flex.positions[None], use_cache=False, row=flex,
                logits_to_keep=torch.tensor(ends, device=embeds.device),
            ).logits  # fmt: skip
        labels = logits if head is not None else logits[..., plan.label_ids]
        return labels[:count].float()

    def believed(
        self, plan: Plan, row: PackedRow, embeds: Tensor, usual: Callable[[], Tensor]
    ) -> Tensor:
        """Logits the compiled way, where on the first pass of its kind it gave the ``usual`` ones."""
        key = (id(plan), len(row))
        if self.why_not is not None:
            return usual()
        try:
            given = self.logits(plan, row, embeds)
        except Exception as error:  # the compiler and its back ends raise whatever they like
            if isinstance(error, torch.OutOfMemoryError):
                raise
            self.why_not = f"it could not be compiled ({type(error).__name__})"
            return usual()
        if key in self._agreed:
            return given
        expected = usual()
        gap = float((given.softmax(-1) - expected.softmax(-1)).abs().max())
        if not gap <= _AGREES[embeds.dtype]:  # NaN does not agree
            self.why_not = f"compiled, a label's probability differs by {gap:.2g}"
            return expected
        self._agreed.add(key)
        return given
