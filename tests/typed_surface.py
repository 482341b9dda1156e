"""What a user writes against the public surface; mypy reads it, nobody runs it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import blackbox_align as bba


def on_progress(progress: bba.Progress) -> None:
    best: float | None = progress.best
    print(progress.evaluations, best)


run: bba.Run = bba.fit(
    ["SAU", "USA"],
    survey=Path("mine.yaml"),
    targets=pd.DataFrame({"PDI": [1.0]}, index=["Chile"]),
    options={"batch": 6},
    placement="last",
    workers=2,
    warm_start=Path("runs/one"),
    on_progress=on_progress,
    on_trouble=print,
)
history: pd.DataFrame = run.history("KEN")
loss: float = run.loss
unprompted: float = run.result.of("SAU").value("none")
expert: bba.Expert = bba.read_expert(run.expert)
runs: list[bba.Run] = bba.find_runs("runs")


def residuals(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    return vectors - 1.0


def evenness(answers: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.abs(answers - 1 / answers.shape[2]).mean(axis=(1, 2)))


own: bba.Run = bba.fit("SAU", objective=evenness)
both: bba.Run = bba.fit("SAU", objective={"indices": 1.0, evenness: 0.5})
scored = bba.score("vsm2013", country="SAU", conditions=("none", "icl"), seed=1)
figure: float = scored.figures[0].value
table: pd.DataFrame = scored.table()

found: bba.Minimum = bba.minimize(residuals, 3, budget=60, seed=np.random.default_rng(0))
vector: NDArray[np.float64] = found.vector
names: list[str] = [country.name for country in bba.countries().values()]

bba.fit("SAU", tokens="five")  # type: ignore[arg-type]
bba.fit("SAU", tokenz=5)  # type: ignore[call-arg]
