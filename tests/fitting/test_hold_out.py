"""Indices that no search sees, several seeds, and what their tables say."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import blackbox_align as bba
from blackbox_align.errors import ChangedSpecificationError, SpecificationError, UnknownNameError
from blackbox_align.experts import read_expert
from blackbox_align.results import Result
from blackbox_align.results.spread import held_out_in_turn, spread

ERROR = "absolute_error_points"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A fit of four of six indices."""
    return bba.fit("SAU", hold_out=["LTO", "IVR"], budget=24, runs=tmp_path_factory.mktemp("runs"))


def test_a_search_sees_no_index_that_is_held_out(run):
    """The loss is the error on the four others; the error on the two is told apart, beside the baselines."""
    table = run.table()
    seen = table.drop(index=["LTO", "IVR"])["error"].abs().mean()
    unseen = table.loc[["LTO", "IVR"], "error"].abs().mean()
    assert (
        run.loss == pytest.approx(seen) == pytest.approx(run.history()["best"].iloc[-1], abs=1e-3)
    )
    result = run.result
    assert result.value("fitted", ERROR, split="held-out") == pytest.approx(unseen)
    assert result.value("fitted", ERROR, split="all") == pytest.approx(table["error"].abs().mean())
    (others,) = result.select(condition="mean of other countries", metric=ERROR, split="held-out")
    (gap,) = result.select(
        condition="fitted", minus="mean of other countries", metric=ERROR, split="held-out"
    )
    assert gap.value == pytest.approx(unseen - others.value) and gap.n == 2
    assert 0 < gap.p <= 1
    rng = np.random.default_rng(0)
    turned = held_out_in_turn([result], rng)
    assert turned.turns[0].held_out == ("LTO", "IVR")
    assert turned.means["fitted"] == pytest.approx(unseen)


def test_another_hold_out_is_another_run(run):
    """It is a setting like any other: a run goes on with the same one only."""
    with pytest.raises(ChangedSpecificationError, match="--hold-out: LTO,IVR then, PDI now"):
        bba.fit("SAU", hold_out="PDI", runs=run.path.parent, name=run.path.name)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"hold_out": "XYZ"}, UnknownNameError, "XYZ.* Its indices: PDI, IDV"),
        ({"hold_out": "PDI,IDV,MAS,UAI,LTO,IVR"}, SpecificationError, "no figure of Saudi Arabia is left"),
        ({"hold_out": "PDI", "objective": "opinions"}, SpecificationError, "see --held-out"),
    ],
)  # fmt: skip
def test_what_cannot_be_held_out_is_said(settings, error, message, tmp_path):
    """Unknown names, all of them, and opinions, which have questions."""
    with pytest.raises(error, match=message):
        bba.fit("SAU", runs=tmp_path, **settings)
    assert not list(tmp_path.iterdir())


def test_the_checklist_is_filled_and_stands_on_the_card(run):
    """Model, precision, orders, what was held out, seeds and what nobody looked at; kept in JSON."""
    result = run.result
    checklist = result.checklist
    assert checklist.model == "respondent-tiny" and checklist.precision == "float32"
    assert checklist.held_out == "indices LTO, IVR" and "search 0" in checklist.seeds
    assert "mean of others" in checklist.baselines and len(checklist.date) == 10
    assert any("One search with one seed" in one for one in checklist.not_validated)
    assert not any("Nothing was held out" in one for one in checklist.not_validated)
    assert Result.from_dict(json.loads(json.dumps(result.to_dict()))).checklist == checklist
    card = (run.expert / "README.md").read_text()
    for name, said in checklist.rows():
        assert f"| {name} | {said} |" in card
    assert read_expert(run.expert).card.result.checklist == checklist


def test_a_spread_is_the_mean_with_the_least_and_the_most(run):
    """Two results: every figure's mean, its ends, and n the number of searches."""
    result = run.result
    figures = tuple(replace(f, value=f.value + 2) for f in result.figures)
    moved = replace(result, figures=figures)
    both = spread([result, moved])
    value = result.value("fitted", ERROR, split="held-out")
    (figure,) = both.select(condition="fitted", metric=ERROR, split="held-out")
    assert (figure.value, figure.low, figure.high, figure.n) == pytest.approx(
        (value + 1, value, value + 2, 2)
    )
    with pytest.raises(SpecificationError):
        spread([])


def test_seeds_make_a_run_each_and_a_table_of_their_spread(bbalign, tmp_path):
    """--seeds 0..1 on the command line; each is an ordinary run that goes on by itself."""
    asked = ("fit", "--country", "SAU", "--seeds", "0..1", "--budget", "12", "--runs", tmp_path)
    done = bbalign(*asked)
    assert done.returncode == 0, done.stderr
    assert (
        "mean [least, most] of 2" in done.stdout
        and "Means over 2 searches (seeds 0, 1)" in done.stdout
    )
    found = [bba.Run.load(path) for path in sorted(tmp_path.glob("SAU*"))]
    assert [one.specification.seed for one in found] == [0, 1]
    errors = [one.result.value("fitted", ERROR) for one in found]
    assert f"{np.mean(errors):.1f} [{min(errors):.1f}, {max(errors):.1f}]" in done.stdout
    assert "--seeds is a range" in bbalign(*asked[:4], "x", "--runs", tmp_path).stderr
