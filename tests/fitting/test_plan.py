import json
import os
import signal
import time

import pytest

from blackbox_align.errors import BlackboxAlignError, RunError, SpecificationError, UnknownNameError
from blackbox_align.fitting.plan import Plan, expand, finished, read_plan, run_plan

AXES = {"optimizer": ("gauss-newton", "random"), "country": ("SAU",), "seed": (0, 1)}


def test_ranges_and_lists_are_varied_and_single_values_are_not():
    """0..2 are three seeds; a word is one value."""
    assert expand("0..2") == (0, 1, 2)
    assert expand(["a", "b"]) == ("a", "b")
    assert expand("SAU") is None


def test_a_plan_from_a_file(tmp_path):
    """A list or a range is an axis, a single value is shared."""
    file = tmp_path / "plan.yaml"
    file.write_text("country: [SAU, USA]\nseeds: 0..1\noptimizer: de\nbudget: 50\n")
    plan = read_plan(file)
    assert plan.axes == {"country": ("SAU", "USA"), "seed": (0, 1)}
    assert plan.shared == {"optimizer": "de", "budget": 50}
    assert len(plan.cells()) == 4


@pytest.mark.parametrize(
    ("axes", "shared"),
    [
        ({**AXES, "country": ()}, {}),
        ({**AXES, "seed": (0, 0)}, {}),
        ({**AXES, "sead": (1, 2)}, {}),
        ({**AXES, "optimizer": ("gess",)}, {}),
        ({**AXES, "country": ("Atlantis",)}, {}),
        (AXES, {"budget": 0}),
    ],
)
def test_mistakes_are_told_before_anything_runs(axes, shared):
    """Unknown settings, names and values, in any cell, are an error of the plan."""
    with pytest.raises(BlackboxAlignError):
        Plan(axes, shared)


def test_one_order_may_be_a_number():
    """`orders: [1, reversed]` of a plan, where YAML and the command line read a number."""
    plan = Plan({**AXES, "orders": (1, "reversed")}, {})
    assert plan._split(plan.cells()[0])[0].orders == "1"


def test_the_nearest_setting_is_offered():
    """A slip in a setting's name."""
    with pytest.raises(UnknownNameError, match="'tokens'"):
        Plan({**AXES, "token": (1, 2)}, {})
    with pytest.raises(SpecificationError, match="country"):
        Plan({"seed": (0,)}, {})


def test_a_comparison_asked_for_more_runs_only_what_is_missing(tmp_path):
    """Cells are runs: the second call adds a seed and leaves the finished journals as they are."""
    shared = {"budget": 24, "target_loss": 3.0}
    first = run_plan(Plan({**AXES, "seed": (0,)}, shared), tmp_path)
    before = {p: p.stat().st_mtime_ns for p in tmp_path.glob("*/journal.jsonl")}
    second = run_plan(Plan(AXES, shared), tmp_path)
    assert len(before) == 2
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert len(second.cells) == 4
    assert first.searches().equals(second.searches().iloc[[0, 1]].reset_index(drop=True))


def test_cells_are_added_to_a_comparison_that_is_there():
    """More values of what is varied; a setting that is not varied would not be in the runs' names."""
    plan = Plan(AXES, {"budget": 24})
    more = plan.adding({"optimizer": ("de", "random"), "seed": (1, 2)})
    assert more.axes == {
        "optimizer": ("gauss-newton", "random", "de"), "country": ("SAU",), "seed": (0, 1, 2)
    }  # fmt: skip
    assert {plan.folder(cell) for cell in plan.cells()} < {more.folder(c) for c in more.cells()}
    with pytest.raises(SpecificationError, match="does not vary tokens"):
        plan.adding({"tokens": (1, 2)})


def test_a_comparison_keeps_its_plan_and_refuses_another(tmp_path):
    """Shared settings cannot change under its runs; a budget may, as it may in a run."""
    plan = Plan({**AXES, "optimizer": ("random",), "seed": (0,)}, {"budget": 2, "tokens": 3})
    run_plan(plan, tmp_path)
    assert Plan.load(tmp_path) == plan
    with pytest.raises(SpecificationError, match="tokens: 3 then, 4 now"):
        run_plan(Plan(plan.axes, {"budget": 2, "tokens": 4}), tmp_path)
    with pytest.raises(SpecificationError, match="varied: optimizer, country, seed then"):
        run_plan(Plan({**plan.axes, "alpha": (1.0, 2.0)}, {"budget": 2, "tokens": 3}), tmp_path)
    assert Plan.load(tmp_path) == plan
    with pytest.raises(RunError, match="not a comparison"):
        Plan.load(tmp_path / "elsewhere")


def test_a_cell_that_fails_is_told_and_the_others_run(tmp_path):
    """A folder that is no run is in the way of one cell."""
    plan = Plan({**AXES, "optimizer": ("random",)}, {"budget": 2, "target_loss": 3.0})
    (tmp_path / "random_SAU_0").mkdir()
    (tmp_path / "random_SAU_0" / "notes.txt").write_text("mine")
    told = []
    found = run_plan(plan, tmp_path, on_cell=told.append)
    assert [bool(done.failure) for done in told] == [True, False]
    assert [bool(cell.failure) for cell in found.cells] == [True, False]
    assert len(found.finished) == 1 and finished(plan, tmp_path) == 1


@pytest.mark.slow
def test_a_comparison_killed_twice_ends_on_the_same_bytes(start_bbalign, bbalign_process, tmp_path):
    """SIGKILL on the way, at two moments; the CSV is that of an undisturbed comparison."""
    command = ["compare", "--country", "SAU", "--country", "USA", "--optimizer", "gauss-newton",
               "--optimizer", "de", "--seeds", "0..2", "--budget", "200", "--csv", "table.csv"]  # fmt: skip
    for moment in (6, 12):
        process = start_bbalign(*command, "--name", "killed")
        time.sleep(moment)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert bbalign_process(*command, "--name", "killed").returncode == 0
    killed = (tmp_path / "table.csv").read_text().replace("killed", "whole")
    done = bbalign_process(*command, "--name", "whole", "--json")
    assert done.returncode == 0
    assert (tmp_path / "table.csv").read_text() == killed
    assert {row["method"] for row in json.loads(done.stdout)["methods"]} == {"gauss-newton", "de"}


def test_a_process_that_runs_a_plan_is_afterwards_as_it_was(tmp_path):
    """Its threads, and that the next fit opens the model anew: its files may have changed since."""
    import torch

    from blackbox_align.engines import opening

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        run_plan(Plan({"country": ("SAU",)}, {"optimizer": "random", "budget": 4}), tmp_path)
        assert torch.get_num_threads() == 2 and opening._kept is None
    finally:
        torch.set_num_threads(before)
