"""Peoples that have no expert: how near do mixtures of other countries' experts come to them?

    python experiments/missing_people/run.py                      # the embedded model; writes results.md
    python experiments/missing_people/run.py --model FOLDER --placement last --tokens 1 --optimizer adam \
        --budget 40 --personas 30 --out FILE

Each of the 18 countries of `world-opinions` gets an expert, fitted to the half of the questions that the
seed draws (see `experts.py`). Then every country in turn has none: the experts of the other 17 are weighed,
by several systems, and their mixture is held against the country's people on the other half of the
questions, which no search saw. Options are asked in all rotations and averaged. Intervals are a bootstrap
over countries and questions at once.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
from experts import Found, find_expert
from numpy.typing import NDArray

from blackbox_align.adapters.adapter import Adapter
from blackbox_align.assessment.asking import Asking, ask
from blackbox_align.committee import drawn_personas, fit_weights, fuse
from blackbox_align.engines.kept import KeptEngine, open_kept
from blackbox_align.fitting import Specification
from blackbox_align.populations import countries
from blackbox_align.statistics.distances import js_distance
from blackbox_align.surveys.instruments import instrument_of, load_instrument

Array = NDArray[np.floating]
HERE = Path(__file__).parent
DRAWS = 8
KNOWN = (5, 20)


class Study:
    """What all systems need: peoples' shares, experts' answers, which questions no search saw."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.instrument = instrument_of(load_instrument("world-opinions"))
        self.codes = [population.code for population in self.instrument.populations]
        self.people = np.stack([self.instrument.shares(p) for p in self.instrument.populations])
        self.regions = [countries()[code].continent for code in self.codes]
        personas = drawn_personas(given.personas, np.random.default_rng(given.seed))
        names = [countries()[code].name for code in self.codes]
        with closing(open_kept(given.model, dtype=given.dtype)) as engine:
            self.info = engine.info
            self.found = self._search(given, engine)
            adapters = [
                *(one.adapter for one in self.found),
                *(Adapter(text=persona.text) for persona in personas),
                Adapter(),
                *(Adapter(text=one.preamble()) for one in self.instrument.populations),
            ]
            answers, _ = ask(engine, self.instrument.survey, adapters, Asking("cyclic", "letters"))
            self.orders = self.info.orders if given.orders == "auto" else given.orders
            known = [*(one.adapter for one in self.found), Adapter()]
            self.as_fitted, _ = ask(
                engine, self.instrument.survey, known, Asking(self.orders, "own")
            )
            states = engine.hidden([f"The culture of {name}" for name in names], "layer-input")
        count = len(self.codes)
        self.experts, self.texts = answers[:count], answers[count : count + len(personas)]
        self.plain, self.in_text = answers[-count - 1], answers[-count:]
        self.embeddings = np.asarray(states[:, -1], float)
        seen = set().union(*(one.seen for one in self.found))
        self.seen = np.array([item.id in seen for item in self.instrument.items])

    def _search(self, given: argparse.Namespace, engine: KeptEngine) -> list[Found]:
        """An expert for every country; what a search asks is not asked again, and not kept."""
        found = []
        for code in self.codes:
            settings = Specification(
                code,
                objective="opinions",
                model=given.model,
                dtype=given.dtype,
                optimizer=given.optimizer,
                placement=given.placement,
                tokens=given.tokens,
                orders=given.orders,
                seed=given.seed,
            )
            name = (
                f"{self.info.revision[:12]}-{given.placement}-{given.tokens}-{given.optimizer}-"
                f"{given.budget}-{given.seed}{'' if given.orders == 'auto' else '-' + given.orders}"
            )
            began = time.process_time()
            one = find_expert(
                settings, engine.engine, given.budget, given.runs / name / f"{code}.npz"
            )
            found.append(one)
            print(
                f"{code}: {one.first:.3f} to {one.last:.3f} nats on the questions fitted, "
                f"{one.evaluations} evaluations, {time.process_time() - began:.0f} s of a core",
                flush=True,
            )
        return found

    def distances(self, answers: Array, country: int) -> Array:
        """(questions,) nats, NaN where the question was seen by a search, or not asked of the people."""
        found = js_distance(answers, self.people[country])
        return np.where(self.seen, np.nan, found)

    def known(self, country: int, k: int, rng: np.random.Generator) -> Array:
        """The people's answers to k questions that searches saw; NaN elsewhere."""
        possible = np.flatnonzero(self.seen & ~np.isnan(self.people[country]).any(axis=1))
        some = rng.choice(possible, min(k, len(possible)), replace=False)
        answers = np.full_like(self.people[country], np.nan)
        answers[some] = self.people[country, some]
        return answers


