"""A few real answers to the question at hand, joined with the committee's simulated ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ..errors import DataFileError
from ..experts import Expert
from ..files.tables import as_table, read_rows
from .by_profile import weights_by_profile
from .combine import Combined, combine
from .decision import Decision
from .known_answers import option_of

Array = NDArray[np.floating]
_EXPECTED = "a header such as 'answer,country' and a line for each person"
_OTHERS = 2000  # simulated answers for the rest of the population


def combine_with(
    path: Path | str,
    options: Sequence[str],
    experts: Sequence[Expert],
    parts: Array,
    decision: Decision,
    rng: Generator,
) -> Combined:
    """The shares of a population's answers from a file of real ones and the committee's own.

    A line of the file is one person: an ``answer`` (an option's words, or its number from 1) and, in the
    other columns, what is known of that person (country, age, ...). The committee answers for the same
    person by the experts that share the most of it (:func:`.by_profile.weights_by_profile`), and for the
    others of the population by experts drawn by the weights of ``decision``.

    Parameters
    ----------
    experts, parts : the experts that were asked, and (experts, options) their answers

    Raises
    ------
    DataFileError
        The file has no such column, or an answer that is no option.
    """
    table = as_table(Path(path), read_rows(Path(path), _EXPECTED))
    table.require("answer")
    words = [(option,) for option in options]
    shares = {expert.name: row for expert, row in zip(experts, parts, strict=True)}
    real, same = [], []
    for line, row in table.records():
        cell = row.pop("answer").strip()
        number = option_of(cell, words, len(options))
        if number is None:
            raise DataFileError(
                table.path, line, f"{cell!r} is no option; expected one of {', '.join(options)}."
            )
        real.append(np.eye(len(options))[number])
        known = {key: value.strip() for key, value in row.items() if value.strip()}
        chosen = weights_by_profile(known, experts) if known else decision
        asked = decision if chosen.abstains else chosen
        same.append(sum(weight * shares[name] for name, weight in asked.weights.items()))
    names, weights = list(decision.weights), np.array(list(decision.weights.values()))
    drawn = rng.choice(len(names), size=_OTHERS, p=weights / math.fsum(weights))
    others = np.array([shares[names[n]] for n in drawn])
    return combine(np.array(real).reshape(-1, len(options)), np.array(same), others)
