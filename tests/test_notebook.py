"""The notebook of the guide runs from top to bottom."""

import json
import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"


def test_the_notebook_runs_and_holds_what_it_shows(tmp_path, monkeypatch):
    """Every cell, in order; what the file keeps has the outputs that running it has."""
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    monkeypatch.chdir(tmp_path)
    kept = json.loads((EXAMPLES / "first_study.ipynb").read_text(encoding="utf-8"))
    done = runpy.run_path(str(EXAMPLES / "run_notebook.py"))["run_notebook"](kept)
    kinds = [
        [sorted(output.get("data", {"stream": 0})) for output in cell.get("outputs", [])]
        for notebook in (kept, done)
        for cell in notebook["cells"]
    ]
    half = len(kinds) // 2
    assert kinds[:half] == kinds[half:]
    assert sum("image/png" in str(kind) for kind in kinds[half:]) == 1
