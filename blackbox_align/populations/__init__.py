"""Whom a model is to answer like: countries, groups of people, and the figures published for them."""

from .countries import Country, countries, find_country
from .population import Population, country_population, find_population
from .published_indices import read_indices
from .targets import TargetSet, load_targets, target_sets

__all__ = [
    "Country",
    "Population",
    "TargetSet",
    "countries",
    "country_population",
    "find_country",
    "find_population",
    "load_targets",
    "read_indices",
    "target_sets",
]
