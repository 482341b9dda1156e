"""Every registered optimizer of ours keeps the contract."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest

from blackbox_align.optimizers import registry
from blackbox_align.testing.optimizers import OptimizerContract


@pytest.mark.parametrize("name", list(registry.OURS), scope="class")
class TestOurs(OptimizerContract):
    @pytest.fixture(autouse=True)
    def choose(self, name: str) -> None:
        self.name = name  # type: ignore[misc]


class TestManyTargets(OptimizerContract):
    """Gauss-Newton for several targets: outputs of 8 squares, which should be nothing, in part
    nothing, and something."""

    name = "gauss-newton"
    options: ClassVar[dict[str, Any]] = {
        "targets": np.array([[0.0] * 8, [0.0] * 4 + [np.nan] * 4, [0.1] * 8]),
        "enough": 0.01,
    }
