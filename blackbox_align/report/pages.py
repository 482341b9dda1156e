"""Pages of fits, of many fits, and of any other result."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..plots import Picture
from ..results.checklist import Checklist
from ..results.comparison_pictures import comparison_pictures
from ..results.fit_pictures import answers_frame, fit_pictures, interval_picture
from ..results.many_pictures import many_pictures, summary_frame
from ..results.multiverse import multiverse, multiverse_picture, share_holding
from ..results.names import counted, title
from ..results.result import Result, Split
from ..results.tables import (
    ASKED,
    DISTANCE,
    ERROR,
    constants_line,
    indices_of,
    interval,
    verdicts,
)
from .page import Block, Page

if TYPE_CHECKING:
    import pandas as pd

    from ..results.comparison import Comparison


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fit as a report needs it.

    ``losses`` is (evaluations,) what the search saw, NaN for failures; ``settings`` what was asked;
    ``commands`` how it is repeated, one line each.
    """

    name: str
    result: Result
    losses: np.ndarray
    settings: Mapping[str, Any] = field(default_factory=dict)
    commands: tuple[str, ...] = ()
    status: str = "done"


def fit_page(fit: Fitted, population: str | None = None) -> Page:
    """One fit of one population: what was held out first, then the search, the answers, the settings."""
    result = fit.result
    code = population or next(iter(result.provenance.populations))
    only = result.of(code)
    name = result.provenance.populations[code]
    of_one = len(result.provenance.populations) == 1
    pictures = fit_pictures(only, code, fit.losses if of_one else None)
    return Page(
        f"{name}: simulated answers of {result.provenance.model}",
        _found(only, code, fit),
        (*pictures, *closing(only, fit)),
        result.provenance.disclaimer,
        (("answers", answers_frame(only)), ("figures", figures_frame(only))),
    )


def _found(result: Result, code: str, fit: Fitted) -> tuple[str, ...]:
    """What a reader takes away who reads on no further."""
    said = (
        verdicts(result, code)[:-1] if result.select(metric=DISTANCE) else []
    )  # the last is on brackets
    name = result.provenance.populations[code]
    asked = indices_of(result)
    if asked is not None:
        split: Split = "held-out" if asked.held_out else "all"
        found = (result.select(condition=c, metric=ERROR, split=split) for c in ASKED)
        plain, told, fitted = (one[0].value if one else math.nan for one in found)
        said.append(
            f"Mean absolute error of the indices of {name}: {plain:.1f} points un-prompted, {told:.1f} "
            f"with the country named in text, {fitted:.1f} fitted. "
            + (
                f"These indices were held out: {', '.join(asked.held_out)}."
                if asked.held_out
                else "These indices are what was fitted: their error says that the search worked, not that "
                "the prompt knows more of the country."
            )
        )
    search = result.search
    if search:
        said.append(f"{search.describe()} Run: {fit.name} ({fit.status}).")
    return tuple(said)


def closing(result: Result, fit: Fitted | None = None) -> tuple[Block, ...]:
    """What every page ends with: notes, how to repeat it, the checklist."""
    asked = indices_of(result)
    notes = tuple(note for note in result.notes if note != result.provenance.disclaimer)
    if asked is not None and asked.constants:
        notes = (f"Constants: {constants_line(asked)}.", *notes)
    blocks = [Block("What has to be said beside the figures", notes)] if notes else []
    if fit is not None and (fit.commands or fit.settings):
        facts = tuple(
            (name.replace("_", " "), said)
            for name, said in ((name, _spoken(value)) for name, value in fit.settings.items())
            if said != NOTHING
        )
        blocks.append(
            Block(
                "How this was made, and how to repeat it",
                ("The same command, under the same versions, ends on the same figures.",),
                facts,
                fit.commands,
            )
        )
    blocks.append(Block("Checklist", (), _checklist(result)))
    return tuple(blocks)


def _checklist(result: Result) -> tuple[tuple[str, str], ...]:
    """That of the result or, of one that is older than checklists, filled in now."""
    return tuple((result.checklist or Checklist.of(result)).rows())


NOTHING = "–"


