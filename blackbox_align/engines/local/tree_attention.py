"""Attention along a tree of token spans that stand packed in one row.

All questions of a survey stand in one row, span behind span, without padding. A span sees itself
and the spans on its way to the root, and nothing of its neighbours: one pass answers every
question, and what questions share is computed once. Scores are taken block by block along the tree,
for most of a mask over the whole row would be empty.

Transformers hands queries, keys and values over through its attention interface.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Any

import torch
from torch import Tensor

from ...errors import ModelError
from .prefix_tree import Node

# Neighbouring spans are taken together up to so many tokens: larger products, more masked scores.
_BLOCK = 64

KeysAndValues = tuple[Tensor, Tensor]


class OtherAttentionError(ModelError):
    """A model attends in a way that questions in one row do not allow; the message ends a sentence."""


@dataclass(frozen=True)
class Block:
    """Neighbouring spans with one parent, from place ``start`` of the row on.

    ``path`` are the pieces of a row on the way from the root to the parent, ``spans`` the lengths
    of the spans.
    """

    start: int
    path: tuple[slice, ...]
    spans: tuple[int, ...]

    @property
    def here(self) -> slice:
        return slice(self.start, self.start + sum(self.spans))

    @property
    def depth(self) -> int:
        """The number of tokens on the way to the parent."""
        return _length(self.path)


@dataclass
class PackedRow:
    """What stands where in a row of spans, and what sees what.

    ``positions`` holds the position of every place, counted from the root; ``paths`` the way from
    the root to the end of each question; ``layers`` which layers of a model did attend along it, and
    ``kept``, where it is a dictionary, takes their keys and values; ``ends`` are the places that are read,
    where no other is needed of the last layer. Along a ``dense`` row all places attend under one mask.
    """

    positions: list[int] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    paths: dict[int, tuple[slice, ...]] = field(default_factory=dict)
    layers: set[int] = field(default_factory=set)
    kept: dict[int, KeysAndValues] | None = None
    ends: tuple[int, ...] | None = None
    dense: bool = False
    _masks: dict[Any, Tensor] = field(default_factory=dict)
    _ends: dict[tuple[int, ...], list[tuple[Block, list[int], list[int]]]] = field(
        default_factory=dict
    )

    def __len__(self) -> int:
        return len(self.positions)

    def meet(self, layer: int, key: Tensor, value: Tensor) -> None:
        """A layer attends: as it sees keys and values, whatever it caches."""
        self.layers.add(layer)
        if self.kept is not None:
            if layer in self.kept:
                raise OtherAttentionError("attends more than once in a layer")
            self.kept[layer] = key, value

    def add(self, path: tuple[slice, ...], spans: Sequence[int]) -> list[slice]:
        """Append a block of spans that follow on ``path``; returns where each of them stands."""
        start, depth = len(self), _length(path)
        self.blocks.append(Block(start, path, tuple(spans)))
        for length in spans:
            self.positions += range(depth, depth + length)
        ends = list(accumulate(spans, initial=start))
        return [slice(a, b) for a, b in pairwise(ends)]

    def blocks_of_ends(self) -> list[tuple[Block, list[int], list[int]]]:
        """The blocks in which ``ends`` lie, where in the block, and which of them those are."""
        assert self.ends is not None
        if self.ends not in self._ends:
            found = []
            for block in self.blocks:
                numbers = [
                    n for n, end in enumerate(self.ends) if block.start <= end < block.here.stop
                ]
                if numbers:
                    found.append((block, [self.ends[n] - block.start for n in numbers], numbers))
            self._ends[self.ends] = found
        return self._ends[self.ends]

    def mask(self, block: Block, window: int | None, like: Tensor) -> Tensor:
        """(tokens of the block, tokens of its path and its own): 0 where one sees another, else -inf.

        A sliding ``window`` is one of distance in the text, not in the row.
        """
        key = (block.depth, block.spans, window, like.device)
        if key not in self._masks:
            lengths = torch.tensor(block.spans)
            span = torch.arange(len(lengths)).repeat_interleave(lengths)
            at = block.depth + torch.cat([torch.arange(length) for length in block.spans])
            own = (span[:, None] == span) & (at[:, None] >= at)
            seen = torch.cat([torch.ones(len(span), block.depth, dtype=torch.bool), own], dim=1)
            if window is not None:
                seen &= at[:, None] - torch.cat([torch.arange(block.depth), at]) < window
            self._masks[key] = _additive(seen, like)
        return self._masks[key]

    def whole_mask(self, window: int | None, like: Tensor) -> Tensor:
        """(places, places): the masks of all blocks in one."""
        key = (window, like.device)
        if key not in self._masks:
            place, at = torch.arange(len(self)), torch.tensor(self.positions)
            seen = (place <= place[:, None]) & (place[:, None] < torch.tensor(subtree_ends(self)))
            if window is not None:
                seen &= at[:, None] - at < window
            self._masks[key] = _additive(seen, like)
        return self._masks[key]


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


def pack(root: Node, before: int = 0) -> PackedRow:
    """The row of a tree, depth first, with room for ``before`` virtual tokens in front of it."""
    row = PackedRow()
    path: tuple[slice, ...] = ()
    if before + len(root.tokens):
        path = tuple(row.add((), [before + len(root.tokens)]))
    row.paths.update(dict.fromkeys(root.contexts, path))
    _add_children(root, path, row)
    return row


def _add_children(node: Node, path: tuple[slice, ...], row: PackedRow) -> None:
    block: list[Node] = []
    for child in node.children:
        if child.children or sum(len(leaf.tokens) for leaf in (*block, child)) > _BLOCK:
            _add_leaves(block, path, row)
            block = []
        if child.children:
            here = row.add(path, [len(child.tokens)])
            _add_children(child, joined(path, here[0]), row)
        else:
            block.append(child)
    _add_leaves(block, path, row)


def _add_leaves(leaves: Sequence[Node], path: tuple[slice, ...], row: PackedRow) -> None:
    if leaves:
        places = row.add(path, [len(leaf.tokens) for leaf in leaves])
        for leaf, here in zip(leaves, places, strict=True):
            row.paths.update(dict.fromkeys(leaf.contexts, joined(path, here)))


@dataclass
class Continuations:
    """Spans of ``width`` tokens side by side behind every question: one row per question.

    ``past`` holds keys and values (questions, heads, longest, d) per layer of the questions, padded
    behind their ``lengths`` (questions,); each of ``candidates`` spans follows on its question and
    sees nothing of the others.
    """

    past: dict[int, KeysAndValues]
    lengths: Tensor
    width: int
    candidates: int
    layers: set[int] = field(default_factory=set)
    ends: tuple[int, ...] | None = None
    kept: None = None
    _masks: dict[Any, Tensor] = field(default_factory=dict)

    @property
    def longest(self) -> int:
        return next(iter(self.past.values()))[0].shape[2]

    def meet(self, layer: int, key: Tensor, value: Tensor) -> None:
        """A layer attends."""
        self.layers.add(layer)

    @property
    def positions(self) -> Tensor:
        """(questions, candidates * width): counted from the root, as in a :class:`PackedRow`."""
        steps = torch.arange(self.width, device=self.lengths.device).repeat(self.candidates)
        return self.lengths[:, None] + steps

    def mask(self, window: int | None, like: Tensor) -> Tensor:
        """(questions, width, longest + width): 0 where a token of a span sees one of its question or
        its own span, else -inf."""
        key = (window, like.device)
        if key not in self._masks:
            place = torch.arange(self.longest, device=self.lengths.device)
            step = torch.arange(self.width, device=self.lengths.device)
            past = (place < self.lengths[:, None])[:, None].expand(-1, self.width, -1)
            own = (step[:, None] >= step).expand(len(past), -1, -1)
            seen = torch.cat([past, own], dim=2)
            if window is not None:
                at = self.lengths[:, None] + step
                keys = torch.cat([place.expand(len(at), -1), at], dim=1)
                seen = seen & (at[:, :, None] - keys[:, None] < window)
            self._masks[key] = _additive(seen, like)
        return self._masks[key]


def gather(row: PackedRow, kept: dict[int, KeysAndValues]) -> dict[int, KeysAndValues]:
    """The ``kept`` keys and values of a row, by layer: (questions, heads, longest, d), padded behind
    their ends."""
    longest = max(_length(path) for path in row.paths.values())

    def by_question(part: Tensor) -> Tensor:
        rows = []
        for question in sorted(row.paths):
            pieces = [part[0, :, piece] for piece in row.paths[question]]
            whole = torch.cat(pieces, dim=1)
            rows.append(torch.nn.functional.pad(whole, (0, 0, 0, longest - whole.shape[1])))
        return torch.stack(rows)

    return {layer: (by_question(k), by_question(v)) for layer, (k, v) in kept.items()}


def question_lengths(row: PackedRow) -> list[int]:
    """The tokens of every question, with whatever stands before it."""
    return [_length(row.paths[question]) for question in sorted(row.paths)]


def _additive(seen: Tensor, like: Tensor) -> Tensor:
    # Torch would make this of a boolean mask, in every layer again.
    return torch.zeros_like(seen, dtype=like.dtype).masked_fill(~seen, -torch.inf).to(like.device)


def joined(path: tuple[slice, ...], piece: slice) -> tuple[slice, ...]:
    """A path with a piece of the row behind it; pieces that follow on one another are one."""
    if path and path[-1].stop == piece.start:  # one piece of the row, which needs no copy
        return (*path[:-1], slice(path[-1].start, piece.stop))
    return (*path, piece)


def _length(path: Sequence[slice]) -> int:
    return sum(piece.stop - piece.start for piece in path)
