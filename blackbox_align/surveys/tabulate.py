"""Respondents' rows made into shares of the answers per country, or per group of people."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..errors import DataFileError, SpecificationError
from ..files.missing import is_mark, missing_codes
from ..populations.columns import country_columns, plain
from ..populations.labels import read_labels
from .exports import is_about_the_interview, is_weight, surveys_pooled
from .non_response import non_responses
from .respondents import Respondents, find_column
from .scales import is_ladder
from .signs import LETTERS

HEADER = ("item", "question", "option", "country", "share", "n", "ordered", "missing")


@dataclass(frozen=True)
class Tabulated:
    """Rows of our own form under ``header``, and sentences on what was and was not tabulated."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


def tabulate(
    people: Respondents, country: str, weight: str | None = None, items: Sequence[str] = ()
) -> Tabulated:
    """The shares of the answers to every item per country, with the number of people who were asked.

    Answers that are no answers are kept in the shares and marked ``missing``; empty cells count as
    not asked. Options stand in the order of their codes; words without codes by name.

    Parameters
    ----------
    country : the column that says where, or of which group, somebody is: numbers of ISO 3166 become names
    weight : the column of weights, 1 for all where it is None
    items : the columns to tabulate; where empty, all others with 2 to 26 different answers, but for ids,
        dates, weights and the like

    Raises
    ------
    SpecificationError
        There is no such column.
    DataFileError
        A weight is no number, or nothing can be tabulated.
    """
    people, country = _with_convention(people), find_column(people, country)
    _refuse_other_codes(country)
    weight = find_column(people, weight) if weight else None
    items = [find_column(people, name) for name in items]
    weights = _weights(people, weight)
    labels = people.labels.get(country, {})
    places, header, notes = _places(
        [labels.get(cell, cell) for cell in people.columns[country]], country
    )
    without = sum(is_mark(place) for place in places)
    if without:
        notes.append(f"Left out: {without:,} people without a {country}.")
    notes += [*people.notes, *_warnings(people, weight)]
    about = [
        name
        for name, cells in people.columns.items()
        if name not in (country, weight, *items) and is_about_the_interview(name, cells)
    ]
    several = _of_several_answers(people, about)
    asked = items or [c for c in people.columns if c not in (country, weight, *about, *several)]
    rows: list[tuple[str, ...]] = []
    passed: list[str] = []
    for item in asked:
        found = _item_rows(people, item, places, weights)
        if not found:
            passed.append(item)
        rows += found
    if not rows:
        raise DataFileError(people.path, None, "there is no column of answers in it to tabulate.")
    taken = [item for item in asked if item not in passed]
    notes += _weightless(places, weights)
    notes += _remarks(people, taken, passed, [] if items else about)
    if several and not items:
        notes.append(
            f"Not tabulated, because people may give several answers: {', '.join(several[:12])}."
        )
    return Tabulated(header, tuple(rows), tuple(notes))


def _weightless(places: Sequence[str], weights: Sequence[float]) -> list[str]:
    """A sentence on the places whose people all have the weight 0, if there are any."""
    weighed = {place for place, weight in zip(places, weights, strict=True) if weight}
    without = sorted({*places} - weighed - {""})
    return [f"Left out, because all weights there are 0: {', '.join(without)}."] if without else []


def _refuse_other_codes(country: str) -> None:
    if "cow" in plain(country).split("_"):
        raise SpecificationError(
            f"{country} holds codes of Correlates of War, of which AUS is Austria and SWZ Switzerland; "
            "give a column of names or of ISO's codes."
        )


def _remarks(
    people: Respondents, taken: Sequence[str], passed: Sequence[str], about: Sequence[str]
) -> list[str]:
    """Sentences on the columns that were not tabulated, and on those of which too little is known."""
    words = [item for item in taken if _in_words(people, item)]
    bare = [item for item in taken if _is_bare(people, item)]
    gaps = [item for item in taken if _has_gaps(people, item)]
    told = (
        (passed, "Not tabulated, because they have fewer than 2 or more than 26 answers: {}."),
        (about, "Not tabulated, because they say who was asked, when and how: {}."),
        (
            words,
            "Answers in words stand in the order of the alphabet, because the rows tell no other: {}. A "
            "questionnaire given by --survey tells their order; else sort the rows of the shares.",
        ),
        (
            gaps,
            "Codes between others that nobody gave are no options in the shares, where the code book is not "
            "known: {}.",
        ),
        (
            bare,
            "Neither a question nor what the codes mean is known of {}: a model would be asked bare "
            "codes. Give the SPSS or Stata file, a code book by --survey, or write both into the shares.",
        ),
    )
    return [
        sentence.format(", ".join(names[:12]) + (", ..." if len(names) > 12 else ""))
        for names, sentence in told
        if names
    ]


