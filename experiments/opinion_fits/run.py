"""Does a prompt that was fitted to some opinions answer *other* questions more like a country's people?

    python experiments/opinion_fits/run.py                 # the embedded model; prints and writes the table
    python experiments/opinion_fits/run.py --model FOLDER --countries BRA KEN --seeds 5

Fits the opinions of every country with every seed, which also draws the questions that are held out, and
writes a table of the distances on held-out questions only. Runs that are finished are not searched again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import blackbox_align as bba
from blackbox_align.assessment import load_instrument
from blackbox_align.fitting.data import load_data
from blackbox_align.fitting.specification import Specification
from blackbox_align.results import Result
from blackbox_align.results.names import (
    CORRECTED,
    COUNTRY_IN_TEXT,
    FITTED,
    MEAN_OF_OTHERS,
    MIXTURE,
    NONE,
    TEMPERED,
    UNIFORM,
    title,
)
from blackbox_align.statistics.bootstrap import Bootstrap, Estimate
from blackbox_align.surveys.instruments import instrument_of

# The embedded model was trained without the names of the first seven.
NEVER_NAMED = ("BRA", "ETH", "KEN", "NZL", "THA", "UKR", "ZWE")
NAMED = ("USA", "CHN", "DEU", "IND", "NGA")
CONDITIONS = (
    *(NONE, COUNTRY_IN_TEXT, FITTED, TEMPERED, CORRECTED, MEAN_OF_OTHERS, MIXTURE, UNIFORM),
)
DISTANCE = "js_distance_nats"


def held_out_rows(results: list[Result]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(rows, conditions) distances, (rows,) question and (rows,) country of every held-out answer."""
    values, questions, countries = [], [], []
    held = load_instrument("world-opinions")
    for result in results:
        (code,) = result.provenance.populations
        made = instrument_of(held, populations=[code])
        (people,), ids = made.populations, [item.id for item in made.items]
        answers = {
            one.condition: np.full((len(ids), made.survey.width), np.nan) for one in result.answers
        }
        for one in result.answers:
            for item, shares in zip(one.items, one.probabilities, strict=True):
                answers[one.condition][ids.index(item)] = 0.0
                answers[one.condition][ids.index(item), : len(shares)] = shares
        fitted = result.provenance.fitted_items
        measured = {
            **made.baselines(people, answers[NONE], fitted),
            **{name: made.measure(rows, people) for name, rows in answers.items()},
        }
        for row, item in enumerate(made.rows(people)):
            if ids[item] not in fitted:
                values.append([measured[name][DISTANCE][row] for name in CONDITIONS])
                questions.append(ids[item])
                countries.append(code)
    return np.array(values, dtype=float), np.array(questions), np.array(countries)


def estimates(results: list[Result]) -> tuple[list[Estimate], list[Estimate]]:
    """Every condition's mean distance, and fitted minus every other; intervals over questions.

    All answers to a question, whatever the seed or the country, are drawn together.
    """
    values, questions, countries = held_out_rows(results)
    fitted = values[:, [CONDITIONS.index(FITTED)]]
    found = Bootstrap(questions, countries).estimate(np.hstack([values, fitted - values]))
    return found[: len(CONDITIONS)], found[len(CONDITIONS) :]


def line(title: str, results: list[Result]) -> str:
    means, differences = estimates(results)
    cells = [f"{mean.value:.3f}" for mean in means]
    for name in (NONE, COUNTRY_IN_TEXT, MEAN_OF_OTHERS, MIXTURE):
        d = differences[CONDITIONS.index(name)]
        off_zero = "**" if d.high < 0 or d.low > 0 else ""
        cells.append(f"{off_zero}{d.value:+.3f}{off_zero} [{d.low:+.3f}, {d.high:+.3f}]")
    fit = np.mean([r.value(FITTED, DISTANCE, split="fit") for r in results])
    evaluations = np.mean([r.search.evaluations for r in results if r.search])
    return f"| {' | '.join([title, *cells, f'{fit:.3f}', f'{evaluations:.0f}'])} |"


def country(result: Result) -> tuple[str, str]:
    """Code and name."""
    (found,) = result.provenance.populations.items()
    return found


def table(results: list[Result]) -> str:
    columns = [
        "",
        *(title(name).strip("()") for name in CONDITIONS),
        "fitted minus un-prompted",
        "fitted minus country in text",
        "fitted minus mean of others",
        "fitted minus mixture of others",
        "fitted, questions to fit",
        "evaluations",
    ]
    lines = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    for kind, codes in (("never named", NEVER_NAMED), ("named", NAMED)):
        group = [result for result in results if country(result)[0] in codes]
        for code, name in dict.fromkeys(map(country, group)):
            lines.append(line(name, [result for result in group if country(result)[0] == code]))
        if group:
            lines.append(line(f"*mean, {kind}*", group))
    return "\n".join(lines)


def peoples_alone(countries: list[str], seeds: int) -> str:
    """Held-out distances of the mixture of other peoples by the same known answers: nothing is fitted."""
    held = load_instrument("world-opinions")
    lines = ["| | mean of others | mixture of others |", "|---|---|---|"]
    for code in countries:
        made = instrument_of(held, populations=[code])
        (people,) = made.populations
        found = []
        for seed in range(seeds):
            settings = Specification(code, objective="opinions", seed=seed)
            split = load_data(settings).opinions
            fitted = {item.id for item in made.items} - split.held_out
            rows = np.array([made.items[n].id in split.held_out for n in made.rows(people)])
            known = made.baselines(people, None, fitted)
            found.append([known[n][DISTANCE][rows].mean() for n in (MEAN_OF_OTHERS, MIXTURE)])
        cells = " | ".join(f"{value:.3f}" for value in np.mean(found, axis=0))
        lines.append(f"| {people.name} | {cells} |")
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
    parser.add_argument("--peoples-alone", action="store_true", help=peoples_alone.__doc__)
    arguments = parser.parse_args()
    if arguments.peoples_alone:
        print(peoples_alone(arguments.countries, arguments.seeds))
        return
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
