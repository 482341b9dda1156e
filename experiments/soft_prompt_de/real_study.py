"""The protocol of arXiv 2503.16094 on a real model on a processor: one virtual token, placed last.

    make real-models
    python experiments/soft_prompt_de/real_study.py --seeds 1 2 --culturalbench EASY.csv

`study.py` does the same by whole fits; on a real model without an accelerator their tables and proofs would
take most of the time. Here the searches are those of `../residual_searches/real_model.py`, which ends them
at an error of 3 index points or at a limit, and what one of them asked no other asks again. Beside the
paper's rows stand Adam on the exact gradient, and the best of 50 texts, which cost what one search costs.
It writes `results-smollm2/`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
from readings import Adapters, bias_table, language_table, opinion_section
from study import Section, knowledge_section, section, table
from texts import TEXT, chosen_text, indices_under, texts_of

from blackbox_align.adapters.adapter import Adapter, SoftPrompt
from blackbox_align.assessment import Condition
from blackbox_align.engines.kept import open_kept
from blackbox_align.files.atomic import write_json, write_text
from blackbox_align.fitting.conditions import versions
from blackbox_align.populations import find_country
from blackbox_align.populations.population import country_population
from blackbox_align.results import Figure
from blackbox_align.results.names import MEAN_OF_OTHERS
from blackbox_align.surveys.index_instrument import Indices

SEARCHES = Path(__file__).parents[1] / "residual_searches"
sys.path.insert(0, str(SEARCHES))
from real_model import ENOUGH, ROWS, SMOLLM2, Model, search  # noqa: E402

HERE = Path(__file__).parent
COUNTRIES = ("SAU", "USA", "CHN", "IND")
ROWS_OF = {"DE": "de, CR 0.7", "ours": "default", "adam": "adam"}
HELD_OUT = ("LTO", "IVR")


class Study:
    """The model, what is searched for, and what was found."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.given = given
        self.kept = open_kept(given.model, dtype="float32")
        self.model = Model(given.model, "last", 1, given.kept, self.kept.engine)
        # The sheet and the constants are everyone's.
        self.problem = self.model.problem(COUNTRIES[0])
        self.made = Indices(
            self.problem.data.survey,
            self.problem.data.target_set,
            self.problem.index_objective.constants.values,
        )
        self.targets = {c: self.model.problem(c).index_objective.targets[0] for c in COUNTRIES}
        self.found = given.kept / f"study-{self.kept.info.revision[:12]}"

    def searched(
        self, row: str, country: str, seed: int, hold_out: str = ""
    ) -> tuple[dict, np.ndarray]:
        """The record of a search and its prompt, (tokens, width); run once."""
        name = "-".join([row, country, str(seed), *filter(None, hold_out.split(","))])
        record, prompt = self.found / f"{name}.json", self.found / f"{name}.npy"
        if not record.exists():
            model = self.model.without(hold_out) if hold_out else self.model
            limit = self.given.steps if ROWS[row][0] == "adam" else self.given.limit
            said, vectors = search(model, row, country, seed, limit)
            self.found.mkdir(parents=True, exist_ok=True)
            np.save(prompt, vectors)
            write_json(record, said)
            error = said["improvements"][-1][1]
            print(f"{name}: error {error:.2f} after {said['evaluations']}", flush=True)
        return json.loads(record.read_text()), np.load(prompt)

    def indices(self, adapters: list[Adapter]) -> np.ndarray:
        """(adapters, 6) index points."""
        return indices_under(self.kept, self.made, adapters)

    def adapters(
        self, seeds: Sequence[int], hold_out: str = "", rows: Mapping[str, str] = ROWS_OF
    ) -> Adapters:
        """What every condition applies: by name, one table from country to adapter a seed."""
        seen = np.array([name not in hold_out.split(",") for name in self.names])
        soft = {
            name: [
                {
                    c: Adapter(prompt=SoftPrompt(self.searched(row, c, seed, hold_out)[1], "last"))
                    for c in COUNTRIES
                }
                for seed in seeds
            ]
            for name, row in rows.items()
        }
        return {
            "Naive": [dict.fromkeys(COUNTRIES, Adapter())],
            "ICL": [
                {c: Adapter(text=country_population(find_country(c)).preamble()) for c in COUNTRIES}
            ],
            TEXT: [{c: chosen_text(self.kept, self.made, c, seen) for c in COUNTRIES}],
            **soft,
        }

    @property
    def names(self) -> list[str]:
        return self.problem.data.index_names

    def errors(self, conditions: Adapters, seen: Callable[[str], bool], title: str) -> Section:
        """The absolute errors on some of the indices, means over seeds."""
        kept = np.array([seen(name) for name in self.names])
        answered = {MEAN_OF_OTHERS: self._others(kept)}
        for name, several in conditions.items():
            found = [self.indices([one[c] for c in COUNTRIES]) for one in several]
            targets = np.array([self.targets[c] for c in COUNTRIES])
            answered[name] = np.abs(np.array(found) - targets).mean(axis=0)[:, kept].reshape(-1)
        index = np.tile(np.arange(kept.sum()), len(COUNTRIES))
        about = np.repeat(COUNTRIES, kept.sum())
        return section(title, "absolute_error_points", 1, answered, about, index, COUNTRIES)

    def _others(self, kept: np.ndarray) -> np.ndarray:
        """The error of the mean of all other countries' published figures."""
        target_set = self.problem.data.target_set
        table = {c: target_set.target(c, self.names) for c in target_set.complete(self.names)}
        rows = []
        for country in COUNTRIES:
            others = np.mean([row for code, row in table.items() if code != country], axis=0)
            rows.append(np.abs(others - self.targets[country])[kept])
        return np.concatenate(rows)