def _places(labels: list[str], column: str) -> tuple[list[str], tuple[str, ...], list[str]]:
    """Where everybody is, the heads of the table, which names groups where these are none, and notes."""
    told = [label for label in labels if not is_mark(label) or label == "NA"]
    found = read_labels(told)
    countries = len(found.found) >= max(1, len(found.unknown)) and not found.doubt
    if not countries and not country_columns([column]):
        return labels, tuple(column if cell == "country" else cell for cell in HEADER), []
    numbers = {label: country.name for label, country in found.found.items() if label.isdecimal()}
    notes = [note for note in found.notes if numbers]
    if found.unknown and not found.doubt:
        unknown = ", ".join(map(repr, list(found.unknown)[:8]))
        notes.append(f"Labels of {column} that are no country: {unknown}.")
    return [numbers.get(label, label) for label in labels], HEADER, notes


def _warnings(people: Respondents, weight: str | None) -> list[str]:
    """What may be wrong with shares of these rows: no weights, or several surveys in one."""
    notes = []
    weights = [name for name, cells in people.columns.items() if is_weight(name, cells)]
    if weight is None and weights:
        notes.append(
            f"Nobody is weighted; {', '.join(weights[:6])} look like weights: give one by --weight."
        )
    pooled = surveys_pooled(people.columns)
    if pooled:
        name, values = pooled
        notes.append(
            f"The rows of several surveys are taken together ({name}: {', '.join(values[:6])}); take one "
            f"of them by --where {name}={values[-1]}."
        )
    return notes


def _is_bare(people: Respondents, item: str) -> bool:
    """Whether the name and the codes of an item are all that is known of it."""
    known = item in people.questions or item in people.labels or len(item.split()) > 1
    return not known and all(_is_number(option) for option in _answers(people, item))


def _has_gaps(people: Respondents, item: str) -> bool:
    """Whether the answers of an item are whole numbers without labels, and some between were not given."""
    answers = _answers(people, item)
    if item in people.labels or not all(answer.lstrip("-").isdecimal() for answer in answers):
        return False
    numbers = sorted(map(int, answers))
    return len(numbers) > 1 and numbers[-1] - numbers[0] >= len(numbers)


def _is_number(option: str) -> bool:
    return option.lstrip("-").replace(".", "", 1).isdecimal()


def _answers(people: Respondents, item: str) -> list[str]:
    """The options of an item but for those that are no answers."""
    options = _options(people, item)
    missing = _missing(people, item, options)
    return [option for option in options if option not in missing]


def _in_words(people: Respondents, item: str) -> bool:
    """Whether the answers of an item are more than two words without codes."""
    options = _answers(people, item)
    return item not in people.labels and len(options) > 2 and not any(map(_is_number, options))


def _of_several_answers(people: Respondents, about: Sequence[str]) -> list[str]:
    """The columns in which people may give several answers: KoboToolbox's, and those that list them."""
    return [
        column
        for column, cells in people.columns.items()
        if any(other.startswith((f"{column}/", f"{column}__")) for other in people.columns)
        or (column not in about and column not in people.labels and _list_several(cells))
    ]


def _list_several(cells: Sequence[str]) -> bool:
    """Whether cells list several answers (``Bus;Train``, ``1,3``): pieces of some are found in others."""
    told = {cell.strip().strip(";,") for cell in cells if not is_mark(cell)}
    for separator in ";,":
        split = [{piece.strip() for piece in cell.split(separator)} for cell in told]
        pieces = [piece for one in split for piece in one]
        shared = separator == ";" and len(set(pieces)) < len(pieces)
        if any(len(one) > 1 for one in split) and (shared or len(set(pieces)) < len(told)):
            return True
    return False


def _weights(people: Respondents, weight: str | None) -> list[float]:
    if weight is None:
        return [1.0] * len(people.lines)
    weights = []
    for line, cell in zip(people.lines, people.columns[weight], strict=True):
        try:
            value = 0.0 if is_mark(cell) else float(cell)
        except ValueError:
            value = math.nan
        if not 0 <= value < math.inf:
            raise DataFileError(
                people.path, line, f"the weight {cell!r} is no number of 0 or more in {weight}."
            )
        weights.append(value)
    return weights


