"""Weights that are stated: a population as shares, or as the counts of a sample.

With the counts of a sample this is post-stratification: every expert answers for its people, and
its answer counts as much as its people do in the sample.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import DataFileError, SpecificationError, UnknownNameError
from ..files.numbers import amount
from ..files.tables import CsvTable, as_table, read_rows
from ..populations import countries
from .decision import Considered, Decision
from .lexicon import people_key

_EXAMPLE = "such as 'SAU=0.3,EGY=0.7'"
_NAMES = ("population", "expert", "country", "code", "name")
_COUNTS = ("count", "counts", "n", "weight", "share", "respondents")


def stated_weights(population: str | Path, experts: Mapping[str, str]) -> Decision:
    """The decision that a user states: ``SAU=0.3,EGY=0.7``, or a CSV file of sample counts.

    The numbers are shares, per cents or counts; only their ratios matter. A file has a column
    ``population`` (or ``country``, ``code``, ``expert``) and one of ``count`` (or ``n``, ``share``,
    ``weight``).

    Parameters
    ----------
    population : the text, or the file; a text without ``=`` is the name of a file or one population
    experts : expert name to the population that it speaks for, a country by code or name, or any
        other name; a population of several experts shares its weight evenly among them

    Raises
    ------
    SpecificationError
        A share is no number, negative or stands there twice, or all are 0.
    UnknownNameError
        No expert speaks for a population; the nearest names are offered.
    DataFileError
        The file has a mistake; the message names its line and the mend.
    """
    text = str(population).strip()
    if isinstance(population, Path) or text.casefold().endswith((".csv", ".tsv")):
        shares, source = _read_counts(Path(population), experts), Path(population).name
    else:
        shares, source = _parse(text, experts), "the population"
    total = math.fsum(shares.values())
    if total <= 0:
        raise SpecificationError(
            f"All shares of {text!r} are 0; give at least one population a share above 0."
        )
    weights: dict[str, float] = {}
    because = [_sentence(source, total, len(shares))]
    for name, share in shares.items():
        voices = _voices(experts)[people_key(name)]
        if share > 0:
            weights |= {voice: share / total / len(voices) for voice in voices}
        if len(voices) > 1:
            because.append(f"{name} has {len(voices)} experts, which share its weight evenly.")
    return Decision(
        weights,
        "stated",
        tuple(because),
        considered=tuple(map(Considered, weights)),
        change=("Other weights are had by stating other shares.",),
    )


def _sentence(source: str, total: float, number: int) -> str:
    populations = "1 population" if number == 1 else f"{number} populations"
    sentence = f"The weights are stated: {source} names {populations}"
    if abs(total - 1) <= 1e-9:
        return f"{sentence}."
    return f"{sentence} with {total:g} in sum, which counts as 1."


def _parse(text: str, experts: Mapping[str, str]) -> dict[str, float]:
    if "=" not in text and text:
        text = f"{text}=1"
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, sign, number = part.rpartition("=")
        name = name.strip()
        if not sign or not name:
            raise SpecificationError(
                f"{part.strip()!r} in {text!r} is no share of a population; "
                f"write a name, an equals sign and a number, {_EXAMPLE}."
            )
        share = amount(number)
        if share is None:
            raise SpecificationError(
                f"The share of {name} is {number.strip()!r}; write a number of 0 or more, {_EXAMPLE}."
            )
        _require(name, experts)
        if people_key(name) in map(people_key, shares):
            raise SpecificationError(f"{name} stands twice in {text!r}; add its shares up.")
        shares[name] = share
    return shares


def _read_counts(path: Path, experts: Mapping[str, str]) -> dict[str, float]:
    expected = "a header such as 'population,count' and a line for each population"
    table = as_table(path, read_rows(path, expected))
    where, count = _column(table, _NAMES), _column(table, _COUNTS)
    shares: dict[str, float] = {}
    for line, row in table.records():
        name, share = row[where].strip(), amount(row[count])
        if share is None:
            seen = row[count].strip()
            raise DataFileError(path, line, f"the count is {seen!r}; write a number of 0 or more.")
        try:
            _require(name, experts)
        except UnknownNameError as error:
            raise DataFileError(path, line, str(error)) from None
        if people_key(name) in map(people_key, shares):
            raise DataFileError(path, line, f"{name} stands here twice; add its counts up.")
        shares[name] = share
    if not shares:
        raise DataFileError(path, None, "there is no count in it.")
    return shares


def _column(table: CsvTable, names: Sequence[str]) -> str:
    found = [name for name in names if name in table.columns]
    if not found:
        first, *others = names
        message = f"there is no column {first!r} (or {', '.join(others)}); found "
        raise DataFileError(table.path, 1, f"{message}{', '.join(table.columns)}.")
    return found[0]


def _voices(experts: Mapping[str, str]) -> dict[str, list[str]]:
    """The experts of every population; an expert is reached by its own name, too."""
    voices = {people_key(expert): [expert] for expert in experts}
    by_population: dict[str, list[str]] = {}
    for expert, population in experts.items():
        by_population.setdefault(people_key(population), []).append(expert)
    return voices | by_population


def _require(name: str, experts: Mapping[str, str]) -> None:
    if people_key(name) not in _voices(experts):
        known = [*experts, *experts.values()]
        known += [
            countries()[code].name
            for code in map(people_key, experts.values())
            if code in countries()
        ]
        hint = (
            "`bbalign experts list` shows all; a people without an expert is found by its answers."
        )
        raise UnknownNameError("expert", name, known, hint)