def _spoken(value: Any) -> str:
    if value is None or value in ("", [], {}, ()):
        return NOTHING
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {part}" for key, part in value.items())
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def figures_frame(result: Result) -> pd.DataFrame:
    """All figures of a result, whatever they are of."""
    import pandas as pd

    names = ["population", "condition", "minus", "metric", "value", "low", "high", "n",
             "split", "instrument"]  # fmt: skip
    return pd.DataFrame([[getattr(f, n) for n in names] for f in result.figures], columns=names)


def fits_page(
    fits: Sequence[Fitted], title: str = "", more: Sequence[Picture | Block] = ()
) -> Page:
    """Many fits on one page: ``more`` (a comparison's figures) first, then maps, then a row per run."""
    named = [(one.name, one.result) for one in fits]
    summary = summary_frame(named)
    countries, models = summary["country"].nunique(), sorted(set(summary["model"]))
    lead = [
        f"{counted(len(fits), 'run')} over {counted(countries, 'population')}, by {', '.join(models)}.",
        f"{countries} countries carry no claim about others."
        if countries < 10
        else "Countries are not drawn at random: means over them speak of these alone.",
    ]
    table = Block(
        "Every run",
        ("Errors are mean absolute errors in index points, on the indices that were fitted; distances are "
         "JS distances in nats, on questions held out. 'reached after' counts evaluations, blank where the "
         "target loss was not reached.",),
        table=summary,
        csv="runs",
    )  # fmt: skip
    disclaimer = " ".join(
        dict.fromkeys(r.provenance.disclaimer for _, r in named if r.provenance.disclaimer)
    )
    notes = dict.fromkeys(note for _, r in named for note in r.notes if note not in disclaimer)
    shared = [note for note in notes if all(note in r.notes for _, r in named)]
    first = fits[0].result
    ends = (
        Block(
            "What has to be said beside the figures", (*shared, *_lost(len(notes) - len(shared)))
        ),
        Block("Checklist of the first run", (), _checklist(first)),
    )
    return Page(
        title or f"{counted(len(fits), 'run')}: simulated answers of {', '.join(models)}",
        tuple(lead),
        (*more, *many_pictures(named), table, *ends),
        disclaimer,
    )


def multiverse_parts(
    found: Sequence[tuple[Mapping[str, Any], Result]], varied: Sequence[str]
) -> tuple[Block | Picture, ...]:
    """In how many ways of asking the gain holds, with every configuration in the CSV."""
    frame = multiverse(found)
    if not len(frame):
        return ()
    said = Block(
        "In how many configurations the fitted prompt is nearer to people",
        (
            f"Configurations of {', '.join(varied)}; all of them are in report/multiverse.csv. Of opinions, "
            "p is that of the mean gain being 0, over the un-prompted model and over the country in text, "
            "by turning the signs of whole questions with all their orders and wordings: configurations of "
            "the same questions are no independent evidence.",
        ),
        table=share_holding(frame, found),
        csv="multiverse-shares",
    )
    return multiverse_picture(frame, varied), said


NOBODY = "No search reached the target, so methods are not ranked by what they need; choose an easier one."


def comparison_page(
    comparison: Comparison,
    fits: Sequence[Fitted],
    name: str = "",
    more: Sequence[Block | Picture] = (),
) -> Page:
    """A comparison: its table and curves first, then what its runs found, country by country."""
    table = comparison.table().reset_index()
    methods = ", ".join(comparison.methods)
    intro = Block(
        f"Expected evaluations to a loss of {comparison.target:g}",
        (
            f"{len(comparison.finished)} searches of at most {comparison.budget:,} evaluations, loss in "
            f"{comparison.unit}. ERT counts the evaluations of all searches until they end or reach the "
            "target, over those that reach it (Hansen et al. 2021); it is not reached where none does. "
            f"ert low and ert high are its 95 % interval, a bootstrap {comparison.drawn}. ert rounds counts "
            "batches, whose candidates are asked side by side.",
            *comparison.notes,
            *(() if comparison.reached else (NOBODY,)),
            *(f"{cell.settings}: failed and is in no figure: {cell.failure}"
              for cell in comparison.cells if cell.failure),
        ),
        table=table,
        csv="methods",
    )  # fmt: skip
    pictures: list[Picture | Block] = [intro, *comparison_pictures(comparison)]
    if len(comparison.methods) > 1 and comparison.reached:
        pictures.append(_pairs(comparison))
    pictures += more
    page = fits_page(fits, f"Compared: {methods if len(methods) < 90 else name}", pictures)
    return replace(page, files=(*page.files, ("searches", comparison.searches())))


