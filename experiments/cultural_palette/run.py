"""The study of Cultural Palette (arXiv 2412.11167), with its baselines, its ablations, and what knows less.

    python experiments/cultural_palette/run.py                    # the embedded model; writes results.md
    python experiments/cultural_palette/run.py --model FOLDER --learning-rate 5e-5 --queries 300
    python experiments/cultural_palette/run.py --model FOLDER --learning-rate 1e-3 --queries 4 --epochs 1 \
        --placement last --tokens 1 --budget 300 --countries KEN THA DEU USA BRA --questions 10

Trains one LoRA a colour by preference, the same without a contrast, and one LoRA on all preferences; fits
one soft prompt a colour without gradients; and asks for every country of the map. What is finished is not
done again. Points are S = 100 (1 - JS distance in nats), on questions that nothing was fitted to.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
from agreement import agreement_lines
from published import PUBLISHED_NOTE, PUBLISHED_TABLE

from blackbox_align.adapters.adapter import Adapter, Gate, Lora
from blackbox_align.assessment.asking import Asking, ask
from blackbox_align.engines import opening
from blackbox_align.engines.base import Engine
from blackbox_align.engines.checkpoint import find_model
from blackbox_align.palette.agents import Tally, decide, draft, regulate, unregulated
from blackbox_align.palette.aligned import PreferenceSource, align_palette, drawn_preferences
from blackbox_align.palette.alignment import AlignmentSettings, train_lora
from blackbox_align.palette.assess import Asked, ask_palette, at_fitted_temperature, score_ways
from blackbox_align.palette.fitting import ColourSearch, fit_palette
from blackbox_align.palette.gate import MEASURED, PUBLISHED, GateSettings, gate_report, gate_rows
from blackbox_align.palette.maps import PaletteMap, load_map
from blackbox_align.palette.merging import MERGES, merge
from blackbox_align.palette.palette import Palette
from blackbox_align.palette.scores import Scores
from blackbox_align.statistics import baselines
from blackbox_align.statistics.bootstrap import Bootstrap, Estimate
from blackbox_align.surveys.opinion_files import load_opinions
from blackbox_align.surveys.opinions import OpinionSurvey

HERE = Path(__file__).parent
PALETTE, POOL = "Palette", "gradient-free: gated pool"
AGAINST = (PALETTE, "Prompting", "soup")
PARTS = "Which part of the world does {country} belong to?"
Array = np.ndarray


def answers_of(
    engine: Engine, asked: Asked, survey: OpinionSurvey, orders: str, updates: Mapping[str, Adapter]
) -> dict[str, Array]:
    """(countries, items, options) of every adapter, with the country in text."""
    told = [one.preamble() for one in asked.countries]
    return {
        name: ask(
            engine, survey.survey, [replace(one, text=text) for text in told], Asking(orders)
        )[0]
        for name, one in updates.items()
    }


def decided(
    engine: Engine, asked: Asked, survey: OpinionSurvey, orders: str, adapter: Adapter, tally: Tally
) -> Array:
    """(countries, items, options): the decision of one adapter, each country's tally being the same."""
    told = [replace(adapter, text=one.preamble()) for one in asked.countries]
    return decide(engine, told, survey.survey, orders, tally)


def picked(engine: Engine, asked: Asked, palette_map: PaletteMap) -> Array:
    """(countries,) the colour that the model as it is picks for a country, options in all rotations."""
    from blackbox_align.committee import closed_question

    names = [colour.name for colour in palette_map.colours]
    return np.array(
        [
            ask(
                engine,
                closed_question(PARTS.format(country=one.name), names),
                [Adapter()],
                Asking("cyclic"),
            )[0][0, 0].argmax()
            for one in asked.countries
        ]
    )


def lora_rows(
    engine: Engine, palette: Palette, asked: Asked, survey: OpinionSurvey, orders: str, joint: Lora
) -> dict[str, Array]:
    """Every row that needs colours by preference; (countries, several, items, options) are averaged."""
    loras = [one.loras[0] for one in palette.adapters()]
    published = blended(palette, PUBLISHED)
    subjects = [one.name for one in asked.countries]
    by_prompt = palette.with_gate(**vars(MEASURED)).layer_weights(engine, subjects)
    rows = answers_of(engine, asked, survey, orders, {
        "Joint": Adapter(loras=(joint,)),
        **{how: Adapter(loras=(merge(loras, how),)) for how in MERGES},
        "without drafts (published gate a token)": published,
        **{str(n): Adapter(loras=(lora,)) for n, lora in enumerate(loras)},
    })  # fmt: skip
    each = np.stack([rows.pop(str(n)) for n in range(len(loras))])  # (K, countries, items, options)
    own = each[asked.own, np.arange(len(subjects))]
    told = [one.preamble() for one in asked.countries]
    gated = [
        replace(palette.blend(weights), text=text)
        for weights, text in zip(by_prompt, told, strict=True)
    ]
    rows["without drafts (measured gate a prompt)"] = ask(
        engine, survey.survey, gated, Asking(orders)
    )[0]
    drafts = draft(palette, engine, survey.survey, Asking(orders))
    tally, plain = regulate(drafts), unregulated(drafts)
    base = Adapter()
    alone = [Tally(drafts.names, np.where(np.arange(len(loras))[:, None] == n, plain.option, -1))
             for n in range(len(loras))]  # fmt: skip
    by_one = np.stack([decided(engine, asked, survey, orders, base, one) for one in alone])
    pick = picked(engine, asked, palette.map)
    return {
        **rows,
        "own colour": own,
        "all colours averaged": each.mean(0),
        "a random colour": each.swapaxes(0, 1),
        "pool at the answers (measured gate)": np.einsum("ck,kcio->cio", by_prompt.mean(1), each),
        "MoE (the model picks a colour)": by_one[pick, np.arange(len(subjects))],
        "Modular (mean over drafts)": by_one.mean(0),
        PALETTE: decided(engine, asked, survey, orders, published, tally),
        "without merge (the model decides)": decided(engine, asked, survey, orders, base, tally),
        "without self-regulation": decided(engine, asked, survey, orders, published, plain),
    }


