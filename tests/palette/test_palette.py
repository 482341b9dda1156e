"""A palette without gradients: its folder, its pool, and what is said of it."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from blackbox_align.assessment.asking import Asking, ask
from blackbox_align.cli.main import app
from blackbox_align.committee import answer_closed, closed_question
from blackbox_align.errors import ExpertError, SpecificationError
from blackbox_align.experts import read_expert
from blackbox_align.palette.assess import (
    MEAN,
    OWN,
    POOL,
    UNIFORM,
    WRONG,
    ask_palette,
    assess_palette,
)
from blackbox_align.palette.fitting import colour_answers
from blackbox_align.palette.palette import read_palette, write_palette
from blackbox_align.statistics.distances import js_distance
from blackbox_align.surveys.instruments import shares_by_country
from blackbox_align.surveys.opinion_files import load_opinions
from tests.palette.conftest import TWO


@pytest.fixture(scope="module")
def opinions():
    return load_opinions("world-opinions")


@pytest.fixture(scope="module")
def assessed(fitted, engine, opinions):
    return assess_palette(fitted, engine, opinions, orders="1")


def test_a_colours_target_is_the_mean_of_its_countries(opinions, tmp_path):
    """All countries count alike, and the table declares colours as groups."""
    path = tmp_path / "answers.csv"
    path.write_text(colour_answers(TWO, opinions))
    table = load_opinions(path)
    assert [group.code for group in table.groups] == ["africa", "europe"]
    item = table.survey.items[0].id
    row = [i.id for i in opinions.survey.items].index(item)
    expected = np.nanmean(shares_by_country(opinions, ["KEN", "NGA"])[:, row], axis=0)
    (found,) = [d for d in table.distributions if (d.item, d.sample.country) == (item, "africa")]
    np.testing.assert_allclose(found.shares, expected[: len(found.shares)], atol=1e-12)


def test_a_palette_is_read_as_it_was_written(fitted):
    """Colours in the map's order, held-out questions known, a card of its own for each expert."""
    again = read_palette(fitted.path)
    assert [one.name for one in again.experts] == ["africa", "europe"]
    assert again.experts[0].card.name == "Africa" and len(again.fitted_items) == 20
    np.testing.assert_array_equal(again.rows, fitted.rows)


@pytest.mark.parametrize("file", ["gate.safetensors", "experts/africa/adapter_model.safetensors"])
def test_a_file_that_was_changed_is_refused(fitted, tmp_path, file):
    """One byte is enough."""
    copy = tmp_path / "copy"
    shutil.copytree(fitted.path, copy)
    content = bytearray((copy / file).read_bytes())
    content[-1] ^= 1
    (copy / file).write_bytes(bytes(content))
    with pytest.raises(ExpertError, match="written with"):
        read_palette(copy)


def test_experts_that_were_exchanged_are_refused(fitted, tmp_path):
    """Each is sound, but not the colour that the palette tells of."""
    copy = tmp_path / "copy"
    shutil.copytree(fitted.path, copy)
    (copy / "experts" / "africa").rename(copy / "away")
    (copy / "experts" / "europe").rename(copy / "experts" / "africa")
    (copy / "away").rename(copy / "experts" / "europe")
    with pytest.raises(ExpertError, match="not the expert"):
        read_palette(copy)


def test_a_palette_replaces_no_folder_of_another_kind(fitted, engine, tmp_path):
    """What is there and is no palette stays."""
    (tmp_path / "mine").mkdir()
    experts = {one.name: one.path for one in fitted.experts}
    with pytest.raises(SpecificationError, match="is no palette"):
        write_palette(tmp_path / "mine", TWO, experts, engine)
    with pytest.raises(SpecificationError, match="without one: europe"):
        write_palette(tmp_path / "new", TWO, {"africa": experts["africa"]}, engine)
    assert not (tmp_path / "new").exists()


def test_the_pool_is_the_mixture_by_the_gate(fitted, engine):
    """P = sum G_c P_c, through the same committee as any other."""
    decision = fitted.decide(engine, "Kenya")
    assert decision.way == "gate" and set(decision.weights) == {"africa", "europe"}
    shares = fitted.weights(engine, ["Kenya"])[0]
    assert [decision.weights[c] for c in TWO.codes] == pytest.approx(shares.tolist())
    survey = closed_question("Is it so?", ["yes", "no"])
    parts, pool = answer_closed(fitted.committee(engine), decision, survey)
    by_name = dict(zip(decision.weights, parts, strict=True))
    alone, _ = ask(
        engine, survey, [read_expert(fitted.experts[0].path).adapter()], Asking("cyclic")
    )
    np.testing.assert_allclose(by_name["africa"], alone[0, 0], atol=1e-5)
    expected = shares[0] * by_name["africa"] + shares[1] * by_name["europe"]
    np.testing.assert_allclose(pool, expected, atol=1e-9)