def searches_table(study: Study, seeds: Sequence[int]) -> list[str]:
    """What every search cost, and whether it reached its end."""
    lines = [
        "| search | evaluations, median (range) | tokens, median | at error 3 | error, median (range) |",
        "|---|---|---|---|---|",
    ]
    for name, row in ROWS_OF.items():
        records = [study.searched(row, c, seed)[0] for c in COUNTRIES for seed in seeds]
        spent = [one["evaluations"] for one in records]
        errors = [one["improvements"][-1][1] for one in records]
        tokens = np.median([one["evaluations"] * one["tokens_of_one"] for one in records])
        lines.append(
            f"| {name} | {np.median(spent):,.0f} ({min(spent):,} to {max(spent):,}) | {tokens:,.0f} "
            f"| {sum(e <= ENOUGH for e in errors)} of {len(errors)} "
            f"| {np.median(errors):.1f} ({min(errors):.1f} to {max(errors):.1f}) |"
        )
    count = [
        sum(
            study.kept.engine.tokens_of(Adapter(text=text), study.problem.sheet)
            for text in texts_of(c)
        )
        for c in COUNTRIES
    ]
    return [*lines, f"| {TEXT} | 50 texts | {np.median(count):,.0f} | | |"]


def rendered(part: Section) -> list[str]:
    """A section as Markdown: scores, and differences over all countries."""
    pairs = [
        Figure(**asdict(d) | {"condition": f"{d.condition} - {d.minus}"})
        for d in part.differences
        if d.population == "all" and d.minus in ("Naive", "ICL", "DE", TEXT)
    ]
    return [
        f"## {part.title}", "", *table(part.scores, part.places), "",
        "Differences on the same rows:", "", *table(pairs, part.places, "+"), "",
    ]  # fmt: skip


