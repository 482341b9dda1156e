"""The journal of a run: one line per tell, in order, written before the optimizer hears of it.

A line holds what was answered, exactly: from it and the seed everything else can be computed
again, for this country or for another. Times are not in it, so that a continued run writes the
same bytes as one that was never interrupted.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import RunError
from ..files.atomic import plain_errors
from ..optimizers import Candidate


@dataclass(frozen=True)
class Entry:
    """One tell: the candidates' ids, a digest of their vectors, and what was answered.

    ``answers`` is (candidates, items, width) float32, NaN where the evaluation failed; ``losses``
    is there to be read by people, None where it failed.
    """

    ids: tuple[int, ...]
    digest: str
    answers: np.ndarray
    losses: tuple[float | None, ...]

    def to_line(self) -> str:
        return json.dumps(
            {
                "ids": self.ids,
                "digest": self.digest,
                "losses": self.losses,
                "shape": self.answers.shape,
                "answers": base64.b64encode(self.answers.astype("<f4").tobytes()).decode(),
            }
        )

    @classmethod
    def from_line(cls, line: bytes) -> Entry:
        record: dict[str, Any] = json.loads(line)
        answers = np.frombuffer(base64.b64decode(record["answers"]), "<f4")
        return cls(
            tuple(record["ids"]),
            record["digest"],
            answers.reshape(record["shape"]),
            tuple(record["losses"]),
        )


def digest(candidates: Sequence[Candidate]) -> str:
    """A short hash of the vectors of candidates, to notice when a replay proposes others."""
    hashed = hashlib.blake2b(digest_size=8)
    for candidate in candidates:
        hashed.update(np.ascontiguousarray(candidate.vector, "<f8").tobytes())
    return hashed.hexdigest()


class Journal:
    """Append-only lines in ``path``, each on disk before :meth:`append` returns."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[Entry]:
        """All whole lines. A torn last line, left by a kill, is cut off the file.

        Raises :class:`RunError` where a line that is not the last one cannot be read.
        """
        if not self.path.exists():
            return []
        with plain_errors(self.path):
            content = self.path.read_bytes()
        entries, end = [], 0
        lines = content.splitlines(keepends=True)
        for number, line in enumerate(lines, start=1):
            try:
                if not line.endswith(b"\n"):
                    raise ValueError("no line end")
                entries.append(Entry.from_line(line))
            except (ValueError, KeyError, TypeError) as error:
                if number < len(lines):
                    raise RunError(
                        f"{self.path}, line {number}: this line cannot be read ({error}), although "
                        "others follow it. Restore the file, or start another run with --name."
                    ) from None
                with plain_errors(self.path):
                    os.truncate(self.path, end)
                break
            end += len(line)
        return entries

    def append(self, entry: Entry) -> None:
        with plain_errors(self.path), self.path.open("ab") as file:
            file.write(f"{entry.to_line()}\n".encode())
            file.flush()
            os.fsync(file.fileno())