def test_points_are_those_of_answers_asked_apart(fitted, engine, opinions, assessed):
    """One country's own colour, the mean of both and a uniform guess, question by question."""
    scores, gate = assessed
    held_out = [i.id for i in opinions.survey.items if i.id not in fitted.fitted_items]
    kenya = scores.country == "KEN"
    people = shares_by_country(opinions, ["KEN"])[0]
    asked = [
        item
        for item in held_out
        if not np.isnan(people[[i.id for i in opinions.survey.items].index(item)]).any()
    ]
    assert scores.question[kenya].tolist() == asked and len(set(scores.country)) == 5
    rows = [[i.id for i in opinions.survey.items].index(item) for item in asked]
    answers, _ = ask(engine, opinions.survey, fitted.adapters(), Asking("1"))
    own = 100 * (1 - js_distance(answers[0, rows], people[rows]))
    np.testing.assert_allclose(scores.column(OWN)[kenya], own, atol=1e-6)
    wrong = 100 * (1 - js_distance(answers[1, rows], people[rows]))
    np.testing.assert_allclose(scores.column(WRONG)[kenya], wrong, atol=1e-6)
    mean = 100 * (1 - js_distance(answers[:, rows].mean(0), people[rows]))
    np.testing.assert_allclose(scores.column(MEAN)[kenya], mean, atol=1e-6)
    assert gate.subjects == 5 and len(gate.entropy) == len(fitted.rows)


def test_differences_are_paired(assessed):
    """A way minus itself is nothing, without an interval; the uniform guess is one for everybody."""
    scores, _ = assessed
    gains = scores.estimate(POOL)
    assert (gains[POOL].low, gains[POOL].high) == (0.0, 0.0)
    means = scores.estimate()
    assert gains[OWN].value == pytest.approx(means[OWN].value - means[POOL].value)
    assert 50 < means[UNIFORM].value < 80


def test_colours_of_prompts_are_not_blended(fitted):
    """A soft prompt is no weight of a feed-forward part."""
    with pytest.raises(SpecificationError, match="pool of answers"):
        fitted.blend()


def test_another_models_palette_is_refused(fitted, opinions, tmp_path):
    from blackbox_align.engines.local.engine import LocalEngine
    from tests.architectures import build_model

    other = LocalEngine(build_model("llama"))
    with pytest.raises(SpecificationError, match="was fitted on"):
        assess_palette(fitted, other, opinions)


def test_the_commands_of_a_palette(fitted, capsys):
    """show, ask and assess print what the calls give; a mistake is one sentence."""

    def bbalign(*arguments):
        app(["palette", *map(str, arguments)], standalone_mode=False)
        return capsys.readouterr().out

    shown = bbalign("show", fitted.path)
    assert "Africa" in shown and "KEN NGA" in shown
    asked = bbalign(
        "ask", fitted.path, "Is it so?", "--options", "yes,no", "--about", "KEN", "--json"
    )
    answer = json.loads(asked)
    assert sum(answer["pool"]) == pytest.approx(1) and answer["decision"]["way"] == "gate"
    assert "simulated" in answer["note"]
    told = bbalign("assess", fitted.path, "--country", "KEN", "--orders", "1", "--resamples", 10)
    assert "plain mean of the colours" in told and "entropy / ln K" in told
    with pytest.raises(SpecificationError, match="in no colour"):
        bbalign("assess", fitted.path, "--country", "SAU")
    with pytest.raises(ExpertError, match="is no palette"):
        bbalign("show", "nothing")


def test_the_gate_is_as_sharp_as_the_fitted_questions_say(fitted, engine, opinions):
    """No other temperature brings the pool nearer to the map's countries there, the plain mean included."""
    seen = opinions.without({item.id for item in opinions.survey.items} - set(fitted.fitted_items))
    asked = ask_palette(fitted, engine, seen, orders="1")
    names = [one.name for one in asked.countries]
    known = ~np.isnan(asked.people).any(-1)

    def far(**gate):
        shares = fitted.with_gate(**gate).weights(engine, names)
        pool = np.einsum("ck,kio->cio", shares, asked.colours)
        return js_distance(pool[known], asked.people[known]).mean()

    best = far()
    assert all(best <= far(temperature=warm) + 1e-4 for warm in (0.01, 0.1, 1.0, 10.0, 1e4))
    assert fitted.gate.temperature != 1.0
