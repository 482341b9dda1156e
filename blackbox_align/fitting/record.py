"""The record of a run: a directory that holds all that was asked, answered and searched.

::

    run.json        what was asked, facts, versions, conditions, status; sealed with a checksum
    journal.jsonl   a line per tell, in order, on disk before the optimizer hears of it
    vectors.f64     the vectors of all candidates, row by row, little-endian float64

A line of the journal holds the ids of its candidates, what was answered before anything was averaged, the
losses (for people to read), how many rows of vectors there are up to here, and a digest of its own. Times
are not in it, so that a continued run writes the same bytes as one that was never interrupted. Reading
never writes and needs no model; whoever writes holds the lock, and mends a damaged end first.

Format 1 had no checksums and no vectors: :mod:`.format_1` finds them by asking its search again.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import RunError
from ..files.atomic import plain_errors, read_sealed_json, sweep, write_sealed_json
from ..files.journal import Damage, Reading, append, read_lines, set_aside, to_line
from ..version import __version__
from .conditions import changed, is_gone, process
from .entry import Entry, digest
from .specification import Specification
from .stopping import Stopping

FORMAT = 2
OnNote = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Past:
    """What a record holds: entries, where each ends in the journal, and what is wrong behind them.

    ``vectors`` are all rows (evaluations, d); None where they were not asked for or not kept.
    """

    entries: tuple[Entry, ...]
    reading: Reading
    damage: Damage | None
    vectors: np.ndarray | None = None

    @property
    def told(self) -> int:
        return self.entries[-1].rows if self.entries else 0

    def vectors_of(self, entry: Entry) -> np.ndarray:
        assert self.vectors is not None
        return self.vectors[entry.ids[0] : entry.rows]


class Record:
    """A run's directory; see the module. ``path`` need not exist yet."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    # -- reading ---------------------------------------------------------------------------------

    def exists(self) -> bool:
        return (self.path / "run.json").is_file()

    @cached_property
    def head(self) -> dict[str, Any]:
        """The content of ``run.json``; RunError where there is none, or it is damaged."""
        file = self.path / "run.json"
        if not self.exists():
            raise RunError(
                f"{self.path} is not a run: it holds no run.json. `bbalign runs` lists yours."
            )
        head = read_sealed_json(file, required=False)
        written = head.get("format")
        if written not in (1, FORMAT):
            raise RunError(
                f"{self.path} was written in format {written!r}; this version of blackbox_align "
                f"({__version__}) reads formats 1 and {FORMAT}."
            )
        if written == FORMAT:
            read_sealed_json(file)
        kinds = {"status": str, "specification": dict, "stopping": dict, "facts": dict}
        for key, kind in kinds.items():
            if not isinstance(head.get(key), kind):
                raise RunError(f"{file}: {key!r} is missing or damaged; restore the file.")
        return head

    @cached_property
    def specification(self) -> Specification:
        return _understood(self.path, Specification.from_dict, self.head["specification"])

    @cached_property
    def stopping(self) -> Stopping:
        return _understood(self.path, lambda ends: Stopping(**ends), self.head["stopping"])

    @property
    def facts(self) -> dict[str, Any]:
        """What the settings stood for: constants, held-out items, hashes; see :mod:`.problem`."""
        facts: dict[str, Any] = self.head["facts"]
        return facts

    @property
    def status(self) -> str:
        """``running``, ``done``, ``interrupted``, ``failed``, or ``empty`` where nothing began."""
        if not self.exists():
            return "empty"
        status = str(self.head["status"])
        if status == "running" and is_gone(self.head.get("process")):
            return "interrupted"
        return status

    @property
    def reason(self) -> str | None:
        """Why the run ended."""
        return self.head.get("reason")

    def past(self, *, vectors: bool = False) -> Past:
        """All that can be read up to the first damage, which is told and not raised."""
        journal = self.path / "journal.jsonl"
        sealed = self.head["format"] == FORMAT or _is_sealed(journal)
        reading = read_lines(journal, sealed=sealed)
        entries: list[Entry] = []
        damage = reading.damage
        for number, line in enumerate(reading.lines, start=1):
            try:
                told = entries[-1].rows if entries else 0
                entries.append(Entry.from_value(line.value, told))
            except ValueError as error:
                damage = Damage(number, str(error), inside=number < len(reading.lines))
                break
        past = Past(tuple(entries), reading, damage)
        if not vectors or not sealed:
            return past
        return self._with_vectors(past)

    def _with_vectors(self, past: Past) -> Past:
        file = self.path / "vectors.f64"
        dimension = int(self.facts.get("dimension", 0))
        count = past.told * dimension
        numbers = np.zeros(0)
        if file.is_file():
            with plain_errors(file):
                numbers = np.fromfile(file, "<f8", count)
        whole = len(numbers) // max(dimension, 1)
        rows = numbers[: whole * dimension].reshape(whole, dimension)
        good = [
            entry.rows <= len(rows) and digest(rows[entry.ids[0] : entry.rows]) == entry.digest
            for entry in past.entries
        ]
        if all(good):
            return Past(past.entries, past.reading, past.damage, rows)
        first = good.index(False)
        damage = Damage(
            first + 1,
            "its vectors in vectors.f64 are not those that were evaluated",
            inside=any(good[first:]),
        )
        return Past(past.entries[:first], past.reading, damage, rows)

    def entries(self) -> tuple[Entry, ...]:
        """Every tell, for reading; a line that is just being written is left out.

        Raises :class:`RunError` that names the first damaged line and says what can be done.
        """
        past = self.past()
        self.refuse_damage(past)
        return past.entries

    def refuse_damage(self, past: Past, *, inside_only: bool = False) -> None:
        """Raise :class:`RunError` for damage that a reader, or with ``inside_only`` a writer, cannot
        pass over.
        """
        damage, counted = past.damage, int(self.head.get("evaluations") or 0)
        place = f"{self.path / 'journal.jsonl'}, line {damage.number if damage else 0}"
        if damage and damage.inside:
            raise RunError(
                f"{place}: this line is damaged ({damage.reason}), although good ones follow it. "
                "Restore the file from a copy, or start another run with --name."
            )
        if inside_only:
            return
        if damage and not damage.torn:
            raise RunError(
                f"{place}: this line is damaged ({damage.reason}). The same fit command sets it "
                "aside and goes on from the line before."
            )
        if past.told < counted:
            raise RunError(
                f"{self.path / 'journal.jsonl'}: {past.told} evaluations are here, and run.json "
                f"counts {counted}. The same fit command evaluates the others again."
            )

    # -- writing ---------------------------------------------------------------------------------

    @contextmanager
    def writing(self, on_note: OnNote = lambda sentence: None) -> Iterator[Writer]:
        """Hold the folder: another process that wants to write to it is turned away.

        What killed processes left half written is swept. If no run has begun in it by the end,
        because something asked was wrong, the folder goes again.
        """
        from filelock import FileLock, Timeout

        with plain_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            lock_file = self.path / "lock"
            try:
                lock = FileLock(lock_file)
                lock.acquire(timeout=0)
            except Timeout:
                if not self._owner_is_gone():
                    raise RunError(
                        f"The run {self.path} is being worked on by another process; "
                        "wait for it, or start another run with --name."
                    ) from None
                lock_file.unlink(missing_ok=True)  # held by nobody who could let it go
                lock = FileLock(lock_file)
                lock.acquire(timeout=0)
        try:
            self.__dict__.pop("head", None)  # it may have changed before the lock was ours
            sweep(self.path)
            if not self.exists() and any(p.name != "lock" for p in self.path.iterdir()):
                raise RunError(f"{self.path} is not empty and not a run; name another with --name.")
            yield Writer(self, on_note)
        finally:
            if not self.exists():
                with suppress(OSError):
                    lock_file.unlink()
                    self.path.rmdir()
            lock.release()

    def _owner_is_gone(self) -> bool:
        with suppress(RunError):
            owner = self.head.get("process")
            return owner is not None and is_gone(owner)
        return False


