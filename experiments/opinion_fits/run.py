"""Does a prompt that was fitted to some opinions answer *other* questions more like a country's people?

    python experiments/opinion_fits/run.py                 # the embedded model; prints and writes the table
    python experiments/opinion_fits/run.py --model FOLDER --countries BRA KEN --seeds 5

Fits the opinions of every country with every seed, which also draws the questions that are held out, and
writes a table of the distances on held-out questions only. Runs that are finished are not searched again.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

import blackbox_align as bba
from blackbox_align.statistics.bootstrap import Bootstrap, Estimate

# The embedded model was trained without the names of the first seven.
NEVER_NAMED = ("BRA", "ETH", "KEN", "NZL", "THA", "UKR", "ZWE")
NAMED = ("USA", "CHN", "DEU", "IND", "NGA")
CONDITIONS = {
    "unprompted": "un-prompted",
    "country_in_text": "country in text",
    "fitted": "fitted",
    "unprompted_fitted_temperature": "un-prompted, fitted temperature",
    "mean_of_other_countries": "mean of other countries",
    "uniform": "uniform",
}


def held_out_rows(results: list[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(rows, conditions) distances, (rows,) question and (rows,) country of every held-out answer."""
    values, questions, countries = [], [], []
    for result in results:
        for question, row in result["opinions"]["by_question"].items():
            if row["held_out"]:
                values.append([row[name] for name in CONDITIONS])
                questions.append(question)
                countries.append(result["country"])
    return np.array(values, dtype=float), np.array(questions), np.array(countries)


def estimates(results: list[dict[str, Any]]) -> tuple[list[Estimate], list[Estimate]]:
    """Every condition's mean distance, and fitted minus every other; intervals over questions.

    All answers to a question, whatever the seed or the country, are drawn together.
    """
    values, questions, countries = held_out_rows(results)
    fitted = values[:, [list(CONDITIONS).index("fitted")]]
    found = Bootstrap(questions, countries).estimate(np.hstack([values, fitted - values]))
    return found[: len(CONDITIONS)], found[len(CONDITIONS) :]


def line(title: str, results: list[dict[str, Any]]) -> str:
    means, differences = estimates(results)
    cells = [f"{mean.value:.3f}" for mean in means]
    for name in ("unprompted", "country_in_text", "mean_of_other_countries"):
        d = differences[list(CONDITIONS).index(name)]
        off_zero = "**" if d.high < 0 or d.low > 0 else ""
        cells.append(f"{off_zero}{d.value:+.3f}{off_zero} [{d.low:+.3f}, {d.high:+.3f}]")
    fit = np.mean([r["opinions"]["fit"]["distances"]["fitted"]["value"] for r in results])
    evaluations = np.mean([r["evaluations"] for r in results])
    return f"| {' | '.join([title, *cells, f'{fit:.3f}', f'{evaluations:.0f}'])} |"


def table(results: list[dict[str, Any]]) -> str:
    columns = [
        "",
        *CONDITIONS.values(),
        "fitted minus un-prompted",
        "fitted minus country in text",
        "fitted minus mean of others",
        "fitted, questions to fit",
        "evaluations",
    ]
    lines = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    for title, codes in (("never named", NEVER_NAMED), ("named", NAMED)):
        group = [result for result in results if result["country"] in codes]
        for code in dict.fromkeys(result["country"] for result in group):
            own = [result for result in group if result["country"] == code]
            lines.append(line(own[0]["country_name"], own))
        if group:
            lines.append(line(f"*mean, {title}*", group))
    return "\n".join(lines)


def main() -> None:
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", default="respondent-tiny")
    parser.add_argument("--countries", nargs="+", default=[*NEVER_NAMED, *NAMED])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--budget", type=int, default=2000)
    parser.add_argument("--runs", type=Path, default=Path("runs/opinion_fits"))
    parser.add_argument("--out", type=Path, default=here / "results.md")
    arguments = parser.parse_args()
    results = [
        bba.fit(
            country,
            objective="opinions",
            model=arguments.model,
            seed=seed,
            budget=arguments.budget,
            runs=arguments.runs,
        ).result
        for seed in range(arguments.seeds)
        for country in arguments.countries
    ]
    text = table(results)
    arguments.out.write_text(f"{text}\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
