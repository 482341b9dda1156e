"""How near does a mixture of other peoples come to a people of whom a few answers are known?

    python experiments/routing/answers.py                 # prints the table and writes answers.md
    python experiments/routing/answers.py --data FOLDER   # where wvs/ lies elsewhere than ../shared/data

Every one of 19 countries of the World Values Survey's seventh wave is left out in turn and mixed from the
answers of the others, with weights by k known questions; the distance is taken on all other questions.
The strength of the prior and what a row of shares counts as were set by this table.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from blackbox_align.committee import fit_weights
from blackbox_align.statistics.distances import js_distance

HERE = Path(__file__).parent
DATA = HERE.parents[1].parent / "shared" / "data"
STRENGTHS = (0.0, 0.3, 1.0, 3.0)
REPEATS = 3


def peoples(file: Path) -> np.ndarray:
    """(countries, questions, options) shares, on questions that at least 30 % of all answered."""
    shares = json.loads(file.read_text(encoding="utf-8"))
    rows = list(shares.values())
    asked = [q for q in rows[0] if all(sum(row[q].values()) > 0.3 for row in rows)]
    codes = {q: sorted({code for row in rows for code in row[q]}, key=int) for q in asked}
    answers = np.zeros((len(rows), len(asked), max(map(len, codes.values()))))
    for c, row in enumerate(rows):
        for n, q in enumerate(asked):
            answers[c, n, : len(codes[q])] = [row[q].get(code, 0.0) for code in codes[q]]
    return answers / answers.sum(axis=2, keepdims=True)


def distances(answers: np.ndarray, k: int, rng: np.random.Generator) -> dict[str, list[float]]:
    """Mean JS distance on unknown questions, by way, one entry a country and repeat."""
    found: dict[str, list[float]] = {}
    for _ in range(REPEATS):
        known = rng.choice(answers.shape[1], k, replace=False)
        others = np.setdiff1d(np.arange(answers.shape[1]), known)
        for left_out in range(len(answers)):
            experts, people = np.delete(answers, left_out, axis=0), answers[left_out]
            shares = np.full(people.shape, np.nan)
            shares[known] = people[known]
            one_each = shares.copy()
            one_each[known] = [rng.multinomial(1, row / row.sum()) for row in people[known]]
            weights = {"all averaged": np.full(len(experts), 1 / len(experts))}
            for title, seen in (("one answer", one_each), ("shares", shares)):
                for strength in STRENGTHS:
                    fitted = fit_weights(experts, seen, strength=strength)
                    weights[f"{title}, strength {strength:g}"] = fitted.weights
                weights[f"{title}, the nearest alone"] = np.eye(len(experts))[fitted.alone.argmin()]
            for way, w in weights.items():
                mixture = np.tensordot(w, experts, 1)
                found.setdefault(way, []).append(
                    js_distance(mixture[others], people[others]).mean()
                )
    return found


def table(answers: np.ndarray, counts: Iterable[int]) -> str:
    rng = np.random.default_rng(0)
    by_count = {k: distances(answers, k, rng) for k in counts}
    lines = [
        f"Mean JS distance (nats) on unknown questions, {len(answers)} countries, {REPEATS} draws.",
        "",
        f"| known of each question | {' | '.join(f'{k} questions' for k in by_count)} |",
        "|---|" + "---|" * len(by_count),
    ]
    for way in next(iter(by_count.values())):
        cells = [f"{np.mean(found[way]):.4f}" for found in by_count.values()]
        lines.append(f"| {way} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of the reference data")
    folder = parser.parse_args().data / "wvs"
    text = table(peoples(folder / "culturespa_proportions_group_by_country.json"), (3, 5, 10, 20))
    print(text)
    (HERE / "answers.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
