"""``score``: conditions beside baselines, paired differences, and what has to stand under a table."""

from __future__ import annotations

import json
import math
from itertools import permutations

import numpy as np
import pytest

from blackbox_align.adapters.adapter import Adapter
from blackbox_align.assessment import Asking, ask, load_instrument, parse_condition, score
from blackbox_align.engines import FunctionEngine
from blackbox_align.errors import (
    DataFileError,
    ExpertError,
    ModelError,
    SpecificationError,
    UnknownNameError,
)
from blackbox_align.fitting import fit
from blackbox_align.populations import find_population, load_targets
from blackbox_align.results import Result
from blackbox_align.statistics.distances import js_distance
from blackbox_align.surveys import Item, Scale, Survey, load_survey
from tests.assessment.reading import engine
from tests.small_models import save_small_model

HEADER = "item,question,option,country,share,ordered\n"
KENYA, GHANA = (0.7, 0.2, 0.1), (0.1, 0.3, 0.6)
ICL, NAME = "text:You live in {country}.", "one_minus_js_distance_nats"


@pytest.fixture
def survey_file(tmp_path):
    """Twelve ordered questions that Kenya and Ghana answered, and two that only Kenya did."""
    rows = []
    for n in range(14):
        for country, shares in (("Kenya", KENYA), ("Ghana", GHANA)):
            if country == "Kenya" or n < 12:
                turned = np.roll(shares, n % 2)
                rows += [
                    f"q{n},How about {n}?,{option},{country},{share},yes"
                    for option, share in zip(("low", "mid", "high"), turned, strict=True)
                ]
    path = tmp_path / "survey.csv"
    path.write_text(HEADER + "\n".join(rows))
    return path


def knows_kenya(asked):
    """Answers as Kenyans do where Kenya is named, and says the first option most of the time else."""
    number = int(asked.text.split()[2].rstrip("?"))
    truth = dict(zip(("low", "mid", "high"), np.roll(KENYA, number % 2), strict=True))
    if "Kenya" not in asked.preamble:
        return 0.6, 0.3, 0.1
    return [truth[option] for option in asked.options.values()]


ENGINE = engine(knows_kenya)


@pytest.fixture
def table(survey_file):
    return score(survey_file, conditions=["none", ICL], engine=ENGINE, resamples=200)


def test_a_score_is_the_mean_over_a_countrys_distributions(table):
    """The figures are those worked out by hand, each with the number of distributions behind it."""
    assert table.value(ICL, population="KEN") == pytest.approx(1)
    uniform = 1 - js_distance(np.full(3, 1 / 3), np.array(KENYA))
    assert table.value("none", population="KEN") == pytest.approx(uniform), (
        "rotations make it uniform"
    )
    assert table.value("uniform", population="KEN") == pytest.approx(uniform)
    counts = {(s.population, s.condition): s.n for s in table.scores if s.metric == NAME}
    assert counts["KEN", "none"] == 14 and counts["GHA", "none"] == 12
    assert counts["KEN", "mean of other countries"] == 12, "nobody else was asked the last two"
    assert counts["mean", "none"] == 26


def test_the_mean_gives_every_country_the_same_weight(table):
    """The last row is the mean over countries, not over distributions."""
    both = [table.value("none", population=code) for code in ("KEN", "GHA")]
    assert table.value("none", population="mean") == pytest.approx(np.mean(both))
    assert [s.population for s in table.scores][-1] == "mean"


def test_baselines_and_conditions_stand_in_one_table(table):
    """Uniform, the other countries and the fitted temperature stand beside every condition."""
    kinds = {s.condition: s.is_baseline for s in table.scores}
    assert kinds == {
        "uniform": True, "people's likeliest answer": True, "mean of other countries": True,
        "mixture of other countries": True, "un-prompted, fitted temperature": True,
        "un-prompted, corrected": True, "people's sampling noise": True, "none": False, ICL: False,
    }  # fmt: skip
    notes = "\n".join(table.notes)
    for part in ("26 distributions of 14 questions in 2 countries; samples: national", "rotations",
                 "left out", "200 resamples, seed 0", "26 distributions read, 26 kept"):  # fmt: skip
        assert part in notes


def test_differences_are_paired_on_the_same_questions(table):
    """A difference is over the questions that both sides answer, with an interval of its own."""
    found = {(d.population, d.condition, d.minus): d for d in table.differences if d.metric == NAME}
    assert ("KEN", "none", ICL) not in found, "each pair stands there once"
    gain = found["KEN", ICL, "none"]
    assert gain.value == pytest.approx(1 - table.value("none", population="KEN"))
    assert gain.low > 0 and gain.n == 14
    others = found["KEN", ICL, "mean of other countries"]
    assert others.n == 12
    expected = [js_distance(np.roll(KENYA, n % 2), np.roll(GHANA, n % 2)) for n in range(12)]
    assert others.value == pytest.approx(np.mean(expected))
    same = found["KEN", "none", "uniform"]
    assert same.value == pytest.approx(0, abs=1e-9)


