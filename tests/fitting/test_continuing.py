"""A run goes on wherever it is continued: same conditions, same bits; others, the same past."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import blackbox_align as bba
from blackbox_align.errors import ChangedSpecificationError
from blackbox_align.files.atomic import read_sealed_json, write_sealed_json
from blackbox_align.fitting.record import Record
from tests.small_models import save_small_model

FORMAT_1 = Path(__file__).parent / "format_1" / "SAU"
BEGUN = ("fit", "--country", "SAU", "--name", "one", "--target-loss", "0")
COMPARED = ("journal.jsonl", "vectors.f64", "result.json", "expert/adapter_model.safetensors")


def run_bbalign(folder: Path, *words: object, **environment: str) -> subprocess.CompletedProcess:
    ran = subprocess.run(
        [sys.executable, "-m", "blackbox_align", *map(str, words)],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "Traceback" not in ran.stderr, ran.stderr
    return ran


def fit_with_one_thread(folder: Path, budget: int) -> None:
    """What `run_bbalign` does with one thread, in this process."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        bba.fit("SAU", runs=folder / "runs", name="one", target_loss=0.0, budget=budget)
    finally:
        torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """24 evaluations with one thread."""
    folder = tmp_path_factory.mktemp("begun")
    fit_with_one_thread(folder, 24)
    return folder


@pytest.fixture(scope="module")
def undisturbed(begun, tmp_path_factory):
    """The same, gone on to 60 evaluations under the same conditions."""
    folder = tmp_path_factory.mktemp("undisturbed") / "copy"
    shutil.copytree(begun, folder)
    fit_with_one_thread(folder, 60)
    return folder / "runs" / "one"


def went_on(path: Path, begun: Path) -> None:
    """It ended well, and its past is what it was."""
    run, before = bba.Run.load(path), (begun / "runs" / "one" / "journal.jsonl").read_bytes()
    assert run.status == "done" and run.result.search.evaluations == 60
    assert (path / "journal.jsonl").read_bytes().startswith(before)
    assert (
        (path / "vectors.f64")
        .read_bytes()
        .startswith((begun / "runs" / "one" / "vectors.f64").read_bytes())
    )


@pytest.mark.parametrize(
    ("words", "environment", "note"),
    [
        ((), {"OMP_NUM_THREADS": "2"}, "threads of torch: 1 then, 2 now"),
        ((), {"ATEN_CPU_CAPABILITY": "default"}, "CPU instructions: .* then, DEFAULT now"),
        (("--workers", "1"), {}, "workers: none then, 1 now"),
    ],
)
def test_a_run_goes_on_under_other_conditions(words, environment, note, begun, tmp_path):
    """It ends done, with the first half as it was recorded, and a note that says what changed."""
    if environment.items() <= os.environ.items() and environment:
        pytest.skip("these are the conditions that it begins under here")
    shutil.copytree(begun, tmp_path / "moved")
    ran = run_bbalign(
        tmp_path / "moved",
        *(*BEGUN, "--budget", 60, *words),
        **{"OMP_NUM_THREADS": "1", **environment},
    )
    assert ran.returncode == 0, ran.stderr
    went_on(tmp_path / "moved" / "runs" / "one", begun)
    noted = " ".join(ran.stderr.split())
    assert re.search(rf"goes on under other conditions \([^)]*{note}", noted), noted
    first, second = bba.Run.load(tmp_path / "moved" / "runs" / "one").record["conditions"]
    assert (first["evaluations"], second["evaluations"]) == (0, 24)


def test_constants_that_another_machine_found_are_taken(undisturbed, begun, tmp_path):
    """What continues uses the recorded constants, and computes none that it could compare."""
    shutil.copytree(begun, tmp_path / "copy")
    path = tmp_path / "copy" / "runs" / "one"
    head = read_sealed_json(path / "run.json")
    head["facts"]["constants"] = [value + 1e-6 for value in head["facts"]["constants"]]
    head["conditions"][0] |= {"capability": "SVE", "versions": {"blackbox_align": "0.0.9"}}
    write_sealed_json(path / "run.json", head)
    notes = []
    settings = {"name": "one", "budget": 60, "target_loss": 0.0, "on_trouble": notes.append}
    run = bba.fit("SAU", runs=path.parent, **settings)
    went_on(path, begun)
    assert run.record["facts"]["constants"] == head["facts"]["constants"]
    assert (
        list(run.result.provenance.instruments[0].constants.values()) == head["facts"]["constants"]
    )
    assert "blackbox_align 0.0.9 then" in notes[0]
    kept = [one["versions"]["blackbox_align"] for one in run.record["conditions"]]
    assert kept == ["0.0.9", bba.__version__]


