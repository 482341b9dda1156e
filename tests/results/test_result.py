"""Results as values: round trips, damage, the tables, and that none of it needs torch."""

from __future__ import annotations

import copy
import json
import math
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from blackbox_align.errors import RunError, SpecificationError
from blackbox_align.results import (
    Asked,
    Figure,
    ItemAnswers,
    Language,
    Provenance,
    Result,
    Searched,
)
from blackbox_align.results.names import (
    BASELINES,
    FITTED,
    NONE,
    PEOPLE,
    TEMPERED,
    TITLES,
    UNIFORM,
    title,
)
from blackbox_align.results.statistical_files import write_answers
from blackbox_align.statistics.distances import ABSOLUTE_ERROR, Metric

NAN = math.nan
RUN = Path(__file__).parents[1] / "fitting" / "format_1" / "SAU"  # as it was written then


def made() -> Result:
    """A result of two populations with something in every place."""
    metric = Metric("js_distance_nats", "JS distance (nats)", False)
    figures = [
        Figure(code, condition, metric.name, split, value, value - 0.1, value + 0.1, 7, "", "tea")
        for split in ("all", "held-out", "fit")
        for code, value in (("KEN", 0.2), ("GHA", 0.4), ("mean", 0.3))
        for condition in (UNIFORM, NONE, FITTED)
    ]
    figures += [
        Figure("KEN", FITTED, metric.name, "held-out", -0.1, -0.2, 0.0, 7, NONE, "tea"),
        Figure("KEN", NONE, ABSOLUTE_ERROR.name, "all", 12.0, NAN, NAN, 6, "", "vsm"),
        Figure("KEN", PEOPLE, "PDI", "all", 64.0, NAN, NAN, 1, "", "vsm"),
        Figure("mean", NONE, "kendall_tau PDI", "all", 0.5, NAN, NAN, 4, "", "vsm"),
    ]
    asked = (
        Asked("tea", "Tea", "ab", 7, (metric,), (metric.name,)),
        Asked("vsm", "Values", "cd", 24, (ABSOLUTE_ERROR,), (ABSOLUTE_ERROR.name,), "", {"PDI": "Power"},
              "tool", "The tool", "anchor", {"PDI": 1.5}),
    )  # fmt: skip
    return Result(
        tuple(figures),
        (ItemAnswers("tea", "", NONE, ("q1", "q2"), ((0.5, 0.5), (0.1, 0.2, 0.7)), (0.9, NAN)),),
        ("A note.",),
        Provenance(asked, {"KEN": "Kenya", "GHA": "Ghana"}, "m", "r", fitted_items=("q1",)),
        "held-out",
        Searched("cma", 1, 100, "the end", {"KEN": 0.2, "GHA": 0.4}, {"KEN": 30, "GHA": None},
                 {"KEN": ({"vsm13": 1.0, "opinions": 0.2},)}),
        {"SAU": Language(20, 0.1, 3.0, 2.9)},
        0.02,
    )  # fmt: skip


