"""What an engine made of a function reads: questions taken apart again, row by row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from blackbox_align.engines import FunctionEngine
from blackbox_align.surveys.sheet import Question


@dataclass(frozen=True)
class Read:
    """One question under one adapter's text: what is asked, and its options by label, in order."""

    preamble: str
    instruction: str
    text: str
    options: dict[str, str]


def read(question: Question, preamble: str = "") -> Read:
    head, _, text = question.text.partition("\nQuestion: ")
    instruction, _, line = head.partition("\n")
    starts = []
    at = 0
    for label in question.labels:
        at = line.index(f"{label} = ", at)
        starts.append(at)
        at += 1
    ends = [start - 2 for start in starts[1:]] + [len(line)]
    options = {
        label: line[start + len(label) + 3 : end]
        for label, start, end in zip(question.labels, starts, ends, strict=True)
    }
    return Read(preamble, instruction, text, options)


def engine(answer: Callable[[Read], Sequence[float]], **more) -> FunctionEngine:
    """An engine that gives every question the shares that ``answer`` gives what it reads."""

    def respond(adapters, sheet):
        rows = np.zeros((len(adapters), len(sheet.questions), sheet.width))
        for row, adapter in zip(rows, adapters, strict=True):
            for shares, question in zip(row, sheet.questions, strict=True):
                given = answer(read(question, adapter.text))
                shares[: len(given)] = given
        return rows

    return FunctionEngine(respond, **more)
