"""Where the command line prints: two streams, tables that are never cut, and lines that can be pasted.

What is printed may come from a file of somebody else's. It is never read as markup, and a control
character in it is shown as an escape, so that it cannot steer the terminal.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sys
import textwrap
from collections.abc import Container, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_ASCII = str.maketrans(
    {"↑": "(high is good)", "↓": "(low is good)", "–": "-", "…": "...", "’": "'"}
)
_UNFOLDED = 100_000  # columns of a pipe: a table must not be folded for a screen that is not there


def stdout() -> Console:
    """For results: what a pipe should get."""
    return _console(_behind(sys.stdout), stderr=False)


def stderr() -> Console:
    """For progress, notes and errors: one for a stream, so that a note stands above a live line."""
    return _console(_behind(sys.stderr), stderr=True)


def _behind(stream: TextIO) -> TextIO:
    """The stream itself, where rich stands in front of it for a live line."""
    proxied: TextIO = getattr(stream, "rich_proxied_file", stream)
    return proxied


@lru_cache(maxsize=4)
def _console(stream: TextIO, stderr: bool) -> Console:
    width = None if stream.isatty() else _UNFOLDED
    console: Console = _screen_class()(stderr=stderr, width=width)
    return console


@lru_cache
def _screen_class() -> type[Console]:
    """Made on first use: rich is not needed to print a version."""
    from rich.console import Console

    class Screen(Console):
        """A console to which every string is text and nothing else."""

        def __init__(self, **settings: Any) -> None:
            super().__init__(markup=False, emoji=False, highlight=False, **settings)

        def on_broken_pipe(self) -> None:
            """A reader that has gone, such as `head`, wants no more: what is under way goes on unseen."""
            self.quiet = True
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.file.fileno())
            os.close(nowhere)

        def render_str(self, text: str, **settings: Any) -> Any:
            shown = harmless(text)
            if not self.encoding.startswith("utf"):
                shown = shown.translate(_ASCII)
            return super().render_str(shown, **settings)

    return Screen


def harmless(text: str) -> str:
    """``text`` with its control characters spelled out; line ends and tabs stay."""
    return _CONTROL.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


def say(sentence: str = "", style: str | None = None) -> None:
    """A paragraph among the results, folded at words to the width of a terminal."""
    stdout().print(sentence, style=style)


def print_note(sentence: str) -> None:
    """Something that happened on the way, beside the results."""
    stderr().print(sentence, soft_wrap=True)


def print_remark(sentence: str) -> None:
    """What a person should know beforehand, folded at words to the width of a terminal; else nothing."""
    if stderr().is_terminal:
        stderr().print(sentence)


def print_aside(text: str) -> None:
    """A remark for who sits before a terminal; where there is none, nothing."""
    if stderr().is_terminal:
        print_note(text)


def print_hint(sentence: str) -> None:
    """A sentence among the results with a path or a command in it: never folded, so it can be pasted."""
    stdout().print(sentence, soft_wrap=True)


def print_error(sentence: str) -> None:
    screen = stderr()
    screen.print("Error:", style="bold red", end=" ")
    screen.print(sentence, soft_wrap=True)


def print_json(value: Any) -> None:
    unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    print(json.dumps(value, indent=2, ensure_ascii=not unicode, allow_nan=False))


def duration(seconds: float) -> str:
    """A time that is about as long as it is said."""
    for size, unit in ((3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{max(1, seconds):.0f} seconds"


def command(*arguments: object) -> str:
    """A command line of ours that can be pasted into a shell where this process was started."""
    return shlex.join([*_program(), *map(str, arguments)])


def _program() -> list[str]:
    """``bbalign``, or how it was called where the shell would not find that."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return [sys.executable, "-m", "blackbox_align"]
    if called.name != "bbalign" or shutil.which("bbalign"):
        return ["bbalign"]
    return [os.path.relpath(called) if called.is_relative_to(Path.cwd()) else str(called)]


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    right: Container[int] = (),
    whole: Container[int] = (0,),
    last_is_total: bool = False,
) -> None:
    """A plain table, or one block a row where the screen is too narrow for it; nothing is ever cut.

    ``right`` holds the positions of the columns that are set flush right, which are figures and are
    not folded either; ``whole`` those of other columns that are not folded, such as names.
    """
    cells, screen = [list(row) for row in rows], stdout()
    unfolded = {number for number in range(len(columns)) if number in right or number in whole}
    for heads in (columns, _folded(columns, cells, right)):
        table = _table(heads, cells, right, unfolded, last_is_total)
        needed = screen.measure(table, options=screen.options.update_width(_UNFOLDED)).minimum
        if needed <= screen.width:
            screen.print(table)
            return
    _print_blocks(columns, cells, whole)


def _table(
    columns: Sequence[str],
    cells: Sequence[Sequence[str]],
    right: Container[int],
    unfolded: Container[int],
    last_is_total: bool,
) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for number, column in enumerate(columns):
        whole = number in unfolded
        table.add_column(
            column,
            justify="right" if number in right else "left",
            min_width=max(_width(c) for c in (column, *_column(cells, number))) if whole else None,
            no_wrap=whole,
            overflow="fold",
        )
    for number, row in enumerate(cells, start=1):
        table.add_row(*row, style="bold" if last_is_total and number == len(cells) else None)
    return table


def _column(cells: Sequence[Sequence[str]], number: int) -> list[str]:
    return [row[number] for row in cells]


def _width(cell: str) -> int:
    from rich.cells import cell_len

    return max(map(cell_len, harmless(cell).split("\n")))


def _folded(
    columns: Sequence[str], cells: Sequence[Sequence[str]], right: Container[int]
) -> list[str]:
    """The columns' names, those above figures folded to the width of the figures."""
    heads = list(columns)
    for number, column in enumerate(columns):
        if number in right and "\n" not in column:
            width = max([8, *(_width(cell) for cell in _column(cells, number))])
            heads[number] = (
                "\n".join(textwrap.wrap(column, width, break_on_hyphens=False)) or column
            )
    return heads


def _print_blocks(
    columns: Sequence[str], rows: Iterable[Sequence[str]], whole: Container[int]
) -> None:
    """A row as a heading, which is its names, and a line per further column."""
    screen = stdout()
    heads = [" ".join(column.replace("-\n", "-").split()) for column in columns]
    for row in rows:
        names = [cell for number, cell in enumerate(row) if number in whole and cell]
        screen.print(", ".join(names), style="bold", soft_wrap=True)
        for number, (head, cell) in enumerate(zip(heads, row, strict=True)):
            if cell and number not in whole:
                screen.print(f"  {head}: {cell}" if head else f"  {cell}", soft_wrap=True)