def _item_rows(
    people: Respondents, item: str, places: Sequence[str], weights: Sequence[float]
) -> list[tuple[str, ...]]:
    """The rows of one item; none where it has too few or too many answers to be one."""
    cells = people.columns[item]
    options = _options(people, item)
    missing = _missing(people, item, options)
    if not 2 <= len(set(options) - missing) <= len(LETTERS) or len(options) > 99:
        return []
    names = {code: people.labels.get(item, {}).get(code, code) for code in options}
    if len(set(names.values())) < len(names):  # two codes with one label stay apart
        names = {code: f"{code} {name}" for code, name in names.items()}
    sums: dict[str, dict[str, float]] = {}
    people_of: dict[str, int] = {}
    for place, cell, share in zip(places, cells, weights, strict=True):
        if cell in names and not is_mark(place):
            by_option = sums.setdefault(place, dict.fromkeys(options, 0.0))
            by_option[cell] += share
            people_of[place] = people_of.get(place, 0) + 1
    kept = [names[code] for code in options if code not in missing]
    ordered = (
        "yes"
        if is_ladder([c for c in options if c not in missing]) and item not in people.labels
        else ""
    )
    question = " ".join(people.questions.get(item, item).split())
    return [
        (
            item,
            question,
            names[code],
            place,
            f"{by_option[code] / total:.6f}",
            str(people_of[place]),
            ordered,
            "yes" if names[code] not in kept else "no",
        )
        for place, by_option in sums.items()
        if (total := math.fsum(by_option.values())) > 0
        for code in options
    ]


def _options(people: Respondents, item: str) -> list[str]:
    """The answers to an item: those of the code book by code, and any others that occur."""
    occurring = dict.fromkeys(c for c in people.columns[item] if not is_mark(c))
    codes = dict.fromkeys([*people.labels.get(item, {}), *_between(people, item), *occurring])
    try:
        return sorted(codes, key=float)
    except ValueError:
        return sorted(codes)


def _between(people: Respondents, item: str) -> list[str]:
    """The points of a scale that has words at its two ends only, whether somebody chose them or not."""
    labels = people.labels.get(item, {})
    named = {code: label for code, label in labels.items() if code.isdecimal()}
    named = {code: label for code, label in named.items() if not non_responses((label,))}
    ends = sorted(int(code) for code in named if code not in people.missing.get(item, ()))
    if len(ends) != 2 or not 2 < ends[1] - ends[0] <= 10:
        return []
    points = [str(point) for point in range(ends[0] + 1, ends[1])]
    return points if set(points) & set(people.columns[item]) else []


def _with_convention(people: Respondents) -> Respondents:
    """The rows with the file's own negative codes declared missing in every column without labels.

    Where -1 and -2 are no answers to one question, as 1 to 4 beside them show, they are no scale beside 1
    and 2 in another one either, unless 0 stands between them.
    """
    told = {
        name: codes
        for name, cells in people.columns.items()
        if (codes := {cell for cell in cells if not is_mark(cell)})
        and len(codes) < 40
        and all(re.fullmatch(r"-?\d{1,7}", code, re.ASCII) for code in codes)
    }
    none = {code for codes in told.values() for code in missing_codes(list(map(int, codes)))}
    below = {str(code) for code in none if code < 0}
    more = {
        name: people.missing.get(name, frozenset()) | (codes & below)
        for name, codes in told.items()
        if name not in people.labels and "0" not in codes
    }
    return replace(people, missing={**people.missing, **more})


def _missing(people: Respondents, item: str, options: Sequence[str]) -> set[str]:
    """The codes of an item that are no answers: declared, by their label, or by convention."""
    labels = people.labels.get(item, {})
    declared = set(people.missing.get(item, ())) & set(options)
    if not labels:
        return declared | non_responses(options)
    by_label = {code for code in options if non_responses((labels.get(code, code),))}
    whole = {code: int(code) for code in options if code.lstrip("-").isdigit() and code.isascii()}
    by_code = missing_codes(list(whole.values())) if len(whole) == len(options) else set()
    unlabelled = {code for code, value in whole.items() if value in by_code and code not in labels}
    return declared | by_label | unlabelled
