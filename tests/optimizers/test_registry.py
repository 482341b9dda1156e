"""Optimizers by name: lazily, with the nearest names and the options shown."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from blackbox_align.errors import OptimizerError, UnknownNameError
from blackbox_align.optimizers import create, describe, names
from blackbox_align.optimizers.registry import defaults


def test_importing_optimizers_imports_no_heavy_library() -> None:
    """nevergrad, cma, cmaes, scipy and torch wait until an optimizer needs them."""
    code = (
        "import sys, blackbox_align.optimizers\n"
        "print([m for m in ('nevergrad', 'cma', 'cmaes', 'scipy', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_name_comes_with_the_nearest() -> None:
    """A slip of the finger is answered with what may have been meant."""
    with pytest.raises(UnknownNameError, match="Did you mean 'cma'"):
        create("cmm", 3, np.random.default_rng(0))


def test_an_unknown_nevergrad_name_comes_with_the_nearest() -> None:
    """Names after ng: are looked for in nevergrad's registry."""
    pytest.importorskip("nevergrad")
    with pytest.raises(UnknownNameError, match="'TwoPointsDE'"):
        create("ng:TwoPointDE", 3, np.random.default_rng(0))


def test_an_unknown_option_comes_with_the_known_ones() -> None:
    """An option that the algorithm has not is refused, and its options are listed."""
    with pytest.raises(OptimizerError, match="no option 'f'; its options: strategy, population, F"):
        create("de", 3, np.random.default_rng(0), f=0.5)


def test_a_name_stands_for_its_preset_and_an_option_overrides_it() -> None:
    """A variant is its class with other defaults, which describe() shows."""
    assert describe("de-best").options["strategy"] == "best/1/bin"
    optimizer = create("cma-bipop", 3, np.random.default_rng(0), diagonal=True)
    assert (optimizer.name, optimizer.restarts, optimizer.diagonal) == ("cma-bipop", "bipop", True)


@pytest.mark.parametrize("name", names())
def test_every_optimizer_describes_itself(name: str) -> None:
    """Each registered name has a summary, documentation and options with defaults."""
    description = describe(name)
    assert description.summary and description.documentation
    assert "budget" not in description.options
    for option, default in description.options.items():
        assert option in description.documentation, f"{option} is not documented"
        assert default is None or isinstance(default, (int, float, str, bool))


def test_options_for_many_targets_are_those_of_that_search() -> None:
    """Its archive is longer by default, and its targets are no option."""
    one, many = defaults("gauss-newton"), defaults("gauss-newton", many=True)
    assert (one["window"], many["window"]) == (300, 4000)
    assert one.keys() == many.keys() and "targets" not in many
