"""Scoring answers against those of people: distances, Hellinger residuals, the split of the questions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blackbox_align.errors import SpecificationError
from blackbox_align.objectives import OpinionObjective, SplitOpinions
from blackbox_align.objectives.opinions import shares_by_country
from blackbox_align.statistics.distances import LN2, js_distance, js_divergence
from blackbox_align.surveys.opinion_files import load_opinions

HEADER = "item,question,option,country,share\n"
SEEDS = st.integers(0, 2**32 - 1)


def opinion_file(path, answers):
    """A file from {(item, country): shares}; an item has as many options as it has shares."""
    rows = [
        f"{item},Question {item}?,option {n},{country},{share}\n"
        for (item, country), shares in answers.items()
        for n, share in enumerate(shares)
    ]
    path.write_text(HEADER + "".join(rows))
    return load_opinions(path)


@pytest.fixture
def opinions(tmp_path):
    """Six questions of two or three options in Brazil and Kenya; Kenya was not asked the last one."""
    answers = {}
    for number in range(6):
        share = 0.1 + 0.1 * number
        rest = (1 - share,) if number % 2 else (0.5 * (1 - share),) * 2
        answers[f"q{number}", "Brazil"] = (share, *rest)
        if number < 5:
            answers[f"q{number}", "Kenya"] = (*rest, share)
    return opinion_file(tmp_path / "opinions.csv", answers)


def draw(opinions, codes=("BRA",), share=0.5, seed=0):
    return SplitOpinions.draw(opinions, codes, share, np.random.default_rng(seed))


def objective(opinions, codes):
    return OpinionObjective(opinions.survey, shares_by_country(opinions, codes))


def random_answers(seed, survey, candidates=3):
    rng = np.random.default_rng(seed)
    answers = np.zeros((candidates, len(survey.items), survey.width))
    for column, item in enumerate(survey.items):
        options = len(item.scale)
        answers[:, column, :options] = rng.dirichlet(np.full(options, 0.5), candidates)
    return answers


def test_the_loss_is_the_mean_distance_over_the_questions_of_a_country(opinions):
    """A question that a country was not asked has no part in its loss."""
    scored = objective(opinions, ["BRA", "KEN"])
    answers = random_answers(0, opinions.survey)
    losses = scored.losses(scored.outputs(answers))
    shares = shares_by_country(opinions, ["BRA", "KEN"])
    assert np.isnan(shares[1, 5]).all() and not np.isnan(shares[0]).any()
    np.testing.assert_allclose(losses[0], js_distance(answers, shares[0]).mean(-1), atol=1e-7)
    np.testing.assert_allclose(
        losses[1], js_distance(answers, shares[1])[:, :5].mean(-1), atol=1e-7
    )


def test_the_squared_residuals_are_the_hellinger_distance(opinions):
    """Their mean is the mean over the questions of H^2 = sum (sqrt p - sqrt q)^2 / 2."""
    scored, answers = objective(opinions, ["BRA"]), random_answers(1, opinions.survey)
    shares = shares_by_country(opinions, ["BRA"])[0]
    hellinger = ((np.sqrt(answers) - np.sqrt(shares)) ** 2).sum(-1) / 2
    residuals = scored.outputs(answers) - scored.targets[0]
    np.testing.assert_allclose((residuals**2).mean(-1), hellinger.mean(-1))


@settings(max_examples=50, deadline=None)
@given(SEEDS)
def test_jensen_shannon_lies_between_two_multiples_of_hellinger(seed):
    """ln 2 H^2 <= JSD <= H^2: small squared residuals mean a small distance, and the other way round."""
    p, q = np.random.default_rng(seed).dirichlet(np.full(4, 0.3), (2, 20))
    hellinger = ((np.sqrt(p) - np.sqrt(q)) ** 2).sum(-1) / 2
    assert (js_divergence(p, q) <= hellinger + 1e-12).all()
    assert (js_divergence(p, q) >= LN2 * hellinger - 1e-12).all()


def test_an_answer_that_failed_has_no_loss(opinions):
    """NaN answers give NaN outputs and losses, and leave the other candidates alone."""
    scored, answers = objective(opinions, ["BRA"]), random_answers(2, opinions.survey)
    whole = scored.losses(scored.outputs(answers))
    answers[1] = np.nan
    losses = scored.losses(scored.outputs(answers))
    assert np.isnan(losses).tolist() == [[False, True, False]]
    np.testing.assert_array_equal(losses[:, ::2], whole[:, ::2])


def test_the_slope_is_that_of_finite_differences(opinions):
    """By every share that an item offers; 0 for a question that a country was not asked."""
    scored, answers = objective(opinions, ["BRA", "KEN"]), random_answers(3, opinions.survey, 1)
    slopes, step = scored.cotangent(answers, 1)[0], 1e-6
    for item, option in ((0, 0), (1, 1), (2, 2), (5, 0)):
        ends = []
        for sign in (step, -step):
            moved = answers.copy()
            moved[0, item, option] += sign
            ends.append(scored.losses(scored.outputs(moved))[1, 0])
        assert slopes[item, option] == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=1e-6)
    assert not slopes[5].any() and slopes[:5].any(axis=1).all()


def test_validation_is_spared_of_what_is_fitted(tmp_path):
    """A share of it, drawn, where every country keeps some on both sides; else none."""
    names = [f"q{n:02d}" for n in range(60)]
    file = opinion_file(tmp_path / "many.csv", {(name, "Brazil"): (0.3, 0.7) for name in names})
    split = draw(file)
    spared = split.validated(0.2, np.random.default_rng(1))
    assert len(spared.validation) == 6 and not spared.validation & split.held_out
    assert not draw(file, share=0.99).validated(0.2, np.random.default_rng(1)).validation
    few = {(names[n], "Kenya"): (0.3, 0.7) for n in range(60) if names[n] in split.held_out}
    one = next(name for name in names if name not in split.held_out)
    answers = {(name, "Brazil"): (0.3, 0.7) for name in names} | few | {(one, "Kenya"): (0.5, 0.5)}
    both = draw(opinion_file(tmp_path / "both.csv", answers), codes=("BRA", "KEN"))
    assert not both.validated(0.2, np.random.default_rng(1)).validation, "Kenya has one to fit"


def test_validation_is_scored_by_its_own_questions_and_spared_of_twelve_at_least(tmp_path):
    """Both objectives ask the same; each knows people's answers to its own questions alone."""
    for count, spared in ((11, 0), (12, 3), (13, 3)):
        answers = {(f"q{n}", "Brazil"): (0.3, 0.7) for n in range(count + 1)}
        split = draw(opinion_file(tmp_path / f"{count}.csv", answers), share=1 / (count + 1))
        split = split.validated(0.25, np.random.default_rng(1))
        assert len(split.validation) == spared
        items = [item.id for item in split.objective.survey.items]
        fitted = [item not in split.validation for item in items]
        assert np.isfinite(split.objective.shares).all(axis=2)[0].tolist() == fitted
        if split.validating is not None:
            validated = np.isfinite(split.validating.shares).all(axis=2)[0]
            assert validated.tolist() == [not here for here in fitted]
        assert (split.validating is None) == (not spared)


