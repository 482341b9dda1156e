"""The open YAML form of an opinion survey, and the one that ships with the package."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blackbox_align.assessment import load_instrument
from blackbox_align.errors import BlackboxAlignError, DataFileError, UnknownNameError
from blackbox_align.populations.groups import SETS
from blackbox_align.surveys.opinion_files import load_opinions, opinion_names
from blackbox_align.surveys.opinions import OpinionSurvey

TEXT = """\
name: mine
title: A survey of mine
source: asked by myself
items:
  - id: tea
    question: "Do you drink tea?"
    options: [often, sometimes, never, "Don't know"]
    ordered: true
    source: door to door
    shares:
      Kenya: [50, 30, 10, 10]
      Great Britain: [60, 0, 40, 0]
  - id: rain
    question: Does rain bother you?
    options: [1, 2, 3]
    shares: {Kenya: [25, 25, 50], Atlantis: [1, 2, 97]}
"""


@pytest.fixture
def write(tmp_path):
    def to_file(text: str):
        path = tmp_path / "mine.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return to_file


def test_the_yaml_form_gives_items_scales_shares_and_sources(write):
    """What stands in the file is in the survey, and the country that is not known is counted."""
    opinions = load_opinions(write(TEXT))
    tea, rain = opinions.survey.items
    assert (opinions.survey.title, opinions.survey.source) == (
        "A survey of mine",
        "asked by myself",
    )
    assert (tea.id, tea.text, tea.scale.options) == (
        "tea", "Do you drink tea?", ("often", "sometimes", "never")
    )  # fmt: skip
    assert rain.scale.options == ("1", "2", "3")
    assert {(d.item, d.sample.country): d.shares for d in opinions.distributions} == {
        ("tea", "KEN"): pytest.approx((5 / 9, 3 / 9, 1 / 9)),
        ("tea", "GBR"): (0.6, 0.0, 0.4),
        ("rain", "KEN"): (0.25, 0.25, 0.5),
    }
    assert opinions.ordered == {"tea", "rain"} and opinions.sources == {"tea": "door to door"}
    assert (opinions.report.read, opinions.report.kept, opinions.report.options_left_out) == (
        4,
        3,
        1,
    )
    assert opinions.report.dropped == {"no country is known by the label 'Atlantis'": ("line 16",)}


def test_the_same_survey_as_a_table_is_the_same(write, tmp_path):
    """Both open forms give one survey and one set of distributions."""
    rows = ["item,question,option,country,share"]
    for item in yaml.safe_load(TEXT)["items"]:
        for country, shares in item["shares"].items():
            for option, share in zip(item["options"], shares, strict=True):
                rows.append(f"{item['id']},{item['question']},{option},{country},{share / 100}")
    table = tmp_path / "mine.csv"
    table.write_text("\n".join(rows), encoding="utf-8")
    ours, other = load_opinions(write(TEXT)), load_opinions(table)
    assert ours.survey.items == other.survey.items
    for one, two in zip(ours.distributions, other.distributions, strict=True):
        assert (one.item, one.sample) == (two.item, two.sample)
        assert one.shares == pytest.approx(two.shares)


@pytest.mark.parametrize(
    ("before", "after", "line", "message"),
    [
        ("name: mine\n", "", 1, "'name' is missing"),
        ("title:", "titel:", 2, "'titel' is not known here"),
        ("id: tea", "nr: tea", 5, "'id' is missing"),
        ("id: rain", "id: tea", 13, "'tea' stands here twice"),
        ("options: [1, 2, 3]", "options: [1, 2, 2]", 15, "stands there before"),
        ("options: [1, 2, 3]", "options: [1, yes, 3]", 15, "put it in quotes"),
        ("options: [1, 2, 3]", "options: often", 15, "'options' must be a list"),
        ("ordered: true", "ordered: perhaps", 8, "must be true or false"),
        ("[50, 30, 10, 10]", "[50, 30, 10]", 11, "needs a list of 4 shares"),
        ("[50, 30, 10, 10]", "[50, 30, 10, 5]", 11, "sum to 95, not to 100"),
        ("[50, 30, 10, 10]", "[50, 30, 10, -10]", 11, "write a number"),
        ("[50, 30, 10, 10]", "[50, 30, 10, .nan]", 11, "write a number"),
        ("[50, 30, 10, 10]", "[50, 30, 10, many]", 11, "write a number"),
        ("Kenya: [25", "NO: [25", 16, "put it in quotes"),
        ("Great Britain:", "Kenya:", 12, "stands here twice"),
        ("{Kenya: [25, 25, 50], Atlantis: [1, 2, 97]}", "{}", 16, "needs the shares of a country"),
    ],
)  # fmt: skip
def test_a_mistake_names_its_line_and_the_mend(before, after, line, message, write):
    """One sentence with the file, the line and what is wrong there."""
    with pytest.raises(DataFileError, match=message) as caught:
        load_instrument(write(TEXT.replace(before, after, 1)))
    assert caught.value.line == line


def test_anchors_are_read_and_a_bomb_of_them_is_refused(write):
    """Options may be written once and referred to; a few lines that mean billions are an error."""
    text = TEXT.replace("options: [1, 2, 3]", "options: &scale [1, 2, 3]")
    again = "  - {id: snow, question: And snow, options: *scale, shares: {KEN: [20, 30, 50]}}\n"
    assert load_opinions(write(text + again)).items["snow"].scale.options == ("1", "2", "3")
    bomb = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    bomb += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    with pytest.raises(DataFileError, match="more than 1,000,000 values"):
        load_opinions(write("\n".join(bomb)))


# -- whatever a file holds: an error, or every distribution accounted for ------------------------

_names = st.sampled_from(["KEN", "USA", "Kenya", "Great Britain", "Atlantis", "yes", ""])
_values = st.one_of(
    st.integers(-5, 120), st.floats(-1, 101), st.booleans(), st.none(), st.text(max_size=5)
)
_shares = st.one_of(
    st.sampled_from([[50, 50], [0.5, 0.5], [20, 30, 50], [100, 0, 0], [0, 0], [1, 0], []]),
    st.lists(_values, max_size=4),
    _values,
)
_items = st.fixed_dictionaries(
    {},
    optional={
        "id": st.one_of(st.sampled_from(["a", "b"]), _values),
        "question": st.one_of(st.just("How so?"), _values),
        "options": st.one_of(
            st.sampled_from([["x", "y"], ["x", "y", "z"], ["x", "Refused"]]),
            st.lists(_values, max_size=4),
        ),
        "ordered": _values,
        "shares": st.one_of(st.dictionaries(_names, _shares, max_size=3), _values),
        "other": _values,
    },
)
_good = st.fixed_dictionaries(
    {
        "id": st.uuids().map(str),
        "question": st.just("How so?"),
        "options": st.just(["x", "y", "Refused"]),
        "shares": st.dictionaries(
            st.sampled_from(["KEN", "USA", "Kenya", "Atlantis"]),
            st.sampled_from([[50, 50, 0], [100, 0, 0], [0, 0, 100], [20, 30, 50]]),
            min_size=1,
        ),
    }
)
_files = st.fixed_dictionaries(
    {"name": st.just("mine"), "items": st.lists(st.one_of(_good, _items), max_size=4)}
)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    content=st.one_of(
        _files, st.fixed_dictionaries({"name": st.just("x"), "items": st.lists(_good)})
    )
)
def test_nothing_is_lost_silently(content, write):
    """A file is refused with a sentence, or each of its distributions is kept or in the report."""
    try:
        opinions = load_opinions(write(yaml.safe_dump(content)))
    except BlackboxAlignError as error:
        assert str(error).endswith(".")
        return
    report = opinions.report
    assert report.read == sum(len(item["shares"]) for item in content["items"])
    assert report.read == report.kept + sum(map(len, report.dropped.values()))
    assert report.kept == len(opinions) > 0
    np.testing.assert_allclose(opinions.shares().sum(axis=1), 1)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(start=st.integers(0, len(TEXT)), cut=st.integers(0, 30), put=st.text(max_size=6))
def test_a_damaged_file_never_crashes(start, cut, put, write):
    """Any few characters may be missing or wrong: it is read, or refused with a sentence."""
    try:
        load_instrument(write(TEXT[:start] + put + TEXT[start + cut :]))
    except BlackboxAlignError as error:
        assert str(error)


# -- the one that ships ----------------------------------------------------------------------------


def test_world_opinions_ship_with_figures_for_the_eighteen_countries():
    """At most 40 questions; whole percents; every one of the 18 countries has most of them."""
    opinions = load_instrument("world-opinions")
    assert isinstance(opinions, OpinionSurvey) and opinion_names() == ["world-opinions"]
    assert len(opinions.survey.items) == 40
    assert set(opinions.countries) == set(SETS["cultural-palette"])
    assert min(opinions.countries.values()) >= 34
    assert opinions.report.read == opinions.report.kept == len(opinions)
    assert set(opinions.sources) == set(opinions.items), "every question names its source"
    percents = 100 * opinions.shares()
    np.testing.assert_allclose(percents, percents.round(), atol=1e-9)


def test_an_unknown_name_offers_the_nearest():
    """A slip in the name of a survey is a sentence with the right one."""
    with pytest.raises(UnknownNameError, match="Did you mean 'world-opinions'"):
        load_instrument("world-opinion")
    with pytest.raises(UnknownNameError, match="Did you mean 'world-opinions'"):
        load_opinions("world_opinions")
