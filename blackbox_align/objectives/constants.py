"""The constants of a VSM 2013 study: one shift per index, shared by all countries.

An index of VSM 2013 is a linear form plus a free constant: only *differences* between samples carry
meaning (Hofstede and Minkov 2013, Manual). A study sets the constants once for all of its
countries. A constant per country would make every target reachable and mean nothing, so it is
refused.

=================  ==============================================================================
``anchor``         the un-prompted model is placed on the mean over the target set's countries
``anchor:NAME``    the model told in text that it lives in that country is placed on its figures
``zero``           no shift: raw scores, the protocol of arXiv 2503.16094 as far as it can be told
``given:FILE``     from a YAML file, ``PDI: 12.5`` and so on
=================  ==============================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import SpecificationError
from ..yaml_lines import read_yaml

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


def anchored(policy: str, raw: np.ndarray, reference: np.ndarray) -> Constants:
    """Constants that place the raw scores of a reference sample on its reference figures.

    An index without a reference figure is left unshifted.
    """
    shift = np.where(np.isnan(reference), 0.0, reference - raw)
    return Constants(policy, tuple(float(value) for value in shift))


def given(policy: str, path: Path, indices: Sequence[str]) -> Constants:
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
