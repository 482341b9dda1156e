"""Populations: countries and groups with a code, a name and the sentence of their text baseline."""

from __future__ import annotations

import pytest

from blackbox_align.errors import UnknownNameError
from blackbox_align.populations import Population, country_population, find_country, find_population
from blackbox_align.surveys.opinion_files import load_opinions
from blackbox_align.surveys.survey import COUNTRY_PREAMBLE

BY_PARTY = """item,question,option,party,share
tax,Should taxes rise?,yes,Greens,70
tax,Should taxes rise?,no,Greens,30
tax,Should taxes rise?,yes,Old Guard,20
tax,Should taxes rise?,no,Old Guard,80
"""
YAML = """name: parties
groups:
  grn: {name: the Greens, wording: "Answer as a typical voter of {name} would."}
  old: the Old Guard
items:
  - id: tax
    question: Should taxes rise?
    options: ["yes", "no"]
    shares:
      grn: [70, 30]
      old: [20, 80]
"""


def test_a_country_is_a_population_and_is_told_as_before():
    """Its sentence is the one that the text baselines of countries have always had."""
    kenya = country_population(find_country("Kenya"))
    assert (kenya.code, kenya.name) == ("KEN", "Kenya")
    assert kenya.preamble() == COUNTRY_PREAMBLE.format(country="Kenya")


def test_only_the_name_is_filled_into_the_wording():
    """Other braces, in the wording and in the name, stay as they are."""
    odd = Population("x", "{name} {0}", "Be {name} {and} {")
    assert odd.preamble() == "Be {name} {0} {and} {"


def test_a_column_that_is_no_country_declares_groups(tmp_path):
    """A file by party has populations with the party's name, and their shares."""
    path = tmp_path / "parties.csv"
    path.write_text(BY_PARTY)
    opinions = load_opinions(path)
    assert [group.name for group in opinions.groups] == ["Greens", "Old Guard"]
    assert {d.sample.country: d.shares for d in opinions.distributions} == {
        "Greens": (0.7, 0.3),
        "Old Guard": (0.2, 0.8),
    }
    assert {d.sample.kind for d in opinions.distributions} == {"group"}
    assert opinions.countries == {} and opinions.populations == {"Greens": 1, "Old Guard": 1}
    group = find_population("old guard", opinions)
    assert group.preamble() == "Answer as a typical person of this group would: party Old Guard."
    assert len(opinions.select(countries=["Greens"])) == 1
    assert any("'party' names the groups" in note for note in opinions.report.notes)


def test_a_group_has_the_name_and_wording_that_its_file_gives(tmp_path):
    """In YAML and in the columns `name` and `wording` of a table."""
    path = tmp_path / "parties.yaml"
    path.write_text(YAML)
    opinions = load_opinions(path)
    greens = find_population("grn", opinions)
    assert greens == find_population("The Greens", opinions)
    assert greens.preamble() == "Answer as a typical voter of the Greens would."
    assert find_population("old", opinions).name == "the Old Guard"
    table = tmp_path / "parties.csv"
    header, *rows = BY_PARTY.splitlines()
    told = [header.replace("party", "group") + ",name,wording"]
    told += [f"{row},Party {row.split(',')[3]},Be one of {{name}}." for row in rows]
    table.write_text("\n".join(told))
    assert find_population("Greens", load_opinions(table)).preamble() == "Be one of Party Greens."


def test_a_population_is_a_group_of_the_file_or_a_country(tmp_path):
    """A group comes first; an unknown name is told with those of the file."""
    path = tmp_path / "parties.csv"
    path.write_text(BY_PARTY)
    opinions = load_opinions(path)
    assert find_population("USA").name == find_population("usa", opinions).name == "United States"
    with pytest.raises(
        UnknownNameError, match=r"'Grens'. Did you mean 'Greens'.*Greens, Old Guard"
    ):
        find_population("Grens", opinions)
    with pytest.raises(UnknownNameError, match="Unknown country 'Greens'"):
        find_population("Greens")
