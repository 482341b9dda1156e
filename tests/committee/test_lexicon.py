"""Words that name countries, and those that only seem to."""

import csv
import sys
from pathlib import Path

import pytest

pytest.importorskip("babel", reason="needs the extra routing")
pytest.importorskip("countryinfo", reason="needs the extra routing")
pytest.importorskip("pycountry", reason="needs the extra routing")

from blackbox_align.committee import Query, TextRouter
from blackbox_align.committee.lexicon import Lexicon, Sense, fold, lexicon
from blackbox_align.errors import MissingDependencyError
from blackbox_align.populations import countries

TRAPS = Path(__file__).parents[2] / "experiments" / "routing" / "traps.csv"


def named(text):
    """{phrase: codes} of what names a country."""
    return {
        match.phrase: set(match.sense.shares)
        for match in lexicon().matches(text)
        if match.sense.kind != "region" and match.sense.shares
    }


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("What is eaten in Japan?", {"JPN"}),
        ("what do brazilians eat", {"BRA"}),
        ("Côte d’Ivoire and COTE D'IVOIRE", {"CIV"}),
        ("In the U.S., or in the US?", {"USA"}),
        ("A Yoruba wedding", {"NGA"}),
        ("A feast in Andhra Pradesh", {"IND"}),
        ("Life in Nairobi", {"KEN"}),
        ("The Czech Republic and Slovakia", {"CZE", "SVK"}),
        ("Trinidad and Tobago", {"TTO"}),
        ("The Filipino way, a Pole's way, the Danes' way", {"PHL", "POL", "DNK"}),
    ],
)
def test_names_peoples_places_and_languages_are_found(text, codes):
    """Whatever the case, accents and plurals."""
    assert set().union(*named(text).values()) == codes


@pytest.mark.parametrize(
    "text",
    [
        "eat a turkey off china",
        "tell us",
        "he is a chad",
        "polish the pole",
        "a danish pastry",
        "Roman roads",
    ],
)
def test_words_that_mean_something_else_name_nobody(text):
    """Lower case tells a bird from a country, a pronoun from a code."""
    assert named(text) == {}


def test_a_country_is_named_by_every_name_it_has_in_the_table():
    """Each country of the package, by its name, names itself and nobody else."""
    missed = {
        country.code: named(f"How do people live in {country.name}?")
        for country in countries().values()
        if not country.is_region and country.code != "ATF"  # which stands as two names
    }
    wrong = {
        code: found
        for code, found in missed.items()
        if set().union(*found.values(), set()) != {code}
    }
    assert wrong == {}


def test_the_longest_phrase_wins_and_says_where_it_stands():
    """South America holds no American; the span is that of the text."""
    text = "Do South Americans dance?"
    (match,) = lexicon().matches(text)
    assert match.sense.kind == "region" and "BRA" in match.sense.shares
    assert text[match.start : match.end] == "South Americans"


def test_a_phrase_of_several_countries_means_those_that_others_name():
    """Congo alone may be either; with Kinshasa beside it, it is one."""
    assert named("Congo")["Congo"] == {"COD", "COG"}
    assert named("In Congo, near Kinshasa") == {"Congo": {"COD"}, "Kinshasa": {"COD"}}


def test_shares_of_every_sense_sum_to_one():
    """Over the whole lexicon; a region or a trap may mean none."""
    for phrase, sense in lexicon().senses.items():
        total = sum(sense.shares.values())
        assert total == pytest.approx(1) or (total == 0 and sense.kind in ("nothing", "homonym")), (
            phrase
        )
        assert phrase == fold(phrase)
        assert set(sense.shares) <= set(countries())


def test_a_lexicon_of_ones_own_works_alike():
    """Phrases of several words, and one that begins as another does."""
    own = Lexicon({"a b c": Sense("name", {"X": 1.0}), "a": Sense("name", {"Y": 1.0})})
    assert [m.phrase for m in own.matches("A b; a b c")] == ["A", "a b c"]


@pytest.mark.parametrize(
    "row", list(csv.DictReader(TRAPS.open(encoding="utf-8"))), ids=lambda r: r["why"]
)
def test_traps(row):
    """Fifty questions made by hand, among the experts of all countries."""
    world = {code: code for code, country in countries().items() if not country.is_region}
    decision = TextRouter(world).decide(Query(row["text"]))
    assert set(decision.weights) == set(row["gold"].split())


def test_a_missing_library_is_told_with_the_line_that_installs_it(monkeypatch):
    """The extra routing is optional."""
    monkeypatch.setitem(sys.modules, "babel", None)
    lexicon.cache_clear()
    with pytest.raises(MissingDependencyError, match="pip install babel"):
        lexicon()
    monkeypatch.undo()
    assert lexicon().senses
