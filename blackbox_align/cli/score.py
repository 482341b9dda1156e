"""``bbalign score``: a model on an instrument under conditions, beside the trivial baselines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import SpecificationError
from . import options
from .fit_options import Constants, Targets
from .options import check_most, model_option, panel
from .progress import score_progress
from .screen import print_json, print_table, say

if TYPE_CHECKING:
    from ..results import Figure, Result

_data, _table = panel("What is compared"), panel("How it is reported")


def score_command(
    instrument: Annotated[
        str,
        typer.Argument(
            help="A survey's name, or a file: opinions, CulturalBench, or a survey in YAML; "
            "hf://datasets/OWNER/NAME/FILE for one on the hub.",
            show_default=False,
        ),
    ],
    country: Annotated[
        list[str] | None,
        typer.Option(
            help="Code, name or alias; several repeated, or SAU,USA. Also a group: all, a "
            "continent, or cultural-palette. Default: all that there are data for."
        ),
    ] = None,
    condition: Annotated[
        list[str] | None,
        typer.Option(
            help="none, naive, icl, prompting, answers, text:TEXT WITH {country}, or expert:FOLDER; "
            "repeat for more. Default: none."
        ),
    ] = None,
    baselines: Annotated[
        bool, typer.Option("--baselines", help="The trivial baselines alone, without a model.")
    ] = False,
    model: options.ModelName = "respondent-tiny",
    revision: options.Revision = None,
    device: options.Device = "auto",
    dtype: options.Dtype = "auto",
    trust_remote_code: options.TrustRemoteCode = False,
    chat_template: options.ChatTemplate = "auto",
    system: options.System = "",
    orders: Annotated[
        str | None,
        model_option(
            help="Orders of the options to average over: 1, reversed, cyclic or all.  "
            "Default: cyclic; for indices as in a fit."
        ),
    ] = None,
    labels: Annotated[
        str, model_option(help="Options are called by letters, digits, or both, averaged.")
    ] = "letters",
    batch: Annotated[int, model_option(help="Questions that are asked together.")] = 64,
    no_cache: Annotated[
        bool, model_option("--no-cache", help="Ask everything anew; see `bbalign cache`.")
    ] = False,
    questions: Annotated[
        str | None,
        _data(
            help="Where an expert was fitted to some of the questions: held-out, fit or all.  "
            "Default: held-out."
        ),
    ] = None,
    known: Annotated[
        int,
        _data(
            help="So many questions count as known, drawn from the seed: mixtures and corrections are "
            "fitted to people's answers to them, and the others are scored."
        ),
    ] = 0,
    readouts: Annotated[
        bool,
        model_option(
            "--readouts",
            help="Read opinions in three ways: the first token, a written answer, shares said in words.",
        ),
    ] = False,
    wordings: Annotated[
        int, model_option(help="2 asks again behind a second instruction, in a column of its own.")
    ] = 1,
    samples: Annotated[str, _data(help="national, non-national or all.")] = "national",
    missing: options.Missing = "drop",
    targets: Targets = None,
    constants: Constants = "anchor",
    metric: Annotated[
        list[str] | None, _table(help="Metric to print, by its name in --json; repeat for more.")
    ] = None,
    resamples: Annotated[int, _table(help="Draws of the bootstrap.")] = 1000,
    seed: Annotated[int, _table(help="Same seed, same intervals.")] = 0,
    as_json: options.AsJson = False,
) -> None:
    """Score a model on a survey, beside the baselines that need no model."""
    settings = locals().copy()  # the options are the settings of `score`, but for these
    for other in ("condition", "baselines", "no_cache", "metric", "as_json"):
        del settings[other]
    settings["conditions"] = () if baselines else tuple(condition or ("none",))
    settings["cache"] = not no_cache
    from ..assessment import score

    check_most(1_000_000, resamples=resamples, batch=batch)
    check_most(2**63 - 1, seed=seed)
    for one in condition or ():
        _check_expert(one)
    with score_progress() as on_batch:
        table = score(**settings, on_batch=on_batch)
    metrics = [table.metric(name).name for name in metric or table.headline]
    if as_json:
        print_json(table.to_dict())
    else:
        print_scores(table, metrics)


def _check_expert(condition: str) -> None:
    """Whether there is an expert where a condition names one: in the folder, or in that of a run."""
    folder = Path(condition.removeprefix("expert:"))
    places = (folder / "expert.json", folder / "expert" / "expert.json")
    named = condition.startswith("expert:") and "{code}" not in condition
    if named and not any(place.is_file() for place in places):
        raise SpecificationError(
            f"There is no expert in '{folder}': it holds no expert.json. A fit prints where its "
            "expert is."
        )


def print_scores(result: Result, metrics: list[str]) -> None:
    """The scores, the differences of the first metric, the ranks, and what has to stand beside."""
    say(", ".join(asked.title for asked in result.provenance.instruments), style="bold")
    if result.split != "all":
        kind = {"held-out": "held out", "fit": "known or fitted to"}[result.split]
        say(f"On the questions that were {kind}; --questions shows others.")
    say()
    scores = result.scores
    known = [m for m in metrics if any(f.n for f in scores if f.metric == m)] or metrics[:1]
    _print_figures(result, known)
    _print_readouts(result)
    _print_details(result)
    _print_differences(result, known[0])
    if result.ranks:
        _print_ranks(result)
    say()
    for note in result.notes:
        say(note)


def _print_figures(result: Result, metrics: list[str]) -> None:
    """One row per population and condition; a baseline stands in parentheses."""
    rows: dict[tuple[str, str], dict[str, Figure]] = {}
    for figure in result.scores:
        rows.setdefault((figure.population, figure.condition), {})[figure.metric] = figure
    titles = [
        f"{m.title}{' ↑' if m.higher_is_better else ' ↓'}" for m in map(result.metric, metrics)
    ]
    heads = [part for title in titles for part in (title, "n")]
    cells = []
    for (population, condition), by_metric in rows.items():
        found = [by_metric.get(metric) for metric in metrics]
        figures = [part for f in found for part in ((_figure(f), f"{f.n:,}") if f else ("-", ""))]
        cells.append([population, _mark(condition), *figures])
    print_table(["", "condition", *heads], cells, right=range(2, 2 + len(heads)), whole=(0, 1))


def _print_differences(result: Result, metric: str) -> None:
    """Paired differences; of many populations the last row's alone."""
    pairs = [figure for figure in result.differences if figure.metric == metric]
    if not pairs:
        return
    say(f"\nDifferences in {result.metric(metric).title}, on the same questions:")
    if len({figure.population for figure in pairs}) > 3:
        last = result.scores[-1].population
        pairs = [figure for figure in pairs if figure.population == last]
    print_table(
        ["", "condition", "minus", "difference", "p", "n"],
        [
            [f.population, f.condition, _mark(f.minus), _figure(f, sign=True), _p(f), f"{f.n:,}"]
            for f in pairs
        ],
        right=(3, 4, 5),
        whole=(0, 1, 2),
    )  # fmt: skip


