"""Preferences: a question, the answer of one colour that is preferred, and those of the others that are not.

One JSON object a line:

    {"colour": "africa", "query": "...", "chosen": "...", "rejected": ["...", "..."]}

``rejected`` may be one text. Where ``colour`` is left out, a line is for whichever colour the file is read
for. Pairs in the form of Cultural Palette's data (``query``, ``response``, ``rejected_response``) are read
as well; those of one query and one answer become one preference.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ..errors import DataFileError, SpecificationError
from ..files.strict_json import parse_json
from ..files.tables import read_text
from ..populations import find_population
from ..surveys.opinions import OpinionSurvey
from ..surveys.sheet import option_orders
from .maps import PaletteMap, mean_shares

Array = NDArray[np.floating]
_KEYS = {"colour", "query", "chosen", "rejected", "response", "rejected_response"}


@dataclass(frozen=True)
class Preference:
    """A ``query``, the answer that is ``chosen``, and K others that are ``rejected``, 0 or more."""

    query: str
    chosen: str
    rejected: tuple[str, ...]


def read_preferences(path: Path | str, colour: str = "") -> tuple[Preference, ...]:
    """The preferences of a file that are for ``colour``.

    Raises :class:`DataFileError` for a line that is none, or where there is none for the colour.
    """
    where = Path(path)
    found: dict[tuple[str, str], list[str]] = {}
    for number, line in enumerate(read_text(where).split("\n"), start=1):
        if not line.strip():
            continue
        value = parse_json(where, line, number)
        if not isinstance(value, dict) or not set(value) <= _KEYS:
            raise DataFileError(
                where, number, "expected an object with colour, query, chosen and rejected."
            )
        if value.get("colour", colour) != colour:
            continue
        query = _text(where, number, value, "query")
        chosen = _text(where, number, value, "chosen", "response")
        given = value.get("rejected", value.get("rejected_response", []))
        rejected = [given] if isinstance(given, str) else given
        if not isinstance(rejected, list) or not all(isinstance(r, str) and r for r in rejected):
            raise DataFileError(where, number, "'rejected' is a text, or a list of texts.")
        found.setdefault((query, chosen), []).extend(rejected)
    if not found:
        raise DataFileError(where, None, f"there is no preference for the colour {colour!r} in it.")
    return tuple(
        Preference(query, chosen, tuple(dict.fromkeys(r for r in rejected if r != chosen)))
        for (query, chosen), rejected in found.items()
    )


def to_lines(colour: str, preferences: Sequence[Preference]) -> str:
    """The content of a file."""
    return "".join(
        json.dumps({"colour": colour, **asdict(one)}, ensure_ascii=False) + "\n"
        for one in preferences
    )


def survey_preferences(
    palette_map: PaletteMap,
    opinions: OpinionSurvey,
    colour: str,
    items: Collection[str],
    count: int,
    rng: Generator,
) -> Iterator[Preference]:
    """Preferences about a survey's questions, for who has no texts: answers are labels.

    The chosen label is drawn from the mean answers of the colour's countries, the rejected ones from those
    of every other colour; labels that come twice are left out. Two of three queries name the colour or one
    of its countries, and options come in either direction.

    Parameters
    ----------
    items : ids of the questions to ask, those held out left out

    Raises
    ------
    SpecificationError
        A colour has no answers to any of the questions.
    """
    asked = [n for n, item in enumerate(opinions.survey.items) if item.id in items]
    shares = {one.code: mean_shares(opinions, one.countries)[asked] for one in palette_map.colours}
    known = ~np.isnan(np.stack(list(shares.values()))).any((0, 2))
    if not known.any():
        raise SpecificationError(f"No question of {opinions.survey.title} was put to all colours.")
    own = palette_map.colour(colour)
    told = ["", own.population.preamble(), *_named(palette_map, colour)]
    chances = np.array([1 / 3, 1 / 3, *[1 / 3 / (len(told) - 2)] * (len(told) - 2)])
    for _ in range(count):
        row = int(rng.choice(np.flatnonzero(known)))
        item = opinions.survey.items[asked[row]]
        orders = option_orders(len(item.scale), "reversed")
        order = orders[int(rng.integers(len(orders)))]
        labels = {}
        for code, table in shares.items():
            options = table[row, : len(item.scale)]
            option = int(rng.choice(len(options), p=options / options.sum()))
            labels[code] = item.scale.labels[order.index(option)]
        preamble = told[int(rng.choice(len(told), p=chances / chances.sum()))]
        text = opinions.survey.question(item, order)
        others = (label for code, label in labels.items() if code != colour)
        rejected = tuple(dict.fromkeys(label for label in others if label != labels[colour]))
        yield Preference(f"{preamble}\n{text}" if preamble else text, labels[colour], rejected)


def _named(palette_map: PaletteMap, colour: str) -> list[str]:
    return [find_population(code).preamble() for code in palette_map.colour(colour).countries]


def _text(path: Path, line: int, value: dict[str, Any], *names: str) -> str:
    for name in names:
        if isinstance(value.get(name), str) and value[name].strip():
            return str(value[name])
    raise DataFileError(path, line, f"{names[0]!r} is a text that is not empty.")
