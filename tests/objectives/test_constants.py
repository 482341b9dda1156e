"""The constants of a study: the policies, and what a file of them may hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from blackbox_align.errors import DataFileError, SpecificationError
from blackbox_align.objectives import Constants
from blackbox_align.objectives.constants import check_policy, raw_indices, settle_constants
from blackbox_align.populations import load_targets
from blackbox_align.surveys import load_survey

INDICES = ("PDI", "IDV", "MAS")
GOOD = "PDI: 12.5\nIDV: -3\nMAS: 0\n"


@pytest.mark.parametrize(
    ("policy", "parts"),
    [
        ("zero", ("zero", "")),
        ("anchor", ("anchor", "")),
        ("anchor:USA", ("anchor", "USA")),
        ("anchor:South Korea", ("anchor", "South Korea")),
        ("given:my/constants.yaml", ("given", "my/constants.yaml")),
        ("given:C:/constants.yaml", ("given", "C:/constants.yaml")),
    ],
)
def test_the_policies_are_told_apart(policy, parts):
    """A policy is its kind and, behind the colon, a country or a file."""
    assert check_policy(policy) == parts


@pytest.mark.parametrize(
    "policy", ["", "none", "Zero", "given", "given:", "anchor:", "zero:", "zero:5", ":USA"]
)
def test_what_is_no_policy_is_refused(policy):
    """Anything else is a SpecificationError that lists the policies."""
    with pytest.raises(
        SpecificationError, match="'anchor', 'anchor:COUNTRY', 'zero', 'given:FILE'"
    ):
        check_policy(policy)


def all_threes(country):
    return np.full((1, 24), 3.0)


def test_an_anchor_places_the_reference_sample_on_its_figures():
    """All threes are 0 raw, so their constants are the reference figures; a gap shifts nothing."""
    survey, targets = load_survey("vsm2013"), load_targets()
    names = [index.name for index in survey.indices]
    mean = settle_constants("anchor", survey, targets, all_threes)
    np.testing.assert_array_equal(mean.array(), targets.mean(names))
    kenya = settle_constants("anchor:Kenya", survey, targets, all_threes)
    assert kenya == Constants("anchor:Kenya", (70.0, 25.0, 60.0, 50.0, 0.0, 0.0))
    uneven = np.linspace(1, 5, 24)[None]
    shifts = settle_constants("anchor", survey, targets, lambda country: uneven).array()
    assert (np.abs(raw_indices(survey, uneven)[0]) > 5).sum() == 5
    np.testing.assert_allclose(raw_indices(survey, uneven)[0] + shifts, targets.mean(names))


def test_two_countries_are_an_anchor_of_their_own(tmp_path):
    """One would place the model on itself; of two it is the mean."""
    file = tmp_path / "two.csv"
    file.write_text(
        "country,PDI,IDV,MAS,UAI,LTO,IVR\nSAU,10,20,30,40,50,60\nUSA,30,40,50,60,70,80\n"
    )
    found = settle_constants("anchor", load_survey("vsm2013"), load_targets(file), all_threes)
    assert found.array().tolist() == [20, 30, 40, 50, 60, 70]


def test_one_country_is_no_anchor_of_its_own(tmp_path):
    """The packaged set is, where it has the indices; otherwise a sentence names those that it has not."""
    file, survey = tmp_path / "one.csv", load_survey("vsm2013")
    file.write_text("country,PDI,IDV,MAS,UAI,LTO,IVR\nSAU,10,20,30,40,50,60\n")
    found = settle_constants("anchor", survey, load_targets(file), all_threes)
    packaged = load_targets().mean([index.name for index in survey.indices])
    np.testing.assert_array_equal(found.array(), packaged)
    file.write_text("country,PDI,JOY\nSAU,10,20\n")
    joy = replace(survey, indices=(survey.indices[0], replace(survey.indices[1], name="JOY")))
    with pytest.raises(SpecificationError, match="packaged sets have no JOY: add the figures"):
        settle_constants("anchor", joy, load_targets(file), all_threes)


def test_the_reference_sample_is_asked_as_the_policy_says():
    """`anchor` asks un-prompted, `anchor:USA` with that country named, `zero` nobody."""
    asked = []

    def means_of(country):
        asked.append(country and country.code)
        return all_threes(country)

    for policy in ("anchor", "anchor:USA", "zero"):
        settle_constants(policy, load_survey("vsm2013"), load_targets(), means_of)
    assert asked == [None, "USA"]


@pytest.fixture
def read(tmp_path):
    indices = load_survey("vsm2013").indices
    survey = replace(load_survey("vsm2013"), indices=indices[: len(INDICES)])

    def from_text(text):
        path = tmp_path / "constants.yaml"
        path.write_text(text)
        return settle_constants(f"given:{path}", survey, load_targets(), all_threes)

    return from_text


def test_given_constants_come_in_the_order_of_the_survey(read, tmp_path):
    """A file with one number per index is read in any order, and the policy names the file."""
    constants = read("MAS: 0\nPDI: 12.5\nIDV: -3\n")
    assert constants == Constants(f"given:{tmp_path / 'constants.yaml'}", (12.5, -3.0, 0.0))
    assert constants.array().dtype == np.float64


MISTAKES = {
    "constants per country, by index": (
        GOOD.replace("12.5", "{SAU: 10, USA: 20}"), 1, "shared by all countries of a study"
    ),
    "constants per country, by country": (
        GOOD + "SAU: {PDI: 1}\n", 4, "with one per country every target is reachable"
    ),
    "constants per country, as a list": (GOOD.replace("-3", "[1, 2]"), 2, r"IDV is \[1, 2\], not a"),
    "missing index": ("PDI: 1\n", 1, "the constants of IDV, MAS are missing; write 0 for no shift"),
    "unknown index": (GOOD + "JOY: 1\n", 4, r"'JOY' is no index of this survey \(PDI, IDV, MAS\)"),
    "text": (GOOD.replace("-3", "low"), 2, "the constant of IDV is 'low', not a number"),
    "nothing": (GOOD.replace("-3", ""), 2, "the constant of IDV is None, not a number"),
    "yes": (GOOD.replace("-3", "yes"), 2, "the constant of IDV is True, not a number"),
    "not finite": (GOOD.replace("-3", ".inf"), 2, "the constant of IDV is inf, not a number"),
    "twice": (GOOD + "PDI: 1\n", 4, "'PDI' stands here twice"),
    "a list": ("- 1\n- 2\n", 1, "expected one line per index, such as 'PDI: 12.5'"),
    "empty": ("", 1, "expected one line per index"),
    "broken": ("PDI: [1\n", 1, "not valid YAML"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_file_gets_line_and_mend(mistake, read, tmp_path):
    """Every mistake, one constant per country among them, is refused with file, line and mend."""
    text, line, sentence = MISTAKES[mistake]
    with pytest.raises(DataFileError, match=sentence) as caught:
        read(text)
    assert (caught.value.line, caught.value.path) == (line, tmp_path / "constants.yaml")


def test_a_missing_file_gets_a_sentence(tmp_path):
    """A file that is not there is a DataFileError."""
    with pytest.raises(DataFileError, match="there is no such file"):
        settle_constants(
            f"given:{tmp_path / 'none.yaml'}", load_survey("vsm2013"), load_targets(), all_threes
        )
