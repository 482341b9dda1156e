"""A sheet made ready for one model: its questions in tokens, and what of them is computed once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from ...errors import ModelError
from ...surveys.sheet import Sheet
from .chat import Reader, common_prefix
from .prefix_tree import Node, flat_tokens, prefix_tree
from .questions import Tokenized, tokenize
from .shadow import ending_in
from .tree_attention import Continuations, KeysAndValues, PackedRow, pack

_PLANS = 4


@dataclass
class Tree:
    """Questions in one row behind an ``opening`` that all of them share and a soft prompt."""

    opening: tuple[int, ...]
    root: Node
    tokens: tuple[int, ...]
    rows: dict[int, PackedRow] = field(default_factory=dict)

    @classmethod
    def of(cls, questions: list[Tokenized], inside: bool) -> Tree:
        """``inside``: with the user's own words alone behind the soft prompt."""
        openings = {q.context[: q.opening] if inside else () for q in questions}
        if len(openings) > 1:
            raise ModelError(
                "The chat template of this model opens differently for each question, so a soft prompt "
                "cannot stand inside the message; place it first or last."
            )
        opening = next(iter(openings), ())
        root = prefix_tree([question.context[len(opening) :] for question in questions])
        return cls(opening, root, tuple(flat_tokens(root)))

    def row(self, width: int) -> PackedRow:
        """The questions in a row behind a soft prompt of ``width`` tokens."""
        if width not in self.rows:
            self.rows[width] = pack(self.root, len(self.opening) + width)
        return self.rows[width]


@dataclass
class Plan:
    """A sheet behind one text, made ready for one model; what was needed once is kept.

    ``short`` is the model ending in the rows of the labels, where that can be; ``columns``
    (questions, labels of a question) is where a question's labels are in ``label_ids``, and
    ``offered`` which of them there are. Of a survey in several rows each part ``is_part``, and has
    ``kept`` the keys and values of its row.
    """

    questions: list[Tokenized]
    label_ids: Tensor
    columns: Tensor
    offered: Tensor
    short: Any | None
    trees: dict[bool, Tree] = field(default_factory=dict)
    continuations: Continuations | None = None
    kept: dict[int, KeysAndValues] | None = None
    is_part: bool = False
    _parts: list[tuple[list[int], Plan]] = field(default_factory=list)

    @property
    def longest(self) -> int:
        """Tokens of the longest question."""
        return max(len(question.context) for question in self.questions)

    def tree(self, inside: bool) -> Tree:
        if inside not in self.trees:
            self.trees[inside] = Tree.of(self.questions, inside)
        return self.trees[inside]

    @classmethod
    def of(cls, sheet: Sheet, text: str, reader: Reader, model: Any, device: torch.device) -> Plan:
        """``model`` is the one that attends along a row."""
        questions = [tokenize(question, reader, text) for question in sheet.questions]
        _refuse_unknown_tokens(questions, model, reader)
        label_ids = sorted({label for question in questions for label in question.labels})
        column = {label: n for n, label in enumerate(label_ids)}
        columns = torch.zeros((len(questions), sheet.width), dtype=torch.long)
        offered = torch.zeros((len(questions), sheet.width), dtype=torch.bool)
        for row, question in enumerate(questions):
            places = torch.tensor([column[label] for label in question.labels])
            columns[row, : len(question.labels)] = places
            offered[row, : len(question.labels)] = True
        ids = torch.tensor(label_ids, device=device)
        short = ending_in(model, ids)
        return cls(questions, ids, columns.to(device), offered.to(device), short)

    def parts(self, most: int) -> list[Plan]:
        """Questions in the order of the tree, in rows of about ``most`` tokens each."""
        if not self._parts:
            order = sorted(range(len(self.questions)), key=lambda n: self.questions[n].context)
            groups: list[list[int]] = [[]]
            length, before = 0, ()  # type: int, tuple[int, ...]
            for number in order:
                context = self.questions[number].context
                shared = len(common_prefix([before, context])) if groups[-1] else 0
                length += len(context) - shared
                if length > most and groups[-1]:
                    groups.append([])
                    length = len(context)
                groups[-1].append(number)
                before = context
            parts = [replace(self.part(group), is_part=True) for group in groups]
            self._parts = list(zip(groups, parts, strict=True))
        return [part for _, part in self._parts]

    @property
    def places(self) -> Tensor:
        """(questions,) where each question stands among those of the parts, one behind another."""
        return torch.tensor([number for group, _ in self._parts for number in group]).argsort()

    def part(self, numbers: list[int]) -> Plan:
        """Some of the questions, for a check."""
        some = [self.questions[number] for number in numbers]
        columns, offered = self.columns[numbers], self.offered[numbers]
        return Plan(some, self.label_ids, columns, offered, self.short)


class Plans(dict[tuple[Any, ...], Plan]):
    """The plans of the first sheet that was asked, which is that of a search, and of the latest ones."""

    def of(self, key: tuple[Any, ...], make: Callable[[], Plan]) -> Plan:
        first, *others = self or [key]
        plan = self.get(key) if key == first else self.pop(key, None)
        if plan is None and len(others) == _PLANS - 1:
            del self[others[0]]  # that was asked for longest ago
        plan = self[key] = plan or make()
        return plan


def _refuse_unknown_tokens(questions: list[Tokenized], model: Any, reader: Reader) -> None:
    size = int(model.get_input_embeddings().weight.shape[0])
    used = {token for q in questions for token in (*q.context, *q.labels)}
    beyond = sorted(token for token in used if token >= size)
    if beyond:
        names = ", ".join(map(repr, reader.tokenizer.convert_ids_to_tokens(beyond[:3])))
        raise ModelError(
            f"The tokenizer of this model writes tokens that the model has no embedding for ({names}: "
            f"number {beyond[0]}, and it has {size}). Use the tokenizer that it was trained with, or "
            "another --chat-template."
        )