def test_what_a_model_cannot_be_asked_leaves_every_part(opinions):
    """Of the questions to fit, those held out and those of validation; an unknown one changes nothing."""
    split = draw(opinions, ("BRA", "KEN"))
    held_out, fitted = sorted(split.held_out), sorted({f"q{n}" for n in range(6)} - split.held_out)
    split = split.validated(0.0, np.random.default_rng(0), recorded=fitted[:2])
    left = split.without({held_out[0]: "no token", fitted[0]: "no token", "q99": "no token"})
    assert sorted(left.held_out) == held_out[1:] and left.validation == {fitted[1]}
    assert {item.id for item in left.asked.survey.items} == {*held_out[1:], *fitted[1:]}
    assert left.codes == split.codes and split.without({"q99": "no token"}) is split
    with pytest.raises(
        SpecificationError, match=r"3 questions that this model.* 0 would be .* no K"
    ):
        split.without(dict.fromkeys(held_out, "it has no K."))


def test_samples_of_one_country_are_averaged(tmp_path):
    """Two national samples of a country are one target, their mean."""
    answers = {
        ("q", "India (Current national sample)"): (0.2, 0.8),
        ("q", "India (Old national sample)"): (0.4, 0.6),
    }
    shares = shares_by_country(opinion_file(tmp_path / "o.csv", answers), ["IND"])
    np.testing.assert_allclose(shares, [[[0.3, 0.7]]])


