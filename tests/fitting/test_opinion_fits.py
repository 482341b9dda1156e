"""Fitting opinions, alone and beside indices, on the embedded model."""

from __future__ import annotations

import json

import numpy as np
import pytest

import blackbox_align as bba
from blackbox_align.adapters import Adapter
from blackbox_align.errors import (
    ChangedSpecificationError,
    RunError,
    SpecificationError,
    UnknownNameError,
)
from blackbox_align.fitting import Stopping
from blackbox_align.fitting.asking import Asked, by_item, known_from
from blackbox_align.fitting.data import load_data
from blackbox_align.fitting.problem import pose
from blackbox_align.statistics.distances import js_distance
from blackbox_align.surveys.sheet import sheet

HELD_OUT_ROWS = {
    "uniform", "mean_of_other_countries", "unprompted_fitted_temperature",
    "unprompted", "country_in_text", "fitted", "answers_in_text", "likeliest_answer",
    "mixture_of_other_countries", "unprompted_corrected", "sampling_noise",
}  # fmt: skip


@pytest.fixture(scope="module")
def opinions(tmp_path_factory):
    """Eight questions of three options with the answers of three countries."""
    rng = np.random.default_rng(0)
    rows = ["item,question,option,country,share"]
    for number in range(8):
        for country in ("BRA", "KEN", "IND"):
            shares = rng.dirichlet(np.ones(3))
            shares[-1] = 1 - shares[:-1].round(3).sum()
            rows += [
                f"q{number},How much do you like thing {number}?,{option},{country},{share:.3f}"
                for option, share in zip(("a lot", "a little", "not at all"), shares, strict=True)
            ]
    path = tmp_path_factory.mktemp("data") / "likes.csv"
    path.write_text("\n".join(rows) + "\n")
    return str(path)


@pytest.fixture(scope="module")
def finished(opinions, tmp_path_factory):
    """A short fit of Brazil's opinions."""
    runs = tmp_path_factory.mktemp("runs")
    return bba.fit("Brazil", runs=runs, objective="opinions", opinions=opinions, budget=36)


@pytest.fixture(scope="module")
def both(opinions, tmp_path_factory):
    """A short fit of a sum of both objectives."""
    return bba.fit(
        "BRA",
        runs=tmp_path_factory.mktemp("runs"),
        objective="vsm13 + 0.5*opinions",
        opinions=opinions,
        budget=36,
    )


def test_the_search_sees_the_questions_to_fit_and_no_other(finished):
    """The journal holds answers to the fitted questions alone, in all rotations; the split is recorded."""
    facts = finished.record["facts"]
    fit, held_out = facts["fit_questions"], facts["held_out_questions"]
    assert len(fit) == len(held_out) == 4 and set(fit) | set(held_out) == {
        f"q{n}" for n in range(8)
    }
    entries = finished.entries()
    assert entries and all(entry.answers.shape[1:] == (4 * 3, 3) for entry in entries)
    assert "survey_sha256" not in facts and len(facts["opinions_sha256"]) == 64


def test_the_result_holds_both_distances_with_intervals_and_paired_differences(finished):
    """Held-out and fitted questions, every condition and baseline; the loss is on the fitted ones."""
    table = finished.opinions()
    assert set(table.index) == HELD_OUT_ROWS
    assert finished.loss == pytest.approx(table.loc["fitted", ("fit", "value")])
    assert finished.loss == pytest.approx(finished.history()["best"].iloc[-1], rel=0.01)
    assert finished.loss < table.loc["unprompted", ("fit", "value")]
    held_out = table["held_out"]
    assert (held_out["low"] <= held_out["value"]).all()
    assert (held_out["value"] <= held_out["high"]).all()
    for name in HELD_OUT_ROWS - {"fitted", "sampling_noise"}:
        difference = held_out.loc["fitted", "value"] - held_out.loc[name, "value"]
        assert table.loc[name, ("fitted_minus", "value")] == pytest.approx(difference)
    answered = {
        one.condition: dict(zip(one.items, one.probabilities, strict=True))
        for one in finished.result.answers
    }
    told = [
        js_distance(np.array(answered["fitted"][item]), np.array(answered["people"][item]))
        for item in finished.record["facts"]["held_out_questions"]
    ]
    assert np.mean(told) == pytest.approx(held_out.loc["fitted", "value"]) and len(told) == 4
    assert finished.summary().loc["BRA", "held_out_fitted"] == held_out.loc["fitted", "value"]
    with pytest.raises(RunError, match="fitted no indices"):
        finished.table()