def mixed(weights: Array, rows: Array) -> Array:
    return np.tensordot(weights, rows, 1)


def systems(study: Study) -> dict[str, Callable[[int, np.random.Generator], Array]]:
    """(questions, options) answers for a country that has no expert, by every system."""
    count, pool = len(study.codes), len(study.texts)

    def others(country: int) -> NDArray[np.integer]:
        return np.delete(np.arange(count), country)

    def by_answers(
        pool: Callable[[int], Array], k: int
    ) -> Callable[[int, np.random.Generator], Array]:
        def answer(country: int, rng: np.random.Generator) -> Array:
            rows = pool(country)
            return mixed(fit_weights(rows, study.known(country, k, rng)).weights, rows)

        return answer

    def by_name(country: int, rng: np.random.Generator) -> Array:
        rest = others(country)
        unit = study.embeddings / np.linalg.norm(study.embeddings, axis=1, keepdims=True)
        fused = fuse(unit[rest], unit[country])
        return mixed(fused.weights, study.experts[rest[list(fused.chosen)]])

    def nearest_region(country: int, rng: np.random.Generator) -> Array:
        rest = others(country)
        same = [n for n in rest if study.regions[n] == study.regions[country]] or list(rest)
        return study.experts[same].mean(axis=0)

    def experts(country: int) -> Array:
        return study.experts[others(country)]

    def peoples(country: int) -> Array:
        return np.nan_to_num(study.people[others(country)])

    def texts(country: int) -> Array:
        return study.texts

    offered = study.plain > 0
    return {
        **{f"experts by {k} known answers": by_answers(experts, k) for k in KNOWN},
        "experts by name (MoCulE's fusion)": by_name,
        "experts of the same continent": nearest_region,
        "all experts averaged": lambda c, rng: experts(c).mean(axis=0),
        "a random expert": lambda c, rng: study.experts[rng.choice(others(c))],
        **{f"{pool} personas by {k} known answers": by_answers(texts, k) for k in KNOWN},
        "country in text": lambda c, rng: study.in_text[c],
        "un-prompted": lambda c, rng: study.plain,
        "uniform": lambda c, rng: offered / offered.sum(axis=1, keepdims=True),
        "mean of other peoples": lambda c, rng: np.nanmean(study.people[others(c)], axis=0),
        **{f"mixture of other peoples by {k} known answers": by_answers(peoples, k) for k in KNOWN},
        "the country's own expert": lambda c, rng: study.experts[c],
    }


def measure(study: Study, seed: int) -> dict[str, Array]:
    """(countries, questions) distances by system, means over draws of what was known."""
    rng = np.random.default_rng(seed)
    measured = {}
    for name, answer in systems(study).items():
        rows = []
        for country in range(len(study.codes)):
            draws = [study.distances(answer(country, rng), country) for _ in range(DRAWS)]
            rows.append(np.mean(draws, axis=0))
        measured[name] = np.array(rows)
    return measured


def interval(
    values: Array, rng: np.random.Generator, draws: int = 2000
) -> tuple[float, float, float]:
    """The mean of (countries, questions), and its 95 % interval over countries and questions drawn again."""
    countries_, questions = values.shape
    found = []
    for _ in range(draws):
        rows = rng.integers(countries_, size=countries_)
        columns = rng.integers(questions, size=questions)
        found.append(np.nanmean(values[rows][:, columns]))
    low, high = np.quantile(found, [0.025, 0.975])
    return float(np.nanmean(values)), float(low), float(high)


