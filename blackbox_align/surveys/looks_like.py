"""What a file looks like that is no opinion survey, and the way from it to one."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ..files.tables import CsvTable
from ..populations.columns import country_columns, index_name
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
    "{column} --weight COLUMN` makes the shares per country."
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
    if countries:
        column = countries[0]
        labels = Counter(row[column].strip() for _, row in table.records())
        if len(table.rows) > len(labels) and len(columns) > 2:
            return _TABULATE.format(file=table.path.name, column=column)
    if "question" in columns and not countries:
        return _QUESTIONS
    return f"no opinion survey has the columns {', '.join(columns[:8])}; {_WAY}"


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
    return f"this is no form of an opinion survey that is known; {_WAY}"
