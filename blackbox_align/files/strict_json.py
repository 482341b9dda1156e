"""JSON in which nothing is lost: a key that stands twice is a mistake, where Python keeps the last."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..errors import DataFileError


def parse_json(path: Path, text: str, line: int = 1) -> Any:
    """The value of a JSON text that begins on ``line`` of a file; :class:`DataFileError` for a fault."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) < len(pairs):  # json keeps the last one and tells nobody
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise DataFileError(path, None, f"the key {twice[:60]!r} stands twice in one object.")
        return table

    try:
        return json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        place = line + error.lineno - 1
        raise DataFileError(path, place, f"this is not valid JSON: {error.msg}.") from None
    except RecursionError:
        raise DataFileError(path, line, "it is nested too deeply to be a survey.") from None
    except DataFileError:
        raise
    except ValueError as error:  # a whole number with thousands of digits
        raise DataFileError(path, line, f"this is not valid JSON: {error}.") from None