def blended(palette: Palette, settings: GateSettings) -> Adapter:
    """The colours under a gate for every token."""
    rows = gate_rows(palette.states, settings)
    return replace(palette.blend(), gate=Gate(rows=rows, temperature=settings.temperature))


def free_rows(asked: Asked) -> dict[str, Array]:
    """Rows that need no training, and those of the gradient-free palette ``asked``."""
    countries = len(asked.countries)
    shares = asked.layers.mean(1)
    several = np.broadcast_to(asked.colours, (countries, *asked.colours.shape))
    rest = [np.delete(asked.colours, own, axis=0) for own in asked.own]
    return {
        "uniform": np.broadcast_to(baselines.uniform(asked.sizes), asked.told.shape),
        "one-hot of the true mode": np.stack([baselines.mode(one) for one in asked.people]),
        "mean of other countries": asked.others,
        "same-continent mean": asked.same,
        "Vanilla": np.broadcast_to(asked.vanilla, asked.told.shape),
        "Prompting": asked.told,
        "gradient-free: a wrong colour": np.stack(rest),
        "gradient-free: own colour": asked.colours[asked.own],
        "gradient-free: a random colour": several,
        "gradient-free: plain mean": several.mean(1),
        POOL: np.einsum("ck,kio->cio", shares, asked.colours),
    }


def scored(asked: Asked, rows: Mapping[str, Array], fitted: tuple[str, ...]) -> Scores:
    """Points of all rows, and of the two rows at a temperature that was fitted on the other questions."""
    fit = np.array([item in fitted for item in asked.items])

    def ways(number: int) -> dict[str, Array]:
        people = asked.people[number]
        here = {name: answers[number] for name, answers in rows.items()}
        known = ~np.isnan(people).any(-1) & fit
        for name in ("Vanilla", "Prompting", PALETTE):
            here[f"{name}, one fitted temperature"] = at_fitted_temperature(
                here[name], people, known
            )
        return here

    return score_ways(ways, asked.countries, asked.items, asked.people, fit)


def some_questions(
    opinions: OpinionSurvey, fitted: tuple[str, ...], count: int | None
) -> OpinionSurvey:
    """The first ``count`` questions that were fitted to, and of the others; None leaves all."""
    if count is None:
        return opinions
    ids = [item.id for item in opinions.survey.items]
    seen = [name for name in ids if name in fitted]
    return opinions.without({*seen[count:], *[n for n in ids if n not in fitted][count:]})


def joint_lora(
    work: Path,
    palette_map: PaletteMap,
    source: PreferenceSource,
    settings: AlignmentSettings,
    model: str,
) -> Lora:
    """One LoRA on all colours' preferences."""
    opinions = load_opinions(source.opinions)
    preferences = [
        one
        for colour in palette_map.codes
        for one in drawn_preferences(palette_map, opinions, colour, source, settings.seed)
    ]
    return train_lora(find_model(model), preferences, settings, work)


def figure(estimate: object, sign: str = "") -> str:
    value, low, high = estimate.value, estimate.low, estimate.high  # type: ignore[attr-defined]
    return "" if np.isnan(value) else f"{value:{sign}.1f} [{low:{sign}.1f}, {high:{sign}.1f}]"


def over_countries(scores: Scores, way: str, minus: str) -> Estimate:
    """A paired difference with an interval over countries, each with its mean."""
    gaps = scores.column(way) - scores.column(minus)
    codes = np.unique(scores.country)
    means = np.array([gaps[scores.country == code].mean() for code in codes])
    return Bootstrap(np.arange(len(codes)), np.zeros(len(codes))).estimate(means[:, None])[0]


