"""Target sets in JSON: a list of objects, or an object of them by country, and the comparison tool's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import DataFileError
from ..files.frame import Row
from ..files.records import records
from ..files.strict_json import parse_json
from ..files.tables import read_text
from .columns import HOFSTEDE, country_columns, index_name, is_other


def json_rows(path: Path) -> list[Row]:
    """A list of objects, or an object of them by country, as rows.

    The comparison tool's edition of 2022 prints 0 for a missing figure. Later ones print -1 or
    nothing, and there a 0 is a figure (Pakistan's IVR).
    """
    text = read_text(path)
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) > 1 and all(
        line.strip()[:1] == "{" and line.strip()[-1:] == "}" for line in lines
    ):
        content: Any = [parse_json(path, line) for line in lines]
    else:
        content = parse_json(path, text)
    entries = _entries(records(content))
    first = entries[0] if entries and isinstance(entries[0], dict) else {}
    indices = list(dict.fromkeys(key for key in first if index_name(key) or _own(key, first[key])))
    named = [list(first)[n] for n in country_columns(list(first))][:1]
    tool = not indices or not named
    if tool:
        named, indices = ["title"], ["pdi", "idv", "mas", "uai", "lto", "ind"]
    rows: list[Row] = [(1, ["country", *indices])]
    place = 0
    for number, entry in enumerate(entries, start=1):
        needed = {*named, *indices}
        if not isinstance(entry, dict) or not needed <= entry.keys():
            keys = ", ".join(sorted(needed))
            raise DataFileError(path, None, f"entry {number} needs the keys {keys}.")
        label = str(entry[named[0]])
        place = max(place, text.find(label, place))
        line = text.count("\n", 0, place) + 1
        cells = ["" if entry[key] is None else str(entry[key]) for key in indices]
        rows.append((line, [label, *cells]))
    if {index_name(key) for key in indices} >= set(HOFSTEDE) and named == ["title"]:
        later = any(cell in ("-1", "") for _, cells in rows[1:] for cell in cells[1:])
        if not later:
            rows = [rows[0]] + [(n, ["" if c == "0" else c for c in row]) for n, row in rows[1:]]
    return rows


def _own(key: str, value: Any) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and not is_other(key) and not country_columns([key])


def _entries(content: Any) -> list[Any]:
    if isinstance(content, list):
        return content
    if isinstance(content, dict) and len(content) < 4:  # a list under one name, such as data
        lists = [value for value in content.values() if isinstance(value, list)]
        if len(lists) == 1 and lists[0] and all(isinstance(entry, dict) for entry in lists[0]):
            return lists[0]
    if isinstance(content, dict) and content and all(isinstance(v, dict) for v in content.values()):
        return [{"country": key, **value} for key, value in content.items()]
    return [content]
