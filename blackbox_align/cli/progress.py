"""What a terminal shows while a search or a score runs; nothing at all elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from .screen import command, harmless, print_note, stderr

if TYPE_CHECKING:
    from ..fitting import Progress
    from ..fitting.fit import OnProgress

_LINE_SECONDS = 10.0  # between two lines on a terminal that cannot draw


@contextmanager
def fit_progress(countries: Sequence[str]) -> Iterator[OnProgress]:
    """A live line: what was spent, the best figure, the rate and the time since the start.

    How long it takes is not told: a search mostly ends at its target, long before its budget. So the
    bar moves to and fro while it goes on, and the budget stands beside what is spent.
    """
    console, title = stderr(), _title(countries)
    if not console.is_terminal:
        yield lambda progress: None
        return
    if console.is_dumb_terminal:
        yield _lines(title)
        return
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}", style="bold", markup=False),
        BarColumn(bar_width=14),
        TextColumn("{task.fields[state]}", markup=False),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=None, state="loading the model")
        yield lambda progress: bar.update(task, state=_state(progress))


def _title(countries: Sequence[str]) -> str:
    """The countries, or the first and how many more there are, in about twenty columns."""
    names = [harmless(name) for name in countries]
    title = ", ".join(names)
    if len(title) > 20 and len(names) > 1:
        title = f"{names[0][:12]} and {len(names) - 1} more"
    return title if len(title) <= 24 else f"{title[:21]}..."


def _state(progress: Progress) -> str:
    if progress.doing:
        return progress.doing
    fresh = progress.evaluations - progress.replayed
    rate = fresh / progress.seconds if progress.seconds > 0 else 0.0
    best = "-" if progress.best is None else f"{progress.best:.3g}"
    return f"{progress.evaluations:,}/{progress.budget:,} best {best} {rate:.0f}/s"


def _lines(title: str) -> Callable[[Progress], None]:
    """Whole lines, now and then, for a terminal that cannot move its cursor."""
    print_note(f"{title}: loading the model")
    said = time.monotonic()

    def on_progress(progress: Progress) -> None:
        nonlocal said
        if time.monotonic() - said >= _LINE_SECONDS:
            said = time.monotonic()
            print_note(f"{title}: {_state(progress)}")

    return on_progress


@contextmanager
def live_sentence(doing: str) -> Iterator[Callable[[str], None]]:
    """A sentence that stands on a terminal for as long as it lasts; what is yielded changes it."""
    console = stderr()
    if not console.is_terminal or console.is_dumb_terminal:
        yield lambda sentence: None
        return
    with console.status(doing) as status:
        yield status.update


@contextmanager
def going_on(kept: str) -> Iterator[None]:
    """Says behind Ctrl-C what is ``kept``, and by which command it goes on."""
    try:
        yield
    except KeyboardInterrupt:
        print_note(f"Interrupted; {kept}. To continue: {command(*sys.argv[1:])}")
        raise typer.Exit(130) from None


@contextmanager
def score_progress() -> Iterator[Callable[[int], None]]:
    """A live count of the questions on a terminal."""
    asked = 0
    with live_sentence("Loading") as tell:

        def on_batch(questions: int) -> None:
            nonlocal asked
            asked += questions
            tell(f"{asked:,} questions asked")

        yield on_batch
