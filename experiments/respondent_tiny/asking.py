"""What the order of options and lines in front of a question do to a tiny respondent.

python experiments/respondent_tiny/asking.py FOLDER
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from batches import drafts, in_order, random_tilts, shown
from measure import CASES, COUNTRY_SENTENCE, Subject, load_subject, with_opinions
from personas import Persona
from world import HERE, World, load_world

from blackbox_align import fit
from blackbox_align.assessment.position_bias import position_bias
from blackbox_align.engines.checkpoint import load_model
from blackbox_align.engines.local.engine import LocalEngine
from blackbox_align.populations import countries, find_country
from blackbox_align.statistics.distances import js_distance
from blackbox_align.surveys import Item, Survey
from blackbox_align.surveys.opinion_files import load_opinions

Asked = tuple[Survey, Item, np.ndarray]  # with the order in which its options stand
GOALS = (3.0, 0.5)
DRAFT = "From {continent} answer {label}."
NAMES = {"Africa": "Africa", "Americas": "America", "Asia": "Asia", "Europe": "Europe",
         "Oceania": "Oceania"}  # fmt: skip


def biases(folder: Path, world: World) -> dict[str, float]:
    """Un-prompted means asked straight and reversed: their correlation, and the share of position."""
    with LocalEngine(load_model(str(folder))) as engine:
        surveys = {"vsm": world.survey, "opinions": world.opinions.survey}
        found = {name: position_bias(engine, survey) for name, survey in surveys.items()}
    return {
        f"{part}_{name}": getattr(bias, part)
        for name, bias in found.items()
        for part in ("correlation", "share")
    }


def both_ways(subject: Subject, folder: Path, indices: np.ndarray) -> dict[str, float]:
    """Named countries in text, asked in either direction: distance of the indices from the figures.

    ``indices`` is (countries, indices), those of the countries named in training.
    """
    world = subject.world
    sentences = [COUNTRY_SENTENCE.format(country=find_country(c).name) for c in world.codes]
    turned = [in_order(item, np.arange(len(item.scale))[::-1]) for item in world.survey.items]
    other = replace(
        with_opinions(subject, [(world.survey, item) for item in turned]),
        codes=subject.codes.flip(1),
        weights=subject.weights,
    )
    one, two = subject.ask(sentences)[0], other.ask(sentences)[0]
    means = {"straight": one, "reversed": two, "both": (one + two) / 2}
    return {name: float(np.abs(found - indices).mean()) for name, found in means.items()}


def evaluations(folder: Path, orders: str, seeds: Sequence[int]) -> dict[str, list[int | None]]:
    """Evaluations that the default search takes to each of :data:`GOALS`, by country, a seed each."""
    found: dict[str, list[int | None]] = {}
    for code in CASES:
        for seed in seeds:
            with tempfile.TemporaryDirectory() as runs:
                run = fit(code, model=str(folder), orders=orders, seed=seed, runs=runs)
                history = run.history()
            losses = np.minimum.accumulate(np.array([float(each) for each in history["loss"]]))
            for goal in GOALS:
                there = np.flatnonzero(losses <= goal)
                count = int(there[0]) + 1 if len(there) else None
                found.setdefault(f"{code}_to_{goal:g}", []).append(count)
    return found


def lift(subject: Subject) -> dict[str, Any]:
    """Similarity, 100 (1 - JS distance in nats), of a country in text with drafts in front and without.

    Drafts are the likeliest answer of every continent: of the mean of its countries' published shares,
    the country asked for left out (so nobody where there is one country), or of the model that is asked
    as its people. ``others`` are the published ones of the question before: lines without the right
    content. Both directions of the options are averaged.
    """
    world = subject.world
    opinions = load_opinions(world.config["opinions"])
    table = {(d.item, d.sample.country): shares for d, shares
             in zip(opinions.distributions, opinions.shares(), strict=True)}  # fmt: skip
    sets = ("none", "published", "own", "others")
    found: dict[str, dict[str, list[float]]] = {}
    for code in opinions.countries:
        told = found.setdefault(code, {name: [] for name in sets})
        sentence = COUNTRY_SENTENCE.format(country=find_country(code).name)
        items = [item for item in opinions.survey.items if (item.id, code) in table]
        observed = np.stack([table[item.id, code] for item in items])
        for name in sets:
            best = _likeliest(name, subject, opinions.survey, items, table, code)
            asked = _drafted(opinions.survey, items, best)
            answers = _answers(subject, asked, sentence, observed.shape[1])
            told[name] = list(100 * (1 - js_distance(answers, observed)))
    groups = {
        "named": [code for code in found if code in world.codes],
        "never_named": [code for code in found if code not in world.codes],
        "all": list(found),
    }
    return {
        group: {name: float(np.mean([np.mean(found[c][name]) for c in codes])) for name in sets}
        for group, codes in groups.items()
    } | {
        "by_country": {
            c: {n: float(np.mean(v)) for n, v in rows.items()} for c, rows in found.items()
        }
    }


def simulated_lift(subject: Subject, questions: int = 200) -> dict[str, float]:
    """The similarity in simulated worlds, where drafts tell what nothing else does.

    Named countries in text; each question's people are moved as in training. Without drafts, with drafts
    of the people as moved, and with those of people who were moved otherwise.
    """
    world, rng = subject.world, np.random.default_rng(4)
    found: dict[str, list[float]] = {"none": [], "told": [], "others": []}
    for _ in range(questions // 10):
        rows = rng.permutation(len(world.codes))[:16]
        nothing = np.zeros(world.traits.shape[1])
        people = [Persona("", "", int(row), nothing) for row in rows]
        names = [find_country(world.codes[row]).name for row in rows]
        trunks = subject.opened(*(COUNTRY_SENTENCE.format(country=name) for name in names))
        chosen = rng.permutation(len(world.opinions.survey.items))[:10]
        tilts, other = (random_tilts(rng, world, len(chosen)) for _ in range(2))
        asked: dict[str, list[tuple[Survey, Item]]] = {name: [] for name in found}
        truth = np.zeros((len(rows), len(chosen), world.survey.width))
        for place, n in enumerate(chosen):
            survey, item, order = shown(rng, world, world.opinions.survey.items[n])
            tilt = tilts[:, place, None]
            told = world.opinion_answers(people, [n], tilt)[:, 0, order]
            truth[:, place, : len(order)] = told
            asked["none"].append((survey, item))
            for name, moved in (("told", tilt), ("others", other[:, place, None])):
                lines = drafts(rng, world, moved, n, item, order)
                asked[name].append((survey.with_preamble(lines), item))
        for name, questionnaire in asked.items():
            with torch.no_grad():
                answers = with_opinions(subject, questionnaire).answers(*trunks)[0].numpy()
            here = truth[..., : answers.shape[-1]]
            found[name].append(float(100 * (1 - js_distance(answers, here)).mean()))
    return {name: float(np.mean(values)) for name, values in found.items()}


def _likeliest(
    kind: str,
    subject: Subject,
    survey: Survey,
    items: Sequence[Item],
    table: Mapping[tuple[str, str], np.ndarray],
    code: str,
) -> list[dict[str, int]]:
    """For every item, the option that each continent's people choose most, where that is known."""
    if kind == "none":
        return [{} for _ in items]
    if kind == "own":
        asked = [(survey, item, np.arange(len(item.scale))) for item in items]
        answers = {
            place: _answers(subject, asked, COUNTRY_SENTENCE.format(country=name), survey.width)
            for place, name in NAMES.items()
        }
        return [{place: int(rows[n].argmax()) for place, rows in answers.items()}
                for n in range(len(items))]  # fmt: skip
    found = []
    for item in items:
        means = {}
        for place in NAMES:
            rows = [shares for (name, country), shares in table.items() if name == item.id
                    and country != code and countries()[country].continent == place]  # fmt: skip
            if rows:
                means[place] = int(np.mean(rows, axis=0)[: len(item.scale)].argmax())
        found.append(means)
    if kind == "others":
        sizes = [len(item.scale) for item in items]
        found = [{place: best % size for place, best in each.items()}
                 for each, size in zip(found[-1:] + found[:-1], sizes, strict=True)]  # fmt: skip
    return found


