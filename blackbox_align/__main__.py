"""``bbalign`` and ``python -m blackbox_align``: the way in, from where a Ctrl-C is no traceback."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from contextlib import suppress
from types import FrameType
from typing import Any

_INTERRUPTED = 130
_pressed = False
_status: int | None = None  # of a command that has come to its end


def _note_interrupt(signum: int, frame: FrameType | None) -> None:
    global _pressed
    _pressed = True
    raise KeyboardInterrupt


def _hide_what_it_broke(broken: Any) -> None:
    if not _pressed:
        sys.__unraisablehook__(broken)


def _leave() -> None:
    """End here: to take torch's modules and objects to pieces lasts longer than a search over one country.

    All that has to be done at the end of a process was done before: this was registered first.
    """
    if _status is None:
        return
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(_status)


def main() -> None:
    """Run the command line; whatever a Ctrl-C breaks on its way out ends with 130 and no traceback."""
    global _status
    atexit.register(_leave)
    # Threads that spin while they wait for one another take a busy machine's cores from everybody, this
    # process included: on two busy cores a fit takes several times as long. The bits are the same.
    if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys():
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _note_interrupt)
        sys.unraisablehook = _hide_what_it_broke
    try:
        from .later import bind_later

        bind_later()
        from .cli.main import main as run

        run()
    except SystemExit as end:
        _status = end.code if isinstance(end.code, int) else int(end.code is not None)
        raise
    except BaseException:
        # An import that was cut in two can raise anything: ImportError, or worse.
        if not _pressed:
            raise
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
