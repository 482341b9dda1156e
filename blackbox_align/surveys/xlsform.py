"""The structure of an XLSForm (ODK, KoboToolbox): a workbook with the sheets survey and choices."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ..errors import DataFileError
from ..files.frame import Row
from .forms import OPEN, SEVERAL, Form, FormItem, plain_text

_ASIDE = (
    "begin", "end", "note", "calculate", "start", "today", "deviceid", "username", "phonenumber", "audit",
    "hidden", "simserial", "subscriberid", "email",
)  # fmt: skip


def is_xlsform(sheets: Mapping[str, Sequence[Row]]) -> bool:
    """Whether the sheets of a workbook are those of an XLSForm."""
    return {"survey", "choices"} <= {name.strip().casefold() for name in sheets}


def read_xlsform(path: Path, sheets: Mapping[str, Sequence[Row]]) -> Form:
    """The questions of ``select_one`` in the form's default language, or its first."""
    named = {name.strip().casefold(): rows for name, rows in sheets.items()}
    settings = next(iter(_records(named.get("settings", []))), (0, {}))[1]
    form = Form(path, settings.get("form_title") or settings.get("form_id") or path.name)
    survey, choices = list(_records(named["survey"])), list(_records(named["choices"]))
    label = _label(path, survey, settings.get("default_language", ""))
    lists: dict[str, dict[str, str]] = {}
    for line, row in choices:
        options = lists.setdefault(row.get("list_name", ""), {})
        name = row.get("name", "")
        if name in options:
            message = (
                f"the choice {name!r} of {row.get('list_name')!r} stands there twice (choices)."
            )
            raise DataFileError(path, line, message)
        options[name] = plain_text(row.get(label) or row.get("label", ""))
    for line, row in survey:
        kind, name = " ".join(row.get("type", "").split()), row.get("name", "")
        chosen = re.fullmatch(r"select[_ ](one|1) (\S+?)( or[_ ](other|specify))?", kind)
        if chosen and chosen[2] not in lists:
            raise DataFileError(
                path,
                line,
                f"{name!r} chooses from the list {chosen[2]!r}, which choices does not have.",
            )
        if chosen and row.get("choice_filter"):
            form.leave_out("their answers depend on other answers (choice_filter)", name)
        elif chosen:
            text = plain_text(row.get(label) or row.get("label", ""))
            form.add(FormItem(name, text, lists[chosen[2]]))
            if chosen[3]:
                form.notes.append(f"Left out of {name}: an answer in people's own words ('other').")
        elif re.match(r"select[_ ]multiple|rank\b", kind):
            form.leave_out(SEVERAL, name)
        elif kind and not kind.replace("_", " ").startswith(_ASIDE):
            form.leave_out(OPEN, name)
    return form


def _records(rows: Sequence[Row]) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows below the heads, by head; ``list name`` and ``list_name`` are one."""
    if not rows:
        return
    heads = [re.sub(r"\s+", "_", cell.strip()) if "label" not in cell.casefold() else cell.strip()
             for cell in rows[0][1]]  # fmt: skip
    for line, row in rows[1:]:
        yield line, {head: cell.strip() for head, cell in zip(heads, row, strict=False) if head}


def _label(path: Path, survey: Sequence[tuple[int, Mapping[str, str]]], language: str) -> str:
    """The column of the questions' texts: ``label``, or ``label::English (en)`` by its language."""
    heads = list(dict.fromkeys(head for _, row in survey for head in row))
    labels = [head for head in heads if re.fullmatch(r"label(\s*::?.*)?", head, re.IGNORECASE)]
    if not labels:
        raise DataFileError(path, None, "the sheet survey has no column 'label'.")
    wanted = [head for head in labels if language and head.rpartition(":")[2].strip() == language]
    return (wanted or labels)[0]