def _drafted(
    survey: Survey, items: Sequence[Item], best: Sequence[Mapping[str, int]]
) -> list[Asked]:
    """Every item in both directions behind its drafts."""
    asked = []
    for item, told in zip(items, best, strict=True):
        for order in (np.arange(len(item.scale)), np.arange(len(item.scale))[::-1]):
            place = {int(option): n for n, option in enumerate(order)}
            lines = [DRAFT.format(continent=NAMES[name], label=item.scale.labels[place[option]])
                     for name, option in told.items()]  # fmt: skip
            told_first = survey.with_preamble("\n".join(lines))
            asked.append((told_first, in_order(item, order), order))
    return asked


def _answers(subject: Subject, asked: Sequence[Asked], sentence: str, width: int) -> np.ndarray:
    """(items, width): answers in the order of the file, the mean of those asked of one item."""
    rows: dict[str, list[np.ndarray]] = {}
    for start in range(0, len(asked), 10):
        part = asked[start : start + 10]
        told = with_opinions(subject, [(survey, item) for survey, item, _ in part])
        with torch.no_grad():
            shares = told.answers(*told.opened(sentence))[0][0].numpy()
        for (_, item, order), row in zip(part, shares, strict=True):
            here = np.zeros(width)
            here[order] = row[: len(order)]
            rows.setdefault(item.id, []).append(here)
    return np.stack([np.mean(each, axis=0) for each in rows.values()])


