"""Known answers from a file, beside the experts' own answers to the same items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DataFileError, SpecificationError
from ..experts import Expert
from ..files.numbers import amount
from ..files.tables import as_table, read_rows
from ..surveys.survey import Survey

Array = NDArray[np.floating]
_EXPECTED = "a header 'item,answer,count' and a line for each answer that was given"


def known_answers(path: Path | str, experts: Sequence[Expert]) -> tuple[Array, Array]:
    """What :func:`.by_answers.weights_by_answers` takes, from a CSV or Excel file of answers.

    A line is an item's id, an ``answer`` (the option's number, counted from 1, or its words or label where
    the survey ships with the package) and, if the file has the column, a ``count`` (or ``share``).

    Returns
    -------
    (experts, items, options) the experts' answers as their cards have them, and (items, options) counts;
    items are those of the file that every expert was asked, NaN and 0 behind an item's options

    Raises
    ------
    DataFileError
        The file has a mistake; the message names its line and the mend.
    SpecificationError
        No instrument was asked of all experts, so there is nothing to compare with.
    """
    name = _shared_instrument(experts)
    own = [expert.card.answers[name] for expert in experts]
    words = _words(name)
    counts: dict[str, dict[int, float]] = {}
    table = as_table(Path(path), read_rows(Path(path), _EXPECTED))
    table.require("item", "answer")
    for line, row in table.records():
        item = row["item"].strip()
        known = [answers[item] for answers in own if item in answers]
        if len(known) < len(own):
            raise DataFileError(
                table.path, line,
                f"{len(own) - len(known)} of {len(own)} experts have no answer to {item!r}; expected an "
                f"item of {name} that all were asked ({', '.join(list(own[0])[:5])}, ...).",
            )  # fmt: skip
        told = row.get("count", row.get("share", "1"))
        option, count = option_of(row["answer"], words.get(item, ()), len(known[0])), amount(told)
        if option is None or count is None:
            cell = row["answer"] if option is None else told
            what = f"a number from 1 to {len(known[0])} or an option's words" if option is None else (
                "a number of 0 or more")  # fmt: skip
            raise DataFileError(table.path, line, f"{cell!r} stands here; expected {what}.")
        given = counts.setdefault(item, {})
        given[option] = given.get(option, 0.0) + count
    return _arrays(own, counts)


def _shared_instrument(experts: Sequence[Expert]) -> str:
    shared = [
        name
        for name in (experts[0].card.answers if experts else ())
        if all(name in expert.card.answers for expert in experts)
    ]
    if not shared:
        silent = ", ".join(expert.name for expert in experts if not expert.card.answers)
        reason = f"the cards of {silent} hold no answers" if silent else "they share no instrument"
        raise SpecificationError(
            f"Weights by answers compare known answers with the experts' own, and {reason}; fit these "
            "experts again, or state the weights with --population."
        )
    return shared[0]


def _words(instrument: str) -> Mapping[str, Sequence[tuple[str, str]]]:
    """(label, option) of every option by item, for an instrument that ships with the package."""
    from ..surveys.instruments import load_instrument
    from ..surveys.loading import survey_names

    if instrument not in survey_names():
        return {}
    found = load_instrument(instrument)
    survey: Survey = found if isinstance(found, Survey) else found.survey
    return {
        item.id: list(zip(item.scale.labels, item.scale.options, strict=True))
        for item in survey.items
    }


def option_of(cell: str, words: Sequence[tuple[str, ...]], options: int) -> int | None:
    """The place of an option that is said by one of its ``words``, or by its number from 1; else None."""
    said = cell.strip()
    for number, names in enumerate(words):
        if said.casefold() in map(str.casefold, names):
            return number
    return int(said) - 1 if said.isdecimal() and 1 <= int(said) <= options else None


def _arrays(
    own: Sequence[Mapping[str, Sequence[float]]], counts: Mapping[str, Mapping[int, float]]
) -> tuple[Array, Array]:
    width = max((len(own[0][item]) for item in counts), default=0)
    profiles = np.full((len(own), len(counts), width), np.nan)
    answers = np.zeros((len(counts), width))
    for column, (item, given) in enumerate(counts.items()):
        for row, asked in zip(profiles, own, strict=True):
            row[column, : len(asked[item])] = asked[item]
        for option, count in given.items():
            answers[column, option] = count
    return profiles, answers
