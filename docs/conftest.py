"""What the guide shows is run: Python blocks in order, and every line of a console block that begins with $.

A page starts in an empty folder of its own. `% skip: next` (a comment of MyST) in front of a block leaves it
out, with the reason behind it.
"""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from pathlib import Path
from typing import Any

from sybil import Example, Sybil
from sybil.parsers.myst import CodeBlockParser, PythonCodeBlockParser, SkipParser

from tests.command import run_here

HERE = Path(__file__).parent


def run_console(example: Example) -> None:
    """Every command as it stands; one that fails is shown with what it said."""
    lines = str(example.parsed).splitlines()
    for command in (line[2:] for line in lines if line.startswith("$ ")):
        program, *arguments = shlex.split(command, comments=True)
        assert program == "bbalign", f"{command}: only commands of ours are run"
        done = run_here(*arguments)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


def begin(namespace: dict[str, Any]) -> None:
    """An empty folder, with the files that pages speak of."""
    namespace["_before"], folder = Path.cwd(), tempfile.mkdtemp()
    for file in (HERE / "examples").glob("*.csv"):
        shutil.copy(file, folder)
    os.chdir(folder)


def end(namespace: dict[str, Any]) -> None:
    shutil.rmtree(Path.cwd(), ignore_errors=True)
    os.chdir(namespace["_before"])


pytest_collect_file = Sybil(
    parsers=[
        PythonCodeBlockParser(),
        CodeBlockParser(language="console", evaluator=run_console),
        SkipParser(),
    ],
    pattern="*.md",
    excludes=["decisions/*", "reference/*"],
    setup=begin,
    teardown=end,
).pytest()
