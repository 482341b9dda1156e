"""What a search needs is made ready before it, and said."""

from __future__ import annotations

import re
import time

import blackbox_align as bba
from blackbox_align.engines.local.engine import LocalEngine


def test_what_was_compiled_before_a_search_is_said_and_is_none_of_its_time(tmp_path, monkeypatch):
    """The live line counts the sizes; a sentence says how many and how long; then the clock starts."""
    asked, notes, drawn, ended = [], [], [], []

    def warm_up(engine, adapter, sheet, candidates, seconds, on_size):
        """As long as a compiler takes, on a machine that has none."""
        asked.append((candidates, seconds))
        if len(asked) == 1:  # before pricing: for a moment's asking nothing is compiled
            return 0
        on_size(0, 2)
        time.sleep(0.1)
        on_size(1, 2)
        ended.append(time.monotonic())
        return 2

    def draw(progress):
        drawn.append((progress, time.monotonic()))

    monkeypatch.setattr(LocalEngine, "warm_up", warm_up)
    run = bba.fit(
        "SAU", runs=tmp_path, optimizer="random", budget=16, seconds=60, target_loss=0.0,
        on_trouble=notes.append, on_progress=draw,
    )  # fmt: skip
    (few, nothing), (batch, lasts) = asked
    assert few == 6 and nothing == 0.0 and batch == 16 and lasts > 0
    [said] = [note for note in notes if "compiled" in note]
    how_long = r"(\d+ ms|[\d.]+ s)"
    assert re.fullmatch(
        rf"Layers were compiled for 2 sizes of a pass in {how_long}, before the search and its clock\.",
        said,
    )
    said = [progress.doing for progress, _ in drawn]
    assert said[:2] == [f"getting ready, {done}/2 sizes of a pass" for done in (0, 1)]
    first, at = drawn[2]
    assert not any(said[2:]) and first.seconds <= at - ended[0] and run.result is not None