def table(study: Study, measured: dict[str, Array], given: argparse.Namespace) -> str:
    rng = np.random.default_rng(0)
    reference = f"experts by {KNOWN[0]} known answers"
    ends = np.mean([(one.first, one.last) for one in study.found], axis=0)
    lines = [
        "# Peoples that have no expert",
        "",
        f"Model {Path(study.info.name).name} (revision {study.info.revision[:12]}), {study.info.dtype}; "
        f"{len(study.codes)} countries, one left out at a time; experts by {given.optimizer}, at most "
        f"{given.budget} evaluations each, {given.tokens} virtual tokens, placement {given.placement}, seed "
        f"{given.seed} (mean distance on the questions to fit {ends[0]:.3f} at the first prompt, "
        f"{ends[1]:.3f} at the best); {int((~study.seen).sum())} questions that no search saw, all "
        f"rotations averaged; known answers drawn {DRAWS} times from the other questions. Jensen-Shannon "
        "distance in nats, smaller is nearer; 95 % intervals over countries and questions.",
        "",
        f"| system | distance | minus {reference} |",
        "|---|---|---|",
    ]
    for name, values in measured.items():
        mean, low, high = interval(values, rng)
        cells = [name, f"{mean:.3f} [{low:.3f}, {high:.3f}]", ""]
        if name != reference:
            d, a, b = interval(values - measured[reference], rng)
            cells[2] = f"{d:+.3f} [{a:+.3f}, {b:+.3f}]"
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, *orders_table(study), ""])


def orders_table(study: Study) -> list[str]:
    """What the experts gain in the orders in which they were fitted, and in all rotations."""
    lines = [
        "",
        f"The same people's experts and the model as it is, in the orders that were fitted "
        f"({study.orders}) and in all rotations:",
        "",
        "| | fitted questions, fitted orders | fitted questions, rotations "
        "| held-out questions, fitted orders | held-out questions, rotations |",
        "|---|---|---|---|---|",
    ]
    count = len(study.codes)
    plain = [np.repeat(rows[None], count, axis=0) for rows in (study.as_fitted[-1], study.plain)]
    for name, ways in (
        ("un-prompted", plain),
        ("the country's own expert", [study.as_fitted[:-1], study.experts]),
    ):
        distances = [js_distance(answers, study.people) for answers in ways]
        cells = [np.nanmean(d[:, some]) for some in (study.seen, ~study.seen) for d in distances]
        lines.append(f"| {name} | {' | '.join(f'{cell:.3f}' for cell in cells)} |")
    return lines


def mixed_populations(study: Study, seed: int, count: int = 300) -> str:
    """Populations that are mixed of two to five peoples: what stated weights are worth."""
    rng = np.random.default_rng(seed)
    names = (
        "stated weights",
        "equal weights of the same",
        "the largest alone",
        "all experts averaged",
    )
    found = np.zeros((count, len(names)))
    for row in found:
        size = int(rng.integers(2, 6))
        some = rng.choice(len(study.codes), size, replace=False)
        weights = rng.dirichlet(np.ones(size))
        people, experts = mixed(weights, study.people[some]), study.experts[some]
        answers = (
            mixed(weights, experts),
            experts.mean(axis=0),
            experts[weights.argmax()],
            study.experts.mean(axis=0),
        )
        distances = js_distance(np.stack(answers), people)
        row[:] = np.nanmean(np.where(study.seen, np.nan, distances), axis=1)
    draws = found[rng.integers(count, size=(2000, count))].mean(axis=1)
    low, high = np.quantile(draws / draws[:, :1], [0.025, 0.975], axis=0)
    means = found.mean(axis=0)
    lines = [
        "",
        f"## {count} mixed populations",
        "",
        "Two to five of the peoples each, with weights drawn evenly; the same held-out questions. The "
        "ratio is to stated weights, with its 95 % interval over populations.",
        "",
        "| weights | distance | ratio |",
        "|---|---|---|",
    ]
    for n, name in enumerate(names):
        ratio = f"{means[n] / means[0]:.2f} [{low[n]:.2f}, {high[n]:.2f}]" if n else ""
        lines.append(f"| {name} | {means[n]:.3f} | {ratio} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", default="respondent-tiny")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--optimizer", default="gauss-newton")
    parser.add_argument("--placement", default="auto")
    parser.add_argument("--tokens", type=int, default=5)
    parser.add_argument("--orders", default="auto", help="of the options, in searches")
    parser.add_argument("--budget", type=int, default=240)
    parser.add_argument("--personas", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=Path, default=Path("runs/missing-people"))
    parser.add_argument("--out", type=Path, default=HERE / "results.md")
    given = parser.parse_args()
    study = Study(given)
    text = table(study, measure(study, given.seed), given) + mixed_populations(study, given.seed)
    if study.info.disclaimer:
        text += f"\n{study.info.disclaimer}\n"
    given.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
