"""The constants of a VSM 2013 study: one shift per index, shared by all countries.

An index of VSM 2013 is a linear form plus a free constant: only *differences* between samples carry
meaning (Hofstede and Minkov 2013, Manual). A study sets the constants once for all of its
countries. A constant per country would make every target reachable and mean nothing, so it is
refused.

=================  ==============================================================================
``anchor``         the un-prompted model is placed on the mean over the target set's countries (of
                   the packaged set, where one's own set has one country alone)
``anchor:NAME``    the model told in text that it lives in that country is placed on its figures
``zero``           no shift: raw scores, the protocol of arXiv 2503.16094 as far as it can be told
``given:FILE``     from a YAML file, ``PDI: 12.5`` and so on
=================  ==============================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import SpecificationError
from ..files.yaml import read_yaml
from ..populations import Country, TargetSet, find_country, load_targets
from ..surveys import Survey
from ..surveys.readouts import raw_indices

__all__ = ["POLICIES", "Constants", "check_policy", "raw_indices", "settle_constants"]

POLICIES = ("anchor", "anchor:COUNTRY", "zero", "given:FILE")


@dataclass(frozen=True)
class Constants:
    """``values`` (indices,) in index points, and the ``policy`` that they come from."""

    policy: str
    values: tuple[float, ...]

    def array(self) -> np.ndarray:
        return np.array(self.values)


def check_policy(policy: str) -> tuple[str, str]:
    """Split ``anchor:USA`` into ``("anchor", "USA")``; refuse what is no policy."""
    kind, colon, argument = policy.partition(":")
    fits = {"anchor": not colon or argument, "zero": not colon, "given": argument}
    if not fits.get(kind):
        known = ", ".join(repr(p) for p in POLICIES)
        raise SpecificationError(f"The constants must be one of {known}; not {policy!r}.")
    return kind, argument


def settle_constants(
    policy: str,
    survey: Survey,
    targets: TargetSet,
    means_of: Callable[[Country | None], np.ndarray],
) -> Constants:
    """The constants that a policy gives a study.

    ``means_of`` asks the reference sample: (1, items) item means of the un-prompted model for None,
    or when a country is named to it in text. An index without a reference figure is not shifted.
    """
    kind, argument = check_policy(policy)
    names = [index.name for index in survey.indices]
    if kind == "given":
        return _read_constants(policy, Path(argument), names)
    if kind == "zero":
        return Constants(policy, (0.0,) * len(names))
    country = find_country(argument) if argument else None
    reference = targets.target(country, names) if country else _mean_of_targets(targets, names)
    raw = raw_indices(survey, means_of(country))[0]
    shift = np.where(np.isnan(reference), 0.0, reference - raw)
    return Constants(policy, tuple(float(value) for value in shift))


def _mean_of_targets(targets: TargetSet, names: Sequence[str]) -> np.ndarray:
    """(indices,) the reference of the anchor: the mean over the countries of the target set.

    A set with one country would place the un-prompted model on that country itself, and leave
    nothing to fit: the packaged set is taken then, where it has all of the indices.
    """
    if len(targets.known_countries(names)) > 1:
        return targets.mean(names)
    packaged = load_targets()
    missing = [name for name in names if name not in packaged.indices]
    if missing:
        raise SpecificationError(
            f"The target set {targets.name} has one country, so its mean cannot anchor the constants, "
            f"and the packaged sets have no {', '.join(missing)}: add the figures of more countries, or "
            "ask for the constants 'zero' or 'given:FILE'."
        )
    return packaged.mean(names)


def _read_constants(policy: str, path: Path, indices: Sequence[str]) -> Constants:
    """Constants from a file with one number per index."""
    document = read_yaml(path)
    table = document.value
    if not isinstance(table, dict):
        document.fail((), "expected one line per index, such as 'PDI: 12.5'.")
    for name, value in table.items():
        if isinstance(value, dict):
            document.fail(
                (name,),
                f"{name!r} holds several constants. Constants are shared by all countries of a "
                "study: with one per country every target is reachable and means nothing.",
            )
        if name not in indices:
            document.fail((name,), f"{name!r} is no index of this survey ({', '.join(indices)}).")
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not np.isfinite(value):
            document.fail((name,), f"the constant of {name} is {value!r}, not a number.")
    missing = [name for name in indices if name not in table]
    if missing:
        document.fail(
            (), f"the constants of {', '.join(missing)} are missing; write 0 for no shift."
        )
    return Constants(policy, tuple(float(table[name]) for name in indices))
