"""The questions of a survey as a tree of token spans, so that a shared opening is computed once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from .questions import common_prefix

# An inner node costs another block of attention; it pays from about this many tokens that it saves.
_WORTHWHILE = 4


@dataclass(frozen=True)
class Node:
    """A span of tokens that follows on its parent's; ``contexts`` are the questions that end here."""

    tokens: tuple[int, ...]
    contexts: tuple[int, ...] = ()
    children: tuple[Node, ...] = field(default=(), repr=False)


def prefix_tree(contexts: Sequence[tuple[int, ...]]) -> Node:
    """The tree of ``contexts`` (none of them empty); its root is what all of them share.

    The shared opening stops one token before the end of the shortest context, so that every
    question ends in a leaf or in the root alone.
    """
    return _grow(list(enumerate(contexts)), 0)


def _grow(contexts: list[tuple[int, tuple[int, ...]]], start: int) -> Node:
    """The node of all ``contexts``, which agree up to ``start`` and are grown from there."""
    bodies = [body for _, body in contexts]
    if all(body == bodies[0] for body in bodies):
        return Node(bodies[0][start:], tuple(number for number, _ in contexts))
    end = min(len(common_prefix(bodies)), min(map(len, bodies)) - 1)
    children: list[Node] = []
    ordered = sorted(contexts, key=lambda entry: (entry[1][end], entry[0]))
    for _, entries in groupby(ordered, key=lambda entry: entry[1][end]):
        group = list(entries)
        shared = min(len(common_prefix([b for _, b in group])), min(len(b) for _, b in group) - 1)
        if (shared - end) * (len(group) - 1) >= _WORTHWHILE or len({b for _, b in group}) == 1:
            children.append(_grow(group, end))
        else:
            children.extend(Node(body[end:], (number,)) for number, body in group)
    return Node(bodies[0][start:end], (), tuple(children))


def flat_tokens(node: Node) -> Iterator[int]:
    """The tokens of a tree, depth first: what is computed for one candidate."""
    yield from node.tokens
    for child in node.children:
        yield from flat_tokens(child)