def test_under_the_same_conditions_nothing_tells_that_it_was_stopped(undisturbed, tmp_path):
    """A run of 60 evaluations at one go holds the same bytes."""
    fit_with_one_thread(tmp_path, 60)
    for name in COMPARED:
        assert (tmp_path / "runs" / "one" / name).read_bytes() == (undisturbed / name).read_bytes()


def test_a_result_that_was_deleted_is_written_again(undisturbed, tmp_path):
    """The same command writes it, byte for byte; so with a damaged one, a damaged last line, an expert."""
    path = tmp_path / "runs" / "one"
    shutil.copytree(undisturbed, path)

    def lose() -> None:
        (path / "result.json").unlink()
        shutil.rmtree(path / "expert")

    def damage() -> None:
        (path / "result.json").write_text("{}")
        journal = path / "journal.jsonl"
        journal.write_bytes(journal.read_bytes()[:-30] + b"x" * 29 + b"\n")

    for spoil in (lose, damage):
        spoil()
        fit_with_one_thread(tmp_path, 60)
        for name in COMPARED:
            assert (path / name).read_bytes() == (undisturbed / name).read_bytes(), name


def test_a_budget_below_what_is_spent_changes_nothing(undisturbed, tmp_path):
    """Not a byte: there is nothing to evaluate."""
    path = tmp_path / "runs" / "one"
    shutil.copytree(undisturbed, path)
    before = {p: p.read_bytes() for p in path.rglob("*") if p.is_file() and p.name != "lock"}
    settings = {"name": "one", "target_loss": 0.0}
    run = bba.fit("SAU", runs=path.parent, budget=10, **settings)
    assert run.result.search.evaluations == 60
    assert {p: p.read_bytes() for p in before} == before


def test_a_run_of_format_1_goes_on(tmp_path):
    """Its search is asked again once, its past stays, and it ends in the present format."""
    path = tmp_path / "SAU"
    shutil.copytree(FORMAT_1, path)
    before = bba.Run.load(path).entries()
    run = bba.fit("SAU", runs=tmp_path, name="SAU", budget=36, target_loss=0.0)
    after = run.entries()
    assert run.record["format"] == 2 and run.result.search.evaluations == 36
    for one, other in zip(before, after, strict=False):
        assert one.ids == other.ids and one.answers.tobytes() == other.answers.tobytes()
    assert Record(path).past(vectors=True).vectors.shape == (36, 320)
    again = bba.fit("SAU", runs=tmp_path, name="SAU", budget=48, target_loss=0.0)
    assert again.result.search.evaluations == 48


def test_a_search_starts_from_a_run_of_format_1_and_leaves_it(tmp_path):
    """`--from` finds its vectors by asking its search again, in memory alone."""
    shutil.copytree(FORMAT_1, tmp_path / "old")
    before = {p: p.read_bytes() for p in (tmp_path / "old").rglob("*") if p.is_file()}
    run = bba.fit("USA", runs=tmp_path, budget=12, warm_start=tmp_path / "old", orders="1")
    assert run.record["facts"]["warm_start_evaluations"] == 24
    assert {p: p.read_bytes() for p in (tmp_path / "old").rglob("*") if p.is_file()} == before


def test_a_moved_folder_and_a_relative_model_go_on(tmp_path, monkeypatch):
    """What counts is what the model's files hold, not where they lie."""
    settings = {"name": "one", "optimizer": "random", "target_loss": 0.0}
    (tmp_path / "here").mkdir()
    save_small_model("llama", tmp_path / "here" / "model")
    monkeypatch.chdir(tmp_path / "here")
    bba.fit("SAU", model="./model", budget=16, **settings)
    (tmp_path / "here").rename(tmp_path / "there")
    monkeypatch.chdir(tmp_path)
    settings |= {"model": "there/model", "runs": "there/runs"}
    assert bba.fit("SAU", budget=32, **settings).result.search.evaluations == 32
    save_small_model("llama", tmp_path / "there" / "model", seed=1)
    with pytest.raises(ChangedSpecificationError, match="model: "):
        bba.fit("SAU", budget=48, **settings)


def test_an_end_that_is_not_ours_is_a_failure_with_its_reason(tmp_path, monkeypatch):
    """An exception of a library leaves status and reason, and the run can go on."""
    from blackbox_align.engines.local.engine import LocalEngine

    answer, calls = LocalEngine.answer, []

    def broken(self, *arguments, **more):
        calls.append(1)
        if len(calls) == 4:
            raise ZeroDivisionError("a library's own")
        return answer(self, *arguments, **more)

    monkeypatch.setattr(LocalEngine, "answer", broken)
    settings = {"runs": tmp_path, "budget": 48, "target_loss": 0.0}
    with pytest.raises(ZeroDivisionError):
        bba.fit("SAU", **settings)
    (run,) = bba.find_runs(tmp_path)
    assert run.status == "failed" and run.reason == "ZeroDivisionError: a library's own"
    assert bba.fit("SAU", **settings).status == "done"


