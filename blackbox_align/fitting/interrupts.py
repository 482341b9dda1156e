"""A Ctrl-C that waits for the end of a batch."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def patient_interrupt() -> Iterator[Callable[[], bool]]:
    """Let a first Ctrl-C, or a SIGTERM, wait for the end of the batch; a second one interrupts at
    once.

    Yields a function that says whether there was one. Outside the main thread, where signals
    cannot be caught, a Ctrl-C is what it always is.
    """
    pressed = False

    def note(signum: int, frame: object) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = {one: signal.signal(one, note) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: pressed
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
