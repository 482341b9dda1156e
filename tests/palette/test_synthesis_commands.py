"""`bbalign palette synthesize` as a user calls it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from blackbox_align.cli.main import app
from blackbox_align.errors import SpecificationError
from tests.palette.test_synthesis import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    one = Server(tmp_path_factory.mktemp("server"))
    yield one
    one.process.kill()


def said(folder, *arguments):
    app(["palette", "synthesize", str(folder), *map(str, arguments)], standalone_mode=False)


def test_a_dry_run_and_then_all(tmp_path, server, capsys, monkeypatch):
    """What it will cost, then the table and what to do next; the key goes to the server alone."""
    monkeypatch.setenv("BBALIGN_API_KEY", "hushhush")
    asked = ("--engine", server.url, "--model", "writer", "--count", 2)
    said(tmp_path / "s", *asked, "--dry-run", "--probe", 1, "--price-read", 3, "--json")
    told = json.loads(capsys.readouterr().out)
    assert told["calls"] == 30 and told["left"] == 15 and told["cost"] > 0
    said(tmp_path / "s", *asked, "--most-requests", 100)
    shown = capsys.readouterr().out
    assert "2 of 2" in shown and "review.html" in shown and "palette align" in shown
    written = [path.read_text() for path in (tmp_path / "s").iterdir()]
    assert written and not any("hushhush" in text for text in written)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "900 calls or more; give a cap"),
        (("--set", "model=x"), "--set takes NAME=VALUE"),
        (("--most-cost", 1), "needs the prices"),
    ],
)
def test_mistakes_are_sentences(tmp_path, server, arguments, sentence):
    with pytest.raises(SpecificationError, match=sentence):
        said(tmp_path / "s", "--engine", server.url, "--model", "writer", *arguments)
    with pytest.raises(SpecificationError, match="Name the model with --model"):
        said(tmp_path / "s", "--engine", server.url)


@pytest.mark.slow
def test_from_a_served_model_to_a_trained_palette(tmp_path):
    """Processes of their own throughout: bbalign serve, synthesize, align."""
    pytest.importorskip("fastapi", reason="needs the extra serve")
    from tests.serving.conftest import Server as Served

    served = Served(tmp_path)
    try:
        run = [sys.executable, "-m", "blackbox_align", "palette"]
        asked = ["--engine", f"{served.url}/v1", "--model", "base", "--count", "2", "--words", "8"]
        made = subprocess.run(
            [*run, "synthesize", "pairs", *asked, "--most-requests", "40"], cwd=tmp_path,
            capture_output=True, text=True, env={**os.environ, "COLUMNS": "200"}, check=False,
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
        trained = subprocess.run(
            [*run, "align", "trained", "--preferences", "pairs/preferences.jsonl", "--epochs", "1"],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert trained.returncode == 0, trained.stderr
        assert (tmp_path / "trained" / "palette.json").is_file()
    finally:
        served.stop()
