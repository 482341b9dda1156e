"""A fit as a function for other libraries, and a text in the place of a vector."""

import numpy as np
import pytest

import blackbox_align as bba
from blackbox_align.errors import ModelError, RunError, SpecificationError
from blackbox_align.fitting import tasks
from blackbox_align.fitting.plan import Plan, finished, run_plan
from blackbox_align.fitting.tasks import nevergrad_function, open_task
from blackbox_align.fitting.texts import FILE, read_texts, search_texts


@pytest.fixture(scope="module")
def task():
    opened = open_task("SAU")
    yield opened
    opened.close()


def test_a_task_is_what_a_fit_minimises(task, tmp_path):
    """The vectors that a fit recorded have its losses, in nevergrad's dress as well."""
    run = bba.fit("SAU", optimizer="random", budget=2, runs=tmp_path, name="r")
    vectors = np.fromfile(run.path / "vectors.f64").reshape(2, task.dimension)
    np.testing.assert_allclose(task.losses(vectors), run.history()["loss"], rtol=1e-5)
    function = nevergrad_function(task)
    assert function(vectors[1]) == pytest.approx(run.history()["loss"].iloc[1], rel=1e-5)
    assert function.descriptors["task"] == "SAU on respondent-tiny"
    assert function.parametrization.dimension == task.dimension
    with pytest.raises(SpecificationError, match="one population"):
        open_task("SAU,USA")


def test_a_task_that_cannot_be_posed_leaves_no_engine_open(monkeypatch):
    """Whoever asks it afterwards is told that it was closed."""
    engines = []

    def interrupted(data, asked):
        engines.append(asked.engine)
        raise KeyboardInterrupt

    monkeypatch.setattr(tasks, "pose", interrupted)
    with pytest.raises(KeyboardInterrupt):
        open_task("SAU")
    with pytest.raises(ModelError, match="was closed"):
        engines[0].embed(["How are you?"])


@pytest.mark.slow
def test_a_task_of_carps(task):
    """Its configuration space holds every coordinate, and its cost is the loss."""
    pytest.importorskip("carps.objective_functions", reason="carps is not installed")
    from carps.utils.trials import TrialInfo

    from blackbox_align.fitting.carps_task import FitObjective

    objective = FitObjective("SAU")
    start = objective.configspace.get_default_configuration()
    assert len(objective.configspace) == task.dimension
    assert objective.evaluate(TrialInfo(start)).cost == pytest.approx(
        task(np.zeros(task.dimension)), rel=1e-5
    )


def test_texts_start_from_the_country_and_a_better_one_is_kept(task):
    """The writer reads how far each index is off; the same text twice is one evaluation."""
    pytest.importorskip("gepa", reason="gepa is not installed")
    read = []

    def write(prompt):
        read.append(prompt)
        return f"``` Text {len(read) // 2} ```"

    found = search_texts(task, budget=4, write=write)
    assert found.texts[0] == task.problem.populations[0].preamble()
    assert len(found.texts) == len(set(found.texts)) == 4 and not found.fruitless
    assert (
        found.loss == min(found.losses)
        and found.losses[found.texts.index(found.best)] == found.loss
    )
    assert "points too" in read[0] and found.texts[0] in read[0]
    tired = search_texts(task, budget=4, write=lambda prompt: "``` the same ```")
    assert tired.fruitless and len(tired.texts) == 2
    assert len(search_texts(task, budget=9, target_loss=50.0).texts) == 1


def test_a_comparison_has_a_row_of_texts(tmp_path):
    """Beside the registry's optimizers, with as many evaluations; a second call reads what was found."""
    pytest.importorskip("gepa", reason="gepa is not installed")
    axes = {"optimizer": ("random", "gepa"), "country": ("SAU",), "seed": (0,)}
    plan = Plan(axes, {"budget": 2, "target_loss": 0.0})
    found = run_plan(plan, tmp_path)
    assert [len(cell.best) for cell in found.cells] == [2, 2]
    assert found.cells[1].best[0] == read_texts(tmp_path / "gepa_SAU_0").losses[0]
    before = (tmp_path / "gepa_SAU_0" / FILE).read_bytes()
    assert finished(plan, tmp_path) == 2 and run_plan(plan, tmp_path).table().equals(found.table())
    (tmp_path / "gepa_SAU_0" / FILE).unlink()
    run_plan(plan, tmp_path)
    assert (tmp_path / "gepa_SAU_0" / FILE).read_bytes() == before
    with pytest.raises(RunError, match="has not ended"):
        read_texts(tmp_path)
