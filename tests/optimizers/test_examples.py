"""The example that opens each optimizer's file runs, and gives what it says."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

import blackbox_align.optimizers
from blackbox_align.optimizers import registry

FOLDER = Path(blackbox_align.optimizers.__file__).parent
ALGORITHMS = {entry.path.partition(":")[0] for entry in registry.OURS.values()}
MODULES = sorted({*ALGORITHMS, "gauss_newton_many", "gaussian_process", "nevergrad_bridge"})


@pytest.mark.parametrize("name", MODULES)
def test_the_example_of_a_file_runs(name: str) -> None:
    """Every line of it gives what stands below it."""
    if name == "nevergrad_bridge":
        pytest.importorskip("nevergrad")
    if name == "cma_learning_rate":
        pytest.importorskip("cmaes")
    found = doctest.testmod(importlib.import_module(f"blackbox_align.optimizers.{name}"))
    assert found.attempted >= 5 and found.failed == 0
