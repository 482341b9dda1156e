from dataclasses import replace

import numpy as np
import pytest

from blackbox_align.errors import SpecificationError, UnknownNameError
from blackbox_align.results import Figure, ItemAnswers, Provenance, Result
from blackbox_align.results.comparison import Cell, Comparison
from blackbox_align.results.comparison_files import improvements, latex_table
from blackbox_align.results.comparison_pictures import comparison_picture, run_length_targets
from blackbox_align.results.multiverse import (
    multiverse,
    multiverse_picture,
    question_gains,
    share_holding,
)


def cell(optimizer, country, seed, best, failure=""):
    return Cell(
        {"optimizer": optimizer, "country": country, "seed": seed}, np.array(best, float), failure
    )


def test_a_table_by_hand():
    """a needs 2 and 3 evaluations; b reaches the target once in 3 and 4: (3 + 4) / 1."""
    found = Comparison(
        (
            cell("a", "SAU", 0, [9, 2]),
            cell("a", "SAU", 1, [9, 8, 3]),
            cell("b", "SAU", 0, [9, 8, 1]),
            cell("b", "SAU", 1, [9, 8, 7, 6]),
        ),
        3.0,
        4,
    )
    table = found.table()
    assert list(table.index) == ["a", "b"]
    assert table.loc["a", "ert"] == 2.5
    assert table.loc["b", "ert"] == 7.0
    assert list(table["reached"]) == [2, 1]
    assert found.searches()["needed"].isna().sum() == 1
    methods, ranking = found.ranking()
    assert (methods, ranking.ranks) == (["a", "b"], (1.0, 2.0))


def test_rounds_and_tokens_by_hand():
    """Batches of 2: three evaluations are two rounds, five are three; 10 tokens each."""
    one, other = (
        replace(
            cell("a", "SAU", seed, best), rounds=np.array([1, 1, 2, 2, 3][: len(best)]), tokens=10
        )
        for seed, best in enumerate(([9, 8, 3], [9, 8, 7, 6, 5]))
    )
    found = Comparison((one, other), 3.0, 5)
    assert found.table().loc["a", ["ert", "ert_rounds"]].tolist() == [8, 5]
    rows = found.searches()
    assert rows["rounds"].tolist() == [2, 3] and rows["tokens"].tolist() == [30, 50]
    assert rows["rounds_needed"].isna().tolist() == [False, True] and rows["rounds_needed"][0] == 2
    frame = comparison_picture(found, "rounds").frame
    assert frame["rounds"].tolist() == [1, 2, 3]
    assert frame["share"].iloc[-1] == comparison_picture(found, "ecdf").frame["share"].iloc[-1]
    assert "& 8 & " in latex_table(found) and "& 5 & " in latex_table(found)


def test_a_failed_cell_is_shown_and_in_no_figure():
    """The others are compared on the problems that all methods finished."""
    found = Comparison(
        (
            cell("a", "SAU", 0, [2]),
            cell("a", "USA", 0, [2]),
            cell("b", "SAU", 0, [], "no such optimizer"),
            cell("b", "USA", 0, [9, 1]),
        ),
        3.0,
        4,
    )
    assert found.table().loc["b", "runs"] == 1
    assert found.ranking()[1].problems == 1
    assert list(found.searches()["failure"]) == ["", "", "no such optimizer", ""]


def test_varied_settings_make_methods():
    """Beside the optimizer, any other setting that varies is part of the method's name."""
    settings = {"optimizer": "de", "tokens": 1, "country": "SAU", "seed": 0}
    assert Cell(settings, np.empty(0)).method == "de, tokens 1"


def test_nothing_to_rank_is_said():
    """Without a single finished search there is a sentence."""
    with pytest.raises(SpecificationError, match="None of the searches"):
        Comparison((cell("a", "SAU", 0, [], "failed"),), 3.0, 4).ranking()


def two_methods():
    rng = np.random.default_rng(0)
    return Comparison(
        tuple(
            cell(method, country, seed, np.minimum.accumulate(10 * rate ** rng.random(40).cumsum()))
            for method, rate in (("fast_1 & <x>", 0.7), ("random", 0.9))
            for country in ("SAU", "USA")
            for seed in range(4)
        ),
        3.0,
        40,
    )


def test_run_length_targets_fall_to_the_target():
    """By country, each below the one before, and the comparison's own is the last."""
    for targets in run_length_targets(two_methods()).values():
        assert targets[-1] == 3.0
        assert targets == sorted(set(targets), reverse=True)


def test_curves_by_hand():
    """a holds 9, 9, 2 and b stays at 9: at the target 3 half of the pairs are reached from 3 on."""
    found = Comparison((cell("a", "SAU", 0, [9, 9, 2]), cell("b", "SAU", 0, [9, 9, 9])), 3.0, 3)
    frame = comparison_picture(found, "ecdf").frame
    last = frame[frame["evaluations"] == 3].set_index("method")["share"]
    assert last["a"] == 1.0
    assert last["b"] == 0.5  # the easier target, 9, which all have from the first evaluation on
    medians = comparison_picture(found, "anytime").frame.set_index(["method", "evaluations"])[
        "median"
    ]
    assert medians["a", 3] == 2 and medians["b", 3] == 9


