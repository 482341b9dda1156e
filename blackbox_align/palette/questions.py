"""The questions that synthesis starts from: our own, or prompts of a file of PRISM's form.

A text file holds a question a line. JSON lines and tables hold it under ``opening_prompt``, ``user_prompt``
(PRISM's conversations and utterances), ``prompt``, ``query`` or ``question``; of conversations only the
first turns are taken. Files on the hub are named ``hf://datasets/OWNER/NAME/FILE``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import DataFileError, SpecificationError
from ..files.hub import SCHEME, fetch_data_file
from ..files.strict_json import parse_json
from ..files.tables import as_table, read_rows, read_text

COLUMNS = ("opening_prompt", "user_prompt", "prompt", "query", "question")
OWN = "palette-questions"
LONGEST = 2000  # characters of a question
_OWN_FILE = Path(__file__).parent / "data" / "questions.txt"


@dataclass(frozen=True)
class Questions:
    """Questions, none twice, and what was left out of their file: how many by reason."""

    texts: tuple[str, ...]
    source: str
    left_out: tuple[tuple[str, int], ...] = ()

    def drawn(self, count: int | None, seed: int = 0) -> Questions:
        """So many of them in the order of the file; more of them are the same and others."""
        if count is None or count >= len(self.texts):
            return self
        if count < 1:
            raise SpecificationError(f"One question is the least; not {count}.")
        # By a hash of each: a file that grows keeps what was drawn before as far as can be.
        ranked = sorted(
            self.texts, key=lambda text: hashlib.sha256(f"{seed} {text}".encode()).digest()
        )
        kept = set(ranked[:count])
        return replace(self, texts=tuple(text for text in self.texts if text in kept))


def read_questions(name: str | Path = OWN) -> Questions:
    """The questions of a file, on this machine or the hub, or our own.

    Raises :class:`DataFileError` where there is none in it.
    """
    source, path = str(name), Path(name)
    if source == OWN:
        path = _OWN_FILE
    elif source.startswith(SCHEME):
        path, source = fetch_data_file(source)
    left: dict[str, int] = {}
    found: dict[str, None] = {}
    for text in _texts(path):
        text = " ".join(text.split())
        why = (
            "empty" if not text
            else f"longer than {LONGEST:,} characters" if len(text) > LONGEST
            else "there twice" if text in found
            else ""
        )  # fmt: skip
        if why:
            left[why] = left.get(why, 0) + 1
        else:
            found[text] = None
    if not found:
        raise DataFileError(path, None, "there is no question in it.")
    return Questions(tuple(found), source, tuple(left.items()))


def _texts(path: Path) -> Iterator[str]:
    suffix = path.name.removesuffix(".gz").rpartition(".")[2].casefold()
    if suffix in ("jsonl", "ndjson"):
        for number, line in enumerate(read_text(path).split("\n"), start=1):
            if line.strip():
                yield from _of_row(path, number, parse_json(path, line, number))
    elif suffix == "json":
        rows = parse_json(path, read_text(path))
        if not isinstance(rows, list):
            raise DataFileError(path, None, "expected a list of objects, each with a question.")
        for row in rows:
            yield from [row] if isinstance(row, str) else _of_row(path, None, row)
    elif suffix in ("csv", "tsv", "parquet", "xlsx"):
        table = as_table(path, read_rows(path, f"a table with a column {' or '.join(COLUMNS)}"))
        for place, record in table.records():
            yield from _of_row(path, place, record)
    else:
        yield from (line for line in read_text(path).split("\n") if line.strip())


def _of_row(path: Path, line: int | None, row: Any) -> Iterator[str]:
    column = next((c for c in COLUMNS if isinstance(row, dict) and c in row), None)
    if column is None:
        raise DataFileError(
            path,
            line,
            f"no question stands under any of {', '.join(COLUMNS)}; rename what holds it.",
        )
    if str(row.get("turn", 0)) in ("0", "0.0"):
        value = row[column]
        yield value if isinstance(value, str) else ""
