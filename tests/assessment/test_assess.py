"""``assess``: what is asked once, what is held out, label mass, and several instruments at once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from blackbox_align.adapters.adapter import Adapter, SoftPrompt
from blackbox_align.assessment import Asking, Condition, Resampling, assess, parse_condition, score
from blackbox_align.engines import FunctionEngine
from blackbox_align.engines.base import Answers
from blackbox_align.errors import SpecificationError
from blackbox_align.experts import write_expert
from blackbox_align.populations import load_targets
from blackbox_align.results import Result
from blackbox_align.statistics.distances import js_distance
from blackbox_align.surveys import load_survey
from blackbox_align.surveys.instruments import instrument_of, load_instrument
from tests.experts.hand_made import PROOF, card, vectors

ROWS = "item,question,option,country,share\n" + "\n".join(
    f"q{n},How about {n}?,{option},{country},{share}"
    for n in range(10)
    for country, shares in (("Kenya", (0.7, 0.2, 0.1)), ("Ghana", (0.1, 0.3, 0.6)))
    if country == "Kenya" or n < 6
    for option, share in zip(("low", "mid", "high"), shares, strict=True)
)
FEW = Resampling(20)


@pytest.fixture
def opinions_file(tmp_path):
    path = tmp_path / "opinions.csv"
    path.write_text(ROWS)
    return path


@pytest.fixture
def opinions(opinions_file):
    return instrument_of(load_instrument(opinions_file))


def recording(mass=0.9):
    """An engine that answers by the adapter, and all calls: adapters' digests, texts of questions."""
    calls = []

    def respond(adapters, sheet):
        calls.append(([a.digest() for a in adapters], [q.text for q in sheet.questions]))
        rows = np.zeros((len(adapters), len(sheet.questions), sheet.width), np.float32)
        for row, adapter in zip(rows, adapters, strict=True):
            rng = np.random.default_rng(int(adapter.digest()[:8], 16))
            for shares, question in zip(row, sheet.questions, strict=True):
                drawn = rng.dirichlet(np.ones(len(question.labels)))
                shares[: len(drawn)] = drawn
        return replace(Answers.of(rows), mass=np.full(rows.shape[:2], mass, np.float32))

    return FunctionEngine(respond), calls


def test_what_depends_on_no_population_is_asked_once_and_the_rest_together(opinions):
    """Each adapter is asked each question that is needed once; those of one set of questions share calls."""
    engine, calls = recording()
    conditions = [parse_condition(c) for c in ("none", "naive", "icl", "text:Be brief.")]
    asking = Asking("1", "letters", 1000)
    assess(opinions, engine, opinions.populations, conditions, asking, resampling=FEW)
    pairs = [(digest, text) for digests, texts in calls for digest in digests for text in texts]
    assert len(pairs) == len(set(pairs)) == 10 + 10 + 10 + 6, "none, brief, Kenya, Ghana"
    assert len(calls) == 2, "those asked all ten questions, and Ghana's six"


def test_any_adapter_is_a_condition(opinions):
    """A condition is a name and a function from a population to an adapter."""
    engine, calls = recording()
    prompt = Adapter(prompt=SoftPrompt(vectors(), "last"))
    condition = Condition("mine", lambda population: prompt)
    result = assess(
        opinions, engine, opinions.populations, [condition], Asking("1"), resampling=FEW
    )
    assert {digest for digests, _ in calls for digest in digests} == {prompt.digest()}
    assert {f.condition for f in result.scores} == {
        "uniform", "people's likeliest answer", "mean of other countries", "mixture of other countries",
        "people's sampling noise", "mine",
    }  # fmt: skip


def test_fitted_items_split_the_figures_and_the_temperature_is_theirs(opinions):
    """Held-out figures are of the other questions alone; the temperature is that of the fitted ones."""
    engine, _ = recording()
    fitted = {"q0", "q2", "q7"}
    conditions = [Condition.plain()]
    result = assess(
        opinions, engine, opinions.populations, conditions, Asking("1"), resampling=FEW,
        fitted_items=fitted,
    )  # fmt: skip
    assert result.split == "held-out" and set(result.provenance.fitted_items) == fitted
    counts = {
        (f.population, f.split): f.n
        for f in result.select(condition="none", metric=result.headline[0])
    }
    assert (
        counts["KEN", "all"] == 10 and counts["KEN", "held-out"] == 7 and counts["KEN", "fit"] == 3
    )
    assert counts["GHA", "held-out"] == 4 and counts["mean", "fit"] == 5
    (answers,) = (a for a in result.answers if a.condition == "none")
    moved = np.array(answers.probabilities)
    kenya = opinions.populations[1]
    before = opinions.baselines(kenya, moved, fitted)["un-prompted, fitted temperature"]
    other = replace(opinions.opinions, distributions=tuple(
        replace(d, shares=(0.0, 0.0, 1.0)) if d.item not in fitted else d
        for d in opinions.opinions.distributions
    ))  # fmt: skip
    after = replace(opinions, opinions=other).baselines(kenya, moved, fitted)
    after = after["un-prompted, fitted temperature"]["js_distance_nats"]
    kept = [int(name[1:]) for name in sorted(fitted)]
    np.testing.assert_array_equal(before["js_distance_nats"][kept], after[kept])