def _pairs(comparison: Comparison) -> Block:
    import pandas as pd

    methods, pairs = comparison.pairs()
    rows = [(methods[one.a], methods[one.b], one.superiority, one.p) for one in pairs]
    return Block(
        "Pair by pair",
        (
            "On pairs of country and seed: the share on which the first needs fewer evaluations than the "
            "second "
            "(0.5 is no difference, an effect size), and the p of Wilcoxon's signed ranks after Holm's "
            "correction over all pairs.",
        ),
        table=pd.DataFrame(rows, columns=["first", "second", "superiority", "p_holm"]),
        csv="pairs",
    )


def _lost(count: int) -> tuple[str, ...]:
    return (
        (f"{count} more notes belong to single runs: their own pages say them.",) if count else ()
    )


def result_page(result: Result, name: str = "") -> Page:
    """A result without a search, such as a score: each headline metric, population by population."""
    pictures: list[Picture] = []
    titles = ", ".join(one.title for one in result.provenance.instruments)
    metrics = [name for name in result.headline if any(f.metric == name for f in result.scores)]
    populations = list(dict.fromkeys(f.population for f in result.scores))
    chosen = populations if len(populations) <= 3 else populations[-1:]
    model = result.provenance.model or "no model"
    for metric in metrics[:1] if len(chosen) > 1 else metrics:
        about = result.metric(metric)
        heading = about.title[:1].upper() + about.title[1:]
        for code in chosen:
            figures = [f for f in result.scores if f.metric == metric and f.population == code]
            who = result.provenance.populations.get(
                code, f"the {code} of {len(populations) - 1} populations"
            )
            pictures.append(
                interval_picture(
                    figures,
                    f"{metric}-{code}".replace("_", "-"),
                    f"{heading}, {who}",
                    f"{heading} of simulated answers of {model} on {titles}, {who}; n = "
                    f"{figures[0].n} on {figures[0].split} questions; "
                    f"{'higher' if about.higher_is_better else 'lower'} is nearer to people. Lines are 95 % "
                    "intervals, a bootstrap over questions. Squares ask no model.",
                    about.title,
                )
            )
    shown = f"{titles}: simulated answers of {model}"
    tables = _scores(result, metrics), _differences(result, metrics[0])
    return Page(
        shown, (f"Result: {name}.",) if name else (), (*pictures, *filter(None, tables), *closing(result)),
        result.provenance.disclaimer,
        (("answers", answers_frame(result)), ("figures", figures_frame(result))),
    )  # fmt: skip


def _scores(result: Result, metrics: Sequence[str]) -> Block:
    """Populations and conditions down, the metrics that an instrument prints first across."""
    import pandas as pd

    rows: dict[tuple[str, str], dict[str, str]] = {}
    for figure in result.scores:
        row = rows.setdefault((figure.population, title(figure.condition)), {})
        if figure.metric in metrics:
            row[result.metric(figure.metric).title] = interval(figure, places=3)
            row["n"] = f"{figure.n:,}"
    told = [{"population": who, "condition": what, **row} for (who, what), row in rows.items()]
    said = (
        "Brackets are 95 % intervals, a bootstrap over questions; conditions in parentheses ask no model. "
        "Every metric and difference is in report/figures.csv.",
    )
    return Block("Scores", said, table=pd.DataFrame(told).fillna(NOTHING), csv="scores")


def _differences(result: Result, metric: str) -> Block | None:
    """What each condition gains over another on the same questions, of the last population."""
    import pandas as pd

    last = result.scores[-1].population
    pairs = [f for f in result.differences if f.metric == metric and f.population == last]
    if not pairs:
        return None
    rows = [
        {
            "condition": title(f.condition), "minus": title(f.minus),
            "difference": interval(f, sign=True, places=3), "p": f"{f.p:.3f}" if f.p == f.p else NOTHING,
            "n": f"{f.n:,}",
        }
        for f in pairs
    ]  # fmt: skip
    about = result.metric(metric)
    said = (
        f"In {about.title}, {last}; p is that of the signs of whole questions turned at random.",
    )
    return Block("Differences", said, table=pd.DataFrame(rows), csv="differences")