def table(scores: Scores) -> list[str]:
    """Every row with its interval over questions, and paired differences."""
    means = scores.estimate()
    gains = {name: scores.estimate(name) for name in AGAINST}
    lines = [
        "| row | points | " + " | ".join(f"minus {name}" for name in AGAINST) + " | n |",
        "|---" * (len(AGAINST) + 3) + "|",
    ]
    for way in scores.ways:
        cells = ["" if way == name else figure(gains[name][way], "+") for name in AGAINST]
        n = int((~np.isnan(scores.column(way))).sum())
        lines.append(f"| {' | '.join([way, figure(means[way]), *cells, str(n)])} |")
    return lines


def made(
    given: argparse.Namespace, palette_map: PaletteMap
) -> tuple[Palette, Palette, Palette, Lora]:
    """The gradient-free palette, that by preference, that without a contrast, and the joint LoRA."""
    work = given.work / Path(given.model).name / str(given.seed)
    free = fit_palette(
        work / "free", palette_map,
        ColourSearch(tokens=given.tokens, placement=given.placement, orders=given.orders,
                     budget=given.budget, seed=given.seed),
        model=given.model,
    )  # fmt: skip

    def told(colour: str, step: int, steps: int, loss: float) -> None:
        print(f"{colour}: step {step} of {steps}, loss {loss:.3f}", flush=True)

    source = PreferenceSource(count=given.queries, items=free.fitted_items)
    settings = AlignmentSettings(
        learning_rate=given.learning_rate, epochs=given.epochs, seed=given.seed, save_every=50
    )
    aligned, tuned = (
        align_palette(
            work / name, palette_map, source, one, model=given.model, gate=PUBLISHED, on_step=told
        )
        for name, one in (("aligned", settings), ("tuned", replace(settings, strength=0.0)))
    )
    return (
        free,
        aligned,
        tuned,
        joint_lora(work / "joint", palette_map, source, settings, given.model),
    )


def gates(engine: Engine, palette: Palette, asked: Asked) -> list[str]:
    """What the published and the measured gate do with the countries' names."""
    lines = []
    for name, settings in (("published", PUBLISHED), ("measured", MEASURED)):
        weights = palette.with_gate(**vars(settings)).layer_weights(
            engine, [one.name for one in asked.countries]
        )
        found = gate_report(weights, asked.own.tolist())
        entropy = ", ".join(f"{e:.2f}" for e in found.entropy)
        own = ", ".join(f"{100 * share:.0f} %" for share in found.own)
        lines.append(
            f"Gate, {name}: entropy / ln K by layer {entropy}; own colour first {own} (chance "
            f"{100 / len(palette.experts):.0f} %)."
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", default="respondent-tiny")
    parser.add_argument("--map", default="continents")
    parser.add_argument("--queries", type=int, default=600)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--budget", type=int, default=1000)
    parser.add_argument("--placement", default="auto", help="of the soft prompts")
    parser.add_argument("--tokens", type=int, default=5, help="of a soft prompt")
    parser.add_argument("--countries", nargs="*", default=[], help="to ask for; by default all")
    parser.add_argument("--questions", type=int, help="ask so many seen ones, and as many others")
    parser.add_argument("--orders", default="reversed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--nli", default="", help="a model of inference, for open answers")
    parser.add_argument(
        "--preferences", type=Path, help="gold open answers, as synthesize writes them"
    )
    parser.add_argument("--work", type=Path, default=Path("runs/cultural_palette"))
    parser.add_argument("--out", type=Path, default=HERE / "results.md")
    given = parser.parse_args()
    began = time.monotonic()
    palette_map = load_map(given.map)
    free, aligned, tuned, joint = made(given, palette_map)
    survey = some_questions(load_opinions("world-opinions"), free.fitted_items, given.questions)
    with closing(opening.open(given.model)) as engine:
        asked = ask_palette(free, engine, survey, given.countries, given.orders)
        rows = free_rows(asked) | lora_rows(engine, aligned, asked, survey, given.orders, joint)
        drafts = regulate(draft(tuned, engine, survey.survey, Asking(given.orders)))
        adapter = blended(tuned, PUBLISHED)
        rows["SFT only"] = decided(engine, asked, survey, given.orders, adapter, drafts)
        told = [
            *gates(engine, aligned, asked),
            *("", *agreement_lines(given.nli, given.preferences, aligned, engine)),
        ]
    scores = scored(asked, rows, free.fitted_items)
    over = over_countries(scores, PALETTE, "Prompting")
    lines = [
        f"{given.model} (revision {free.record.revision[:12]}), map {palette_map.name}, "
        f"{len(asked.countries)} countries, "
        f"{len(np.unique(scores.question))} questions that nothing was fitted to, options in orders "
        f"{given.orders!r}, seed {given.seed}. Points: 100 (1 - JS distance in nats). Brackets: 95 % over "
        "questions, 1,000 resamples.",
        *("", *table(scores), ""),
        f"Palette minus Prompting over countries: {figure(over, '+')}.",
        *("", *told, "", PUBLISHED_NOTE, "", *PUBLISHED_TABLE, ""),
        f"Made in {time.monotonic() - began:.0f} s, {time.process_time():.0f} of them on a core.",
    ]
    given.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
