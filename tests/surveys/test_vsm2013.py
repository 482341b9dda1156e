"""The packaged VSM 2013: items, scales and the six index formulas, against figures worked by hand."""

from __future__ import annotations

import csv
import json
import re

import numpy as np
import pytest

from blackbox_align.objectives import Constants, IndexObjective
from blackbox_align.surveys import load_survey
from tests.reference_data import reference

# Each index with its four items (the first two raise and lower it by one weight, the last two by
# another), four item means, and the raw index that they give, worked by hand.
WORKED = {
    "PDI": (["m07", "m02", "m20", "m23"], [2.5, 1.9, 3.2, 2.8], 21 + 10),
    "IDV": (["m04", "m01", "m09", "m06"], [2.0, 1.6, 3.1, 1.7], 14 + 49),
    "MAS": (["m05", "m03", "m08", "m10"], [1.8, 2.2, 2.0, 2.6], -14 - 21),
    "UAI": (["m18", "m15", "m21", "m24"], [2.4, 3.0, 2.7, 2.3], -24 + 10),
    "LTO": (["m13", "m14", "m19", "m22"], [2.1, 1.8, 1.5, 2.3], 12 - 20),
    "IVR": (["m12", "m11", "m17", "m16"], [2.9, 1.7, 3.4, 2.2], 42 + 48),
}
REACH = {"PDI": 240, "IDV": 280, "MAS": 280, "UAI": 260, "LTO": 260, "IVR": 300}
RAISING = {7, 20, 4, 9, 5, 8, 18, 21, 13, 19, 12, 17}


@pytest.fixture(scope="module")
def survey():
    return load_survey("vsm2013")


@pytest.fixture(scope="module")
def raw(survey):
    """Raw index scores of a mapping from item to mean; items that are not named have the mean 3."""
    objective = IndexObjective(survey, np.zeros((1, 6)), Constants("zero", (0.0,) * 6))
    names = [index.name for index in survey.indices]

    def score(means):
        row = [[means.get(item.id, 3.0) for item in survey.items]]
        return dict(zip(names, objective.indices(np.array(row))[0], strict=True))

    return score


def test_there_are_24_items_of_five_options_coded_1_to_5(survey):
    """The survey has the items m01 to m24 in order, each on a five-point scale coded 1 to 5."""
    assert [item.id for item in survey.items] == [f"m{n:02}" for n in range(1, 25)]
    assert survey.width == 5
    for item in survey.items:
        assert item.scale.labels == ("1", "2", "3", "4", "5")
        assert item.scale.codes == (1.0, 2.0, 3.0, 4.0, 5.0)
        assert len(set(item.scale.options)) == 5


def test_every_item_belongs_to_exactly_one_index(survey):
    """The six indices share out the 24 items: four each, none twice, none left over."""
    assert [index.name for index in survey.indices] == list(WORKED)
    assert {index.name: set(index.weights) for index in survey.indices} == {
        name: set(items) for name, (items, _, _) in WORKED.items()
    }
    assert ((survey.index_weights != 0).sum(axis=0) == 1).all()


def test_all_threes_give_zero_on_every_index(raw):
    """A respondent who ticks the middle everywhere scores 0 raw on all six indices."""
    assert raw({}) == dict.fromkeys(WORKED, 0.0)


@pytest.mark.parametrize("index", WORKED)
def test_the_formula_gives_the_figure_worked_by_hand(index, raw):
    """Four item means give the raw index worked out with the published weights; the others stay 0."""
    items, means, expected = WORKED[index]
    scores = raw(dict(zip(items, means, strict=True)))
    assert scores.pop(index) == pytest.approx(expected, abs=1e-9)
    assert set(scores.values()) == {0.0}


@pytest.mark.parametrize("index", WORKED)
def test_the_reach_is_what_the_extreme_answers_give(index, survey, raw):
    """The most extreme answers put an index at its reach, which is the published range."""
    raising_1, lowering_1, raising_2, lowering_2 = WORKED[index][0]
    top = {raising_1: 5, raising_2: 5, lowering_1: 1, lowering_2: 1}
    assert raw(top)[index] == REACH[index]
    assert raw({item: 6 - mean for item, mean in top.items()})[index] == -REACH[index]
    assert {i.name: i.reach for i in survey.indices}[index] == REACH[index]


