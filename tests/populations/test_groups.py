"""What a person may type for countries, and what it means everywhere."""

from __future__ import annotations

import pytest

from blackbox_align.errors import SpecificationError, UnknownNameError
from blackbox_align.populations.groups import GROUPS, expand, parse_countries


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("SAU", ("SAU",)),
        ("saudi arabia", ("SAU",)),
        ("SAU,USA", ("SAU", "USA")),
        ("SAU, United States", ("SAU", "USA")),
        ("SAU USA", ("SAU", "USA")),
        ("SAU+USA", ("SAU", "USA")),
        (["SAU", "Saudi Arabia", "USA"], ("SAU", "USA")),
        ("Korea, South", ("KOR",)),
        ("EUROPE", ("Europe",)),
        ("Cultural-Palette, JPN", ("cultural-palette", "JPN")),
        ("all", ("all",)),
    ],
)
def test_countries_are_read_as_people_write_them(asked, words):
    """Lists between commas or blanks, any case, and nothing twice."""
    assert parse_countries(asked) == words


@pytest.mark.parametrize("asked", ["Korea", "EU", "congo", "SAU,Korea"])
def test_what_may_mean_several_is_asked_about(asked):
    """No guess is made between two Koreas."""
    with pytest.raises(SpecificationError, match="say which"):
        parse_countries(asked)


@pytest.mark.parametrize(
    ("asked", "offered"),
    [("SUA", "SAU"), ("SAU USB", "USA"), ("Sudi Arabia", "Saudi Arabia"), ("eurpe", "Europe")],
)
def test_the_nearest_names_are_offered(asked, offered):
    """Two letters in the wrong order are the commonest slip in a code."""
    with pytest.raises(UnknownNameError, match=f"'{offered}'"):
        parse_countries(asked)


@pytest.mark.parametrize("asked", ["", [], " , "])
def test_nothing_is_not_a_country(asked):
    """An empty list says what to name."""
    with pytest.raises((SpecificationError, UnknownNameError)):
        parse_countries(asked)


def test_a_group_gives_those_of_its_members_that_there_are_data_for():
    """Members in the group's order; a country named by itself stays; regions are in no group."""
    assert [c.code for c in expand(["cultural-palette"], {"USA", "GBR", "JPN"})] == ["USA", "GBR"]
    assert [c.code for c in expand(["Asia", "USA", "SAU"], ["SAU", "JPN"])] == ["SAU", "JPN", "USA"]
    assert len(expand(["cultural-palette"])) == 18
    assert all(not c.is_region for c in expand(["all"]))
    assert set(expand(GROUPS)) == set(expand(["all"]))
