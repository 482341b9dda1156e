"""An engine whose answers are kept on disk: the same question is put to the same model once.

The answers lie in one SQLite file under the user's cache folder, from the standard library: it is
safe under several processes and killed ones, and holds bytes, never code. An answer's key is a hash of
all that it follows from, so it can be found without the model, which is loaded at the first question
that is not known. Trouble with the file costs time, never a result.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..adapters.adapter import Adapter
from ..errors import RunError
from ..surveys.sheet import Question, Sheet
from .base import Answers, Engine, EngineInfo, Reply, Request

if TYPE_CHECKING:
    from .checkpoint import Checkpoint
    from .local.chat import ChatFormat

Array = NDArray[np.floating]

LIMIT = 1 << 28  # bytes: about two million answers
_PATIENCE = 15.0  # seconds to wait for other processes that write
_CHECKSUM = 8  # bytes in front of every answer
_AT_ONCE = 500  # keys per query; older builds of SQLite take 999 at most


class KeptEngine:
    """An :class:`.base.Engine` that asks another one only what it does not know.

    Parameters
    ----------
    info : what is known of the model before it is loaded
    identity : what an answer follows from besides the adapter and the question
    load : opens the engine that answers; called once, when it is first needed
    cache : None keeps nothing
    date : the day that a chat template may write; by default today
    """

    def __init__(
        self,
        info: EngineInfo,
        identity: Sequence[str],
        load: Callable[[], Engine],
        cache: AnswerCache | None,
        date: str = "",
    ) -> None:
        self._info, self._load, self.cache, self._date = info, load, cache, date
        self._asked_of = [info.revision, info.dtype, info.opening, *identity]
        self._lock = threading.Lock()
        self._loaded: Engine | None = None

    @property
    def engine(self) -> Engine:
        """The engine behind it, loaded when it is first asked for."""
        with self._lock:
            if self._loaded is None:
                self._loaded = self._load()
            return self._loaded

    @property
    def info(self) -> EngineInfo:
        if self._loaded is not None:
            return self._loaded.info
        if self.cache is None:
            return self._info
        return replace(self._info, opening=self._opening, date=self._day)

    @property
    def trouble(self) -> str:
        """A sentence where answers could not be kept, or nothing."""
        if self.cache is None or not self.cache.trouble:
            return ""
        return f"Answers could not be kept in {self.cache.path}: {self.cache.trouble}."

    def answer(
        self, adapters: Sequence[Adapter], sheet: Sheet, *, plainly: bool = False
    ) -> Answers:
        """See :class:`.base.Engine`; what is asked plainly, or with texts to read, is never kept."""
        if plainly or sheet.texts or self.cache is None:
            return self.engine.answer(adapters, sheet, plainly=plainly)
        before = [f"answer {adapter.digest()}".encode() for adapter in adapters]
        keys = [[self._key(one, question) for question in sheet.questions] for one in before]
        known = self.cache.get([key for row in keys for key in row])
        answers = np.zeros((len(adapters), len(sheet.questions), sheet.width), np.float32)
        mass = np.full(answers.shape[:2], np.nan, np.float32)
        # Together what is asked under the same adapters: all of a new one, a few of an old one.
        together: dict[tuple[int, ...], list[int]] = {}
        for row, own in enumerate(keys):
            missing = tuple(n for n, key in enumerate(own) if key not in known)
            if missing:
                together.setdefault(missing, []).append(row)
        for missing, rows in together.items():
            part = Sheet(tuple(sheet.questions[n] for n in missing))
            given = self.engine.answer([adapters[row] for row in rows], part)
            known |= self._fresh(given, part, [[keys[row][n] for n in missing] for row in rows])
        for row, own in enumerate(keys):
            for n, key in enumerate(own):
                answers[row, n, : len(known[key]) - 1] = known[key][1:]
                mass[row, n] = known[key][0]
        return replace(Answers.of(answers), mass=mass)

    def _fresh(
        self, given: Answers, part: Sheet, keys: Sequence[Sequence[bytes]]
    ) -> dict[bytes, Array]:
        """What was just answered, by key: mass and probabilities; kept where all of it is a number."""
        assert self.cache is not None
        fresh: dict[bytes, Array] = {}
        for row, own in enumerate(keys):
            found = {}
            for n, (key, question) in enumerate(zip(own, part.questions, strict=True)):
                shares = given.probabilities[row, n, : len(question.labels)]
                found[key] = np.concatenate([given.mass[row, n, None], shares]).astype(np.float32)
            if all(np.isfinite(entry[1:]).all() for entry in found.values()):
                self.cache.put(found)
            fresh |= found
        return fresh

    def askable(self, sheet: Sheet) -> tuple[str | None, ...]:
        """See :class:`.base.Engine`; what a model said of a question is kept, a failure to load is not."""
        keys = [self._key(b"askable", question) for question in sheet.questions]
        known = self.cache.get(keys) if self.cache else {}
        missing = [n for n, key in enumerate(keys) if key not in known]
        reasons: dict[int, str | None] = {}
        if missing:
            part = Sheet(tuple(sheet.questions[n] for n in missing))
            reasons = dict(zip(missing, self.engine.askable(part), strict=True))
            if self.cache:
                self.cache.put({keys[n]: _bytes(reason or "") for n, reason in reasons.items()})
        return tuple(
            reasons[n] if n in reasons else _text(known[key]) or None for n, key in enumerate(keys)
        )

    @cached_property
    def _day(self) -> str:
        """The day that a chat template writes, or nothing; whether it does is found out once, and kept."""
        key = self._about("dated")
        known = self.cache.get([key]) if self.cache else {}
        if key not in known:
            known[key] = np.full(1, bool(self.engine.info.date), np.float32)
            if self.cache:
                self.cache.put(known)
        return (self._date or f"{datetime.now():%Y-%m-%d}") if known[key][0] else ""

    @cached_property
    def _opening(self) -> str:
        """What is read around a question; found out once a day that a template writes, and kept."""
        key = self._about(f"opening {self._day}")
        known = self.cache.get([key]) if self.cache else {}
        if key not in known:
            known[key] = _bytes(self.engine.info.opening)
            if self.cache:
                self.cache.put(known)
        return _text(known[key])

    def _about(self, what: str) -> bytes:
        return hashlib.sha256(json.dumps([*self._asked_of, what]).encode()).digest()

    @cached_property
    def _identity(self) -> bytes:
        """All that an answer follows from besides adapter and question."""
        identity = json.dumps([*self._asked_of, self._day]).encode()
        if self._loaded is not None:
            _ = self._opening  # now that it costs nothing
        return identity

    def _key(self, before: bytes, question: Question) -> bytes:
        asked = json.dumps([question.text, question.labels], ensure_ascii=False).encode()
        digest = hashlib.sha256(self._identity)
        for part in (before, asked):
            digest.update(hashlib.sha256(part).digest())
        return digest.digest()

    # -- all else is the engine's own ------------------------------------------------------------

    def submit(self, request: Request) -> Reply:
        return self.engine.submit(request)

    def hidden(self, texts: Sequence[str], source: Any) -> Array:
        return self.engine.hidden(texts, source)

    def tokenize(self, text: str) -> tuple[int, ...]:
        return self.engine.tokenize(text)

    def embed(self, tokens: Sequence[int]) -> Array:
        return self.engine.embed(tokens)

    def pullback(
        self, adapters: Sequence[Adapter], sheet: Sheet
    ) -> tuple[Answers, Callable[[Answers], Array]]:
        return self.engine.pullback(adapters, sheet)

    def close(self) -> None:
        if self._loaded is not None:
            self._loaded.close()


def open_kept(
    model: str,
    *,
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    trust_remote_code: bool = False,
    form: ChatFormat | None = None,
    cache: bool = True,
) -> KeptEngine:
    """A model that is loaded at the first question that is not known; see :func:`.checkpoint.find_model`."""
    from .checkpoint import find_model
    from .local import chat, questions

    form = form or chat.ChatFormat()

    found = find_model(
        model,
        revision=revision,
        device=device,
        dtype=dtype,
        trust_remote_code=trust_remote_code,
    )
    info = EngineInfo(
        found.name,
        found.revision,
        str(found.dtype).removeprefix("torch."),
        disclaimer=found.disclaimer,
        orders=found.orders,
    )
    # The code that turns a question into tokens counts by its content, so that no change to it is
    # answered from before.
    sources = (Path(str(module.__file__)).read_bytes() for module in (chat, questions))
    code = hashlib.sha256(b"".join(sources)).hexdigest()
    libraries = [f"{name} {version(name)}" for name in ("torch", "transformers")]
    identity = [found.device.type, code, *libraries, form.template, form.system]
    return KeptEngine(
        info,
        identity,
        lambda: _load(found, form),
        AnswerCache() if cache else None,
        form.date,
    )


def _load(found: Checkpoint, form: ChatFormat) -> Engine:
    from .local.engine import LocalEngine

    return LocalEngine(found.model, form=form)


# -- the file ------------------------------------------------------------------------------------


def cache_folder() -> Path:
    """The user's cache folder (``XDG_CACHE_HOME``, else ``~/.cache``)."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "blackbox_align"


def default_path() -> Path:
    """``answers.sqlite`` in the cache folder."""
    return cache_folder() / "answers.sqlite"


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


def _bytes(text: str) -> Array:
    """A text as the cache keeps it: numbers."""
    return np.frombuffer(text.encode(), np.uint8).astype(np.float32)


def _text(numbers: Array) -> str:
    return bytes(numbers.astype(np.uint8)).decode(errors="replace")
