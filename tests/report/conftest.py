"""Four short fits on the embedded model, and made-up values where many are needed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from blackbox_align.fitting import Run
from blackbox_align.fitting.looking import fitted
from blackbox_align.fitting.plan import Plan, run_plan
from blackbox_align.palette.scores import Scores
from blackbox_align.populations.countries import countries
from blackbox_align.report import Fitted


@pytest.fixture(scope="session")
def compared(tmp_path_factory):
    """A comparison's folder and value: two optimizers, two countries, one seed."""
    axes = {"optimizer": ("gauss-newton", "random"), "country": ("SAU", "USA"), "seed": (0,)}
    folder = tmp_path_factory.mktemp("runs") / "comparison"
    return folder, run_plan(Plan(axes, {"budget": 24, "target_loss": 8.0}), folder)


@pytest.fixture(scope="session")
def fit(compared):
    """One of them, as a report takes it."""
    return fitted(Run.load(compared[0] / "gauss-newton_SAU_0"))


@pytest.fixture(scope="session")
def opinion_run(tmp_path_factory):
    """A fit of opinions, half of them held out."""
    import blackbox_align as bba

    folder = tmp_path_factory.mktemp("opinions")
    return bba.fit("USA", objective="opinions", budget=12, runs=folder, name="opinions")


@pytest.fixture(scope="session")
def study():
    """As `palette assess --json` prints it: ways, differences, intervals, countries."""
    scores = Scores(
        ("uniform", "own colour", "gated pool"),
        np.random.default_rng(0).uniform(60, 90, (12, 3)),
        np.tile([f"q{n}" for n in range(6)], 2),
        np.repeat(["KEN", "PER"], 6),
    )
    told = {"revision": "r", "orders": "cyclic", "survey": "World opinions", "gate": {}}
    return {"model": "m <x>", **told, **scores.to_dict(["gated pool"])}


def renamed(fit: Fitted, code: str, name: str, run: str) -> Fitted:
    """The fit as if it had been of another country."""
    result = fit.result
    figures = tuple(
        replace(f, population=code) if f.population == "SAU" else f for f in result.figures
    )
    answers = tuple(replace(a, population=code) for a in result.answers)
    provenance = replace(result.provenance, populations={code: name})
    search = replace(result.search, losses={code: 1.0}, reached={code: 7})
    changed = replace(
        result, figures=figures, answers=answers, provenance=provenance, search=search
    )
    return replace(fit, name=run, result=changed)


def many(fit: Fitted, count: int) -> list[Fitted]:
    """Fits of a hundred countries, over and over, with errors that differ."""
    codes = [c for c in countries().values() if not c.is_region][:100]
    rng, made = np.random.default_rng(0), []
    for n in range(count):
        country = codes[n % len(codes)]
        one = renamed(fit, country.code, country.name, f"run-{n}")
        shift = rng.normal(0, 8)
        figures = tuple(replace(f, value=abs(f.value + shift)) for f in one.result.figures)
        made.append(replace(one, result=replace(one.result, figures=figures)))
    return made