def test_a_higher_code_raises_or_lowers_the_index_as_published(survey, raw):
    """Twelve items raise their index with a higher answer code, the other twelve lower it."""
    for number, item in enumerate(survey.items, start=1):
        index, change = max(raw({item.id: 4.0}).items(), key=lambda entry: abs(entry[1]))
        assert (change > 0) == (number in RAISING), item.id
        effect = "raises" if number in RAISING else "lowers"
        assert survey.direction(item) == f"{effect} {index}"


def test_item_20_runs_from_never_to_always(survey):
    """Item 20 is answered on the frequency scale of items 15 to 17 turned round."""
    scales = {item.id: item.scale for item in survey.items}
    assert scales["m15"] == scales["m16"] == scales["m17"]
    assert scales["m15"].options[0] == "always"
    assert scales["m20"].options == scales["m15"].options[::-1]
    assert scales["m20"].codes == scales["m15"].codes


def test_scale_and_item_are_both_in_what_the_model_reads(survey):
    """A question holds the instruction, every option with its label, and then the item."""
    for item in survey.items:
        text = survey.question(item)
        assert text.startswith(survey.instruction)
        assert text.endswith(item.text)
        for label, option in zip(item.scale.labels, item.scale.options, strict=True):
            assert f"{label} = {option}" in text
    assert (
        survey.with_preamble("You live in Chad.").question(item).startswith("You live in Chad.\n")
    )


def test_items_on_one_scale_share_their_opening(survey):
    """All that stands before the item text is the same for items on the same scale."""
    openings = {}
    for item in survey.items:
        opening = survey.question(item).removesuffix(item.text)
        assert openings.setdefault(item.scale.name, opening) == opening
    assert len(openings) == 6


def test_published_answers_give_the_published_indices(survey):
    """Raw answers published with their index values reproduce all 24 values with zero constants."""
    answers = {}
    with reference("vsm13/vsm13_llm_raw_responses.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            answers.setdefault(f"{row['model']}_{row['country']}", {})[row["question_id"]] = row
    with reference("vsm13/vsm13_llm_dimension_results.csv").open(encoding="utf-8") as file:
        published = {row["country"]: row for row in csv.DictReader(file) if row["pdi"]}
    assert len(answers) == 4
    assert answers.keys() == published.keys()
    means = np.array(
        [[float(rows[item.id]["response"]) for item in survey.items] for rows in answers.values()]
    )
    targets = np.array(
        [[float(published[who][name.lower()]) for name in WORKED] for who in answers]
    )
    objective = IndexObjective(survey, targets, Constants("zero", (0.0,) * 6))
    np.testing.assert_array_equal(objective.indices(means), targets)
    np.testing.assert_array_equal(
        np.diagonal(objective.losses(objective.indices(means))), np.zeros(4)
    )


def words(text):
    return re.findall(r"[a-z]+", text.casefold().replace("'", ""))


def longest_shared_run(ours, theirs):
    """The largest number of words that stand in the same order, without a gap, in both texts."""
    lengths = [[0] * (len(theirs) + 1) for _ in range(len(ours) + 1)]
    for a, left in enumerate(ours):
        for b, right in enumerate(theirs):
            if left == right:
                lengths[a + 1][b + 1] = lengths[a][b] + 1
    return max(map(max, lengths))


@pytest.mark.parametrize("item_id", [item.id for item in load_survey("vsm2013").items])
def test_the_wording_is_our_own(item_id, survey):
    """No item is the official text, or repeats six words of it in a row."""
    file = reference("vsm13/vsm13_items_en.json")
    official = {row["item"]: words(row["text"]) for row in json.loads(file.read_text("utf-8"))}
    ours = words(next(item.text for item in survey.items if item.id == item_id))
    assert longest_shared_run(ours, official[item_id]) < 6
