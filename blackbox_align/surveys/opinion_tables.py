"""Our own form of an opinion survey as a table: a row per item, option and country (or group).

=========================  ================================================================================
item, question, option     what was asked; the columns below say who answered how
country, or another one    a country's name or code; a column of another name (party, age) declares groups
share, or count            shares, percents, or numbers of people; or one column per country instead
ordered, missing           yes or no, may be absent: the options form a scale; the option is no answer
n, name, wording           may be absent: how many were asked; a group's name; its text baseline
=========================  ================================================================================
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..errors import DataFileError, nearest_names
from ..files.missing import is_mark
from ..files.numbers import bare_number, is_number, points_part_thousands
from ..files.tables import CsvTable
from ..populations.columns import TIMES, UNSURE, country_columns, is_other, plain
from ..populations.countries import known_country
from ..populations.labels import read_labels
from ..populations.population import GROUP_WORDING, Population
from .assembly import RawAnswers, Unreadable
from .opinion_checks import (
    Pair,
    people_of,
    refuse_equal_counts,
    refuse_other_options,
    sums_of_the_others,
)
from .opinion_columns import spelled_columns
from .sums import is_sum

COLUMNS = ("item", "question", "option", "country", "share")
_FLOAT_CODE = re.compile(r"-?\d{1,7}\.0")  # what pandas makes of codes in a column with gaps
_MERGED = "where cells were merged, write what stands in the first of them in every row."
# Options that may sum up the others: asked about where their count does.
_DOUBLED = frozenset(
    {"all", "sum", "everybody", "any", "all answers", "people", "respondents", "sample", "cases"}
)


@dataclass(frozen=True)
class Answers:
    """The distributions of a table, the groups that it declares, and what was made of its columns."""

    rows: tuple[RawAnswers | Unreadable, ...]
    groups: Mapping[str, Population]
    notes: tuple[str, ...]


@dataclass
class _Asked:
    """One item: its question, whether it is ordered, and its options in the order of the file."""

    question: str
    ordered: bool | None
    options: dict[str, None] = field(default_factory=dict)
    missing: dict[str, bool] = field(default_factory=dict)


@dataclass
class _Told:
    """What a table tells, as it is read row by row: items, samples and groups, and what is no answer."""

    asked: dict[str, _Asked] = field(default_factory=dict)
    pairs: dict[tuple[str, str], Pair] = field(default_factory=dict)
    groups: dict[str, Population] = field(default_factory=dict)
    sums: dict[str, int] = field(default_factory=dict)
    silent: dict[tuple[str, str], int] = field(default_factory=dict)
    marked: dict[str, None] = field(default_factory=dict)

    def unanswered(self) -> list[Unreadable]:
        """The samples in which an item has no figure at all."""
        return [
            Unreadable(f"line {line}", "there is no figure")
            for pair, line in self.silent.items()
            if pair not in self.pairs
        ]

    def notes(self) -> list[str]:
        notes = []
        absent = [
            f"{option} of {name} in {label}"
            for (name, label), pair in self.pairs.items()
            for option in self.asked[name].options
            if option not in pair.shares
        ]
        if absent:
            listed = ", ".join(absent[:4]) + (", ..." if len(absent) > 4 else "")
            notes.append(f"Options that have no row count as 0: {listed}.")
        if self.marked:
            listed = ", ".join(list(self.marked)[:4])
            notes.append(
                f"Read without what stands around a number, or between its thousands: {listed}."
            )
        if self.sums:
            listed = ", ".join(self.sums)
            notes.append(f"Not read, because they are no answers but sum them up: {listed}.")
        return notes


def is_own_form(table: CsvTable) -> bool:
    """Whether a table means to be in our own form, perhaps with a slip in it."""
    columns = spelled_columns(table)
    if {"prompt_question", "selections", "llm_answer", "model_answer"} & set(table.columns):
        return False
    figures = bool({"share", "count"} & columns.keys())
    by_code = plain(columns.get("option", "")) in ("value", "code", "value_code")
    return "option" in columns and (
        "share" in table.columns
        or bool({"item", "question"} & columns.keys() and (figures or not by_code))
    )


def read_own_form(table: CsvTable) -> Answers:
    """The distributions of a table in our own form; a mistake in it is an error, not a dropped row.

    Only a country that is not known, or has no figure, is left to the report.
    """
    columns = spelled_columns(table)
    whom, notes = _whom(table, columns)
    value = "count" if "count" in columns and "share" not in columns else "share"
    for name in ["question", "option", *([value] if whom else [])]:
        if name not in columns:
            hint = _hint(table, columns, name)
            raise DataFileError(table.path, 1, f"the column {name!r} is missing.{hint}")
    told, groups = _Told(), bool(whom) and not _names_countries(table, whom)
    places = _places(table, columns) if not whom else []
    counts = [row[columns["count"]] for _, row in table.records()] if value == "count" else []
    pointed = points_part_thousands(counts)
    for line, row in table.records():
        cells = {name: row[column].strip() for name, column in columns.items()}
        if _FLOAT_CODE.fullmatch(cells["option"]):
            cells["option"] = cells["option"][:-2]
        if is_sum(cells["option"]):
            told.sums.setdefault(cells["option"], line)
            continue
        cells.setdefault("item", cells["question"])
        _check_filled(table.path, line, cells, ("item", "question", "option"))
        item = _asked(table.path, line, cells, told.asked)
        if pointed and "." in cells["count"]:
            told.marked[cells["count"]] = None
            cells["count"] = cells["count"].replace(".", "")
        pairs = [(row[whom].strip(), cells[value])] if whom else [(p, row[p]) for p in places]
        for label, cell in pairs:
            if not label:
                raise DataFileError(table.path, line, f"the cell {whom!r} is empty; {_MERGED}")
            if is_mark(cell) and (cell.strip() or not whom):
                told.silent.setdefault((cells["item"], label), line)
                continue
            pair = told.pairs.setdefault((cells["item"], label), Pair(line))
            if cells["option"] in pair.shares:
                what = f"{cells['option']!r} for {cells['item']!r} in {label}"
                raise DataFileError(
                    table.path,
                    line,
                    f"the share of {what} stands here twice{_several(table, columns, whom)}.",
                )
            item.options[cells["option"]] = None
            pair.shares[cells["option"]] = _value(table.path, line, cell, value, told)
            pair.told += _people(cells.get("n", ""))
            if groups:
                _declare(table.path, line, whom, label, cells, told.groups)
    if not told.pairs:
        raise DataFileError(table.path, None, "there is no row of shares in it.")
    rows = _distributions(table.path, told.asked, told.pairs, value == "count")
    named = rows if "item" in columns else (replace(row, item="") for row in rows)
    return Answers((*named, *told.unanswered()), told.groups, (*notes, *told.notes()))


def _hint(table: CsvTable, columns: Mapping[str, str], missing: str) -> str:
    """What may be meant to be a column that is missing."""
    near = nearest_names(missing, table.columns, 1)
    if near:
        return f" Is it {near[0]!r}?"
    if missing == "question":
        return " Write there what people were asked."
    if missing == "share" and "n" in columns:
        return f" If {columns['n']!r} says how many gave each answer, call it 'count'."
    rest = [c for c in table.columns if c not in columns.values()]
    figures = [c for c in rest if all(is_number(row[c]) for _, row in table.records())]
    return f" Call so the one of {', '.join(figures)} that is meant." if figures else ""


def _several(table: CsvTable, columns: Mapping[str, str], whom: str) -> str:
    """What to do about a share that stands there twice: often the rows are of two years or two groups."""
    used = {*columns.values(), whom}
    for name in table.columns:
        values = list(dict.fromkeys(row[name].strip() for _, row in table.records()))
        few = plain(name) in TIMES or len(values) < 0.5 * len(table.rows) + 1
        if name not in used and len(values) > 1 and few:
            return (
                f": the column {name!r} has several values ({', '.join(values[:4])}); keep the rows of one "
                "of them, or write whom they are of in one column 'group'"
            )
    return ". Remove one of them"


def _whom(table: CsvTable, columns: Mapping[str, str]) -> tuple[str, list[str]]:
    """The column of countries or groups, empty for a table with a column per country; and notes."""
    used = {spelled for name, spelled in columns.items() if name not in ("group", "name")}
    rest = [c for c in table.columns if c not in used]
    countries = [rest[n] for n in country_columns(rest) if plain(rest[n]) not in ("name", "title")]
    countries = [c for c in countries if _names_countries(table, c)]
    group = columns.get("group", "")
    further = [c for c in rest if c not in countries and c not in (group, columns.get("name"))]
    if group and countries:
        distinct = {row[countries[0]].strip() for _, row in table.records()}
        if len(distinct) > 1:
            raise DataFileError(
                table.path,
                1,
                f"it has both groups ({group!r}) and several countries ({countries[0]!r}); give one "
                "country, or write country and group together in one column 'group'.",
            )
    if group or countries:
        whom = group or countries[0]
        dropped = [c for c in (*countries, *further) if c != whom]
        return whom, [f"Not read: the columns {', '.join(dropped)}."] if dropped else []
    places = [c for c in further if _is_country(c)]
    if places and "share" not in columns and "count" not in columns:
        others = [c for c in further if c not in places]
        return "", [f"Not read: the columns {', '.join(others)}."] if others else []
    if len(further) == 1 and {"share", "count"} & columns.keys():
        return further[0], [f"The column {further[0]!r} names the groups of people."]
    raise DataFileError(
        table.path,
        1,
        "the column 'country' is missing; a column of another name, such as 'party', declares groups, "
        f"if it is the only further one (here: {', '.join(further) or 'none'}).",
    )


def _names_countries(table: CsvTable, column: str) -> bool:
    """Whether a column is called what columns of countries are, and holds some where it may be another."""
    if not country_columns([column]) or plain(column) not in UNSURE:
        return bool(country_columns([column]))
    labels = read_labels(row[column] for _, row in table.records())
    return len(labels.found) > 0 and len(labels.found) >= len(labels.unknown)


def _is_country(column: str) -> bool:
    return not is_other(column) and known_country(column) is not None


def _places(table: CsvTable, columns: Mapping[str, str]) -> list[str]:
    return [c for c in table.columns if c not in columns.values() and _is_country(c)]


def _check_filled(path: Path, line: int, cells: Mapping[str, str], names: tuple[str, ...]) -> None:
    for name in names:
        if not cells[name]:
            raise DataFileError(path, line, f"the cell {name!r} is empty; {_MERGED}")


def _asked(path: Path, line: int, cells: Mapping[str, str], asked: dict[str, _Asked]) -> _Asked:
    """The item of a row, which asks the same in every row."""
    ordered = _yes_or_no(path, line, "ordered", cells.get("ordered", ""))
    name, question = cells["item"], cells["question"]
    item = asked.setdefault(name, _Asked(question, ordered))
    if (item.question, item.ordered) != (question, ordered):
        raise DataFileError(
            path,
            line,
            f"item {name!r} has another question (or 'ordered') than before: "
            f"{item.question!r}, then {question!r}. Write the same one, or a new item.",
        )
    missing = _yes_or_no(path, line, "missing", cells.get("missing", ""))
    if missing is not None and item.missing.setdefault(cells["option"], missing) != missing:
        raise DataFileError(
            path,
            line,
            f"the option {cells['option']!r} of {name!r} is 'missing' in some rows only.",
        )
    return item


def _declare(
    path: Path,
    line: int,
    column: str,
    label: str,
    cells: Mapping[str, str],
    groups: dict[str, Population],
) -> None:
    """A group of people: its code is the label, its name and wording what the table says."""
    about = column if plain(column) not in ("group", "population") else ""
    default = GROUP_WORDING.replace("{name}", f"{about} {{name}}") if about else GROUP_WORDING
    name, wording = cells.get("name") or label, cells.get("wording") or default
    group = groups.setdefault(label, Population(label, name, wording))
    if (group.name, group.wording) != (name, wording):
        raise DataFileError(
            path, line, f"the group {label!r} has another name or wording than before."
        )


def _distributions(
    path: Path, asked: Mapping[str, _Asked], pairs: Mapping[tuple[str, str], Pair], counts: bool
) -> Iterator[RawAnswers]:
    percent = not counts and any(v > 1 for pair in pairs.values() for v in pair.shares.values())
    whole = 100.0 if percent else 1.0
    refuse_other_options(path, pairs)
    if counts:
        refuse_equal_counts(path, pairs)
    sums, people = sums_of_the_others(pairs), people_of(pairs)
    for (name, label), pair in pairs.items():
        item = asked[name]
        total = math.fsum(pair.shares.values())
        doubled = [
            option
            for option, value in pair.shares.items()
            if 2 * value == total and (option.casefold() in _DOUBLED or option in sums[name])
        ]
        if counts and doubled:
            raise DataFileError(
                path,
                pair.line,
                f"the count of {doubled[0]!r} for {name!r} in {label} is that of all other answers "
                "together; remove these rows, if it sums them up.",
            )
        if not counts and abs(total - whole) > 0.02 * whole:
            raise DataFileError(
                path,
                pair.line,
                f"the shares of {name!r} in {label} sum to {total:g}, not to {whole:g}; an option "
                "without a row counts as 0, and those who gave no opinion need a row too, such as "
                "'No answer'.",
            )
        if not total:
            raise DataFileError(path, pair.line, f"nobody answered {name!r} in {label}.")
        options = (*pair.shares, *(o for o in item.options if o not in pair.shares))
        yield RawAnswers(
            f"line {pair.line}",
            item.question,
            options,
            label,
            tuple(pair.shares.get(option, 0.0) / total for option in options),
            name,
            item.ordered,
            frozenset(o for o, none in item.missing.items() if none) if item.missing else None,
            len(pair.shares),
            total if counts else people[name, label],
        )


def _value(path: Path, line: int, cell: str, kind: str, told: _Told) -> float:
    bare = bare_number(cell, commas=kind == "count")
    if bare != cell.strip().removesuffix("%").strip():
        told.marked[cell.strip()] = None
    try:
        value = float(bare) if "_" not in bare else math.nan
    except ValueError:
        value = math.nan
    if kind == "count" and 0 <= value < math.inf:
        return value
    if kind == "count":
        raise DataFileError(
            path, line, f"the count is {cell.strip()!r}; write a number of people, 0 or more."
        )
    if not 0 <= value <= 100:  # NaN as well
        raise DataFileError(
            path,
            line,
            f"the share is {cell.strip()!r}; write a number from 0 to 1, or percents; numbers of people "
            "go under 'count'.",
        )
    return value


def _people(cell: str) -> list[float]:
    bare = cell.strip().replace(",", "")
    return [float(bare)] if re.fullmatch(r"\d{1,9}(\.\d+)?", bare) else []


def _yes_or_no(path: Path, line: int, name: str, cell: str) -> bool | None:
    answer = {"": None, "yes": True, "no": False, "true": True, "false": False}
    if cell.strip().casefold() not in answer:
        raise DataFileError(path, line, f"{name!r} must be yes, no or empty; not {cell.strip()!r}.")
    return answer[cell.strip().casefold()]
