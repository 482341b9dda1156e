"""Append-only files of JSON lines that notice every damage.

A line ends with the checksum of what stands before it, and names the checksum of the line before: a
flipped bit is noticed, and so is a line that was lost, doubled or moved. Reading never writes, and stops
at the size that the file has at that moment, whatever another process adds meanwhile.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .atomic import plain_errors

START = "0" * 16
"""What the first line names as the checksum of the line before."""


@dataclass(frozen=True)
class Line:
    """One line that holds what was written: its ``value``, where it ends, and its checksum."""

    value: Mapping[str, Any]
    end: int
    checksum: str


@dataclass(frozen=True)
class Damage:
    """The first line (from 1) that is not what was written, and how it shows.

    ``torn`` is the mere beginning of a line at the end of the file: a kill, or a write under way.
    ``inside`` is damage with good lines behind it.
    """

    number: int
    reason: str
    torn: bool = False
    inside: bool = False


@dataclass(frozen=True)
class Reading:
    """The good lines at the beginning of a file, and what is wrong behind them, if anything."""

    lines: tuple[Line, ...]
    damage: Damage | None

    @property
    def end(self) -> int:
        """Bytes up to the end of the last good line."""
        return self.lines[-1].end if self.lines else 0

    @property
    def checksum(self) -> str:
        """What the next line has to name."""
        return self.lines[-1].checksum if self.lines else START


def read_lines(path: Path, *, sealed: bool = True) -> Reading:
    """Read the lines of ``path``; a file that is not there has none.

    With ``sealed`` false lines carry no checksum: they only have to be JSON objects.
    """
    with plain_errors(path):
        try:
            with path.open("rb") as file:
                content = file.read(os.fstat(file.fileno()).st_size)
        except FileNotFoundError:
            return Reading((), None)
    *whole, rest = content.split(b"\n")  # a line ends with a line feed and with nothing else
    raw = [line + b"\n" for line in whole] + ([rest] if rest else [])
    lines: list[Line] = []
    end, checksum = 0, START
    for number, line in enumerate(raw, start=1):
        end += len(line)
        if not line.endswith(b"\n"):
            return Reading(tuple(lines), Damage(number, "it is not whole", torn=True))
        try:
            value, own, before = _opened(line, sealed)
            if sealed and before != checksum:
                raise ValueError("it does not follow on the line before")
        except (ValueError, RecursionError) as error:
            inside = any(_is_good(later, sealed) for later in raw[number:])
            return Reading(tuple(lines), Damage(number, str(error), inside=inside))
        lines.append(Line(value, end, own))
        checksum = own
    return Reading(tuple(lines), None)


def to_line(value: Mapping[str, Any], before: str) -> tuple[bytes, str]:
    """The line for ``value`` behind one whose checksum is ``before``, and its own checksum."""
    body = json.dumps({**value, "before": before}, allow_nan=False)[:-1].encode()
    checksum = _checksum(body)
    return body + f', "checksum": "{checksum}"}}\n'.encode(), checksum


def append(path: Path, content: bytes) -> None:
    """Add ``content`` at the end of ``path``; it is on disk when this returns."""
    with plain_errors(path), path.open("ab") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def set_aside(path: Path, end: int) -> Path | None:
    """Cut ``path`` at ``end`` and keep what stood behind it in a file of its own, which is returned."""
    with plain_errors(path):
        if not path.exists() or path.stat().st_size <= end:
            return None
        with path.open("rb") as file:
            file.seek(end)
            rest = file.read()
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        aside = path.with_name(f"{path.name}.damaged-{stamp}-{os.getpid()}")
        append(aside, rest)
        os.truncate(path, end)
    return aside


def _opened(line: bytes, sealed: bool) -> tuple[Mapping[str, Any], str, str]:
    """Value, checksum, and checksum of the line before; ValueError where the line is damaged."""
    if not sealed:
        value = json.loads(line)
        if not isinstance(value, dict):
            raise ValueError("it is no JSON object")
        return value, "", ""
    body, mark, tail = line.rpartition(b', "checksum": "')
    if not mark or tail != f'{_checksum(body)}"}}\n'.encode():
        raise ValueError("its checksum does not hold")
    value = json.loads(body + b"}")
    return value, tail[:16].decode(), str(value.pop("before"))


def _is_good(line: bytes, sealed: bool) -> bool:
    try:
        _opened(line, sealed)
    except (ValueError, RecursionError):
        return False
    return True


def _checksum(body: bytes) -> str:
    return hashlib.blake2b(body, digest_size=8).hexdigest()
