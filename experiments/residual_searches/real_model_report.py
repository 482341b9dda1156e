"""Reads a log of `real_model.py` and writes its tables: `real_model.md` and `real_model.csv`.

ERT, the expected running time to the error: all that was spent, of searches that did not reach it too,
divided by the number of searches that did (Hansen et al. 2021, COCO). Tokens are those that a candidate
adds to a pass; a step along the gradient counts three times a candidate.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

Search = dict[str, Any]
ENOUGH = 3.0
MARKS = (200, 500, 1000, 1500)


def reached(one: Search) -> int | None:
    """Evaluations until the error is small enough; None if it never is."""
    return next((number for number, error in one["improvements"] if error <= ENOUGH), None)


def error_at(one: Search, budget: int) -> float:
    """The best error within a budget."""
    return min((e for number, e in one["improvements"] if number <= budget), default=np.nan)


def ert(searches: list[Search], unit: str = "evaluations") -> float:
    """Expected evaluations, or ``tokens``, to the error; inf where no search reaches it."""
    hits = [reached(one) for one in searches]
    spent = [
        (one["evaluations"] if hit is None else hit)
        * (one["tokens_of_one"] if unit == "tokens" else 1)
        for one, hit in zip(searches, hits, strict=True)
    ]
    count = sum(hit is not None for hit in hits)
    return sum(spent) / count if count else np.inf


def _number(value: float) -> str:
    return "never" if not np.isfinite(value) else f"{value:,.0f}"


def _evaluations(searches: list[Search]) -> str:
    """Median, and from the least to the most, of evaluations to the error; what never reached it is last."""
    hits = sorted(np.inf if hit is None else float(hit) for hit in map(reached, searches))
    middle = float(np.median(hits))
    return f"{_number(middle)} ({_number(hits[0])} to {_number(hits[-1])})"


def tables(searches: list[Search]) -> list[str]:
    """One table over all rows and one by country, in Markdown."""
    names = sorted({one["row"] for one in searches}, key=lambda n: ert(_of(searches, n), "tokens"))
    countries = list(dict.fromkeys(one["country"] for one in searches))
    lines = [
        "| row | searches | at error 3 | evaluations, median (range) | ERT, evaluations | ERT, tokens "
        "| times the default's | median error at 200 / 500 / 1,000 / 1,500 | norm, words "
        "| s an evaluation |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name in names:
        rows = _of(searches, name)
        hits = sum(reached(one) is not None for one in rows)
        limit = max(one["limit"] for one in rows)
        errors = " / ".join(
            f"{np.median([error_at(one, mark) for one in rows]):.1f}" if mark <= limit else "-"
            for mark in MARKS
        )
        each = sum(one["seconds"] for one in rows) / sum(one["evaluations"] for one in rows)
        norms = [one["norm"] for one in rows]
        lines.append(
            f"| {name} | {len(rows)}, at most {limit:,} | {hits} | {_evaluations(rows)} "
            f"| {_number(ert(rows))} | {_number(ert(rows, 'tokens'))} "
            f"| {_beside_default(searches, name)} | {errors} "
            f"| {min(norms):.1f} to {max(norms):.1f} | {each:.2f} |"
        )
    lines += [
        "",
        "Evaluations to error 3 by country and seed; in brackets the error where it was not reached:",
        "",
    ]
    lines += ["| row | " + " | ".join(countries) + " |", "|---|" + "---|" * len(countries)]
    for name in names:
        cells = [
            ", ".join(_cell(one) for one in sorted(_of(searches, name), key=lambda o: o["seed"])
                      if one["country"] == country)
            for country in countries
        ]  # fmt: skip
        lines.append(f"| {name} | " + " | ".join(cell or "not run" for cell in cells) + " |")
    return lines


def _beside_default(searches: list[Search], name: str) -> str:
    """The row's ERT in tokens over that of the default, of the countries and seeds that both have.

    Where no search of the row reached the error, it is more than what all of them spent together.
    """
    usual = {(one["country"], one["seed"]): one for one in _of(searches, "default")}
    own = [one for one in _of(searches, name) if (one["country"], one["seed"]) in usual]
    if not own or name == "default":
        return "-"
    least = ert([usual[one["country"], one["seed"]] for one in own], "tokens")
    hit = ert(own, "tokens")
    spent = sum(one["evaluations"] * one["tokens_of_one"] for one in own)
    ratio = f"{hit / least:.1f}" if np.isfinite(hit) else f"more than {spent / least:.0f}"
    return f"{ratio} ({len(own)})"


def _cell(one: Search) -> str:
    hit = reached(one)
    return f"{hit:,}" if hit is not None else f"({error_at(one, one['limit']):.1f})"


def _of(searches: list[Search], name: str) -> list[Search]:
    return [one for one in searches if one["row"] == name]


def write_report(log: Path) -> None:
    """Write the tables beside the log, and print them."""
    searches = [json.loads(line) for line in log.read_text().splitlines()]
    first = searches[0]
    head = (
        f"{first['model']} {first['revision']}, {first['dtype']}, orders {first['orders']}, placement "
        f"{first['placement']}, {first['tokens']} virtual token{'s' * (first['tokens'] > 1)}; seeds "
        f"{', '.join(map(str, sorted({one['seed'] for one in searches})))}."
    )
    text = "\n".join([f"# Searches on {first['model']}", "", head, "", *tables(searches), ""])
    log.with_suffix(".md").write_text(text)
    print(text)
    with log.with_suffix(".csv").open("w", newline="") as file:
        keys = [key for key in first if key not in ("improvements", "options")]
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*keys, "reached", *(f"error_{mark}" for mark in MARKS)])
        for one in searches:
            marks = [round(error_at(one, mark), 3) for mark in MARKS]
            writer.writerow([*(one[key] for key in keys), reached(one) or "", *marks])


if __name__ == "__main__":
    write_report(
        Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("real_model.jsonl")
    )
