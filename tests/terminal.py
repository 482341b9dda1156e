"""A real terminal for tests: the command runs in a pseudo-terminal, and its screen can be read."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pexpect
import pyte

ROWS = 300  # more than any output has, so that nothing scrolls away


class Terminal:
    """One process in a terminal of its own."""

    def __init__(
        self,
        command: Sequence[str],
        cwd: Path,
        columns: int = 80,
        environment: Mapping[str, str | None] | None = None,
    ) -> None:
        settings: dict[str, str | None] = {**os.environ, "TERM": "xterm-256color"}
        settings.update({"NO_COLOR": None, "COLUMNS": None, "LINES": None})
        settings.update(environment or {})
        self.raw = b""
        self.screens: list[str] = []  # every state that was seen
        self._text: str | None = ""
        self._screen = pyte.Screen(columns, ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self._process = pexpect.spawn(
            command[0],
            list(command[1:]),
            cwd=str(cwd),
            env={name: value for name, value in settings.items() if value is not None},
            dimensions=(ROWS, columns),
            timeout=None,
        )

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self._screen.display]

    @property
    def text(self) -> str:
        """What is on the screen, without the empty lines at its end."""
        if self._text is None:  # to read the whole screen is what a terminal costs most
            self._text = "\n".join(self.lines).rstrip()
        return self._text

    @property
    def unfolded(self) -> str:
        """The same as one line, for sentences that the terminal folded."""
        return " ".join(self.text.split())

    def pasted(self, begin: str) -> str:
        """The text from ``begin`` to its line's end, as a mouse copies it, wherever the screen folds."""
        plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.raw.decode(errors="replace"))
        return next(
            line[line.index(begin) :]
            for line in plain.replace("\r", "\n").split("\n")
            if begin in line
        ).strip()

    def wait_for(self, seen: str | Callable[[str], bool], seconds: float = 90.0) -> None:
        """Read until the text is on the screen, or what is there fulfils a condition."""
        fulfilled = seen if callable(seen) else lambda screen: seen in screen
        end = time.monotonic() + seconds
        while not fulfilled(self.text):
            assert time.monotonic() < end, f"not seen in {seconds:.0f} s:\n{self.text}"
            assert self._read(), f"the process has ended:\n{self.text}"

    def press(self, key: str) -> None:
        """Press Ctrl and a key."""
        self._process.sendcontrol(key)

    def finish(self, seconds: float = 120.0) -> int:
        """Read to the end; the exit code, negative for a signal."""
        end = time.monotonic() + seconds
        while self._read():
            assert time.monotonic() < end, f"no end in {seconds:.0f} s:\n{self.text}"
        self._process.close()
        code = self._process.exitstatus
        return code if code is not None else -self._process.signalstatus

    def close(self) -> None:
        self._process.close(force=True)

    def _read(self) -> bool:
        try:
            piece = self._process.read_nonblocking(65536, timeout=1.0)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.raw += piece
        self._stream.feed(piece)
        self._text = None
        if not self.screens or self.screens[-1] != self.text:
            self.screens.append(self.text)
        return True


def bbalign_command(*arguments: object) -> list[str]:
    """The installed command where it is, or the module."""
    program = Path(sys.executable).with_name("bbalign")
    start = [str(program)] if program.exists() else [sys.executable, "-m", "blackbox_align"]
    return [*start, *map(str, arguments)]
