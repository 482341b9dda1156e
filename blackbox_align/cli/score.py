"""``bbalign score``: a model on an instrument under conditions, beside the trivial baselines."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import SpecificationError
from .options import (
    MODEL_PANEL,
    AsJson,
    Device,
    Dtype,
    ModelName,
    Revision,
    TrustRemoteCode,
    check_most,
)
from .progress import score_progress
from .screen import print_json, print_table, say

if TYPE_CHECKING:
    from ..assessment import Score, ScoreTable

_DATA, _TABLE = "What is compared", "How it is reported"


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
            "continent, or cultural-palette. Default: all that there are data for.",
            show_default=False,
        ),
    ] = None,
    condition: Annotated[
        list[str] | None,
        typer.Option(
            help="none, naive, icl, prompting, text:TEXT WITH {country}, or expert:FOLDER; "
            "repeat for more. Default: none.",
            show_default=False,
        ),
    ] = None,
    baselines: Annotated[
        bool, typer.Option("--baselines", help="The trivial baselines alone, without a model.")
    ] = False,
    model: ModelName = "respondent-tiny",
    revision: Revision = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    trust_remote_code: TrustRemoteCode = False,
    orders: Annotated[
        str | None,
        typer.Option(
            help="Orders of the options to average over: 1, cyclic or all.  "
            "Default: cyclic; 1 for indices.",
            show_default=False,
            rich_help_panel=MODEL_PANEL,
        ),
    ] = None,
    labels: Annotated[
        str,
        typer.Option(
            help="Options are called by letters, digits, or both, averaged.",
            rich_help_panel=MODEL_PANEL,
        ),
    ] = "letters",
    batch: Annotated[
        int, typer.Option(help="Questions that are asked together.", rich_help_panel=MODEL_PANEL)
    ] = 64,
    no_cache: Annotated[
        bool,
        typer.Option(
            "--no-cache",
            help="Ask everything anew; see `bbalign cache`.",
            rich_help_panel=MODEL_PANEL,
        ),
    ] = False,
    samples: Annotated[
        str, typer.Option(help="national, non-national or all.", rich_help_panel=_DATA)
    ] = "national",
    missing: Annotated[
        str,
        typer.Option(
            help='drop or keep options such as "don\'t know" and refused.', rich_help_panel=_DATA
        ),
    ] = "drop",
    targets: Annotated[
        str | None,
        typer.Option(
            help="For indices: a target set's name, or a CSV file. Default: tool-2023-05.",
            rich_help_panel=_DATA,
        ),
    ] = None,
    constants: Annotated[
        str,
        typer.Option(
            help="For indices: anchor, anchor:COUNTRY, zero or given:FILE.", rich_help_panel=_DATA
        ),
    ] = "anchor",
    metric: Annotated[
        list[str] | None,
        typer.Option(
            help="Metric to print, by its name in --json; repeat for more.", rich_help_panel=_TABLE
        ),
    ] = None,
    resamples: Annotated[
        int, typer.Option(help="Draws of the bootstrap.", rich_help_panel=_TABLE)
    ] = 1000,
    seed: Annotated[
        int, typer.Option(help="Same seed, same intervals.", rich_help_panel=_TABLE)
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Score a model on a survey, beside the baselines that need no model."""
    from ..assessment import score

    check_most(1_000_000, resamples=resamples, batch=batch)
    check_most(2**63 - 1, seed=seed)
    for one in condition or ():
        folder = Path(one.removeprefix("expert:"))
        if one.startswith("expert:") and not (folder / "expert.json").is_file():
            raise SpecificationError(
                f"There is no expert in '{folder}': it holds no expert.json. A fit prints where its "
                "expert is."
            )
    with score_progress() as on_batch:
        table = score(
            instrument,
            country=country,
            conditions=() if baselines else tuple(condition or ("none",)),
            model=model,
            revision=revision,
            device=device,
            dtype=dtype,
            trust_remote_code=trust_remote_code,
            samples=samples,
            missing=missing,
            labels=labels,
            orders=orders,
            targets=targets,
            constants=constants,
            batch=batch,
            cache=not no_cache,
            resamples=resamples,
            seed=seed,
            on_batch=on_batch,
        )
    metrics = [table.column(name).name for name in metric or table.headline]
    if as_json:
        print_json(table.to_dict())
    else:
        print_scores(table, metrics)


def print_scores(table: ScoreTable, metrics: list[str]) -> None:
    """The scores, the differences of the first metric, the ranks, and what has to stand beside."""
    say(f"{table.instrument}\n", style="bold")
    known = [m for m in metrics if any(s.n for s in table.scores if s.metric == m)] or metrics[:1]
    rows: dict[tuple[str, str], dict[str, Score]] = {}
    for score in table.scores:
        rows.setdefault((score.country, score.condition), {})[score.metric] = score
    columns = [f"{table.column(m).title}{' ↑' if table.column(m).higher_is_better else ' ↓'}"
               for m in known]  # fmt: skip
    heads = [part for column in columns for part in (column, "n")]
    places = {m: 1 if "points" in m else 3 for m in known}
    cells = [
        [country, _mark(condition, by_metric[known[0]].kind)]
        + [
            part
            for m in known
            for part in (_figure(by_metric[m], places[m]), f"{by_metric[m].n:,}")
        ]
        for (country, condition), by_metric in rows.items()
    ]
    print_table(["", "condition", *heads], cells, right=range(2, 2 + len(heads)), whole=(0, 1))
    first = known[0]
    pairs = [s for s in table.differences if s.metric == first]
    last = table.scores[-1].country
    kinds = {s.condition: s.kind for s in table.scores}
    if pairs:
        say(f"\nDifferences in {table.column(first).title}, on the same questions:")
        crowded = len({s.country for s in pairs}) > 3
        print_table(
            ["", "condition", "minus", "difference", "n"],
            [
                [
                    s.country,
                    s.condition,
                    _mark(s.minus, kinds[s.minus]),
                    _figure(s, places[first], sign=True),
                    f"{s.n:,}",
                ]
                for s in pairs
                if not crowded or s.country == last
            ],
            right=(3, 4),
            whole=(0, 1, 2),
        )
    if table.ranks:
        say("\nKendall's tau over countries:")
        by_condition: dict[str, dict[str, float]] = {}
        for row in table.ranks:
            by_condition.setdefault(row["condition"], {})[row["index"]] = row["kendall_tau"]
        names = list(dict.fromkeys(row["index"] for row in table.ranks))
        print_table(
            ["condition", *names],
            [
                [name, *("-" if n not in taus else f"{taus[n]:+.2f}" for n in names)]
                for name, taus in by_condition.items()
            ],
            right=range(1, 1 + len(names)),
        )
    say()
    for note in table.notes:
        say(note)


def _mark(condition: str, kind: str) -> str:
    return f"({condition})" if kind == "baseline" else condition


def _figure(score: Score, places: int, sign: bool = False) -> str:
    if math.isnan(score.value):
        return "-"
    plus = "+" if sign else ""
    value, low, high = (
        f"{round(x, places) + 0.0:{plus}.{places}f}" for x in (score.value, score.low, score.high)
    )
    return f"{value} [{low}, {high}]"
