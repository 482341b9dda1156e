"""Conditions: what is applied to a model when it is assessed, as a name and a function to adapters.

=================  ==============================================================================
``none``           nothing; ``naive`` is the name that arXiv 2503.16094 gives it
``icl``            the country in the text prompt, as in that paper's in-context condition
``prompting``      the question is put as one about people of that country, as in Cultural Palette
``text:...``       a text of your own, with ``{country}`` for the country's name
``answers``        what the population answered to the questions that are known, in percent, in the text
``expert:PATH``    an expert: a run, or an expert folder; ``{code}`` stands for the country's code,
                   so that every country can have an expert of its own
=================  ==============================================================================

The texts of ``icl`` and ``prompting`` are ours; the papers print theirs in part only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..adapters.adapter import Adapter
from ..errors import SpecificationError, nearest_names
from ..populations import Population
from ..results.names import ANSWERS_IN_TEXT, COUNTRY_IN_TEXT, NONE
from ..surveys.instrument import Instrument

if TYPE_CHECKING:
    from ..engines.base import Engine
    from ..experts import Expert

PRESETS = {
    NONE: "",
    "naive": "",
    COUNTRY_IN_TEXT: "the population's own wording",
    "prompting": "How would people in {country} answer the following question?",
    ANSWERS_IN_TEXT: "the population's own answers",
}
_MOST_ANSWERS = 40  # in a text, and no more than fit into half of what a model can read

_NOTHING = Adapter()


@dataclass(frozen=True)
class Condition:
    """A ``name`` for tables, and the ``adapter`` that is applied when a population is asked about.

    ``expert`` gives the expert that the adapter is from, where it is from one, which says what it was
    fitted to and on which model.
    """

    name: str
    adapter: Callable[[Population], Adapter]
    expert: Callable[[Population], Expert] | None = None

    @classmethod
    def plain(cls, name: str = NONE) -> Condition:
        """The model as it is."""
        return cls(name, lambda population: _NOTHING)

    @classmethod
    def country_in_text(cls, name: str = COUNTRY_IN_TEXT) -> Condition:
        """The sentence that tells a model whom to answer like: a country, or a group of a file's own."""
        return cls(name, lambda population: Adapter(text=population.preamble()))

    @classmethod
    def text(cls, name: str, text: str) -> Condition:
        """A text in front of every question, with ``{country}`` for the population's name."""
        return cls(
            name, lambda population: Adapter(text=text.replace("{country}", population.name))
        )

    @classmethod
    def known_answers(
        cls,
        instrument: Instrument,
        known: Collection[str],
        engine: Engine | None = None,
        name: str = ANSWERS_IN_TEXT,
    ) -> Condition:
        """What the population answered to the items that are ``known``, and whom to answer like.

        Up to 40 of them, in the order of the instrument, and no more than fit into half of the positions
        that the model of ``engine`` has.
        """
        positions = engine.info.positions if engine else None

        @cache
        def text(population: Population) -> str:
            lines = list(_answer_lines(instrument, population, known))[:_MOST_ANSWERS]
            while True:
                written = "\n".join(
                    ["Answers of such people to other questions:", *lines, population.preamble()]
                )
                fits = positions is None or engine is None or not lines
                if fits or len(engine.tokenize(written)) <= positions // 2:  # type: ignore
                    return written
                lines.pop()

        return cls(name, lambda population: Adapter(text=text(population)))

    @classmethod
    def from_folder(cls, name: str, path: str) -> Condition:
        """The expert in a folder or a run, with ``{code}`` for the population's code."""
        from ..experts import find_expert

        find = lru_cache(maxsize=None)(lambda folder: find_expert(Path(folder)))

        def expert(population: Population) -> Expert:
            return find(path.replace("{code}", population.code))

        return cls(name, lambda population: expert(population).adapter(), expert)


def _answer_lines(
    instrument: Instrument, population: Population, known: Collection[str]
) -> Iterator[str]:
    """A line for every known item: the question, and the shares of its options in percent."""
    for item, shares in zip(instrument.items, instrument.shares(population), strict=True):
        if item.id in known and not np.isnan(shares).any():
            said = ", ".join(
                f"{option} {share:.0%}"
                for option, share in zip(item.scale.options, shares, strict=False)
            )
            yield f"{item.text} {said}"


def parse_condition(text: str) -> Condition:
    """A condition from its written form; :class:`SpecificationError` for what is none.

    ``answers`` needs an instrument, and is made by :meth:`Condition.known_answers`.
    """
    kind, colon, rest = text.partition(":")
    if not colon and kind in PRESETS:
        if kind == COUNTRY_IN_TEXT:
            return Condition.country_in_text(kind)
        if kind == ANSWERS_IN_TEXT:
            raise SpecificationError(
                "The condition 'answers' shows a model what people answered to known questions: "
                "give --known N, or an expert that was fitted to some of them."
            )
        return Condition.text(kind, PRESETS[kind]) if PRESETS[kind] else Condition.plain(kind)
    if kind == "text" and rest.strip():
        other = re.search(r"\{(?!country\})\w*\}", rest)
        if other:
            raise SpecificationError(
                f"A text of {{country}} alone is filled in; {other[0]!r} would be read as it stands. "
                "Write {country}, or leave the braces out."
            )
        return Condition.text(text, rest.strip())
    if kind == "expert" and rest:
        return Condition.from_folder(text, rest)
    near = nearest_names(text, PRESETS, 1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise SpecificationError(
        f"A condition is one of {', '.join(PRESETS)}, 'text:SOME TEXT' or 'expert:FOLDER'; "
        f"not {text!r}.{hint}"
    )
