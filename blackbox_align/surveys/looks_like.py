"""What a file looks like that is no opinion survey, and the way from it to one."""

from __future__ import annotations

import math
import re
import shlex
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..files.missing import is_mark
from ..files.numbers import is_number
from ..files.tables import CsvTable
from ..populations.columns import TIMES, country_columns, index_name, is_net, plain
from ..populations.labels import read_labels
from ..populations.target_files import blocks_of_shares
from .exports import is_named_about, is_weight, weights_among
from .qstn import is_qstn

_WAY = (
    "write it as a CSV table with the columns item, question, option, country and share (or count)."
)
_QUESTIONS = (
    "it holds questions without anybody's answers; give the file of shares. To ask them without "
    "people's answers, write a survey of your own in YAML: an instruction, 'scales' with "
    "{label: option}, and 'items' with {id, scale, text} (docs/data.md)."
)
_TABULATE = (
    "these look like the rows of respondents, one per person; `bbalign surveys tabulate {file} --country "
    "{column}{weight}` makes the shares per country."
)
_FIGURE = re.compile(r"\d+(\.\d+)?")
_WHERE = re.compile(
    r"countr|nation\b|nationality|pa[ií]s\b|pays\b|\bland\b|live in|where .* live\b|(are|come) you from|"
    r"do you come from|where .* from\b|reside|wohnen|viv[ei]s?\b|habite",
    re.IGNORECASE,
)


def columns_look_like(table: CsvTable) -> str:
    """The sentence for a table whose columns are no opinion survey's."""
    columns = table.columns
    if {"prompt_question", "answer"} <= set(columns):
        return "this is a test with right answers (CulturalBench), not an opinion survey."
    if is_qstn(columns):
        return (
            "this is a table of QSTN, which holds nobody's answers; `bbalign surveys check` shows its "
            "questions, and a survey is made of it by --survey."
        )
    countries = [columns[n] for n in country_columns(columns)]
    if countries and any(index_name(column) for column in columns):
        return (
            "these are figures of indices per country; give the file to a survey with these indices by "
            "--targets."
        )
    if {"response", "model_answer", "llm_answer", "generated_text"} & set(columns):
        return "these look like the answers of a model, not of people; give the file of people's shares."
    respondents = _respondents(table, [table.heads[n] for n in country_columns(columns)])
    if respondents:
        return respondents
    if read_labels(table.heads).found and all(
        is_number(cell) or is_mark(cell) for cell in table.heads[1:]
    ):
        return (
            "its first line names no columns; write them above it, such as "
            "country,PDI,IDV,MAS,UAI,LTO,IVR."
        )
    if {"var1", "var2", "freq"} <= set(columns):
        return (
            "this is R's as.data.frame(table(...)); call Var1 and Var2 what they are (option, country), "
            "and add a column with the question."
        )
    down = _percents_down(table)
    if down:
        return down
    nets = [head for head in table.heads if is_net(head)]
    if countries and len(nets) > 1:
        return f"{', '.join(nets)} sum up answers; give the share of every answer in a column of its own."
    strange = _no_figures(table)
    if strange:
        return strange
    if {"qkey", "d_h"} <= set(columns) or {"qkey", "d_m"} <= set(columns):
        return (
            "these are distributions of OpinionQA without the texts of the options; write each question "
            "with its "
            "options and shares as a table with the columns item, question, option, group and share."
        )
    if "question" in columns and not countries:
        return _QUESTIONS
    if not countries and blocks_of_shares(table.heads, table.rows):
        return (
            "these look like shares of groups of people, and not of countries; write a row for each with "
            "the columns item, question, option, group and share."
        )
    return f"no opinion survey has the columns {', '.join(columns[:8])}; {_WAY}"


def _percents_down(table: CsvTable) -> str:
    """The sentence for percents of those who gave an answer, which sum to 100 over countries."""
    named = country_columns(table.heads)
    columns = [[row[n] for _, row in table.rows] for n in range(len(table.heads)) if n not in named]
    sums = [math.fsum(map(float, cells)) for cells in columns if all(map(_FIGURE.fullmatch, cells))]
    if not named or len(sums) < 2 or not all(abs(total - 100) < 2.5 for total in sums):
        return ""
    return (
        "its percents sum to 100 down the columns: of those who gave an answer, so many are from a country. "
        "Give the percents of each country's people."
    )


def _no_figures(table: CsvTable) -> str:
    """The sentence for countries with cells of which only some are numbers."""
    above = len(read_labels(table.heads[1:]).found)
    left = len(read_labels(row[0] for _, row in table.rows).found)
    if max(above, left) < 2:
        return ""
    cells = [cell.strip() for _, row in table.rows for cell in row[1:] if not is_mark(cell)]
    strange = [cell for cell in cells if not is_number(cell)]
    if not strange or len(strange) > 0.7 * len(cells):
        return ""
    return (
        "this looks like a table of figures by country, in which some cells are none "
        f"({', '.join(dict.fromkeys(strange[:6]))}); leave in them the figures alone, without letters of "
        "tests of significance."
    )