def test_a_checkpoint_that_fails_ends_no_search(tmp_path, monkeypatch):
    """An expert that cannot be written on the way is told; the search goes on to its end."""
    from blackbox_align.errors import ExpertError
    from blackbox_align.fitting import checkpoints, outcome

    write, calls, notes = outcome.write_expert, [], []

    def broken(*arguments):
        calls.append(1)
        if len(calls) == 1:
            raise ExpertError("it answers otherwise")
        return write(*arguments)

    monkeypatch.setattr(outcome, "write_expert", broken)
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    monkeypatch.setattr(checkpoints, "SHARE", 1e9)
    run = bba.fit("SAU", runs=tmp_path, budget=48, target_loss=0.0, on_trouble=notes.append)
    assert run.status == "done" and notes == [
        "An expert could not be written on the way: it answers otherwise"
    ]


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"survey": "nofile.yaml"}, "nofile.yaml"),
        ({"targets": "nofile.csv"}, "nofile.csv"),
        ({"options": {"F": float("nan")}}, "--option F must be a finite number; not nan"),
        ({"options": {"batch": 0}}, "batch must be a whole number"),
        ({"options": {"nothing": 1}}, "gauss-newton has no option 'nothing'"),
        ({"optimizer": "none"}, "Unknown optimizer 'none'"),
        ({"target_loss": float("nan")}, "--target-loss must be a finite number; not nan"),
        ({"seconds": float("inf")}, "--seconds must be a finite number; not inf"),
        ({"tokens": 2.5}, "--tokens must be a whole number; not 2.5"),
        ({"model": "./nowhere"}, "no model folder"),
        ({"warm_start": "nowhere"}, "nowhere is not a run"),
        (
            {"optimizer": "cma", "orders": "1", "warm_start": str(FORMAT_1)},
            "cma cannot start from earl",
        ),
        ({"alpha": -1.0}, "alpha must be above 0"),
    ],
)
def test_a_refused_setting_leaves_nothing_behind(settings, error, tmp_path):
    """Neither a folder nor a lock stands in the way of the corrected command."""
    with pytest.raises(bba.BlackboxAlignError, match=error):
        bba.fit("SAU", runs=tmp_path / "runs", budget=12, **settings)
    assert not list(tmp_path.glob("runs/*"))


def test_numbers_of_numpy_and_paths_are_settings(tmp_path):
    """They are kept as Python and JSON have them."""
    survey = tmp_path / "mine.yaml"
    survey.write_text(Path("surveys/vsm2013/survey.yaml").read_text())
    run = bba.fit(
        "SAU", runs=tmp_path, survey=survey, seed=np.int64(1), alpha=np.float32(0.5),
        options={"batch": np.int64(6)}, budget=np.int64(12),
    )  # fmt: skip
    assert run.specification.options == {"batch": 6} and run.specification.survey == str(survey)
    assert run.result.search.evaluations == 12


def test_other_settings_get_other_names(tmp_path):
    """The default's name is as it was; what differs is told in words, or by a short hash."""
    from blackbox_align.fitting import Specification

    def name(**settings):
        return Specification("SAU", **settings).name

    base = "SAU-respondent-tiny-gauss-newton-0"
    assert name() == base and name(device="cpu") == base
    assert name(tokens=3) == f"{base}-tokens-3"
    assert name(constants="zero", placement="last") == f"{base}-placement-last-constants-zero"
    names = [
        name(survey="a/mine.yaml"), name(survey="b/mine.yaml"), name(options={"batch": 6}),
        name(options={"batch": 7}), name(targets="matrix-2015"), name(tokens=3, alpha=0.5, subspace=9),
    ]  # fmt: skip
    assert len({base, *names}) == 7 and all(len(one) < len(base) + 30 for one in names)
    assert all(one.startswith(base) and "/" not in one for one in names)
    groups = {Specification(list(codes)).name for codes in (
        ("SAU", "USA", "IND", "CHN", "BRA"), ("SAU", "USA", "IND", "CHN", "GBR"))}  # fmt: skip
    assert len(groups) == 2


@pytest.mark.parametrize("optimizer", ["lshade", "ng:DE"])
def test_a_search_that_sizes_itself_by_its_budget_may_be_given_more(optimizer, tmp_path):
    """What was evaluated is its past; the journal keeps its first half."""
    settings = {"runs": tmp_path, "optimizer": optimizer, "target_loss": 0.0}
    first = bba.fit("SAU", budget=20, **settings)
    before = (first.path / "journal.jsonl").read_bytes()
    second = bba.fit("SAU", budget=40, **settings)
    assert second.path == first.path
    assert (second.path / "journal.jsonl").read_bytes().startswith(before)
    assert len(second.history()) == 40