def test_intervals_over_countries_are_said_to_be_so():
    """Ten countries are drawn again as a whole; nine are not, and no figure claims more than these."""
    drawn = []
    for count in (9, 10):
        codes = list("ABCDEFGHIJ")[:count]
        best = {code: [9.0] * (3 + 2 * n) + [1.0] for n, code in enumerate(codes)}
        cells = [cell(m, code, seed, best[code]) for m in "ab" for code in codes for seed in (0, 1)]
        found = Comparison(tuple(cells), 3.0, 40)
        row = found.table().loc["a"]
        drawn.append((found.drawn.split(":")[0], row["ert_low"] < row["ert"] < row["ert_high"]))
        captions = [comparison_picture(found, kind).caption for kind in ("anytime", "relative")]
        assert all(found.drawn in text for text in (*captions, latex_table(found)))
    # Within a country nothing varies here, so all that varies is which countries there are.
    assert drawn == [
        ("over seeds within countries", False), ("over countries, with all their seeds", True)
    ]  # fmt: skip


def test_improvements_are_what_ioh_reads():
    """A row where the best loss falls, and the last one; columns by IOHinspector's names."""
    found = Comparison(
        (cell("a", "USA", 3, [9, 9, 2, 2]), cell("a", "SAU", 0, [], "failed")), 3.0, 4
    )
    frame = improvements(found)
    assert frame["evaluations"].tolist() == [1, 3, 4]
    assert frame["raw_y"].tolist() == [9, 2, 2]
    assert set(frame["function_id"]) == {2} and set(frame["instance"]) == {3}


def test_latex_prints_any_name():
    """What LaTeX would read as its own is written out."""
    text = latex_table(two_methods())
    assert r"fast\_1 \& \textless{}x\textgreater{} & 8/8 &" in text
    assert text.count(r"\\") == 3


def test_relative_to_random_search_or_the_slowest():
    """The baseline itself is 1; another one can be named, and one that is none is told."""
    frame = comparison_picture(two_methods(), "relative").frame.set_index("method")
    assert frame.loc["random", "ratio"] == 1
    assert frame.loc["fast_1 & <x>", "high"] < 1
    with pytest.raises(UnknownNameError, match="'random'"):
        comparison_picture(two_methods(), "relative", "rndom")


def answered(gains):
    """Two options; people say 1 : 0, un-prompted 0.5 : 0.5, fitted nearer or farther by question."""
    items = tuple(f"q{n}" for n in range(len(gains)))
    rows = {
        "people": [(1.0, 0.0)] * len(gains),
        "none": [(0.5, 0.5)] * len(gains),
        "icl": [(0.5 - gain, 0.5 + gain) for gain in gains],
        "fitted": [(0.5 + gain, 0.5 - gain) for gain in gains],
    }
    answers = [ItemAnswers("o", "SAU", name, items, tuple(row)) for name, row in rows.items()]
    return replace(scored(0.3, 0.2, 0.1), answers=tuple(answers))


def test_configurations_of_the_same_questions_are_no_more_evidence():
    """Four questions of which one gains nothing: sixteen signs, the same p for one way of asking and for
    thirty. Those that were fitted are left out where others were not.
    """
    found = [({"seed": n}, answered([0.2, 0.3, 0.1, 0.25])) for n in range(30)]
    p = {n: share_holding(multiverse(found[:n]), found[:n])["p"][0] for n in (1, 30)}
    assert p[1] == pytest.approx(2 / 16, abs=0.04) and p[30] == pytest.approx(p[1], abs=0.04)
    some = answered([0.2, 0.3, 0.1, 0.25])
    some = replace(some, provenance=replace(some.provenance, fitted_items=("q0", "q3")))
    assert set(question_gains([({}, some)])["question"]) == {"q1", "q2"}


def scored(unprompted, in_text, fitted, split="held-out"):
    figures = [
        Figure("SAU", condition, "js_distance_nats", split, value, value, value, 9)
        for condition, value in (("none", unprompted), ("icl", in_text), ("fitted", fitted))
    ]
    return Result(tuple(figures), (), (), Provenance((), {"SAU": "Saudi Arabia"}))


def test_a_multiverse_counts_where_the_gain_holds():
    """Two of three configurations; what was held out is judged before anything else."""
    found = [
        ({"readout": "expected", "seed": 0}, scored(0.3, 0.2, 0.1)),
        ({"readout": "expected", "seed": 1}, scored(0.3, 0.1, 0.2)),
        ({"readout": "greedy", "seed": 0}, scored(0.3, 0.2, 0.4)),
    ]
    frame = multiverse(found)
    (row,) = share_holding(frame).itertuples(index=False)
    assert (row.configurations, row.gain_holds, row.holds_over_text) == (3, 2, 1)
    assert row.share == pytest.approx(2 / 3)
    assert (row.smallest_gain, row.largest_gain) == pytest.approx((-0.1, 0.2))
    assert set(frame["split"]) == {"held-out"}
    assert "each of 3 configurations of readout" in multiverse_picture(frame, ["readout"]).caption
    assert multiverse([({}, scored(0.3, 0.2, 0.1, "all"))])["split"].tolist() == ["all"]
