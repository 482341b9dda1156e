"""What exact Jacobians say of searches without gradients: three ways out that are none.

    python experiments/residual_searches/jacobians.py    # SmolLM2, 3 minutes
    python experiments/residual_searches/jacobians.py --model experiments/text_models/models/text-neox
    python experiments/residual_searches/jacobians.py --model respondent-tiny --placement first --tokens 5

(1) Are the labels' logits more linear in the prompt than the indices, so that a model of them would reach
farther? (2) In which principal directions of the words' embeddings does the Jacobian lie, and could steps be
drawn there? (3) How many of 96 countries does one exact Jacobian reach from the middle of them all? Both
directions of every scale, float32; lengths are in words.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
from real_model import ENOUGH, HERE, Model, parser_of
from scipy.special import softmax

from blackbox_align.fitting.gradients import by_answers
from blackbox_align.optimizers.levenberg_marquardt import damping

COUNTRY = "SAU"  # what is asked does not depend on it
LENGTHS = (1 / 8, 1 / 4, 1 / 2, 1.0)
SHORT = 0.05
BANDS = (
    0,
    1 / 32,
    1 / 8,
    1 / 2,
    7 / 8,
    31 / 32,
    1,
)  # of the principal directions, the widest first
TINY = 1e-12


class Smooth:
    """A model with the survey, its six indices, and their exact Jacobian by a prompt's coordinates."""

    def __init__(self, model: Model, seed: int) -> None:
        self.model, self.problem = model, model.problem(COUNTRY)
        self.space = model.space(COUNTRY, seed)
        self.root = float(np.sqrt(self.space.dimension))

    def answers(self, vectors: np.ndarray) -> np.ndarray:
        """(P, questions, labels) probabilities."""
        given = self.model.engine.answer(self.space.adapters(vectors), self.problem.sheet)
        return given.probabilities.astype(np.float64)

    def indices(self, answers: np.ndarray) -> np.ndarray:
        """(P, 6) points."""
        objective = self.problem.objective
        return np.asarray(objective.stacked(objective.outputs(self.problem.arranged(answers))))

    def slopes(self, answers: np.ndarray) -> np.ndarray:
        """(6, 1, questions, labels) derivatives of the indices by answers (1, questions, labels), in which
        they are linear."""
        here = self.indices(answers)[0]
        slopes = np.zeros((len(here), *answers.shape))
        for question, label in np.argwhere(np.isfinite(answers[0])):
            there = answers.copy()
            there[0, question, label] += 1e-4
            slopes[:, 0, question, label] = (self.indices(there)[0] - here) / 1e-4
        return slopes

    def jacobian(self, vector: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(6,) indices at a vector (d,), and their (6, d) derivatives."""
        given, pull = self.model.engine.pullback(
            self.space.adapters(vector[None]), self.problem.sheet
        )
        answers = given.probabilities.astype(np.float64)
        rows = [self.space.pull(pull(by_answers(given, one)))[0] for one in self.slopes(answers)]
        return self.indices(answers)[0], np.array(rows)


def logits(model: Model, seeds: range) -> list[str]:
    """What a straight line leaves of a move (squared, median), of the indices and through labels' logits."""
    left: list[list[tuple[float, float]]] = [[] for _ in LENGTHS]
    for seed in seeds:
        at, rng = Smooth(model, seed), np.random.default_rng([5, seed])
        for _ in range(2):
            along = rng.standard_normal(at.space.dimension)
            lengths = (0.0, SHORT, -SHORT, *LENGTHS)
            answers = at.answers(np.array([length * along for length in lengths]))
            seen, logs = at.indices(answers), np.log(np.maximum(answers, TINY))
            slope, of_logs = ((x[1] - x[2]) / (2 * SHORT) for x in (seen, logs))
            for n, length in enumerate(LENGTHS):
                through = softmax(logs[0] + length * of_logs, axis=-1)[None]
                foretold = seen[0] + length * slope, at.indices(through)[0]
                moved = np.sum((seen[3 + n] - seen[0]) ** 2)
                line, bent = (float(np.sum((seen[3 + n] - f) ** 2) / moved) for f in foretold)
                left[n].append((line, bent))
    rows = [np.median(np.array(one), axis=0) for one in left]
    return [
        "| length of a random step, words | " + " | ".join(f"{x:g}" for x in LENGTHS) + " |",
        "|---|" + "---|" * len(LENGTHS),
        "| left by a line of the indices | " + " | ".join(f"{row[0]:.2f}" for row in rows) + " |",
        "| left by a line of the logits | " + " | ".join(f"{row[1]:.2f}" for row in rows) + " |",
    ]


def directions(model: Model, seeds: range) -> list[str]:
    """How much of the Jacobian lies in which principal directions of the words' embeddings."""
    words = model.engine.embed(range(model.engine.info.vocabulary)).astype(np.float64)
    variances, axes = np.linalg.eigh(np.cov(words.T))
    variances, axes = variances[::-1], axes[:, ::-1]
    width, shares = len(axes), []
    for seed in seeds:
        at = Smooth(model, seed)
        _, jacobian = at.jacobian(np.zeros(at.space.dimension))
        unit = jacobian / np.linalg.norm(jacobian, axis=1, keepdims=True)
        shares.append(((unit.reshape(-1, width) @ axes) ** 2).sum(axis=0) / len(unit))
    energy = np.mean(shares, axis=0) * width
    cuts = [round(width * share) for share in BANDS]
    bands = list(pairwise(cuts))
    return [
        "| principal directions | " + " | ".join(f"{a + 1} to {b}" for a, b in bands) + " |",
        "|---|" + "---|" * len(bands),
        f"| variance of {len(words):,} words (1: all alike) | "
        + " | ".join(f"{(variances[a:b] / variances.mean()).mean():.2f}" for a, b in bands) + " |",
        "| Jacobian, squared (1: all alike) | "
        + " | ".join(f"{energy[a:b].mean():.2f}" for a, b in bands) + " |",
    ]  # fmt: skip


def step_to(jacobian: np.ndarray, residuals: np.ndarray, radius: float) -> np.ndarray:
    """The Levenberg-Marquardt step (d,) of the line, no longer than the radius."""
    values, axes = np.linalg.eigh(jacobian @ jacobian.T)
    along = axes.T @ residuals
    ridge = damping(values, along, radius, 1e-6 * float(values.mean()))
    return np.asarray(-jacobian.T @ (axes @ (along / (values + ridge))))


def design(model: Model, seed: int) -> list[str]:
    """How near 96 countries come by one step each, along the exact Jacobian where their mean is."""
    at, targets = Smooth(model, seed), model.problem("all").targets
    vector, middle, radius = np.zeros(at.space.dimension), targets.mean(axis=0), at.root / 4
    seen, jacobian = at.jacobian(vector)
    for _ in range(40):
        if np.abs(seen - middle).mean() <= 1.0:
            break
        trial = vector + step_to(jacobian, seen - middle, radius)
        there = at.indices(at.answers(trial[None]))[0]
        if np.abs(there - middle).mean() < np.abs(seen - middle).mean():
            vector, radius = trial, 1.3 * radius
            seen, jacobian = at.jacobian(vector)
        else:
            radius /= 2
    lines = [
        f"At the mean of {len(targets)} countries: {np.abs(seen - middle).mean():.1f} points from it, "
        f"{np.median(np.abs(seen - targets).mean(axis=1)):.1f} from a country (median).",
        "",
        "| longest step, words | promised, median | came, median | countries at error 3 |",
        "|---|---|---|---|",
    ]
    for length in LENGTHS:
        steps = np.array([step_to(jacobian, seen - t, length * at.root) for t in targets])
        came = np.abs(at.indices(at.answers(vector + steps)) - targets).mean(axis=1)
        promised = np.abs(seen + steps @ jacobian.T - targets).mean(axis=1)
        lines.append(
            f"| {length:g} | {np.median(promised):.1f} | {np.median(came):.1f} | {np.sum(came <= ENOUGH)} |"
        )
    return lines


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--seeds", type=int, default=6, help="start words that are looked at")
    asked = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    model = Model(asked.model, asked.placement, asked.tokens, HERE / "runs")
    print(f"{Path(asked.model).name}, {asked.placement}, {asked.tokens} token(s)\n")
    measured: list[list[str]] = [
        logits(model, range(min(asked.seeds, 3))),
        directions(model, range(asked.seeds)),
        *(design(model, seed) for seed in range(2)),
    ]
    for lines in measured:
        print("\n".join(lines) + "\n", flush=True)


if __name__ == "__main__":
    main()
