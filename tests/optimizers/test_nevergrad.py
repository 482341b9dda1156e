"""nevergrad's optimizers keep the contract: a handful always, all of them in the slow set."""

from __future__ import annotations

import sys

import numpy as np
import pytest

pytest.importorskip("nevergrad")

from blackbox_align.errors import MissingDependencyError
from blackbox_align.optimizers import create
from blackbox_align.optimizers.nevergrad_bridge import _nevergrad, nevergrad_names
from blackbox_align.testing.optimizers import OptimizerContract, Quadratic

# They fail inside nevergrad 1.0.12 as soon as they are made or told (docs/optimizers.md).
BROKEN = ["AnisotropicAdaptiveDiscreteOnePlusOne", "BAR4", "DS9", "MetaModelDSproba", "MultiDS"]
HANDFUL = ["CMA", "TwoPointsDE", "OnePlusOne", "PSO", "ScrHammersleySearch"]


class NevergradContract(OptimizerContract):
    budget = 300
    improvement = 1.0  # some are one-shot designs, which do not search

    @pytest.fixture(autouse=True)
    def choose(self, name: str) -> None:
        self.name = f"ng:{name}"  # type: ignore[misc]
        try:  # some tell of the package that they need only when they are asked, even for the second time
            optimizer = self.create()
            for _ in range(3):
                candidates = optimizer.ask(1)
                optimizer.tell(candidates, Quadratic(self.dimension).of(candidates))
        except MissingDependencyError as error:
            pytest.skip(str(error))


@pytest.mark.parametrize("name", HANDFUL)
class TestAHandful(NevergradContract):
    """One of each kind."""


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*nevergrad_names()} - {*HANDFUL, *BROKEN}))
class TestAllOthers(NevergradContract):
    """The rest of the registry."""


def test_each_generator_is_the_seed_of_another_search() -> None:
    """What nevergrad draws by numpy's older generators follows from ours, in all its width."""
    made = [create("ng:OnePlusOne", 2, np.random.default_rng(n), budget=9) for n in range(80)]
    assert len({optimizer._legacy.bytes(8) for optimizer in made}) == 80
    assert len({optimizer._python for optimizer in made}) == 80


def test_where_nevergrad_is_missing_it_is_named(monkeypatch) -> None:
    """With the line that installs it."""
    _nevergrad.cache_clear()
    monkeypatch.setitem(sys.modules, "nevergrad", None)
    with pytest.raises(MissingDependencyError, match="pip install nevergrad"):
        _nevergrad()


@pytest.mark.parametrize("name", ["CMA", "DiagonalCMA"])
def test_several_outstanding_in_hundreds_of_dimensions(name: str) -> None:
    """A CMA-ES of nevergrad's goes on past its second generation when sixteen are asked at a time,
    from the dimension on where pycma's own choice of step sizes would not let it."""
    optimizer = create(f"ng:{name}", 320, np.random.default_rng(0), budget=480)
    problem = Quadratic(320)
    while not optimizer.stop():
        candidates = optimizer.ask()
        optimizer.tell(candidates, problem.of(candidates))
    assert optimizer.told == 480