def test_earth_movers_distance_is_of_ordered_items_only(survey_file, tmp_path):
    """Items that form no ladder have no earth mover's distance, and their n is 0."""
    ordered = score(survey_file, conditions=(), resamples=10)
    assert ordered.value("uniform", "earth_movers_distance", "KEN") == pytest.approx(
        np.mean(
            [(abs(0.7 - 1 / 3) + abs(0.9 - 2 / 3)) / 2, (abs(0.1 - 1 / 3) + abs(0.8 - 2 / 3)) / 2]
        )
    )
    path = tmp_path / "plain.csv"
    path.write_text(survey_file.read_text().replace(",yes", ",no"))
    plain = score(path, conditions=(), resamples=10)
    assert math.isnan(plain.value("uniform", "earth_movers_distance", "KEN"))
    assert {s.n for s in plain.scores if s.metric == "earth_movers_distance"} == {0}


def test_the_same_seed_gives_the_same_table(survey_file, table):
    """Scores do not depend on the seed, intervals only on it, and neither on the batch."""
    again = score(survey_file, conditions=["none", ICL], engine=ENGINE, resamples=200, batch=3)
    assert again == table
    other = score(survey_file, conditions=["none", ICL], engine=ENGINE, resamples=200, seed=1)
    assert other != table
    assert [s.value for s in other.scores] == pytest.approx(
        [s.value for s in table.scores], nan_ok=True
    )


def test_tables_are_for_pandas_and_for_json(table):
    """One row per country, condition and metric; JSON has no NaN in it."""
    frame = table.table()
    assert frame.loc[("KEN", "none", NAME), "n"] == 14
    differences = table.differences_table()
    assert list(differences.columns) == ["value", "low", "high", "n"]
    content = json.loads(json.dumps(table.to_dict(), allow_nan=False))
    assert content["figures"][0]["population"] == "GHA"
    assert Result.from_dict(content) == table and table.headline[0] == NAME
    assert "<table" in table._repr_html_()
    empty = score(load_survey("vsm2013"), country="USA", conditions=(), resamples=10)
    assert empty.differences_table().empty


def test_a_real_model_gives_the_same_scores_in_any_batch(survey_file, tmp_path):
    """The batch is no part of the result of a language model either, but for float noise."""
    model = save_small_model("llama", tmp_path / "model")
    tables = [
        score(survey_file, conditions=["none", "icl"], model=model, device="cpu",
              labels="digits", batch=batch, cache=False, resamples=20)
        for batch in (2, 500)
    ]  # fmt: skip
    one, other = ([s.value for s in table.scores] for table in tables)
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
    assert tables[0].value("none", population="KEN") != tables[0].value("icl", population="KEN")


def test_an_expert_is_scored_and_one_of_another_model_is_refused(survey_file, tmp_path):
    """A fitted prompt is a condition, by its run or its folder; on another model it means nothing."""
    model = save_small_model("llama", tmp_path / "model")
    run = fit("KEN", runs=tmp_path / "runs", name="KEN", model=str(model), device="cpu",
              optimizer="random", budget=4, tokens=2)  # fmt: skip
    by_run, by_folder = f"expert:{tmp_path}/runs/{{code}}", f"expert:{run.expert}"
    asked = {"country": "KEN", "device": "cpu", "resamples": 10}
    table = score(survey_file, model=str(model), conditions=["none", by_run, by_folder], **asked)
    assert table.value(by_run) == table.value(by_folder) != table.value("none")
    other = save_small_model("llama", tmp_path / "other", seed=1)
    with pytest.raises(SpecificationError, match="means nothing to another model"):
        score(survey_file, model=str(other), conditions=[by_run], **asked)
    with pytest.raises(ExpertError, match="is not an expert folder"):
        score(survey_file, model=str(model), conditions=[by_run], **(asked | {"country": "GHA"}))


