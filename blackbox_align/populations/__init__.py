"""Countries by ISO code, name and alias, and the target figures published for them."""

from .countries import Country, countries, find_country
from .targets import TargetSet, load_targets, target_sets

__all__ = ["Country", "TargetSet", "countries", "find_country", "load_targets", "target_sets"]
