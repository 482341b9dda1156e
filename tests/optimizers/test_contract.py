"""Every registered optimizer of ours keeps the contract."""

from __future__ import annotations

import pytest

from blackbox_align.optimizers import registry
from blackbox_align.testing.optimizers import OptimizerContract


@pytest.mark.parametrize("name", list(registry.OURS), scope="class")
class TestOurs(OptimizerContract):
    @pytest.fixture(autouse=True)
    def choose(self, name: str) -> None:
        self.name = name  # type: ignore[misc]
