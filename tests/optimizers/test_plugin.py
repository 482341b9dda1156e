"""A plug-in package, installed for real, brings an optimizer that is found by name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PLUGIN = Path(__file__).parent / "example_plugin"
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment whose Python sees the plug-in's package, as pip installs it."""
    site = tmp_path_factory.mktemp("site")
    source = tmp_path_factory.mktemp("source")
    for file in PLUGIN.iterdir():
        if file.is_file():
            (source / file.name).write_text(file.read_text())
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation",
         "--no-index", "--target", str(site), str(source)],
        check=True,
    )  # fmt: skip
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(REPOSITORY)])}


def python(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_an_installed_plugin_is_found_by_name(environment: dict[str, str]) -> None:
    """Its name is listed, described with its options, and creates its class."""
    printed = python(
        environment,
        "-c",
        "import numpy\n"
        "from blackbox_align.optimizers import create, describe, names\n"
        "assert 'hill-climber' in names()\n"
        "o = create('hill-climber', 3, numpy.random.default_rng(0), step=0.5)\n"
        "print(type(o).__name__, describe('hill-climber').options, len(o.ask(2)))",
    )
    assert printed.split("\n")[0] == "HillClimber {'step': 1.0} 2"


def test_the_contract_tests_of_a_plugin_are_five_lines(environment: dict[str, str]) -> None:
    """The test file of the plug-in runs the whole contract and passes."""
    printed = python(
        environment, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(PLUGIN),
        "-c", os.devnull, str(PLUGIN / "test_hill_climber.py"),
    )  # fmt: skip
    assert "21 passed" in printed
