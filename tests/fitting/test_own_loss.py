"""A Python function of the answers as an objective: fitted, reported, continued, refused in sentences."""

from __future__ import annotations

import numpy as np
import pytest

import blackbox_align as bba
from blackbox_align.cli.output import print_result
from blackbox_align.fitting.data import load_data
from blackbox_align.fitting.specification import Specification

QUICK = {"budget": 24, "tokens": 1, "patience": 24, "device": "cpu"}


def first_option(answers):
    """(P, items): a tenth of all should choose the first option, in points."""
    return 100 * (answers[:, :, 0] - 0.1)


def sharpness(answers):
    """(P,) how far answers are from even ones, in points."""
    return 100 * np.abs(answers - 1 / answers.shape[2]).mean(axis=(1, 2))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return tmp_path_factory.mktemp("own")


@pytest.fixture(scope="module")
def run(runs):
    return bba.fit("SAU", objective=sharpness, runs=runs, **QUICK)


def loss_of(result, condition):
    """Worked out again from the answers that a result holds."""
    [asked] = [a for a in result.answers if a.condition == condition and a.probabilities]
    return float(sharpness(np.array([asked.probabilities]))[0])


def test_its_loss_is_what_the_function_says_of_the_answers(run):
    """The loss of a fit, and the row of every condition, are the function's own values."""
    for condition in ("none", "fitted"):
        assert run.result.value(condition, "own_loss") == pytest.approx(
            loss_of(run.result, condition)
        )
    assert run.loss == run.result.value("fitted") < run.result.value("none")
    assert run.result.value("uniform") == pytest.approx(0)


def test_the_record_keeps_the_name_and_no_code(run):
    """What is recorded of a function is its name, and what it gave for a few answers."""
    assert (
        run.specification.objective == "function:sharpness" and run.specification.language is None
    )
    assert all(isinstance(float(value), float) for value in run.record["facts"]["function"])
    assert "function-sharpness" in run.path.name


def test_a_run_goes_on_when_the_function_is_handed_in_again(runs, run):
    """With more to spend it goes on from its past; without the function, or with another, it does not."""
    more = bba.fit("SAU", objective=sharpness, runs=runs, **{**QUICK, "budget": 30})
    assert more.path == run.path and more.result.search.evaluations == 30
    with pytest.raises(bba.BlackboxAlignError, match="hand it in again, as fit"):
        bba.fit("SAU", objective="function:sharpness", runs=runs, **QUICK)

    def other(answers):
        return 2 * sharpness(answers)

    other.__name__ = "sharpness"
    with pytest.raises(bba.BlackboxAlignError, match="what function:sharpness holds has changed"):
        bba.fit("SAU", objective=other, runs=runs, **QUICK)


def test_it_is_shown_like_other_fits(run, capsys):
    """The table, the card and the report name the function."""
    print_result(run)
    shown = capsys.readouterr().out
    assert "Saudi Arabia: loss by sharpness" in shown and f"{run.loss:.3f}" in shown
    card = (run.expert / "README.md").read_text(encoding="utf-8")
    assert f"| fitted | {run.loss:.3f} |" in card and "not a stand-in for asking people" in card
    assert "sharpness" in run.report().read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("gives", "said"),
    [
        (lambda answers: answers, "must give 3 losses"),
        (lambda answers: 1.0, "must give 3 losses"),
        (lambda answers: np.zeros(2), r"not an array of shape \(2,\)"),
        (lambda answers: ["much"] * len(answers), "no array of numbers"),
        (lambda answers: -np.ones(len(answers)), "a loss of -1"),
    ],
)
def test_what_is_no_loss_is_told_before_a_model_is_loaded(gives, said):
    """A wrong shape, words, or less than nothing: a sentence that says what was given."""
    with pytest.raises(bba.BlackboxAlignError, match=said):
        load_data(Specification("SAU", objective="function:mine"), function=gives)


def test_a_function_that_gives_no_number_fails_that_candidate(runs):
    """If none succeeds the search ends with the reason."""
    with pytest.raises(bba.BlackboxAlignError, match="the loss is not a finite number"):
        bba.fit("SAU", objective=lambda a: np.full(len(a), np.nan), runs=runs, name="nan", **QUICK)


def test_in_a_sum_the_survey_is_asked_once(runs):
    """Indices and a function of the same survey share its answers; the loss is the weighted sum."""
    objective = {"indices": 1.0, first_option: 0.5}
    run = bba.fit("SAU", objective=objective, runs=runs, **QUICK)
    assert run.specification.objective == "indices+0.5*function:first_option"
    assert run.entries()[0].answers.shape[1] == 2 * 24  # both directions
    result = run.result
    parts = result.value("fitted", "absolute_error_points"), result.value("fitted", "own_loss")
    assert run.loss == pytest.approx(parts[0] + 0.5 * parts[1])


def test_what_a_function_cannot_do_is_a_sentence(runs):
    """Gradients, several countries, several functions, and the command line."""
    with pytest.raises(bba.BlackboxAlignError, match="has none here"):
        bba.fit("SAU", objective=sharpness, optimizer="adam", runs=runs, **QUICK)
    with pytest.raises(bba.BlackboxAlignError, match="one at a time; not for 2"):
        bba.fit(["SAU", "USA"], objective=sharpness, runs=runs, **QUICK)
    with pytest.raises(bba.BlackboxAlignError, match="one function of yours at most"):
        bba.fit("SAU", objective={sharpness: 1.0, first_option: 1.0}, runs=runs, **QUICK)