@pytest.mark.parametrize(("mass", "told"), [(0.9, False), (0.003, True), (float("nan"), False)])
def test_a_mass_near_nothing_is_told(mass, told, opinions):
    """Where the labels are hardly what the model would say, every figure comes with that sentence."""
    engine, _ = recording(mass)
    result = assess(
        opinions, engine, opinions.populations, [Condition.plain()], Asking("1"), resampling=FEW
    )
    assert any("less than 10 %" in note and "0.003" in note for note in result.notes) == told


def test_two_instruments_make_one_result(opinions):
    """Figures, names and constants of a questionnaire of indices and of opinions stand side by side."""
    engine, _ = recording()
    indices = instrument_of(load_survey("vsm2013"), targets=load_targets())
    people = [p for p in indices.populations if p.code in ("KEN", "USA")]
    result = assess(
        [indices, opinions], engine, people, [Condition.plain()], Asking("1", "own"), resampling=FEW
    )
    assert [a.name for a in result.provenance.instruments] == ["vsm2013", opinions.name]
    assert {f.population for f in result.select(metric="absolute_error_points")} == {
        "KEN",
        "USA",
        "mean",
    }
    assert {f.population for f in result.select(metric="js_distance_nats")} == {"KEN"}
    assert Result.from_dict(result.to_dict()) == result
    (pdi,) = result.select(population="USA", condition="people", metric="PDI")
    assert pdi.value == 40


def test_indices_cannot_do_without_an_item():
    """An index needs all of its items: a model that cannot be asked one cannot be scored."""
    indices = instrument_of(load_survey("vsm2013"), targets=load_targets())
    with pytest.raises(SpecificationError, match="m01 cannot be left out"):
        indices.without({"m01"})


def test_a_score_of_an_expert_leads_with_what_it_was_not_fitted_to(opinions_file, tmp_path):
    """--questions chooses; without a choice the questions that were held out are printed first."""
    own = card()
    provenance = replace(own.result.provenance, fitted_items=("q0", "q1", "q2"))
    own = replace(own, result=replace(own.result, provenance=provenance), revision="0")
    folder = tmp_path / "expert"
    write_expert(folder, Adapter(prompt=SoftPrompt(vectors(width=4))), own, PROOF)
    asked = {"country": "KEN", "conditions": ["none", f"expert:{folder}"], "resamples": 20}
    results = {
        questions: score(opinions_file, engine=recording()[0], questions=questions, **asked)
        for questions in (None, "held-out", "fit", "all")
    }
    counts = {
        questions: {f.n for f in r.scores if f.condition == "none" and f.n}
        for questions, r in results.items()
    }
    assert counts == {None: {7}, "held-out": {7}, "fit": {3}, "all": {10}}
    assert any(
        "was fitted to 3 of these 10 questions; held out: q3, q4" in n for n in results[None].notes
    )
    with pytest.raises(SpecificationError, match="'held-out', 'fit', 'all'; not 'new'"):
        score(opinions_file, engine=recording()[0], questions="new", **asked)


def test_groups_that_a_file_declares_are_populations(tmp_path):
    """A party is asked for by its name, named rightly in text, and compared with the other parties."""
    path = tmp_path / "parties.csv"
    path.write_text(
        "item,question,option,party,share\n"
        + "\n".join(
            f"q{n},How about {n}?,{option},{party},{share}"
            for n in range(4)
            for party, shares in (("Green Party", (0.7, 0.3)), ("Labour", (0.2, 0.8)))
            for option, share in zip(("yes", "no!"), shares, strict=True)
        )
    )
    texts = set()

    def respond(adapters, sheet):
        texts.update(adapter.text for adapter in adapters)
        return np.full((len(adapters), len(sheet.questions), 2), 0.5, np.float32)

    engine = FunctionEngine(respond)
    result = score(path, country="Labour", conditions=["icl"], engine=engine, resamples=20)
    # The model as it is was asked for its position bias.
    assert texts == {"", "Answer as a typical person of this group would: party Labour."}
    assert list(result.provenance.populations.values()) == ["Labour"]
    others = result.value("mean of other groups", "js_distance_nats")
    assert others == pytest.approx(float(js_distance(np.array([0.7, 0.3]), np.array([0.2, 0.8]))))
    assert "in 1 group;" in result.notes[0]
    whole = score(path, conditions=["none"], engine=engine, resamples=20)
    assert len({f.population for f in whole.scores}) == 3
