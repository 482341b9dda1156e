"""A journal of finished calls: what a model was asked once is not asked again, whatever killed the run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import RunError
from ..files.atomic import plain_errors
from ..files.journal import append, read_lines, set_aside, to_line


def call_key(**what: Any) -> str:
    """A hash of all that an answer follows from: step, version of the prompt, model, parameters, words."""
    text = json.dumps(what, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


class CallJournal:
    """Finished calls by their keys, a checksummed line each, on disk before :meth:`finish` returns.

    One process writes at a time; ``path`` None keeps them in memory.

    Raises
    ------
    RunError
        The file is damaged before its end. A torn last line is cut off: its call is made again.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._checksum = ""
        self.finished: dict[str, Mapping[str, Any]] = {}
        if path is None:
            return
        with plain_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        reading = read_lines(path)
        if reading.damage is not None and reading.damage.inside:
            raise RunError(
                f"{path}, line {reading.damage.number}: {reading.damage.reason}, and good lines follow. "
                "It was edited or the disk is at fault; move it away to begin anew."
            )
        if reading.damage is not None:
            set_aside(path, reading.end)
        self._checksum = reading.checksum
        for line in reading.lines:
            self.finished[str(line.value["key"])] = line.value

    def get(self, key: str) -> Mapping[str, Any] | None:
        """What a call gave, if it was made."""
        return self.finished.get(key)

    def finish(self, key: str, **value: Any) -> None:
        """Keep what a call gave."""
        entry = {"key": key, **value}
        if self.path is not None:
            line, self._checksum = to_line(entry, self._checksum)
            append(self.path, line)
        self.finished[key] = entry
