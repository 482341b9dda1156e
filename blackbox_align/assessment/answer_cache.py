"""Answers that were given before, on disk: the same question is put to the same model once.

One SQLite file under the user's cache folder, from the standard library: it is safe under several
processes and killed ones, and holds bytes, never code. An answer's key is a hash of all that it
follows from, so it can be found without the model. Trouble with the file costs time, never a result.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import RunError

LIMIT = 1 << 28  # bytes: about two million answers
_PATIENCE = 15.0  # seconds to wait for other processes that write
_CHECKSUM = 8  # bytes in front of every answer
_AT_ONCE = 500  # keys per query; older builds of SQLite take 999 at most


def default_path() -> Path:
    """``answers.sqlite`` in the user's cache folder (``XDG_CACHE_HOME``, else ``~/.cache``)."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "blackbox_align" / "answers.sqlite"


@dataclass
class AnswerCache:
    """Arrays by key in a file of at most ``limit`` bytes; beyond it the oldest tenth is dropped.

    ``trouble`` is what kept the file from being used, or empty. After it the cache stays silent.
    """

    path: Path = field(default_factory=default_path)
    limit: int = LIMIT
    trouble: str = field(default="", init=False)

    def get(self, keys: Sequence[bytes]) -> dict[bytes, np.ndarray]:
        """The float32 arrays of those keys that are known; one that is damaged is not known."""
        found: dict[bytes, np.ndarray] = {}
        if self.trouble:
            return found
        try:
            if not self.path.exists():
                return found
            with self._open() as database:
                for start in range(0, len(keys), _AT_ONCE):
                    some = keys[start : start + _AT_ONCE]
                    marks = ",".join("?" * len(some))
                    query = f"SELECT key, CAST(answer AS BLOB) FROM answers WHERE key IN ({marks})"
                    for key, packed in database.execute(query, some):
                        if packed == _pack(key, packed[_CHECKSUM:]):
                            found[key] = np.frombuffer(packed[_CHECKSUM:], "<f4")
        except (sqlite3.Error, OSError) as error:
            self.trouble = str(error)
        return found

    def put(self, answers: Mapping[bytes, np.ndarray]) -> None:
        """Keep float32 arrays; a key that is known keeps what it has."""
        if self.trouble or not answers:
            return
        rows = [(key, _pack(key, np.asarray(row, "<f4").tobytes())) for key, row in answers.items()]
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._open() as database:
                database.executemany(
                    "INSERT OR IGNORE INTO answers (key, answer) VALUES (?, ?)", rows
                )
                if _bytes_used(database) > self.limit:
                    database.execute(
                        "DELETE FROM answers WHERE id <= (SELECT min(id) + (max(id) - min(id)) / 10 "
                        "FROM answers)"
                    )
        except (sqlite3.Error, OSError) as error:
            self.trouble = str(error)

    def size(self) -> tuple[int, int]:
        """The number of answers, and the bytes of the file; :class:`RunError` if it is damaged."""
        if not self.path.exists():
            return 0, 0
        with self._told(), self._open() as database:
            return database.execute("SELECT count(*) FROM answers").fetchone()[0], _bytes_used(
                database
            )

    def clear(self) -> None:
        """Forget everything; a damaged file is removed. Other processes may go on meanwhile."""
        if not self.path.exists():
            return
        with self._told():
            try:
                with self._open() as database:
                    database.execute("DELETE FROM answers")
                with closing(self._connect()) as database:
                    database.execute("VACUUM")
            except sqlite3.OperationalError:  # locked, read-only: the file itself is sound
                raise
            except sqlite3.DatabaseError:
                self.path.unlink()

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=_PATIENCE)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """The file for one transaction, all of which is kept or nothing."""
        # Not in WAL mode, which needs shared memory and so no home folder on a network.
        with closing(self._connect()) as database, database:
            database.execute(
                "CREATE TABLE IF NOT EXISTS answers "
                "(id INTEGER PRIMARY KEY, key BLOB UNIQUE, answer BLOB NOT NULL)"
            )
            yield database

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise RunError(
                f"The answer cache {self.path} cannot be used: {error}. `bbalign cache --clear` removes a "
                "damaged one; nothing but time is lost."
            ) from None


def _pack(key: bytes, answer: bytes) -> bytes:
    return hashlib.sha256(key + answer).digest()[:_CHECKSUM] + answer


def _bytes_used(database: sqlite3.Connection) -> int:
    pages, free, size = (
        database.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size
