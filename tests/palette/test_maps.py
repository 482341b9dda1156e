"""Maps as data, and what is told of them before anything is trained."""

from __future__ import annotations

import numpy as np
import pytest

from blackbox_align.cli.main import app
from blackbox_align.errors import DataFileError, SpecificationError, UnknownNameError
from blackbox_align.palette.maps import load_map, map_names
from blackbox_align.palette.separability import separability
from blackbox_align.populations.groups import SETS
from blackbox_align.statistics.distances import js_distance
from blackbox_align.surveys.instruments import shares_by_country
from blackbox_align.surveys.opinion_files import load_opinions

MINE = """name: mine
colours:
  north: {name: The north, countries: [NLD, Germany]}
  south: {name: The south, countries: [KEN, ZWE], phrases: [Kenya, Zimbabwe]}
"""


def test_the_continents_are_the_papers():
    """Five colours, its 18 countries, Russia in Asia."""
    continents = load_map("continents")
    assert continents.codes == ("africa", "america", "asia", "europe", "oceania")
    assert set(continents.countries) == set(SETS["cultural-palette"])
    assert continents.colours[continents.place_of("RUS")].code == "asia"
    assert continents.place_of("SAU") is None


@pytest.mark.parametrize("name", map_names())
def test_every_map_that_ships_knows_its_countries(name):
    """Each loads, with two or more colours and no country twice."""
    found = load_map(name)
    assert found.name == name and len(found.colours) >= 5 and found.source
    assert len(set(found.countries)) == len(found.countries)


def test_a_map_of_ones_own(tmp_path):
    """Names and codes of countries, phrases, and a default title."""
    (tmp_path / "mine.yaml").write_text(MINE)
    found = load_map(tmp_path / "mine.yaml")
    assert found.colours[0].countries == ("NLD", "DEU") and found.title == "mine"
    assert found.colours[1].phrases == ("Kenya", "Zimbabwe")
    assert found.colour("south").population.preamble().endswith("lives in The south would.")


@pytest.mark.parametrize(
    ("before", "after", "line", "said"),
    [
        ("Germany]", "Germoney]", 3, "Germany"),
        ("[KEN, ZWE]", "[KEN, NLD]", 2, "NLD is in north and in south"),
        ("north:", "The-North:", 3, "small letters"),
        ("phrases", "phrasez", 4, "phrasez"),
        ("  south: {name: The south, countries: [KEN, ZWE], phrases: [Kenya, Zimbabwe]}\n", "", 2,
         "1 colours"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_map_is_told_with_its_line(tmp_path, before, after, line, said):
    """File, line, and what is wrong."""
    path = tmp_path / "mine.yaml"
    path.write_text(MINE.replace(before, after))
    with pytest.raises((DataFileError, SpecificationError), match=said) as told:
        load_map(path)
    assert getattr(told.value, "line", None) == line


def test_an_unknown_map_is_told_with_the_nearest():
    with pytest.raises(UnknownNameError, match="continents"):
        load_map("continent")


def test_separability_is_the_mean_distance_of_pairs():
    """Within and between, against sums written out."""
    opinions = load_opinions("world-opinions")
    found = separability(load_map("continents"), opinions)
    codes = load_map("continents").countries
    shares = shares_by_country(opinions, codes)
    place = [load_map("continents").place_of(code) for code in codes]
    by_question = {True: [], False: []}
    for item in range(shares.shape[1]):
        seen = {True: [], False: []}
        for a in range(len(codes)):
            for b in range(a):
                pair = shares[[a, b], item]
                if not np.isnan(pair).any():
                    seen[place[a] == place[b]].append(js_distance(pair[0], pair[1]))
        for alike, distances in seen.items():
            by_question[alike].append(np.mean(distances))
    assert found.within.value == pytest.approx(np.mean(by_question[True]))
    assert found.between.value == pytest.approx(np.mean(by_question[False]))
    assert found.gain.low > 0
    ukraine = next(one for one in found.countries if one.code == "UKR")
    assert ukraine.gain.high < 0 and ukraine.nearest != "europe"


def test_a_colour_alone_is_not_judged_by_its_nearest():
    """China is the only country of its zone with answers: there is nothing within."""
    found = separability(load_map("inglehart-welzel"), load_opinions("world-opinions"))
    china = next(one for one in found.countries if one.code == "CHN")
    assert np.isnan(china.own) and np.isnan(china.gain.value)
    assert found.nearest_is_own[1] == 17 and "SWE" in found.left_out


def test_a_map_without_answers_is_refused(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(MINE.replace("[KEN, ZWE]", "[ESP, SWE]"))
    with pytest.raises(SpecificationError, match="fewer than two colours"):
        separability(load_map(path), load_opinions("world-opinions"))


def test_the_command_prints_distances(capsys):
    """A newcomer sees them before anything is trained."""
    app(["palette", "map", "continents"], standalone_mode=False)
    said = capsys.readouterr().out
    assert "within colours 0.167" in said and "9 of 18" in said
    with pytest.raises(UnknownNameError):
        app(["palette", "map", "continent"], standalone_mode=False)