def test_the_expert_and_its_card_give_the_held_out_figures(finished):
    """The card leads with them, names the questions' place, and says what it may not be used for."""
    expert = bba.read_expert(finished.expert)
    assert expert.card.result == finished.result
    assert len(expert.card.fitted_items) == 4
    card = (finished.expert / "README.md").read_text()
    value = finished.result.value("fitted", "js_distance_nats")
    assert "4 questions held out" in card and f"| fitted | {value:.3f} [" in card
    assert "shares of answers describe samples" in card and "index points" not in card


def test_a_continued_run_ends_on_the_bits_of_one_that_never_stopped(finished, opinions, tmp_path):
    """Stopped between two batches and continued to 36 evaluations, every file is the same."""
    settings = {"runs": tmp_path, "objective": "opinions", "opinions": opinions}
    bba.fit("BRA", budget=29, **settings)
    again = bba.fit("BRA", budget=36, **settings)
    for file in ("journal.jsonl", "result.json", "expert/adapter_model.safetensors"):
        assert (again.path / file).read_bytes() == (finished.path / file).read_bytes()


def test_another_split_is_another_run(finished, opinions):
    """A changed share of held-out questions, or other figures, is refused with the difference."""
    settings = {"runs": finished.path.parent, "objective": "opinions", "opinions": opinions}
    with pytest.raises(ChangedSpecificationError, match=r"--held-out: 0\.5 then, 0\.25 now"):
        bba.fit("BRA", name=finished.path.name, held_out=0.25, **settings)


def test_two_objectives_are_summed_and_their_front_is_reported(both):
    """points + 0.5 * 100 * distance; no evaluation of the front is bettered by any other."""
    result = both.result
    distance = result.value("fitted", "js_distance_nats", split="fit")
    error = result.value("fitted", "absolute_error_points", split="all")
    assert result.loss == pytest.approx(error + 50 * distance)
    assert both.loss == pytest.approx(both.history()["best"].iloc[-1], abs=1e-3)
    front = result.search.fronts["BRA"]
    errors, distances = ([row[name] for row in front] for name in ("indices", "opinions"))
    assert errors == sorted(errors) and distances == sorted(distances, reverse=True)
    assert len({row["evaluation"] for row in front}) == len(front)
    assert all(1 <= row["evaluation"] <= 36 for row in front)
    summed = [row["indices"] + 50 * row["opinions"] for row in front]
    assert min(summed) == pytest.approx(result.loss, abs=1e-3)  # a best sum is never dominated
    assert list(both.table().index) == ["PDI", "IDV", "MAS", "UAI", "LTO", "IVR"]
    asked = bba.read_expert(both.expert).card.result.provenance.instruments
    assert {instrument.name for instrument in asked} == {"vsm2013", "likes"}


def test_several_countries_share_one_search(opinions, tmp_path):
    """One journal, an expert each, and for every country its own distances."""
    settings = {"objective": "opinions", "opinions": opinions, "runs": tmp_path}
    run = bba.fit("all", budget=60, **settings)
    assert list(run.result.provenance.populations) == ["BRA", "KEN", "IND"]
    assert len(run.history()) == 60
    for code in run.result.provenance.populations:
        fit = run.opinions(code)["fit"]["value"]
        assert fit["fitted"] < fit["unprompted"]
        expert = bba.read_expert(run.expert_of(code))
        assert expert.country == code
        assert expert.card.result == run.result.of(code)


def test_a_country_without_opinions_is_told_with_the_nearest_that_has(tmp_path):
    """Saudi Arabia was in no source of the shipped opinions; no run is left behind."""
    with pytest.raises(
        SpecificationError, match=r"no .*sample of Saudi Arabia; .*: .*India \(\d+\)"
    ):
        bba.fit("SAU", runs=tmp_path, objective="opinions")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"objective": "opinion"}, SpecificationError, "The objective must be"),
        ({"held_out": 1.0}, SpecificationError, "lies between 0 and 1; not 1"),
        ({"readout": "greedy"}, SpecificationError, "their readout is 'expected'; not 'greedy'"),
        ({"opinions": "world"}, UnknownNameError, "world-opinions"),
        ({"country": "Narnia"}, UnknownNameError, "Narnia"),
    ],
)
def test_a_slip_in_the_settings_is_one_sentence(settings, error, message, tmp_path):
    """Each names what was seen and what was expected."""
    asked = {"country": "BRA", "objective": "opinions", "runs": tmp_path, **settings}
    with pytest.raises(error, match=message):
        bba.fit(**asked)


def test_a_search_of_other_questions_is_no_start(finished, opinions, tmp_path):
    """Evaluations of a run with another objective or another split say nothing here."""
    settings = {"runs": tmp_path, "opinions": opinions, "warm_start": str(finished.path)}
    with pytest.raises(SpecificationError, match=r"\(other --objective, .*--opinions"):
        bba.fit("BRA", **settings)
    with pytest.raises(SpecificationError, match=r"\(other --seed, --opinions\)"):
        bba.fit("BRA", objective="opinions", seed=1, **settings)
    warm = bba.fit("KEN", objective="opinions", budget=12, **settings)
    assert warm.record["facts"]["warm_start_evaluations"] == 36


