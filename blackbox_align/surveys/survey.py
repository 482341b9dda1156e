"""What a survey is: items, the scales they are answered on, and the indices made from them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property

import numpy as np

from ..errors import UnknownNameError

NO_ANSWERS = (
    "nobody's answers are in it. Bring the responses (export them as CSV, or for SPSS) and make shares of "
    "them: `bbalign surveys tabulate RESPONSES --country COLUMN --survey FILE`; or bring a table of shares "
    "with the columns item, question, option, country and share."
)
COUNTRY_PREAMBLE = "Answer as a typical person who lives in {country} would."


@dataclass(frozen=True)
class Scale:
    """The answer options of an item, in the order in which they are offered.

    ``labels`` are what a respondent writes down ("1", "2", ...), ``options`` what they mean,
    ``codes`` the numbers that stand for them in an item mean.
    """

    name: str
    labels: tuple[str, ...]
    options: tuple[str, ...]
    codes: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def in_order(self, order: Sequence[int]) -> Scale:
        """The labels as they stand, before the options in another order."""
        return replace(self, options=tuple(self.options[n] for n in order))

    def line(self) -> str:
        """The scale as it is shown: ``1 = always, 2 = usually, ...``."""
        return ", ".join(
            f"{label} = {option}" for label, option in zip(self.labels, self.options, strict=True)
        )


@dataclass(frozen=True)
class Item:
    """One question and the scale on which it is answered."""

    id: str
    text: str
    scale: Scale


@dataclass(frozen=True)
class Index:
    """A score that is a linear form of item means: sum of ``weights[item] * mean(item)``."""

    name: str
    title: str
    weights: Mapping[str, float]

    @property
    def reach(self) -> float:
        """Points that this index can lie away from its middle on five-point items (codes 1..5)."""
        return 2 * sum(abs(weight) for weight in self.weights.values())


@dataclass(frozen=True)
class Survey:
    """A questionnaire as it is put to a model, with the indices that are scored from it.

    ``preamble`` is text in front of everything, empty unless a condition such as "you live in
    Kenya" is asked under (see :meth:`with_preamble`). ``left_out`` are sentences on what the file
    holds and is not asked; they are no part of the survey's hash.
    """

    name: str
    title: str
    version: int
    instruction: str
    items: tuple[Item, ...]
    indices: tuple[Index, ...] = ()
    source: str = ""
    preamble: str = ""
    left_out: tuple[str, ...] = ()

    def with_preamble(self, text: str) -> Survey:
        """The same survey asked after a text, for example one that names a country."""
        return replace(self, preamble=text)

    def question(self, item: Item, order: Sequence[int] | None = None) -> str:
        """The text that a model reads for one item, in an ``order`` of its options.

        The scale comes before the item, so that items on one scale share their opening and an
        evaluator computes it once.
        """
        opening = f"{self.preamble}\n" if self.preamble else ""
        scale = item.scale if order is None else item.scale.in_order(order)
        return f"{opening}{self.instruction}\n{scale.line()}\nQuestion: {item.text}"

    @property
    def width(self) -> int:
        """The largest number of options of any item."""
        return max(len(item.scale) for item in self.items)

    @cached_property
    def codes(self) -> np.ndarray:
        """(items, width) float64: the code of every option; 0 behind the last one of an item."""
        table = np.zeros((len(self.items), self.width))
        for row, item in zip(table, self.items, strict=True):
            row[: len(item.scale)] = item.scale.codes
        return table

    @cached_property
    def index_weights(self) -> np.ndarray:
        """(indices, items) float64: raw index scores are ``index_weights @ item_means``."""
        position = {item.id: column for column, item in enumerate(self.items)}
        matrix = np.zeros((len(self.indices), len(self.items)))
        for row, index in zip(matrix, self.indices, strict=True):
            for item_id, weight in index.weights.items():
                row[position[item_id]] = weight
        return matrix

    def direction(self, item: Item) -> str:
        """What a higher answer code on this item does: ``raises PDI``, ``lowers IVR``, or nothing."""
        effects = [
            f"{'raises' if index.weights[item.id] > 0 else 'lowers'} {index.name}"
            for index in self.indices
            if index.weights.get(item.id)
        ]
        return ", ".join(effects)

    @cached_property
    def sha256(self) -> str:
        """A hash of everything that is asked and scored; two surveys with one hash are the same."""
        asked = {key: value for key, value in asdict(self).items() if key != "left_out"}
        content = json.dumps(asked, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(content.encode()).hexdigest()


def refuse_unknown_indices(text: str, names: Sequence[str]) -> None:
    """Raise :class:`UnknownNameError` unless all that ``text`` lists, by commas or spaces, is known."""
    for name in filter(None, re.split(r"[,\s]+", text)):
        if name not in names:
            known = f"Its indices: {', '.join(names)}." if names else "The survey has no indices."
            raise UnknownNameError("index", name, names, known)
