"""Reads a log of `run.py` and prints the table.

ERT, the expected running time to the target: evaluations of all runs until they reach it (all of
them where they do not), divided by the number of runs that reach it (Hansen et al. 2021, COCO). The
interval is a bootstrap over runs, within each country; 0.025 and 0.975 quantiles.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

TARGET = 3.0
BUDGETS = (200, 500, 1000, 2000)


def evaluations_to(run: dict[str, Any], target: float) -> int | None:
    """Evaluations until the best error is at most ``target``; None if it never is."""
    return next((number for number, loss in run["improvements"] if loss <= target), None)


def error_at(run: dict[str, Any], budget: int) -> float:
    """The best error within ``budget`` evaluations."""
    return min((loss for number, loss in run["improvements"] if number <= budget), default=np.nan)


def expected_running_time(runs: list[dict[str, Any]], target: float) -> float:
    hits = [evaluations_to(run, target) for run in runs]
    spent = sum(
        run["evaluations"] if hit is None else hit for run, hit in zip(runs, hits, strict=True)
    )
    reached = sum(hit is not None for hit in hits)
    return spent / reached if reached else np.inf


def interval(runs: list[dict[str, Any]], target: float, draws: int = 2000) -> tuple[float, float]:
    rng = np.random.default_rng(0)
    by_country = defaultdict(list)
    for run in runs:
        by_country[run["country"]].append(run)
    values = []
    for _ in range(draws):
        sample = [
            group[i]
            for group in by_country.values()
            for i in rng.integers(0, len(group), len(group))
        ]
        values.append(expected_running_time(sample, target))
    low, high = np.quantile(values, [0.025, 0.975], method="nearest")
    return float(low), float(high)


def print_report(log: Path, target: float = TARGET) -> None:
    """One row per optimizer, the fewest evaluations first."""
    runs = [json.loads(line) for line in log.read_text().splitlines()]
    by_optimizer = defaultdict(list)
    for run in runs:
        by_optimizer[run["optimizer"]].append(run)
    models = sorted(
        {f"{Path(r['model']).name} {r['revision']}, {r['tokens']} tokens" for r in runs}
    )
    countries = sorted({run["country"] for run in runs})
    print(f"{'; '.join(models)}; {', '.join(countries)}; error {target:g}\n")
    print("| optimizer | runs | reached | ERT | 95 % interval |"
          + "".join(f" median error at {budget:,} |" for budget in BUDGETS)
          + " own ms/evaluation |")  # fmt: skip
    print("|---|---|---|---|---|" + "---|" * len(BUDGETS) + "---|")
    order = sorted(by_optimizer, key=lambda name: expected_running_time(by_optimizer[name], target))
    for name in order:
        group = by_optimizer[name]
        reached = sum(evaluations_to(run, target) is not None for run in group)
        low, high = interval(group, target)
        errors = (np.median([error_at(run, budget) for run in group]) for budget in BUDGETS)
        own = 1e3 * sum(r["own_seconds"] for r in group) / sum(r["evaluations"] for r in group)
        print(
            f"| {name} | {len(group)} | {reached / len(group):.0%} "
            f"| {expected_running_time(group, target):,.0f} | {low:,.0f} to {high:,.0f} |"
            + "".join(f" {error:.1f} |" for error in errors)
            + f" {own:.2f} |"
        )
    print(f"\nA search ends at two points: an error of 2.0 or less means that it had ended. "
          f"ERT to error {target:g}; per country:\n")  # fmt: skip
    print("| optimizer |" + "".join(f" {country} |" for country in countries))
    print("|---|" + "---|" * len(countries))
    for name in order:
        parts = (
            expected_running_time(
                [r for r in by_optimizer[name] if r["country"] == country], target
            )
            for country in countries
        )
        print(f"| {name} |" + "".join(f" {part:,.0f} |" for part in parts))


if __name__ == "__main__":
    print_report(
        Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("fit-4.jsonl")
    )
