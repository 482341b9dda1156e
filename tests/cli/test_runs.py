"""`bbalign runs`: a list, some of it, two side by side, one less."""

from __future__ import annotations

import json
import os
import shutil

import pytest

import blackbox_align as bba
from blackbox_align.cli.pictures import blocks, dumbbell
from blackbox_align.errors import RunError, SpecificationError, UnknownNameError
from blackbox_align.fitting import Run, find_runs
from blackbox_align.fitting.keeping import difference, matching, ordered, remove


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Three short runs of two countries."""
    folder = tmp_path_factory.mktemp("three") / "runs"
    for name, country, seed in (("a", "SAU", 0), ("b", "SAU", 1), ("c", "USA", 0)):
        bba.fit(country, optimizer="random", budget=4, seed=seed, runs=folder, name=name)
    return folder


def test_runs_are_filtered_by_columns_and_settings(runs):
    """All conditions must hold; numbers are numbers, and case does not matter."""
    found = find_runs(runs)
    names = lambda **where: [row["run"][-1] for row in matching(found, where)]  # noqa: E731
    assert names(country="sau") == ["a", "b"]
    assert names(country="SAU", seed="1") == ["b"]
    assert names(tokens="5.0", status="done") == ["a", "b", "c"]
    assert names(optimizer="de") == []
    with pytest.raises(UnknownNameError, match="'country'"):
        names(contry="SAU")


def test_runs_are_sorted_those_without_a_value_last(runs):
    """Up, or down with a minus in front."""
    rows = matching(find_runs(runs), {})
    rows[0]["loss"] = None
    up, down = ordered(rows, "loss"), ordered(rows, "-loss")
    assert up[0]["loss"] <= up[1]["loss"]
    assert down[:2] == up[1::-1]
    assert up[2] is rows[0] and down[2] is rows[0]
    with pytest.raises(UnknownNameError, match="'loss'"):
        ordered(rows, "lss")


def test_two_runs_differ_in_what_was_asked_and_found(runs):
    """A seed alone: settings say so, nothing they stand for differs, and figures stand side by side."""
    found = difference(Run.load(runs / "a"), Run.load(runs / "b"))
    assert found.settings == (("seed", 0, 1),)
    assert found.facts == () and found.comparable
    error = {(p, m, s): (a, b) for p, m, s, a, b in found.figures}[
        "SAU", "absolute_error_points", "all"
    ]
    assert error == (Run.load(runs / "a").loss, Run.load(runs / "b").loss)


def test_runs_scored_against_other_targets_are_not_comparable(runs, tmp_path):
    """The hash of the targets is part of what differs."""
    file = tmp_path / "mine.csv"
    file.write_text(
        "country,PDI,IDV,MAS,UAI,LTO,IVR\nSAU,95,25,60,80,36,52\nUSA,40,91,62,46,26,68\n"
    )
    other = bba.fit("SAU", optimizer="random", budget=2, targets=file, runs=tmp_path, name="other")
    found = difference(Run.load(runs / "a"), other)
    assert "targets_sha256" in {name for name, _, _ in found.facts}
    assert not found.comparable


def test_a_run_is_removed_whole_and_nothing_else(runs, tmp_path):
    """Its folder goes; one that holds somebody's notes, or is none, stays and is told."""
    copy = tmp_path / "runs" / "a"
    shutil.copytree(runs / "a", copy)
    (copy / "notes.txt").write_text("mine")
    with pytest.raises(SpecificationError, match=r"notes\.txt"):
        remove(copy)
    assert (copy / "run.json").is_file()
    (copy / "notes.txt").unlink()
    remove(copy)
    assert list(copy.parent.iterdir()) == []
    with pytest.raises(RunError, match="not a run"):
        remove(tmp_path)


def test_a_run_that_is_worked_on_is_not_removed(runs, tmp_path):
    """Its lock is held."""
    from blackbox_align.fitting.record import Record

    copy = tmp_path / "busy"
    shutil.copytree(runs / "a", copy)
    with Record(copy).writing(), pytest.raises(RunError, match="being worked on"):
        remove(copy)
    assert Run.load(copy).status == "done"


def test_the_command_lists_without_being_told_to(runs, bbalign, bbalign_process):
    """`runs FOLDER` is `runs list FOLDER`, `runs remove` asks, and no answer leaves all as it was."""
    rows = json.loads(bbalign("runs", runs, "--where", "seed=1", "--json").stdout)
    assert [row["run"][-1] for row in rows] == ["b"]
    asked = bbalign_process("runs", "remove", runs / "b", input="n\n")
    assert asked.returncode == 1 and asked.stderr.endswith("Nothing was removed.\n")
    asked = bbalign_process("runs", "remove", runs / "b", input="")
    assert asked.returncode == 1 and asked.stderr.splitlines()[-1].endswith("nothing was done.")
    assert (runs / "b" / "run.json").is_file()


def test_ctrl_c_where_an_answer_is_asked_for_ends_with_130(runs, terminal):
    """And with a sentence, not as something that was not foreseen."""
    shown = terminal("runs", "remove", runs / "b")
    shown.wait_for("[y/N]")
    shown.press("c")
    assert shown.finish() == 130 and "nothing was done" in shown.unfolded
    assert (runs / "b" / "run.json").is_file()


def test_a_dumbbell_in_characters():
    """Marks stand where their values are, joined by a line; of two in one place the later is seen."""
    line = dumbbell([(0.0, "o"), (50.0, "t"), (50.0, "x"), (float("nan"), "#")], 0.0, 100.0)
    assert line == "o" + "-" * 19 + "x" + " " * 20


def test_blocks_fall_as_losses_do():
    """From full to low, a block for every n-th value of many, one height where nothing changes."""
    assert blocks([100.0, 10.0, 1.0]) == "█▅▁"
    assert len(blocks(list(range(1000, 0, -1)))) <= 41
    assert blocks([2.0, 2.0]) == "▁▁"


def test_a_run_is_drawn_in_a_terminal(runs, bbalign_process):
    """Below its table: every index, the scale, and the search."""
    shown = bbalign_process(
        "show", runs / "a", "--plot", env={**os.environ, "PYTHONIOENCODING": "utf-8"}
    ).stdout
    assert "◆ people" in shown
    assert " PDI " in shown and "100 points" in shown
    assert "in 4 evaluations" in shown