def _print_details(result: Result) -> None:
    """Other measures of opinions; of many populations the last one's alone."""
    from ..results.tables import opinions_of
    from .output import print_measures

    if opinions_of(result) is None:
        return
    last = result.scores[-1].population
    name = result.provenance.populations.get(last, last)
    say()
    print_measures(result, last, result.split, name)


def _print_readouts(result: Result) -> None:
    """Squared distances by every readout, agreement with the first token, and what is gained where."""
    from ..results.tables import interval

    ways = result.provenance.readouts
    if len(ways) < 2:
        return
    say("\nSquared distance of shares, by how answers are read (agreement with the first token)\n")
    found = {(f.population, f.condition, f.metric, f.minus): f for f in result.figures}
    rows = []
    for population, condition in dict.fromkeys((f.population, f.condition) for f in result.scores):
        for minus in ("", "none"):
            own = [
                found.get((population, condition, f"squared_error, {way}", minus)) for way in ways
            ]
            if own[0] is None:
                continue
            cells = [interval(f, sign=bool(minus)) or "-" for f in own]
            for n, way in enumerate(ways[1:], start=1):
                same = found.get((population, condition, f"agreement, {way}", ""))
                if not minus and same is not None and same.n:
                    cells[n] += f" ({100 * same.value:.0f} %)"
            rows.append((population, condition if not minus else "  minus none", *cells))
    print_table(("", "condition", *ways), rows, right=range(2, 5), whole=(0, 1))


def _print_ranks(result: Result) -> None:
    """Kendall's tau, index by index."""
    say("\nKendall's tau over countries:")
    by_condition: dict[str, dict[str, float]] = {}
    for figure in result.ranks:
        index = figure.metric.partition(" ")[2]
        by_condition.setdefault(figure.condition, {})[index] = figure.value
    names = list(dict.fromkeys(index for taus in by_condition.values() for index in taus))
    print_table(
        ["condition", *names],
        [
            [name, *("-" if n not in taus else f"{taus[n]:+.2f}" for n in names)]
            for name, taus in by_condition.items()
        ],
        right=range(1, 1 + len(names)),
    )


def _p(figure: Figure) -> str:
    """Of the signs of whole questions; see :mod:`..statistics.permutations`."""
    return "-" if figure.p != figure.p else f"{figure.p:.3f}"


def _mark(condition: str) -> str:
    from ..results.names import BASELINES, title

    return title(condition) if condition in BASELINES else condition


def _figure(figure: Figure, sign: bool = False) -> str:
    from ..results.tables import interval

    places = 1 if "points" in figure.metric else 3
    return interval(figure, sign, places) or "-"