def test_questions_that_a_model_has_no_labels_for_are_left_out_of_all_rows(tmp_path):
    """Where labels are no single tokens, the question goes from every row, and the table says so."""
    rows = [f"q{k},How?,o{n},Kenya,{1 / k}" for k in (3, 14) for n in range(k)]
    path = tmp_path / "survey.csv"
    path.write_text("item,question,option,country,share\n" + "\n".join(rows))
    most = 5

    class Labels(FunctionEngine):
        def askable(self, sheet):
            return tuple(
                None if len(q.labels) < most else f"{q.labels[-1]!r} is no token."
                for q in sheet.questions
            )

    labels = Labels(lambda adapters, sheet: np.stack([uniform_rows(sheet)] * len(adapters)))
    table = score(path, engine=labels, resamples=10)
    counts = {f.condition: f.n for f in table.scores if f.metric == NAME}
    assert counts["none"] == counts["uniform"] == 1
    assert any("1 question left out of all rows" in note for note in table.notes)
    (tmp_path / "two.csv").write_text(path.read_text() + "\nq14,How?,o1,Ghana,1")
    table = score(tmp_path / "two.csv", engine=labels, resamples=10)
    assert {f.population for f in table.scores} == {"KEN"}, "Ghana was asked nothing else"
    most = 2
    with pytest.raises(ModelError, match=r"no token\. Try --labels digits"):
        score(path, engine=labels, resamples=10)


def uniform_rows(sheet):
    rows = np.zeros((len(sheet.questions), sheet.width))
    for row, question in zip(rows, sheet.questions, strict=True):
        row[: len(question.labels)] = 1 / len(question.labels)
    return rows


def label_lover(asked):
    """Likes an option by its text, and the labels A and 2 a great deal."""
    assert ("letter" in asked.instruction) == ("A" in asked.options)
    liking = [
        1 + sum(map(ord, option)) % 7 + 5 * (label in "A2")
        for label, option in asked.options.items()
    ]
    return np.array(liking) / sum(liking)


@pytest.mark.parametrize("orders", ["1", "reversed", "cyclic", "all"])
def test_both_styles_of_labels_are_averaged_and_it_is_said(orders):
    """`both` is the mean of the answers under letters and under digits, question by question."""
    survey, lover = drinks("tea", "coffee", "water"), engine(label_lover)
    letters, digits, both = (
        ask(lover, survey, [Adapter()], Asking(orders, labels, 2))[0]
        for labels in ("letters", "digits", "both")
    )
    np.testing.assert_array_equal(both, (letters + digits) / 2)
    assert (orders in ("1", "reversed")) == (np.abs(letters - digits).max() > 1e-9)
    assert "by letters and by digits" in Asking(orders, "both").describe(survey)


def test_averages_over_labels_and_all_orders_are_exact_under_permutation():
    """However the file orders the options, each gets the same probability to the last bit."""
    options = ("tea", "coffee", "water", "milk")
    asking, lover = Asking("all", "both", 7), engine(label_lover)
    results = []
    for order in permutations(options):
        answers, _ = ask(lover, drinks(*order), [Adapter()], asking)
        results.append(dict(zip(order, answers[0, 0], strict=True)))
    assert all(result == results[0] for result in results)


def drinks(*options):
    scale = Scale("", tuple("ABCD"[: len(options)]), options, (1.0, 2.0, 3.0, 4.0)[: len(options)])
    return Survey(
        "hand", "Hand", 1, "Choose. Answer with one letter.", (Item("a", "Which?", scale),)
    )


# -- surveys with indices ------------------------------------------------------------------------


def by_country_name(figures):
    """Answers VSM 2013 so that PDI rises with the number that is given to the country named."""
    (m07,) = (item.text for item in load_survey("vsm2013").items if item.id == "m07")

    def answer(asked):
        level = next((v for name, v in figures.items() if name in asked.preamble), 0.5)
        return [1 - level, 0, 0, 0, level] if asked.text == m07 else [0.2] * 5

    return engine(answer)


COUNTRIES = ["USA", "CHN", "IND", "DEU"]


def test_indices_are_scored_against_published_figures_with_ranks():
    """The error is in index points over the indices; tau is of the countries' order on an index."""
    pdi = {"United States": 0.1, "China": 0.9, "India": 0.8, "Germany": 0.05}
    table = score("vsm2013", country=COUNTRIES, conditions=["none", "icl"], constants="zero",
                  engine=by_country_name(pdi), orders="1", resamples=20)  # fmt: skip
    targets = load_targets().target("USA", ["PDI", "IDV", "MAS", "UAI", "LTO", "IVR"])
    predicted = np.array([35 * (5 * 0.1 + 0.9 - 3), 0, 0, 0, 0, 0])
    error = np.abs(predicted - targets).mean()
    assert table.value("icl", population="USA") == pytest.approx(error, abs=1e-4)
    ranks = {(figure.condition, figure.metric): figure.value for figure in table.ranks}
    assert ranks == {("icl", "kendall_tau PDI"): 1.0}, (
        "a condition without an order of countries has no tau"
    )
    assert {s.n for s in table.scores if s.population == "USA"} == {6}
    assert {"all threes", "mean of other countries", "none", "icl"} == {
        s.condition for s in table.scores
    }


