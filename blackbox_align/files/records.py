"""Tables in JSON, by whatever program: their rows as a list of objects."""

from __future__ import annotations

from typing import Any


def records(content: Any) -> Any:
    """The rows of a table in JSON as a list of objects; what is no table, as it is.

    Read are the forms of pandas (``records``, ``split``, ``table``, ``columns``, ``index``), lists by
    column, a page of the Hugging Face viewer (``rows``, each with a ``row``), and a list under one name.
    A value that R's jsonlite wrote as a list of one is that value.
    """
    if _all_are(content, dict) and all(_are_boxed(list(row.values())) for row in content):
        return [{name: value[0] for name, value in row.items()} for row in content]
    if not isinstance(content, dict) or not content:
        return content
    rows: Any = content.get("rows")
    data: Any = content.get("data")
    heads: Any = content.get("columns")
    if _all_are(rows, dict) and all(isinstance(one.get("row"), dict) for one in rows):
        return [one["row"] for one in rows]
    if _all_are(heads, str) and _all_are(data, list):
        return [dict(zip(heads, row, strict=False)) for row in data]
    for name in ("data", "train", "test"):
        if len(content) < 4 and isinstance(content.get(name), list):
            return content[name]
    values = list(content.values())
    if _all_are(values, dict) and _are_numbers(content):
        return values
    columns = [list(c.values()) if isinstance(c, dict) and _are_numbers(c) else c for c in values]
    if (
        len(columns) > 1
        and _all_are(columns, list)
        and columns[0]
        and len({*map(len, columns)}) == 1
    ):
        return [dict(zip(content, row, strict=True)) for row in zip(*columns, strict=True)]
    return content


def _all_are(values: Any, kind: type) -> bool:
    return isinstance(values, list) and bool(values) and all(isinstance(v, kind) for v in values)


def _are_boxed(values: list[Any]) -> bool:
    return _all_are(values, list) and all(len(value) == 1 for value in values)


def _are_numbers(table: dict[str, Any]) -> bool:
    """Whether the keys are the numbers of rows, from 0 on."""
    return bool(table) and list(table) == [str(n) for n in range(len(table))]
