"""What has to be known to judge simulated answers, filled in from a result for cards, pages and tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from .names import BASELINES, FITTED, TITLES

if TYPE_CHECKING:
    from .result import Result

_ORDERS = {
    "1": "one, that of the source",
    "reversed": "both directions, averaged",
    "cyclic": "all rotations, averaged",
    "all": "all orders, averaged",
}
NOTHING = "none"


@dataclass(frozen=True)
class Checklist:
    """One sentence or name for every point; ``not_validated`` says what nobody looked at."""

    asked_of: str
    model: str
    revision: str
    date: str
    precision: str
    template: str
    orders: str
    wording: str
    readout: str
    baselines: str
    held_out: str
    search: str
    seeds: str
    intervals: str
    position_bias: str
    language: str
    recited: str
    versions: str
    not_validated: tuple[str, ...]

    @classmethod
    def of(cls, result: Result) -> Checklist:
        """Filled from what a result follows from."""
        made = result.provenance
        found = dict.fromkeys(f.condition for f in result.figures if f.condition in BASELINES)
        seeds = [f"search {result.search.seed}"] if result.search else []
        if made.resamples:
            seeds.append(f"intervals {made.seed}")
        intervals = (
            f"95 %, {made.resamples:,} draws of questions or indices" if made.resamples else NOTHING
        )
        return cls(
            ", ".join(made.populations.values()) or NOTHING,
            made.model or NOTHING,
            made.revision[:12] or "not known",
            made.date or "not known",
            made.dtype or NOTHING,
            _template(made.opening),
            _ORDERS.get(made.orders, made.orders or NOTHING),
            "; ".join(f"{a.title}, {a.digest[:12]}" for a in made.instruments),
            ", ".join(made.readouts) or NOTHING,
            "; ".join(TITLES.get(name, name) for name in found) or NOTHING,
            "; ".join(_held_out(result)) or "nothing",
            _searched(result),
            ", ".join(seeds) or NOTHING,
            intervals,
            "not measured"
            if result.bias is None
            else f"{result.bias:+.2f}, straight against reversed",
            "; ".join(_language(result)) or "not measured",
            made.recited or "not asked",
            ", ".join(f"{name} {number}" for name, number in made.versions.items()) or "not known",
            tuple(_not_validated(result)),
        )

    def rows(self) -> list[tuple[str, str]]:
        """Every point by its name, as it is printed."""
        named = [(f.name.replace("_", " "), getattr(self, f.name)) for f in fields(self)]
        return [(k, v if isinstance(v, str) else " ".join(v) or "-") for k, v in named]


def _template(opening: str) -> str:
    if not opening:
        return "not known"
    said = " ".join(opening.split())
    return repr(said if len(said) <= 60 else f"{said[:57]}...")


def _searched(result: Result) -> str:
    search = result.search
    if search is None:
        return NOTHING
    return (
        f"{search.optimizer}, a soft prompt of {search.tokens} tokens, {search.evaluations:,} "
        f"evaluations; ended because {search.reason}"
    )


def _language(result: Result) -> Iterator[str]:
    for code, one in (result.language or {}).items():
        yield (
            f"{code}: perplexity of plain text {one.ratio:.2f} times un-prompted, "
            f"{one.divergence:.3f} nats a token from it, on {one.texts} texts"
        )


def _held_out(result: Result) -> Iterator[str]:
    for asked in result.provenance.instruments:
        if asked.held_out:
            yield f"indices {', '.join(asked.held_out)}"
        elif not asked.indices:
            counts = [
                f.n for f in result.figures if f.split == "held-out" and f.instrument == asked.name
            ]
            if counts:
                yield f"{max(counts)} of {asked.items} questions of {asked.title}"


def _not_validated(result: Result) -> Iterator[str]:
    """What a reader might take for granted and nobody looked at."""
    made = result.provenance
    if not made.model:
        return
    fitted = result.search is not None or any(f.condition == FITTED for f in result.figures)
    if fitted and not any(f.split == "held-out" for f in result.figures):
        yield "Nothing was held out: the figures are of what was fitted."
    if result.search is not None:
        yield "One search with one seed: another may end elsewhere (--seeds)."
    if made.orders == "1":
        yield "Options were shown in one order."
    if made.wordings < 2:
        yield "The questions were put in one wording."
    if len(made.readouts) < 2:
        yield "Answers were read in one way, from the first token."
    if not made.recited:
        yield "Whether the model can recite the instrument was not asked (--recite)."
    yield "The answers are simulated: no person was asked for them."
