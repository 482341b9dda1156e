"""The command line in the process of the tests: one of its own takes seconds to begin, this has torch."""

from __future__ import annotations

import functools
import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import typer

from blackbox_align import __main__ as way_in
from blackbox_align.cli import main as cli

typer.main.get_command = functools.cache(typer.main.get_command)  # once, not for every call
main = cli.main


def run_here(*arguments: object, cwd: Path | str = ".") -> subprocess.CompletedProcess[str]:
    """What a process with these arguments, begun in ``cwd``, would print and end with."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2)]
    before, called, status = Path.cwd(), sys.argv, None
    os.chdir(cwd)
    sys.argv = [way_in.__file__, *map(str, arguments)]
    try:
        with redirect_stdout(streams[0]), redirect_stderr(streams[1]):
            main()
    except SystemExit as end:
        status = end.code or 0
    finally:
        sys.argv = called
        os.chdir(before)
    for stream in streams:
        stream.flush()
    out, err = (stream.buffer.getvalue().decode() for stream in streams)
    return subprocess.CompletedProcess(arguments, status, out, err)