def test_answers_go_to_r_and_spss(tmp_path):
    """A row per condition, item and option; in a .sav names are numbers with labels, and read back equal."""
    pyreadstat = pytest.importorskip("pyreadstat", reason="pyreadstat is not installed")
    answers = tuple(
        ItemAnswers("vsm", code, condition, ("q1", "q2"), ((0.25, 0.75), (0.1, 0.9)))
        for condition, code in (("people", "SAU"), ("none", ""), ("fitted", "SAU"))
    )
    result = Result((), answers, (), Provenance((), {"SAU": "Saudi Arabia"}, orders="reversed"))
    for name in ("a.csv", "a.sav"):
        write_answers(result, tmp_path / name)
    tidy = pd.read_csv(tmp_path / "a.csv", keep_default_na=False)
    assert len(tidy) == 12 and tidy["condition"].unique().tolist() == [
        "target",
        "unprompted",
        "fitted",
    ]
    frame, about = pyreadstat.read_sav(str(tmp_path / "a.sav"), apply_value_formats=True)
    assert frame["condition"].astype(str).tolist() == tidy["condition"].tolist()
    assert frame["probability"].tolist() == tidy["probability"].tolist()
    assert set(frame["population"]) == {"Saudi Arabia", "all"} and set(frame["orders"]) == {
        "reversed"
    }
    assert "no person gave them" in about.column_names_to_labels["probability"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.csv", "a.sav"]
    with pytest.raises(SpecificationError, match=r"not as 'a\.xlsx'"):
        write_answers(result, tmp_path / "a.xlsx")


def test_figures_are_equal_where_the_same_is_not_known():
    """NaN is one thing and another is not, whichever object it is."""
    one, same, other = (
        Figure("SAU", "none", "m", "all", 1.0, float("nan"), 2.0, 3, p=p)
        for p in (float("nan"), float("nan"), 0.5)
    )
    assert one == same and hash(one) == hash(same)
    assert one != other and one != "a figure"


def test_a_result_comes_back_from_json_as_it_was():
    """Through JSON that knows no NaN, every figure, answer and name comes back to the bit."""
    text = json.dumps(made().to_dict(), allow_nan=False)
    again = Result.from_dict(json.loads(text))
    assert again == made() and again.figures[0] == made().figures[0]
    assert math.isnan(again.answers[0].mass[1]) and again.search.reached["GHA"] is None


def test_tables_lead_with_the_questions_that_were_held_out():
    """Scores are those of the leading split, and of all questions where there is no split."""
    result = made()
    assert result.value(NONE, population="KEN") == 0.2
    assert {f.split for f in result.scores if f.instrument == "tea"} == {"held-out"}
    assert [f.value for f in result.scores if f.instrument == "vsm"] == [12.0]
    assert [f.minus for f in result.differences] == [NONE]
    assert [f.metric for f in result.ranks] == ["kendall_tau PDI"]
    frame = result.table()
    assert frame.loc[("GHA", FITTED, "js_distance_nats"), "value"] == 0.4
    assert list(result.differences_table().columns) == ["value", "low", "high", "n"]
    assert "<table" in result._repr_html_()
    with pytest.raises(SpecificationError, match="no score of 'icl'"):
        result.value("icl")
    with pytest.raises(SpecificationError, match="must be one of js_distance_nats"):
        result.metric("accuracy")


def test_a_population_can_be_taken_apart():
    """What belongs to one population has its figures, its search and its name, and nobody else's."""
    kenya = made().of("KEN")
    assert {f.population for f in kenya.figures} == {"KEN"}
    assert kenya.search.losses == {"KEN": 0.2} and kenya.loss == 0.2
    assert kenya.provenance.populations == {"KEN": "Kenya"} and kenya.answers


def test_names_are_in_one_place_and_baselines_stand_in_parentheses():
    """A condition has one title; what asks no model is told from what does."""
    assert title(NONE) == "un-prompted" and title(UNIFORM) == "(uniform)"
    assert title("text:Be brief.") == "text:Be brief."
    assert title(TEMPERED) == "(un-prompted, tempered)" and set(TITLES) - BASELINES >= {
        NONE,
        FITTED,
    }
    assert made().figures[0].is_baseline and not made().figures[1].is_baseline


def _places(value, place=()):
    """Every place in nested JSON."""
    yield place
    entries = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, entry in entries:
        yield from _places(entry, (*place, key))


def test_damage_of_the_content_is_refused_in_a_sentence_or_reads_as_it_stands():
    """Anything in the place of anything: never a traceback, and never another result in silence.

    A number in the place of a number is a result of its own; the seal of the file tells that.
    """
    rng = random.Random(0)
    whole = made().to_dict()
    places = [place for place in _places(whole) if place]
    kinds = [None, "x", -1, 0.5, True, [], {}, [1], {"a": 1}, float("inf"), "held-out", 10**400]
    refused = 0
    for _ in range(300):
        damaged = copy.deepcopy(whole)
        *path, last = rng.choice(places)
        inner = damaged
        for key in path:
            inner = inner[key]
        if rng.random() < 0.25 and isinstance(inner, dict):
            del inner[last]
        else:
            inner[last] = rng.choice(kinds)
        try:
            again = Result.from_dict(damaged, "result.json")
        except RunError as error:
            refused += 1
            assert str(error).startswith("result.json")
        else:
            json.dumps(again.to_dict(), allow_nan=False)
    assert refused > 150


def test_what_a_later_version_wrote_is_refused():
    """An unknown name or format is no reason to guess."""
    with pytest.raises(RunError, match="format 3; this version reads 2 and 1"):
        Result.from_dict({**made().to_dict(), "format": 3})
    with pytest.raises(RunError, match="'colour' is not known here"):
        Result.from_dict({**made().to_dict(), "colour": 1})
    for nonsense in ([], "x", None, 3):
        with pytest.raises(RunError, match="expected an object"):
            Result.from_dict(nonsense)


FORMAT1 = {
    "country": "KEN", "country_name": "Kenya", "loss": 2.0, "l1": 4.0,
    "errors": {"unprompted": 9.0, "country_in_text": 5.0, "fitted": 2.0},
    "table": [
        {"index": "PDI", "title": "power distance", "target": 70.0, "unprompted": 60.0,
         "country_in_text": 65.0, "fitted": 68.0, "error": -2.0},
        {"index": "LTO", "title": "long term", "target": None, "unprompted": 1.0,
         "country_in_text": 2.0, "fitted": 3.0, "error": None},
    ],
    "missing": ["LTO"], "estimate": True, "targets": {"name": "tool", "title": "The tool"},
    "constants": {"policy": "anchor", "values": {"PDI": 1.0, "LTO": -2.0}},
    "objective": "vsm13+opinions",
    "opinions": {
        "survey": {"name": "tea", "title": "Tea"}, "metric": "js_distance_nats",
        **{side: {
            "questions": n,
            "distances": {"uniform": {"value": 0.3, "low": 0.2, "high": 0.4},
                          "fitted": {"value": 0.1, "low": 0.05, "high": 0.2}},
            "fitted_minus": {"uniform": {"value": -0.2, "low": -0.3, "high": -0.1}},
        } for side, n in (("held_out", 3), ("fit", 4))},
        "by_question": {},
    },
    "readout": "expected", "placement": "last", "model": "m", "disclaimer": "Beware.",
    "evaluations": 50, "reached_after": 40, "reason": "the end", "optimizer": "cma", "seed": 3,
}  # fmt: skip


def test_the_dictionaries_of_format_1_are_results():
    """Index by index, held out and fitted, under the one name of every condition."""
    result = Result.from_dict(FORMAT1)
    assert result.value(FITTED, "absolute_error_points", "KEN", "all") == 2.0
    (pdi,) = result.select(metric="PDI", condition=PEOPLE)
    assert pdi.value == 70
    (lto,) = result.select(metric="LTO", condition=PEOPLE)
    assert math.isnan(lto.value) and lto.n == 0
    (minus,) = result.select(minus=UNIFORM, split="held-out")
    assert (minus.condition, minus.value, minus.n) == (FITTED, -0.2, 3)
    assert result.loss == 2.0 and result.search.reached == {"KEN": 40}
    assert result.search.placement == "last" and result.split == "held-out"
    assert any("Kenya LTO" in note for note in result.notes)
    several = Result.from_dict(
        {"countries": [FORMAT1, {**FORMAT1, "country": "GHA", "loss": 4.0}], "loss": 3.0, "reached": 1,
         "target_loss": 3.0, "evaluations": 90, "reason": "the end"}
    )  # fmt: skip
    assert several.loss == 3.0 and several.search.evaluations == 90
    assert Result.from_dict(several.to_dict()) == several


@pytest.mark.parametrize("place", [place for place in _places(FORMAT1) if place], ids=str)
def test_damaged_dictionaries_of_format_1_never_end_in_a_traceback(place):
    """Whatever stands where, it is read or refused in a sentence."""
    for value in (None, [], {}, "x", 10**400, float("nan")):
        damaged = copy.deepcopy(FORMAT1)
        inner = damaged
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = value
        try:
            found = Result.from_dict(damaged, "here")
            assert np.isfinite(found.loss)
        except RunError as error:
            assert str(error).startswith("here")


@pytest.mark.parametrize(
    "code",
    [
        "import blackbox_align.results, blackbox_align.results.tables",
        "import blackbox_align.surveys.instruments",
        "import blackbox_align.experts",
        "from blackbox_align.assessment import assess, score",
        "from blackbox_align.cli.main import main; sys.argv = ['bbalign', 'runs', '{folder}']; main()",
        "from blackbox_align.cli.main import main; sys.argv = ['bbalign', 'show', '{folder}/SAU']; main()",
    ],
)
def test_reading_what_was_done_imports_no_torch(code, tmp_path):
    """Results, `runs` and `show` need no model, and neither load torch nor transformers."""
    shutil.copytree(RUN, tmp_path / "SAU")
    heavy = "{'torch', 'transformers', 'ray', 'peft'} & set(sys.modules)"
    script = f"import sys, atexit\natexit.register(lambda: print('HEAVY', {heavy}))\n"
    script += code.format(folder=tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().endswith("HEAVY set()"), done.stdout[-500:]
    if "show" in code or "runs" in code:
        assert "SAU" in done.stdout
