"""Who can be asked: the experts of a library as it is now, each re-read when its files change."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

from ..engines.base import EngineInfo
from ..errors import BlackboxAlignError
from ..experts import Expert, Library

BASE, COMMITTEE, PALETTE = "base", "committee", "palette"
MIXTURES = (COMMITTEE, PALETTE)
"""What several experts answer: by the words of a question, or by the gate of a palette."""
_RESERVED = (BASE, *MIXTURES)
_log = logging.getLogger("blackbox_align")

Seal = tuple[tuple[str, int, int], ...]


class Roster:
    """The sound experts of a library that belong to one model, by name; any thread may ask.

    A name comes from a listing of the folder and is compared: none that a request brings leads anywhere.
    """

    def __init__(self, library: Path | None, info: EngineInfo) -> None:
        self._library, self._info = library, info
        self._known: dict[str, tuple[Seal, Expert | None]] = {}
        self._lock = threading.Lock()

    def experts(self) -> dict[str, Expert]:
        """The experts that are there now; one whose files changed since the last look is read again."""
        if self._library is None:
            return {}
        with self._lock:
            known, self._known = self._known, {}
            for name in Library(self._library).names():
                seal = _seal(self._library / name)
                before = known.get(name)
                kept = before[1] if before is not None and before[0] == seal else None
                if before is None or before[0] != seal:
                    kept = self._read(name)
                self._known[name] = seal, kept
            return {name: expert for name, (_, expert) in self._known.items() if expert is not None}

    def _read(self, name: str) -> Expert | None:
        assert self._library is not None
        try:
            if name in _RESERVED:
                raise BlackboxAlignError(
                    f"{self._library / name}: {name!r} is what the server calls something else; give the "
                    "expert another name."
                )
            expert = Library(self._library).read(name)
            expert.refuse_other_model(self._info)
        except BlackboxAlignError as error:
            _log.warning("Left out: %s", error)
            return None
        return expert


def _seal(folder: Path) -> Seal:
    """Names, sizes and times of the files of an expert's folder."""
    found: list[tuple[str, int, int]] = []
    try:
        for inner in (
            folder,
            *(Path(e) for e in os.scandir(folder) if e.is_dir(follow_symlinks=False)),
        ):
            for entry in os.scandir(inner):
                about = entry.stat(follow_symlinks=False)
                found.append((entry.path, about.st_size, about.st_mtime_ns))
                if len(found) > 1000:  # no expert; the library says so
                    return tuple(found)
    except OSError:  # removed while it was looked at
        return ()
    return tuple(sorted(found))