def measure(folder: Path, world: World, seeds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """All figures that :func:`markdown` shows."""
    subject = load_subject(folder, world)
    names = [index.name for index in world.survey.indices]
    published = np.stack([world.targets.target(code, names) for code in world.codes])
    figures: dict[str, Any] = {"bias": biases(folder, world)}
    figures["named_mae_zero"] = both_ways(subject, folder, published)
    figures["lift"] = lift(subject)
    figures["simulated_lift"] = simulated_lift(subject)
    say(json.dumps(figures, indent=1))
    for orders in ("reversed", "1"):
        figures[f"evaluations_{orders}"] = evaluations(folder, orders, range(seeds))
        say(f"orders {orders}: {json.dumps(figures[f'evaluations_{orders}'])}")
    return figures


def markdown(figures: Mapping[str, Any]) -> str:
    """The figures as a table of the model card."""
    bias, error = figures["bias"], figures["named_mae_zero"]
    rows = [
        ("position bias, un-prompted: correlation of item means straight and reversed / its share, VSM",
         f"{bias['correlation_vsm']:+.2f} / {bias['share_vsm']:.0%}"),
        ("... opinions", f"{bias['correlation_opinions']:+.2f} / {bias['share_opinions']:.0%}"),
        ("country named in text, error over the named countries, zero: straight / reversed / mean of both",
         " / ".join(f"{error[way]:.1f}" for way in ("straight", "reversed", "both"))),
    ]  # fmt: skip
    for orders, said in (("reversed", "both directions"), ("1", "one direction")):
        for goal in GOALS:
            found = [figures[f"evaluations_{orders}"][f"{code}_to_{goal:g}"] for code in CASES]
            told = ", ".join(
                f"{code} {' '.join(str(n or 'none') for n in each)}"
                for code, each in zip(CASES, found, strict=True)
            )
            rows.append((f"default search, {said}: evaluations to error {goal:g}", told))
    for group, said in (
        ("named", "11 named countries"),
        ("never_named", "7 never-named"),
        ("all", "all"),
    ):
        told = figures["lift"][group]
        rows.append((f"similarity, {said}: country in text / with published drafts / its own / another's",
                     " / ".join(f"{value:.1f}" for value in told.values())))  # fmt: skip
    told = " / ".join(f"{value:.1f}" for value in figures["simulated_lift"].values())
    rows.append(
        (
            "... in simulated worlds that drafts alone tell of: without / with / those of another world",
            told,
        )
    )
    return "\n".join(["| measured | |", "|---|---|", *(f"| {a} | {b} |" for a, b in rows)]) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder of the model")
    parser.add_argument("--config", type=Path, default=HERE / "config.yaml")
    parser.add_argument("--out", type=Path, help="folder for asking.json and asking.md")
    parser.add_argument("--seeds", type=int, default=3, help="searches of each country")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    figures = measure(options.folder, load_world(options.config), options.seeds, print)
    print(markdown(figures))
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        text = json.dumps(figures, indent=1) + "\n"
        (options.out / "asking.json").write_text(text, encoding="utf-8")
        (options.out / "asking.md").write_text(markdown(figures), encoding="utf-8")


if __name__ == "__main__":
    main()
