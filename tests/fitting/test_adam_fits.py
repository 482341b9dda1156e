"""The gradient reference: exact slopes, one record, and sentences where there is no gradient."""

from __future__ import annotations

import numpy as np
import pytest

import blackbox_align as bba
from blackbox_align.engines import Answers, FunctionEngine, Workers
from blackbox_align.engines import open as open_engine
from blackbox_align.errors import ModelError, OptimizerError, SpecificationError
from blackbox_align.fitting.asking import Asked, search_space, unit_of
from blackbox_align.fitting.data import PROMPT, generator, load_data
from blackbox_align.fitting.gradients import (
    by_answers,
    refuse_without_gradient,
    with_gradients,
)
from blackbox_align.fitting.problem import pose
from blackbox_align.fitting.specification import Specification
from blackbox_align.objectives import IndexObjective, OpinionObjective
from blackbox_align.objectives.indices import ROUNDED
from blackbox_align.optimizers import Evaluation
from blackbox_align.surveys import load_survey
from blackbox_align.surveys.sheet import average, sheet, spread

VSM = load_survey("vsm2013")
BY_ADAM = {"optimizer": "adam", "target_loss": 0.0}


@pytest.fixture(scope="module")
def engine():
    with open_engine(device="cpu") as opened:
        yield opened


def posed(engine, orders, **settings):
    specification = Specification("CHN", optimizer="adam", tokens=2, **settings)
    asked = Asked(engine, orders=orders)
    problem = pose(load_data(specification), asked)
    return problem, search_space(
        specification, engine, generator(specification, PROMPT), unit_of(engine, {})
    )


def smooth_loss(problem, answers):
    """What Adam makes small, computed from the answers by itself."""
    arranged, total, start = problem.arranged(answers), 0.0, 0
    for name, part in problem.objective.parts.items():
        stop = start + len(part.survey.items)
        rows = arranged[:, start:stop, : part.survey.width]
        start = stop
        outputs = part.outputs(rows)
        if isinstance(part, IndexObjective):
            value = np.sqrt((outputs - part.targets[0]) ** 2 + ROUNDED**2).mean(axis=1)
        else:
            assert isinstance(part, OpinionObjective)
            value = part.losses(outputs)[0]
        total = total + problem.objective._factor(name) * value
    return total


@pytest.mark.parametrize("objective", ["indices", "opinions", "indices+0.5*opinions"])
def test_the_slope_by_the_answers_is_that_of_finite_differences(engine, objective):
    """Every part of the objective and their sum, behind the average over both directions."""
    problem, _ = posed(engine, "reversed", objective=objective)
    rng = np.random.default_rng(0)
    counts = [len(question.labels) for question in problem.sheet.questions]
    answers = np.zeros((1, len(counts), problem.sheet.width))
    for row, count in zip(answers[0], counts, strict=True):
        row[:count] = rng.dirichlet(np.full(count, 2.0))
    towards = np.zeros_like(answers)
    for row, count in zip(towards[0], counts, strict=True):
        row[:count] = rng.standard_normal(count)
        row[:count] -= row[:count].mean()  # shares go on summing to 1
    step = 1e-5
    numeric = (
        smooth_loss(problem, answers + step * towards)
        - smooth_loss(problem, answers - step * towards)
    ) / (2 * step)
    exact = (problem.cotangent(answers) * towards).sum()
    assert exact == pytest.approx(float(numeric[0]), rel=1e-4)


def test_spreading_is_the_transpose_of_averaging():
    """<spread(w), answers> is <w, average(answers)>, in every kind of orders."""
    rng = np.random.default_rng(1)
    for orders in ("1", "reversed", "cyclic"):
        shape = (2, len(sheet(VSM, orders).questions))
        answers = rng.dirichlet(np.ones(VSM.width), shape)
        weights = rng.standard_normal((2, len(VSM.items), VSM.width))
        one = (spread(weights, VSM, orders) * answers).sum()
        assert one == pytest.approx((weights * average(answers, VSM, orders)).sum(), abs=1e-6)


def test_the_gradient_of_a_search_is_that_of_finite_differences(engine):
    """From vectors of the search through the model and the objective, in a random direction."""
    problem, space = posed(engine, "1")
    rng = np.random.default_rng(2)
    at, towards = rng.standard_normal((2, 1, space.dimension))
    towards /= np.linalg.norm(towards)
    answers, pull = engine.pullback(space.adapters(at), problem.sheet)
    slopes = pull(by_answers(answers, problem.cotangent(answers.probabilities)))
    exact = float(space.pull(slopes)[0] @ towards[0])

    def loss(vectors):
        given = engine.answer(space.adapters(vectors), problem.sheet)
        return float(smooth_loss(problem, given.probabilities)[0])

    step = 0.01
    numeric = (loss(at + step * towards) - loss(at - step * towards)) / (2 * step)
    assert exact == pytest.approx(numeric, rel=0.03, abs=2e-3)


def test_a_fit_by_adam_comes_near_in_a_few_steps_from_words_and_goes_on_on_equal_bits(tmp_path):
    """Same record, same card; what was killed after some steps ends as if it never was."""
    whole = bba.fit("SAU", runs=tmp_path / "whole", budget=16, **BY_ADAM)
    assert whole.loss < 4
    assert whole.result.value("none", "absolute_error_points", "SAU", "all") > 10
    assert whole.specification.init == "vocabulary"
    assert whole.entries()[0].gradients.shape == (1, 320)
    assert "by gradients (adam" in (whole.expert / "README.md").read_text()
    bba.fit("SAU", runs=tmp_path / "cut", budget=7, **BY_ADAM)
    again = bba.fit("SAU", runs=tmp_path / "cut", budget=16, **BY_ADAM)
    for file in ("journal.jsonl", "vectors.f64", "expert/adapter_model.safetensors"):
        assert (again.path / file).read_bytes() == (whole.path / file).read_bytes()


def test_what_gives_no_gradient_is_told_so(tmp_path):
    """A function, workers and a readout that draws have none; a loss alone is not enough for Adam."""
    with pytest.raises(ModelError, match="answers and no gradients"):
        refuse_without_gradient(FunctionEngine(lambda adapters, asked: None))
    for more in ({"readout": "sampled"}, {"workers": Workers(1)}):
        with pytest.raises(SpecificationError, match="follows gradients"):
            bba.fit("SAU", runs=tmp_path, budget=2, **BY_ADAM, **more)
    with pytest.raises(OptimizerError, match="adam follows gradients"):
        bba.minimize(lambda vectors: np.ones(len(vectors)), 3, optimizer="adam")
    assert not list(tmp_path.iterdir())


def test_a_gradient_that_is_no_number_is_a_failure():
    """Its loss is not kept: the search could not go on from there."""
    rows = np.array([[0.0, 1.0], [np.nan, 1.0]])
    good, bad = with_gradients([Evaluation(1.0), Evaluation(2.0)], rows)
    assert good.gradient.tolist() == [0.0, 1.0] and bad.failure
    assert by_answers(Answers.of(np.ones((1, 1, 2)) / 2), rows[None, :1]).mass.tolist() == [[0]]