class Writer:
    """The one process that writes to a record; from :meth:`Record.writing`."""

    def __init__(self, record: Record, on_note: OnNote) -> None:
        self.record, self.on_note = record, on_note
        self._checksum = ""

    def begin(
        self,
        specification: Specification,
        stopping: Stopping,
        facts: Mapping[str, Any],
        conditions: Mapping[str, Any],
    ) -> None:
        """Write ``run.json`` of a run that starts, or note that it goes on, and where."""
        if not self.record.exists():
            self._write(
                {
                    "format": FORMAT,
                    "status": "running",
                    "reason": None,
                    "specification": specification.to_dict(),
                    "stopping": asdict(stopping),
                    "facts": dict(facts),
                    "conditions": [{"evaluations": 0, **conditions}],
                    "process": process(),
                    "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                    "seconds": 0.0,
                }
            )
            return
        past = self.mend()
        known = list(self.record.head.get("conditions") or [])
        difference = changed(known[-1], conditions) if known else ""
        if difference:
            self.on_note(
                f"This run goes on under other conditions ({difference}): its past is the same, and "
                "what follows may differ by rounding from a run that was never moved."
            )
        if not known or difference:
            known.append({"evaluations": past.told, **conditions})
        self.update(
            status="running",
            reason=None,
            stopping=asdict(stopping),
            facts={**facts, **self.record.facts},
            conditions=known,
            process=process(),
        )

    def mend(self) -> Past:
        """Set a damaged end aside, cut vectors without a line, and say so; returns what is there.

        Raises :class:`RunError` where the damage is not at the end.
        """
        record = self.record
        past = record.past(vectors=True)
        record.refuse_damage(past, inside_only=True)
        journal, counted = record.path / "journal.jsonl", int(record.head.get("evaluations") or 0)
        lines = past.reading.lines
        end = lines[len(past.entries) - 1].end if past.entries else 0
        aside = set_aside(journal, end)
        if aside:
            reason = past.damage.reason if past.damage else "it is not whole"
            self.on_note(
                f"The end of {journal}, from line {len(past.entries) + 1} on, is damaged ({reason}). "
                f"It was set aside in {aside.name}; the run goes on after {past.told} evaluations."
            )
        elif past.told < counted:
            self.on_note(
                f"{journal} holds {past.told} evaluations of {counted}; the others are evaluated "
                "again."
            )
        vectors = record.path / "vectors.f64"
        size = past.told * int(record.facts.get("dimension", 0)) * 8
        if past.vectors is not None and vectors.exists() and vectors.stat().st_size > size:
            with plain_errors(vectors):
                os.truncate(vectors, size)
        self._checksum = lines[len(past.entries) - 1].checksum if past.entries else ""
        if counted != past.told:
            self.update(evaluations=past.told)
        return past

    def append(self, entry: Entry, vectors: np.ndarray) -> None:
        """Add one tell; it is on disk when this returns."""
        content, checksum = to_line(entry.to_value(), self._checksum or "0" * 16)
        append(self.record.path / "vectors.f64", np.ascontiguousarray(vectors, "<f8").tobytes())
        append(self.record.path / "journal.jsonl", content)
        self._checksum = checksum

    def rewrite(self, entries: Sequence[Entry], vectors: Sequence[np.ndarray]) -> None:
        """Write a journal of format 1 anew in the present format; a kill in between loses nothing."""
        path, checksum, content = self.record.path, "0" * 16, b""
        for entry in entries:
            line, checksum = to_line(entry.to_value(), checksum)
            content += line
        for name, whole in (
            ("vectors.f64", b"".join(np.ascontiguousarray(v, "<f8").tobytes() for v in vectors)),
            ("journal.jsonl", content),
        ):
            draft = path / f".{name}.{os.getpid()}.tmp"
            with plain_errors(path):
                draft.unlink(missing_ok=True)
            append(draft, whole)
            with plain_errors(path):
                draft.replace(path / name)
        self._checksum = checksum
        self.update(format=FORMAT)

    def close(self, status: str, reason: str, seconds: float, evaluations: int) -> None:
        """Note how it ended."""
        spent = float(self.record.head.get("seconds") or 0.0) + seconds
        self.update(status=status, reason=reason, seconds=round(spent, 3), evaluations=evaluations)

    def update(self, **changes: Any) -> None:
        """Write some entries of ``run.json`` anew."""
        self._write({**self.record.head, **changes})

    def remove(self) -> None:
        """Take back a run in which nothing was evaluated."""
        with plain_errors(self.record.path):
            for name in ("run.json", "journal.jsonl", "vectors.f64", "targets.csv"):
                (self.record.path / name).unlink(missing_ok=True)
        self.record.__dict__.pop("head", None)

    def _write(self, head: dict[str, Any]) -> None:
        write_sealed_json(self.record.path / "run.json", head)
        self.record.__dict__.update(head=json.loads(json.dumps(head)))


def _understood(path: Path, make: Callable[[Any], Any], value: Any) -> Any:
    try:
        return make(value)
    except (TypeError, ValueError, AttributeError, LookupError) as error:
        raise RunError(f"{path / 'run.json'}: its settings cannot be read: {error}") from None


def _is_sealed(journal: Path) -> bool:
    if not journal.is_file():
        return True
    with plain_errors(journal), journal.open("rb") as file:
        return b'"checksum"' in file.readline()