def written(study: Study, given: argparse.Namespace) -> tuple[str, list[Section]]:
    """All tables, in Markdown, and the sections among them."""
    conditions = study.adapters(given.seeds)
    sections = [
        study.errors(conditions, lambda name: True, "VSM 2013: mean absolute error (index points)")
    ]
    lines = [*rendered(sections[0]), "## The searches", "", *searches_table(study, given.seeds), ""]
    lines += ["## Position, and the language", "", *bias_table(study, conditions, COUNTRIES), ""]
    lines += [*language_table(study.kept, conditions, COUNTRIES), ""]
    lines += ["Texts that were chosen: " + "; ".join(
        f"{c}: \"{one.text}\"" for c, one in conditions[TEXT][0].items()) + ".", ""]  # fmt: skip
    if given.hold_out_seeds:
        rows = {name: ROWS_OF[name] for name in given.hold_out_rows}
        held = study.adapters(given.hold_out_seeds, ",".join(HELD_OUT), rows)
        for title, seen in (
            (
                f"Held-out dimensions: {' and '.join(HELD_OUT)} (index points)",
                lambda n: n in HELD_OUT,
            ),
            (
                "The four dimensions that those searches saw (index points)",
                lambda n: n not in HELD_OUT,
            ),
        ):
            sections.append(study.errors(held, seen, title))
            lines += rendered(sections[-1])
    asked = {
        name: [Condition(name, lambda p, one=one: one[p.code]) for one in several]
        for name, several in conditions.items()
    }
    sections.append(opinion_section(study.kept, asked, COUNTRIES))
    lines += rendered(sections[-1])
    for path in given.culturalbench:
        sections.append(knowledge_section(path, study.kept, asked, COUNTRIES))
        lines += rendered(sections[-1])
    return "\n".join(lines), sections


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=str(SMOLLM2))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--limit", type=int, default=1500, help="evaluations of a search at most")
    parser.add_argument("--steps", type=int, default=60, help="steps of a search by gradients")
    parser.add_argument("--hold-out-seeds", nargs="*", type=int, default=[1])
    parser.add_argument(
        "--hold-out-rows", nargs="*", default=["ours", "adam"], choices=list(ROWS_OF)
    )
    parser.add_argument("--culturalbench", nargs="*", default=[], metavar="FILE")
    parser.add_argument("--kept", type=Path, default=SEARCHES / "runs", help="what was answered")
    parser.add_argument("--results", type=Path, default=HERE / "results-smollm2")
    given = parser.parse_args()
    study = Study(given)
    text, sections = written(study, given)
    info = study.kept.info
    constants = ", ".join(
        f"{name} {value:+.1f}"
        for name, value in zip(
            study.names, study.problem.index_objective.constants.values, strict=True
        )
    )
    head = (
        f"`{Path(info.name).name}`, revision {info.revision[:12]}, {info.dtype}; one virtual token, "
        f"placement last; scales asked in both directions; constants `anchor` ({constants}); seeds "
        f"{', '.join(map(str, given.seeds))}. A search ends at error {ENOUGH:g}, after {given.limit:,} "
        f"evaluations, or {given.steps} steps of Adam. DE: rand/1/bin, F 0.5, CR 0.7, population 20. "
        "Brackets: 95 % over the six indices, or over questions, means over seeds; four countries are no "
        "sample of countries."
    )
    title = "# Soft prompts by Differential Evolution, on a real model"
    given.results.mkdir(parents=True, exist_ok=True)
    write_text(given.results / "table.md", "\n".join([title, "", head, "", text]))
    rows = [
        {"instrument": part.title, **asdict(score)}
        for part in sections
        for score in (*part.scores, *part.differences)
    ]
    pd.DataFrame(rows).to_csv(given.results / "scores.csv", index=False, float_format="%.4f")
    settings = {k: v for k, v in vars(given).items() if k not in ("kept", "results", "model")}
    settings["culturalbench"] = [Path(path).name for path in given.culturalbench]
    write_json(
        given.results / "study.json",
        {"settings": settings, "model_revision": info.revision, "versions": versions()},
    )
    print(head, "", text, sep="\n")


if __name__ == "__main__":
    main()