def are_respondents(table: CsvTable) -> bool:
    """Whether a table in which countries repeat has columns about interviews, and none of indices."""
    named = country_columns(table.heads)
    if not named or "question" in table.columns or any(map(index_name, table.heads)):
        return False
    places = [row[named[0]].strip() for _, row in table.rows]
    cells = {name: [row[n] for _, row in table.rows] for n, name in enumerate(table.heads)}
    return len(set(places)) < len(places) and any(
        is_weight(name, column) or (is_named_about(name, column) and plain(name) not in TIMES)
        for name, column in cells.items()
    )


def _respondents(table: CsvTable, countries: list[str]) -> str:
    """The sentence for rows of people, with the columns that say where they are and what they weigh."""
    cells = {name: [row[n] for _, row in table.rows] for n, name in enumerate(table.heads)}
    about = [name for name, column in cells.items() if is_named_about(name, column)]
    weights = [name for name, column in cells.items() if is_weight(name, column)]
    labels = Counter(cells[countries[0]]) if countries else {}
    repeated = bool(labels) and len(table.rows) > len(labels) and len(cells) > 1
    texts = [*table.heads, *(table.rows[0][1] if table.rows else ())]
    asked = [
        table.heads[n % len(table.heads)] for n, text in enumerate(texts) if _WHERE.search(text)
    ]
    if not repeated and not weights and len(about) < (1 if asked else 2):
        return ""
    shares = _shares_by_another_name(table, countries[0]) if countries else ""
    if shares:
        return (
            f"the figures in the column {shares!r} sum to 1 or 100 for each {countries[0]!r}, as shares of "
            "answers do; call the columns question, option, country and share."
        )
    named = [name for name in countries if read_labels(cells[name]).found]
    return _tabulate(table.path, [*named, *asked, *countries], weights)


def _shares_by_another_name(table: CsvTable, country: str) -> str:
    """The column of shares in a table that calls its columns by names that are not known."""
    place = table.heads.index(country)
    others = [n for n in range(len(table.heads)) if n != place]
    rows = [row for _, row in table.rows]
    for n in (n for n in others if all(_FIGURE.fullmatch(row[n].strip()) for row in rows)):
        for beside in (place, *(m for m in others if m != n)):
            sums: dict[tuple[str, str], list[float]] = {}
            for row in rows:
                sums.setdefault((row[place], row[beside]), []).append(float(row[n]))
            totals = [math.fsum(group) for group in sums.values()]
            whole = all(abs(t - 100) < 2.5 for t in totals) or (
                all(abs(t - 1) < 0.02 for t in totals) and any("." in row[n] for row in rows)
            )
            if whole and all(len(group) > 1 for group in sums.values()):
                return table.heads[n]
    return ""


def _tabulate(path: Path, columns: list[str], weights: list[str]) -> str:
    column = shlex.quote(columns[0]) if columns else "COLUMN"
    weight = f" --weight {shlex.quote(weights[0])}" if len(weights) == 1 else ""
    if len(weights) > 1:
        weight = " --weight COLUMN"
    several = f" (The weight is one of {', '.join(weights[:8])}.)" if len(weights) > 1 else ""
    return _TABULATE.format(file=shlex.quote(path.name), column=column, weight=weight) + several


def statistics_look_like(path: Path, questions: Mapping[str, str]) -> str:
    """The sentence for a file of a statistical package, from its columns and what they are labelled."""
    names = list(questions)
    countries = [names[n] for n in country_columns(names)]
    asked = [name for name, text in questions.items() if _WHERE.search(f"{name} {text}")]
    return _tabulate(path, [*countries, *asked], weights_among(names))


def content_looks_like(content: Any) -> str:
    """The sentence for JSON that is no opinion survey."""
    if isinstance(content, dict) and {"SurveyEntry", "SurveyElements"} <= content.keys():
        return (
            "this is a Qualtrics survey (QSF): questions without anybody's answers. Export the responses "
            "as SPSS or CSV; `bbalign surveys tabulate RESPONSES --country COLUMN --survey FILE` makes the "
            "shares of them."
        )
    if isinstance(content, list) and content and isinstance(content[0], dict):
        keys = content[0].keys()
        if {"question", "option_lst"} <= keys or {"question", "choices"} <= keys:
            return _QUESTIONS
        if (
            {"messages"} <= keys
            or {"prompt", "completion"} <= keys
            or {"instruction", "output"} <= keys
        ):
            return "these are texts to train a model with, not answers of people."
        named = any(index_name(str(key)) for key in keys)
        if named and country_columns(list(map(str, keys))):
            return "these are figures of indices per country; give the file by --targets."
        return f"no opinion survey has entries with the keys {', '.join(map(str, list(keys)[:8]))}; {_WAY}"
    if isinstance(content, dict) and content:
        first = next(iter(content.values()))
        inner = next(iter(first.values()), None) if isinstance(first, dict) else None
        if isinstance(inner, (int, float)) and not isinstance(inner, bool):
            if sum(index_name(str(key)) is not None for key in first) > 1:
                return "these are figures of indices per country; give the file by --targets."
            return "it holds one number per pair of countries, not answers to questions."
    if isinstance(content, list) and content and isinstance(content[0], list):
        return (
            "its rows do not name what stands in them; write objects (in pandas, "
            "to_json(orient='records'))."
        )
    return f"this is no form of an opinion survey that is known; {_WAY}"