def test_opinions_stop_when_they_hardly_gain_and_indices_at_half_a_point():
    """A search for opinions has no loss to reach: its default is patience with a gain of 5 %."""
    ends = {"budget": 2000, "seconds": None}
    indices = Stopping.for_objective(False, target_loss=None, patience=None, **ends)
    assert indices == Stopping()
    opinions = Stopping.for_objective(True, target_loss=None, patience=None, **ends)
    assert opinions == Stopping(target_loss=0.0, patience=60, gain=0.05)
    assert opinions.reason(100, 0.1, 60, 1.0) == "no improvement by 5 % in 60 evaluations"
    asked = Stopping.for_objective(True, target_loss=0.1, patience=30, **ends)
    assert asked == Stopping(target_loss=0.1, patience=30)


def test_the_command_line_leads_with_the_held_out_figures(bbalign, finished, both, opinions):
    """fit, show and score print them, with a sentence on what the interval shows."""
    settings = ("--objective", "opinions", "--opinions", opinions, "--budget", 36)
    shown = bbalign("fit", "--country", "BRA", *settings, "--runs", finished.path.parent)
    assert shown.returncode == 0 and "was done already" in shown.stderr
    assert shown.stdout.index("held out") < shown.stdout.index("un-prompted")
    assert "On held-out questions the fitted prompt is" in shown.stdout
    assert "Constants" not in shown.stdout
    printed = bbalign("show", both.path).stdout
    assert printed.index("held out") < printed.index("PDI  Power distance")
    assert "on the Pareto front" in printed
    search = json.loads(bbalign("show", both.path, "--json").stdout)["search"]
    assert search["fronts"]["BRA"]
    scored = bbalign(
        "score", opinions, "--country", "BRA", "--condition", f"expert:{finished.path}"
    )
    assert "was fitted to 4 of these 8 questions" in scored.stdout
    for question in finished.record["facts"]["held_out_questions"]:
        assert question in scored.stdout.partition("held out")[2]


@pytest.fixture(scope="module")
def parties(tmp_path_factory):
    """What the voters of three parties answered."""
    rng = np.random.default_rng(1)
    rows = ["item,question,option,party,share,name,wording"]
    for number in range(6):
        for party in ("greens", "blues", "a/b"):
            shares = rng.dirichlet(np.ones(3)).round(3)
            shares[-1] = 1 - shares[:-1].sum()
            rows += [
                f"q{number},Do you like thing {number}?,{option},{party},{share:.3f},The {party},"
                f"Answer as a voter of the {party} would."
                for option, share in zip(("yes", "a little", "no"), shares, strict=True)
            ]
    path = tmp_path_factory.mktemp("data") / "parties.csv"
    path.write_text("\n".join(rows) + "\n")
    return str(path)


def test_a_group_of_people_is_fitted_and_its_text_baseline_names_it(parties, tmp_path):
    """Groups that a file declares stand in the place of countries, alone or several at once."""
    settings = {"objective": "opinions", "opinions": parties, "runs": tmp_path, "budget": 48}
    run = bba.fit(group="the greens", **settings)
    assert run.result.provenance.populations == {"greens": "The greens"}
    assert run.loss < run.opinions().loc["unprompted", ("fit", "value")]
    assert bba.read_expert(run.expert).card.result.provenance.populations == {
        "greens": "The greens"
    }
    assert run.path.name.startswith("the-greens-opinions-") and run.expert.is_dir()
    from blackbox_align.engines import open as open_engine
    from blackbox_align.surveys.opinion_files import load_opinions

    survey = load_opinions(parties).survey
    engine = open_engine()
    told = Adapter(text="Answer as a voter of the greens would.")
    orders = run.record["facts"]["orders"]
    named = by_item(engine.answer([told], sheet(survey, orders)).probabilities, survey, orders)[0]
    recorded = known_from(run.record["asked"])[f"{survey.name} greens"]
    np.testing.assert_array_equal(recorded[: len(named)], named.astype(np.float32))
    several = bba.fit(group=["blues", "a/b"], **settings)
    assert list(several.summary().index) == ["blues", "a/b"]
    assert several.expert_of("a/b").name == "a-b" and several.expert_of("a/b").is_dir()
    curve = run.history("blues")
    assert len(curve) == len(run.history()) and curve["best"].iloc[-1] < curve["loss"].iloc[0]


