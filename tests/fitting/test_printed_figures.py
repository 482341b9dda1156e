"""The tables of fits keep every printed digit that they had before fits and scores shared a scorer."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from blackbox_align.cli.main import app

PRINTED = Path(__file__).parent / "printed"


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("both", "--country KEN --objective indices+opinions --optimizer random --validation 0"),
        ("greedy", "--country SAU --readout greedy --optimizer random"),
        ("sampled", "--country SAU --readout sampled --optimizer random --tokens 5"),
        ("several", "--country KEN,USA"),
    ],
)
def test_a_fit_prints_the_figures_that_it_always_did(name, settings, tmp_path):
    """One country or several, indices and opinions, each readout; written before, compared line by line."""
    runs = ("--runs", str(tmp_path), "--name", name)
    done = CliRunner().invoke(
        app, ["fit", *settings.split(), "--orders", "1", "--budget", "16", *runs]
    )
    assert done.exit_code == 0, done.output
    table = done.stdout.partition("\n16 evaluations")[0]
    lines = [line.rstrip() for line in table.splitlines()]
    assert lines == (PRINTED / f"{name}.txt").read_text(encoding="utf-8").splitlines()