def test_the_split_is_drawn_from_the_seed_and_disjoint(opinions):
    """The same generator holds out the same questions; what is fitted and held out make the whole."""
    split, again = draw(opinions), draw(opinions)
    assert split.held_out == again.held_out and len(split.held_out) == 3
    fitted = {item.id for item in split.objective.survey.items}
    assert fitted | split.held_out == {f"q{n}" for n in range(6)} and not fitted & split.held_out
    assert len({draw(opinions, seed=seed).held_out for seed in range(5)}) > 1


def test_the_split_is_the_same_for_every_country_and_any_order_of_the_file(opinions, tmp_path):
    """A question is on one side for all, so that countries can be compared and averaged."""
    both, brazil, kenya = (draw(opinions, codes) for codes in (("BRA", "KEN"), ("BRA",), ("KEN",)))
    assert both.held_out == brazil.held_out == kenya.held_out | (brazil.held_out & {"q5"})
    lines = (tmp_path / "opinions.csv").read_text().splitlines(keepends=True)
    (tmp_path / "turned.csv").write_text(lines[0] + "".join(lines[:0:-1]))
    assert draw(load_opinions(tmp_path / "turned.csv")).held_out == brazil.held_out


def test_a_country_without_data_is_told_with_the_nearest_that_have_some(opinions):
    """The sentence names the countries of the same continent, if there are any."""
    with pytest.raises(SpecificationError, match="has no national sample of Saudi Arabia"):
        draw(opinions, ("SAU",))
    with pytest.raises(SpecificationError, match=r"no national sample of Egypt; .*: Kenya \(5\)"):
        draw(opinions, ("EGY",))


def test_a_split_with_nothing_on_one_side_is_refused(opinions):
    """Neither a fit without questions nor a result without held-out ones."""
    with pytest.raises(SpecificationError, match="0 would be held out"):
        draw(opinions, share=0.01)
    with pytest.raises(SpecificationError, match="6 would be held out"):
        draw(opinions, share=0.99)


def test_the_hash_is_of_the_content_and_not_of_the_place(opinions, tmp_path):
    """A moved file is the same opinions; another figure is not."""
    text = (tmp_path / "opinions.csv").read_text()
    (tmp_path / "moved").mkdir()
    (tmp_path / "moved" / "opinions.csv").write_text(text)
    (tmp_path / "moved" / "changed.csv").write_text(text.replace("0.1\n", "0.11\n", 1))
    moved = load_opinions(tmp_path / "moved" / "opinions.csv")
    changed = load_opinions(tmp_path / "moved" / "changed.csv")
    assert draw(moved).sha256 == draw(opinions).sha256 != draw(changed).sha256


def test_one_missing_answer_spoils_its_candidate(opinions):
    """An item that could not be answered makes the whole evaluation a failure, never a better one."""
    scored = objective(opinions, ["BRA"])
    answers = random_answers(0, scored.survey)
    answers[1, 0, 0] = np.nan
    outputs = scored.outputs(answers)
    losses = scored.losses(outputs)
    assert np.isnan(losses[0, 1]) and np.isfinite(losses[0, [0, 2]]).all()
    assert np.isnan(outputs[1]).all() and np.isfinite(outputs[[0, 2]]).all()