def test_what_is_no_group_is_said(parties, tmp_path):
    """A country is no group, and indices have none."""
    for settings, message in (
        ({"group": "greens"}, "give --objective opinions and --opinions FILE"),
        (
            {"group": "USA", "objective": "opinions", "opinions": parties},
            "is a country and no group",
        ),
        (
            {"group": "pinks", "objective": "opinions", "opinions": parties},
            "Unknown group or country",
        ),
        ({"group": "greens", "country": "USA"}, "to countries or to groups of people; not to both"),
        ({}, "A fit needs a country"),
    ):
        with pytest.raises(bba.BlackboxAlignError, match=message):
            bba.fit(runs=tmp_path, **settings)
    assert not list(tmp_path.iterdir())


def test_validation_questions_enter_no_residual_and_choose_among_the_best(tmp_path):
    """A quarter of the questions to fit is recorded, known to no residual, and says when to stop."""
    run = bba.fit("KEN", objective="opinions", budget=24, runs=tmp_path)
    facts = run.record["facts"]
    spared = set(facts["validation_questions"])
    assert len(spared) == 5 and spared < set(facts["fit_questions"])
    assert run.record["stopping"]["patience"] == 120
    data = load_data(run.specification, facts)
    problem = pose(data, Asked(orders=facts["orders"]), facts)
    ids = [item.id for item in data.opinions.objective.survey.items]
    known = ~np.isnan(data.opinions.objective.shares[0]).any(-1)
    assert {name for name, here in zip(ids, known, strict=True) if not here} == spared
    best, kept = np.inf, []
    for entry in run.entries():
        losses = problem.score(entry.answers, entry.ids[0])[1][0]
        validation = problem.validation_losses(entry.answers, entry.ids[0])[0]
        for loss, counts in zip(losses, validation, strict=True):
            if loss < best:
                best = loss
                kept.append(counts)
    answered = {
        item: np.array(shares)
        for one in run.result.answers
        if one.condition == "fitted"
        for item, shares in zip(one.items, one.probabilities, strict=True)
    }
    people = next(one for one in run.result.answers if one.condition == "people")
    own = [
        js_distance(answered[item], np.array(shares))
        for item, shares in zip(people.items, people.probabilities, strict=True)
        if item in spared
    ]
    assert np.mean(own) == pytest.approx(min(kept), abs=1e-4)


def test_a_run_without_validation_questions_goes_on_without(opinions, tmp_path):
    """Of few questions none is spared; a run that recorded none stays as it was."""
    settings = {"objective": "opinions", "opinions": opinions, "runs": tmp_path}
    run = bba.fit("BRA", budget=12, **settings)
    assert run.record["facts"]["validation_questions"] == []
    assert run.record["stopping"]["patience"] == 60
    whole = bba.fit("KEN", objective="opinions", budget=12, runs=tmp_path, validation=0)
    head = json.loads((whole.path / "run.json").read_text())
    facts = {k: v for k, v in whole.record["facts"].items() if k != "validation_questions"}
    old = load_data(whole.specification, facts)
    assert head["facts"]["validation_questions"] == [] and not old.opinions.validation
    with pytest.raises(SpecificationError, match="from 0 to below 1"):
        bba.fit("KEN", objective="opinions", runs=tmp_path, validation=1.0)


@pytest.fixture(scope="module")
def without_labels(tmp_path_factory):
    """A fit to five questions, one of fifteen options, whose last letter is no token of the model."""
    folder = tmp_path_factory.mktemp("labels")
    rows = [
        f"q{number},Which of these {size}?,o{option},KEN,{1 / size:.6f}"
        for number, size in enumerate((2, 3, 15, 2, 3))
        for option in range(size)
    ]
    path = folder / "sizes.csv"
    path.write_text("\n".join(["item,question,option,country,share", *rows]))
    settings = {"runs": folder, "objective": "opinions", "opinions": path, "orders": "1"}
    settings |= {"optimizer": "random", "target_loss": 0.0}
    return bba.fit("KEN", budget=2, **settings), settings


def test_a_question_that_a_model_has_no_labels_for_is_left_out_and_counted(without_labels):
    """The others are fitted, the table says so, and who reads the run needs no model for it."""
    run, _ = without_labels
    asked = {item for one in run.result.answers for item in one.items}
    assert asked == {"q0", "q1", "q3", "q4"}
    note = [note for note in run.result.notes if note.startswith("1 question left out of the fit")]
    assert len(note) == 1 and "'O'" in note[0] and "is not one token" in note[0]
    assert len(run.history("KEN")) == 2


@pytest.mark.slow
def test_a_run_without_such_a_question_goes_on_without_it(without_labels):
    """What was left out is recorded, and is no other data of the same name."""
    run, settings = without_labels
    longer = bba.fit("KEN", budget=12, **settings)
    assert longer.path == run.path and len(longer.history("KEN")) == 12
