"""Colours without gradients: one soft prompt each, fitted to the mean answers of a colour's countries."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..assessment.asking import Asking, ask
from ..engines import opening
from ..engines.base import Engine
from ..errors import SpecificationError
from ..experts import read_expert
from ..files.atomic import plain_errors, write_text
from ..fitting.fit import fit
from ..fitting.listeners import Progress
from ..populations import find_population
from ..statistics.distances import js_distance
from ..surveys.instruments import shares_by_country
from ..surveys.opinion_files import load_opinions
from ..surveys.opinions import OpinionSurvey
from .gate import GateSettings, prompt_weights, with_settings
from .maps import PaletteMap, mean_shares
from .palette import Palette, refuse_other_folder, write_palette

ANSWERS, RUN = "answers.csv", "colours"
_OF_FIT = ("held_out", "tokens", "orders", "budget", "seconds", "seed", "placement", "language")


@dataclass(frozen=True)
class ColourSearch:
    """What colours are fitted to, and how: settings of :func:`..fitting.fit`.

    Parameters
    ----------
    opinions : an opinion survey's name or file: a colour's target are the mean shares of its countries
    held_out : the share of the questions that no search sees, drawn from the seed
    fit_temperature : whether the gate's temperature is the one whose pool comes nearest to the countries of
        the map on the questions that were fitted, see :func:`fitted_temperature`
    """

    opinions: str = "world-opinions"
    held_out: float = 0.5
    tokens: int | None = None
    orders: str = "auto"
    budget: int = 1000
    seconds: float | None = None
    seed: int = 0
    placement: str = "auto"
    language: float | None = None
    fit_temperature: bool = True


def fit_palette(
    folder: Path | str,
    palette_map: PaletteMap,
    search: ColourSearch = ColourSearch(),
    *,
    model: str = "respondent-tiny",
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    trust_remote_code: bool = False,
    gate: GateSettings | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Palette:
    """Fit one soft prompt a colour in one search, and make a palette of them; an earlier call goes on.

    Beside ``folder`` one that is called as it is, with ``-fit`` behind, holds the answers that were fitted
    and the run of :func:`..fitting.fit`.

    Parameters
    ----------
    model, revision, device, dtype, trust_remote_code : see :func:`..engines.open`
    on_progress : see :func:`..fitting.fit`

    Raises
    ------
    SpecificationError
        A colour has no country with answers, or the folder was begun with other settings.
    """
    how: dict[str, Any] = {"revision": revision, "device": device, "dtype": dtype}
    how["trust_remote_code"] = trust_remote_code
    place = Path(folder)
    refuse_other_folder(place)
    work = work_folder(place, "fit")
    answers = work / ANSWERS
    opinions = load_opinions(search.opinions)
    write_text(answers, colour_answers(palette_map, opinions))
    run = fit(
        group=palette_map.codes,
        objective="opinions",
        opinions=answers,
        model=model,
        **how,
        **{name: getattr(search, name) for name in _OF_FIT},
        runs=work,
        name=RUN,
        on_progress=on_progress,
    )
    experts = {code: run.expert_of(code) for code in palette_map.codes}
    fitted = read_expert(next(iter(experts.values()))).card.fitted_items
    with closing(opening.open(model, **how)) as engine:
        made = write_palette(place, palette_map, experts, engine, gate, fitted)
        if not search.fit_temperature:
            return made
        gate = with_settings(
            made.gate, temperature=fitted_temperature(made, engine, opinions, search.orders)
        )
        return write_palette(place, palette_map, experts, engine, gate, fitted)


def fitted_temperature(
    palette: Palette, engine: Engine, opinions: OpinionSurvey, orders: str
) -> float:
    """The temperature at which the gated pool comes nearest to the map's countries, on fitted questions.

    States of one model are longer than those of another, so no temperature suits all. Where the gate finds
    the countries' colours it becomes sharp; where it does not, the pool becomes the plain mean. The smallest
    mean distance (JS, nats) of 31 temperatures, a thousandth to a thousand times the spread of the scores.
    """
    seen = opinions.without({item.id for item in opinions.survey.items} - set(palette.fitted_items))
    codes = [code for code in palette.map.countries if code in seen.countries]
    people = shares_by_country(seen, codes)
    known = ~np.isnan(people).any(-1)
    orders = engine.info.rotations if orders == "auto" else orders
    colours, _ = ask(engine, seen.survey, palette.adapters(), Asking(orders))
    names = [find_population(code).name for code in codes]
    states = np.asarray(engine.hidden(names, "feed-forward"), np.float64)
    scores = np.einsum("lkd,cld->clk", palette.rows.astype(np.float64), states)
    unit = float(scores.std(-1).mean()) or 1.0

    def distance(warm: float) -> float:
        shares = prompt_weights(palette.rows, states, warm).mean(1)
        pool = np.einsum("ck,kio->cio", shares, colours)
        return float(js_distance(pool[known], people[known]).mean())

    return float(min((unit * np.geomspace(1e-3, 1e3, 31)).tolist(), key=distance))


def work_folder(palette: Path, step: str) -> Path:
    """Beside a palette's folder, made where it is not there: what a step of making it leaves."""
    work = palette.with_name(f"{palette.name}-{step}")
    with plain_errors(work):
        work.mkdir(parents=True, exist_ok=True)
    return work


def colour_answers(palette_map: PaletteMap, opinions: OpinionSurvey) -> str:
    """The mean answers of every colour's countries, as a table that declares colours as groups.

    A question that nobody of a colour was asked is left out for it. All countries count alike.

    Raises
    ------
    SpecificationError
        Nobody of a colour was asked anything.
    """
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(("item", "question", "option", "ordered", "group", "name", "wording", "share"))
    for colour in palette_map.colours:
        there = [code for code in colour.countries if code in opinions.countries]
        if not there:
            raise SpecificationError(
                f"{opinions.survey.title} has no answers of any country of {colour.name}: "
                f"{', '.join(colour.countries)}. Take another survey, or leave the colour out of the map."
            )
        shares = mean_shares(opinions, there)
        for item, row in zip(opinions.survey.items, shares, strict=True):
            if np.isnan(row).any():
                continue
            ordered = "yes" if item.id in opinions.ordered else "no"
            for option, share in zip(item.scale.options, row.tolist(), strict=False):
                writer.writerow(
                    (item.id, item.text, option, ordered, colour.code, colour.name,
                     colour.wording, repr(share))
                )  # fmt: skip
    return table.getvalue()