def test_anchored_constants_place_the_unprompted_model_on_the_mean():
    """With the default constants the un-prompted model's error is that of the target set's mean."""
    table = score("vsm2013", country="USA", engine=by_country_name({}), resamples=20)
    names = ["PDI", "IDV", "MAS", "UAI", "LTO", "IVR"]
    targets = load_targets()
    expected = np.abs(targets.mean(names) - targets.target("USA", names)).mean()
    assert table.value("none") == pytest.approx(expected)
    assert "Constants, the same for all rows: anchor" in table.notes[0]


# -- mistakes ------------------------------------------------------------------------------------


def test_conditions_are_presets_texts_and_experts():
    """Presets have the papers' names; a text may name the country; what is none is refused."""
    kenya, ghana = find_population("KEN"), find_population("GHA")

    def applied(text):
        return [parse_condition(text).adapter(people).text for people in (kenya, ghana)]

    assert applied("none") == applied("naive") == ["", ""]
    assert applied("icl") == [
        "Answer as a typical person who lives in Kenya would.",
        "Answer as a typical person who lives in Ghana would.",
    ]
    assert "Kenya" in applied("prompting")[0]
    assert applied("text:Be honest.") == ["Be honest."] * 2
    with pytest.raises(SpecificationError, match=r"'\{land\}' would be read as it stands"):
        parse_condition("text:You live in {land}.")
    for wrong in ("non", "text:", "text: ", "expert:", "icl:x", ""):
        with pytest.raises(SpecificationError, match="A condition is one of none, naive, icl"):
            parse_condition(wrong)
    with pytest.raises(SpecificationError, match="Did you mean 'naive'"):
        parse_condition("naiv")


@pytest.mark.parametrize(
    ("instrument", "settings", "error", "sentence"),
    [
        ("vsm2031", {}, UnknownNameError, "Did you mean 'vsm2013'"),
        ("none.csv", {}, DataFileError, "there is no such file"),
        ("vsm2013", {}, SpecificationError, "name one"),
        ("vsm2013", {"country": "Atlantis"}, UnknownNameError, "'Atlantis'"),
        ("vsm2013", {"country": "ZWE"}, UnknownNameError, "Zimbabwe"),
        ("FILE", {"country": "SAU"}, SpecificationError, "no national sample of Saudi Arabia"),
        (
            "FILE",
            {"samples": "some"},
            SpecificationError,
            "'national', 'non-national', 'region', 'all'",
        ),
        (
            "FILE",
            {"orders": "two"},
            SpecificationError,
            "'1', 'reversed', 'cyclic', 'all'; not 'two'",
        ),
        ("FILE", {"conditions": ["icl", "icl"]}, SpecificationError, "stands there twice"),
        ("FILE", {"resamples": 0}, SpecificationError, "1 resample or more"),
        ("FILE", {"missing": "forget"}, SpecificationError, "'forget'"),
        (
            "FILE",
            {"labels": "runes"},
            SpecificationError,
            "'letters', 'digits', 'both'; not 'runes'",
        ),
    ],
)
def test_a_mistake_is_told_before_a_model_is_loaded(
    instrument, settings, error, sentence, survey_file, monkeypatch
):
    """What was asked is checked first: nobody waits for a model to hear of a slip."""

    def never(*arguments, **more):
        raise AssertionError("a model was loaded")

    monkeypatch.setattr("blackbox_align.engines.checkpoint.find_model", never)
    with pytest.raises(error, match=sentence):
        score(survey_file if instrument == "FILE" else instrument, **settings)


def test_a_survey_without_indices_is_not_compared_with_figures(tmp_path):
    """A questionnaire of one's own needs indices, or people's answers, to be scored against."""
    path = tmp_path / "mine.yaml"
    path.write_text(
        "name: mine\ninstruction: Answer.\nscales:\n  s: {1: low, 2: high}\n"
        "items:\n  - {id: a, scale: s, text: How}\n"
    )
    with pytest.raises(SpecificationError, match="has no indices"):
        score(path, country="USA", conditions=())


def test_instruments_are_told_apart_by_what_they_hold(survey_file):
    """A name is a survey, a file is what is in it."""
    assert load_instrument("vsm2013") == load_survey("vsm2013")
    assert len(load_instrument(survey_file)) == 26
