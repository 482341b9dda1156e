"""Whom a model is to answer like: a country, or a group of people that a user's file declares."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from ..errors import UnknownNameError
from .countries import Country, find_country, fold

COUNTRY_WORDING = "Answer as a typical person who lives in {name} would."
GROUP_WORDING = "Answer as a typical person of this group would: {name}."


@dataclass(frozen=True)
class Population:
    """People with a ``code`` that is short and unique, and a ``name`` for tables.

    ``wording`` is the sentence that tells a model in text whom to answer like, ``{name}`` standing
    for the name: the text baseline that a fit has to beat.
    """

    code: str
    name: str
    wording: str = GROUP_WORDING

    def preamble(self) -> str:
        """The sentence with the name in it; braces in the name, and others in it, stay as they are."""
        return self.wording.replace("{name}", self.name)


class HasGroups(Protocol):
    """An instrument that may declare groups of people of its own."""

    @property
    def groups(self) -> Iterable[Population]: ...


def country_population(country: Country) -> Population:
    """A country as a population: it lives in a country, and that is what the model is told."""
    return Population(country.code, country.name, COUNTRY_WORDING)


def find_population(name: str, instrument: HasGroups | None = None) -> Population:
    """The group of an instrument by code or name, or else a country.

    A group's own code or name wins over a country's. :class:`UnknownNameError` where there is
    neither, with the nearest of both.
    """
    groups = list(instrument.groups) if instrument is not None else []
    asked = fold(name)
    for spelling in ("code", "name"):
        for group in groups:
            if fold(getattr(group, spelling)) == asked:
                return group
    try:
        return country_population(find_country(name))
    except UnknownNameError:
        if not groups:
            raise
        known = [spelling for group in groups for spelling in (group.code, group.name)]
        listed = ", ".join(group.code for group in groups[:12])
        raise UnknownNameError(
            "group or country", name, known, f"The groups of the file are: {listed}."
        ) from None
