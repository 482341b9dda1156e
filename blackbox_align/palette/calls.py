"""A journal of finished calls: what a model was asked once is not asked again, whatever killed the run.

Three kinds of lines: a call that is ``asked`` (its key, and how many tokens it may read and write), one that
``failed`` (what it did read and write), and one that is finished (its key and what it gave). A call that was
under way when the process died was asked and nothing more: it may have been paid for, and is counted so.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import RunError
from ..files.atomic import plain_errors
from ..files.journal import append, read_lines, set_aside, to_line


def call_key(**what: Any) -> str:
    """A hash of all that an answer follows from: step, version of the prompt, model, parameters, words."""
    text = json.dumps(what, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


@dataclass(frozen=True, order=True)
class Call:
    """A prompt to be answered once. Calls come in the order of ``place``."""

    place: tuple[int, ...]
    key: str = field(compare=False)
    prompt: str = field(compare=False, repr=False)
    about: tuple[tuple[str, str], ...] = field(compare=False, default=())


class CallJournal:
    """Finished calls by their keys, a checksummed line each, on disk before :meth:`finish` returns.

    One process writes at a time; ``path`` None keeps them in memory. ``requests`` is how often a model was
    asked since :meth:`begin` is told, ``read`` and ``written`` the tokens of it, at their most where nobody
    knows, as of calls under way; ``under_way`` is how many those are in this process.

    Raises
    ------
    RunError
        The file is damaged before its end. A torn last line is cut off: its call is made again.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._checksum = ""
        self.finished: dict[str, Mapping[str, Any]] = {}
        self.requests = self.read = self.written = 0
        self._begun: dict[str, tuple[int, int]] = {}
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
            self._take(line.value)
        self._begun.clear()  # whoever asked is dead

    @property
    def under_way(self) -> int:
        return len(self._begun)

    def get(self, key: str) -> Mapping[str, Any] | None:
        """What a call gave, if it was made."""
        return self.finished.get(key)

    def begin(self, key: str, read: int, written: int) -> None:
        """A call is asked, and may cost so many tokens: on disk before the model hears of it."""
        self._write({"asked": key, "read": read, "written": written})

    def fail(self, key: str, why: str, cost: tuple[int, int] | None = None) -> None:
        """A call that was begun gave nothing; the tokens that it cost, None where nobody knows."""
        told = {} if cost is None else dict(zip(("read", "written"), cost, strict=True))
        self._write({"failed": key, "why": why, **told})

    def finish(self, key: str, **value: Any) -> None:
        """Keep what a call gave; of one that was begun, ``read`` and ``written`` are what it did cost."""
        self._write({"key": key, **value})

    def _write(self, entry: Mapping[str, Any]) -> None:
        if self.path is not None:
            line, self._checksum = to_line(entry, self._checksum)
            append(self.path, line)
        self._take(entry)

    def _take(self, entry: Mapping[str, Any]) -> None:
        if "asked" in entry:
            self.requests += 1
            cost = int(entry["read"]), int(entry["written"])
            self._begun[str(entry["asked"])] = cost
            self.read, self.written = self.read + cost[0], self.written + cost[1]
            return
        key = str(entry.get("failed", entry.get("key")))
        read, written = self._begun.pop(key, (0, 0))
        if "read" in entry:
            self.read += int(entry["read"]) - read
            self.written += int(entry["written"]) - written
        if "key" in entry:
            self.finished[key] = entry
