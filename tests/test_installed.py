"""The wheel in an empty environment outside the checkout: what a newcomer has.

Minutes, most of them for the download; `make test-installed` runs it. BBALIGN_PYTHONS names other
interpreters to try, with blanks between them, or the folders of programs of environments that hold it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.terminal import Terminal
from tests.test_packaging import wheel  # noqa: F401  (a fixture)

ROOT = Path(__file__).parents[1]
OUTSIDE = dict.fromkeys(("PYTHONPATH", "VIRTUAL_ENV"))  # of an environment that is no other's
PYTHONS = os.environ.get("BBALIGN_PYTHONS", sys.executable).split()
pytestmark = [pytest.mark.slow, pytest.mark.installed]


def readme_commands() -> list[str]:
    """The README's `$ bbalign ...` lines that need no network, in order."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = re.findall(r"^\$ (bbalign .*?)\s*(?:#.*)?$", text, flags=re.MULTILINE)
    return [line for line in lines if not re.search("meta-llama|real_models", line)]


def run(arguments, folder, path=None, seconds=1800):
    environment = {k: v for k, v in os.environ.items() if k not in OUTSIDE}
    if path is not None:
        environment["PATH"] = f"{path}{os.pathsep}{environment['PATH']}"
    return subprocess.run(
        arguments, cwd=folder, env=environment, capture_output=True, text=True, timeout=seconds
    )


@pytest.fixture(scope="module", params=PYTHONS)
def programs(request, wheel, tmp_path_factory):  # noqa: F811
    """The folder of programs of an environment that holds the wheel and what it asks for."""
    if Path(request.param).is_dir():
        return Path(request.param)
    folder = tmp_path_factory.mktemp("elsewhere")
    # Of the real interpreter, not of the environment that the tests run in.
    base = "import sys; print(getattr(sys, '_base_executable', sys.executable))"
    python = run([request.param, "-c", base], folder).stdout.strip()
    made = run([python, "-m", "venv", str(folder / "venv")], folder)
    assert made.returncode == 0, made.stderr
    bin_folder = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
    command = [
        bin_folder / "python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "-c",
        ROOT / "constraints.txt",
    ]
    done = run([*map(str, command), str(wheel)], folder)
    assert done.returncode == 0, done.stderr
    return bin_folder


def test_the_readmes_commands_work_in_an_empty_environment(programs, tmp_path):
    """In a terminal, in order and in one folder, each ends with 0; the last ones use what the first ones
    made. What is seen of a fit moves.
    """
    commands = readme_commands()
    assert len(commands) >= 5
    around = {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", **OUTSIDE}
    for command in commands:
        shown = Terminal(["sh", "-c", command], tmp_path, 80, around)
        assert shown.finish(1800) == 0, (command, shown.text)
        assert "Traceback" not in shown.text, shown.text
        if command.startswith("bbalign fit"):
            moved = {
                line for screen in shown.screens for line in screen.splitlines() if "/s " in line
            }
            assert len(moved) > 3, (command, moved)


def test_everything_named_comes_with_the_plain_install(programs, tmp_path):
    """Workers, nevergrad's optimizers and CMA-ES need no further package."""
    for more in (("--workers", "1"), ("--optimizer", "ng:OnePlusOne"), ("--optimizer", "cma")):
        line = [
            "fit",
            "--country",
            "SAU",
            "--budget",
            "4",
            "--name",
            more[1].replace(":", "-"),
            *more,
        ]
        done = run([str(programs / "bbalign"), *line], tmp_path)
        assert done.returncode == 0, done.stderr


def test_what_a_message_tells_to_type_works(programs, tmp_path):
    """A package that is optional is named with a line that pip understands, and then it is there."""
    line = [
        str(programs / "bbalign"),
        "fit",
        "--country",
        "SAU",
        "--optimizer",
        "cma-lra",
        "--budget",
        "8",
    ]
    missing = run(line, tmp_path)
    assert missing.returncode == 2, missing.stderr
    mend = re.search(r"(pip install .+)", missing.stderr)[1]
    assert run(["sh", "-c", mend], tmp_path, programs).returncode == 0
    assert run(line, tmp_path).returncode == 0
