"""Does a model know the instrument by heart: its items, how it is scored, the figures that were published?

Each is asked by a text that stops in the middle, gone on with greedily. What a model can recite it may have
answered from memory; that it cannot is no proof that it never saw it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from ..engines.base import Engine, Request, Sampling, write_all
from ..populations import TargetSet, countries
from ..surveys.survey import Survey

MOST = 8  # items, and countries, evenly
_NEAR = 2.0  # index points: as near as one who knows a figure comes
_ALIKE = 0.8  # of the words that were left out


@dataclass(frozen=True)
class Recited:
    """How many of how many could be recited."""

    items: int
    of_items: int
    rules: int = 0
    of_rules: int = 0
    figures: int = 0
    of_figures: int = 0

    @property
    def knows(self) -> bool:
        """Whether it recites more than guessing would: an item, half of the rules, or 1 in 4 figures."""
        return (
            self.items > 0
            or 0 < self.of_rules <= 2 * self.rules
            or 0 < self.of_figures <= 4 * self.figures
        )

    def describe(self) -> str:
        """A sentence with the counts."""
        parts = [f"{self.items} of {self.of_items} items word for word"]
        if self.of_rules:
            parts.append(f"{self.rules} of {self.of_rules} scoring rules")
        if self.of_figures:
            parts.append(
                f"{self.figures} of {self.of_figures} published figures to within {_NEAR:g} points"
            )
        verdict = (
            "It knows the instrument" if self.knows else "It recites no more than guessing would"
        )
        return f"Un-prompted it recites {', '.join(parts)}. {verdict}."


def recite(engine: Engine, survey: Survey, targets: TargetSet | None = None) -> Recited:
    """Ask the model of an engine, as it is, to go on with ``survey`` and with the figures of ``targets``.

    Raises :class:`..errors.ModelError` for an engine that writes no texts.
    """
    asked: list[
        tuple[str, str, int, Callable[[str], bool]]
    ] = []  # kind, text, tokens, whether it is right
    for n in _evenly(len(survey.items)):
        first, rest = _split(survey.items[n].text)
        if rest:
            text = f"{survey.title}\nQuestion: {first}"
            asked.append(("items", text, 16, partial(_same_words, rest)))
    for n in range(len(survey.indices)) if targets else ():
        text, last = _rule(survey, n)
        asked.append(("rules", text, 6, partial(_begins_with, last)))
    for name, known in _countries(targets) if targets else ():
        for index in survey.indices:
            value = known.get(index.name, np.nan)
            if np.isfinite(value):
                text = f"Published scores of countries, 0 to 100.\n{index.title} ({index.name}), {name}:"
                asked.append(("figures", text, 6, partial(_number_near, value)))
    requests = [Request(text, Sampling(max_tokens=most)) for _, text, most, _ in asked]
    of, right = Counter(kind for kind, *_ in asked), Counter[str]()
    for (kind, *_, is_right), wrote in zip(asked, write_all(engine, requests), strict=True):
        right[kind] += is_right(wrote.text)
    return Recited(
        right["items"], of["items"], right["rules"], of["rules"], right["figures"], of["figures"]
    )


def _evenly(count: int) -> list[int]:
    return np.unique(np.linspace(0, count - 1, min(MOST, count)).astype(int)).tolist()


def _split(text: str) -> tuple[str, str]:
    """The first half of the words, and the rest."""
    words = text.split()
    half = (len(words) + 1) // 2
    return " ".join(words[:half]), " ".join(words[half:])


def _rule(survey: Survey, number: int) -> tuple[str, str]:
    """An index's formula up to its last item, and that item."""
    index = survey.indices[number]
    terms = list(index.weights.items())
    *before, (last, weight) = terms
    written = " ".join(f"{w:+g} {item}" for item, w in before)
    return f"{survey.title}. {index.title} = {written} {weight:+g} ", last


def _countries(targets: TargetSet) -> list[tuple[str, dict[str, float]]]:
    """Names of countries that have all figures, as far as there are such, and their figures by index."""
    codes = [code for code in targets.codes if not countries()[code].is_region]
    whole = [code for code in codes if np.isfinite(targets.figures[code]).all()] or codes
    return [
        (
            countries()[whole[n]].name,
            dict(zip(targets.indices, map(float, targets.figures[whole[n]]), strict=True)),
        )
        for n in _evenly(len(whole))
    ]


def _same_words(rest: str, said: str) -> bool:
    """Whether four fifths of the words that were left out come in their places, as far as was written."""
    expected, words = (re.findall(r"\w+", one.casefold()) for one in (rest, said))
    count = min(len(expected), max(len(words), 1))
    same = sum(a == b for a, b in zip(expected, words, strict=False))
    return bool(expected) and same >= _ALIKE * min(len(expected), max(count, 3))


def _begins_with(last: str, said: str) -> bool:
    return said.strip().startswith(last)


def _number_near(value: float, said: str) -> bool:
    found = re.search(r"\d+(?:\.\d+)?", said.split("\n")[0])
    return found is not None and abs(float(found[0]) - value) <= _NEAR
