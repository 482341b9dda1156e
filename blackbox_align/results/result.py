"""What a score or a fit leaves: cards, ``show``, tables, comparisons and reports read nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import RunError, SpecificationError
from ..statistics.distances import Metric
from .checklist import Checklist
from .language import Language
from .names import BASELINES
from .plain import from_plain, to_plain

if TYPE_CHECKING:
    import pandas as pd

FORMAT = 2
Split = Literal["all", "fit", "held-out"]
Array = NDArray[np.floating]

RANK = "kendall_tau"
"""Metrics of ranks are called this and the index: ``kendall_tau PDI``."""


@dataclass(frozen=True)
class Figure:
    """One figure with its 95 % interval; ``minus`` is the condition subtracted on the same rows.

    ``population`` is a code, ``mean`` over populations or ``all`` questions; ``split`` the questions
    that were averaged, ``n`` the number of distributions, questions or indices. ``p`` is that of a
    difference under random signs of whole questions, see :mod:`..statistics.permutations`. What answers
    are worth in people has a ``high`` of NaN where nothing bounds it.
    """

    population: str
    condition: str
    metric: str
    split: Split
    value: float
    low: float
    high: float
    n: int
    minus: str = ""
    instrument: str = ""
    p: float = math.nan

    def __eq__(self, other: object) -> bool:
        """Field by field; what is not known equals what is not known, which Python 3.13 has otherwise."""
        return isinstance(other, Figure) and self._known() == other._known()

    def __hash__(self) -> int:
        return hash(self._known())

    def _known(self) -> tuple[Any, ...]:
        values = (getattr(self, one.name) for one in fields(self))
        return tuple(None if value != value else value for value in values)

    @property
    def is_baseline(self) -> bool:
        """Whether no model was asked for it, or not anew."""
        return self.condition in BASELINES


@dataclass(frozen=True)
class ItemAnswers:
    """Answers item by item, of a model under a condition or of ``people``.

    ``population`` is empty where they do not depend on one. A row of ``probabilities`` holds as many
    numbers as its item has options; ``mass`` is the share of the next token that is any label, NaN
    where that is not known.
    """

    instrument: str
    population: str
    condition: str
    items: tuple[str, ...]
    probabilities: tuple[tuple[float, ...], ...]
    mass: tuple[float, ...] = ()


@dataclass(frozen=True)
class Asked:
    """An instrument as it was asked: ``metrics`` are its own, the ones to print first in ``headline``.

    ``indices`` are the names and titles of its indices; ``targets`` the set of figures that they are
    compared with; ``constants`` one shift per index, the same for all populations, by ``policy``;
    ``held_out`` the indices that no search saw.
    """

    name: str
    title: str
    digest: str
    items: int
    metrics: tuple[Metric, ...]
    headline: tuple[str, ...]
    source: str = ""
    indices: Mapping[str, str] = field(default_factory=dict)
    targets: str = ""
    targets_title: str = ""
    policy: str = ""
    constants: Mapping[str, float] = field(default_factory=dict)
    held_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Provenance:
    """What the figures follow from; ``populations`` are names by code, ``fitted_items`` the items that
    some condition was fitted to. ``date`` is the day on which it was made, ``opening`` what the model read
    around a question; ``wordings`` how many wordings of the instruction were put, ``readouts`` the ways
    in which answers were read, and ``recited`` what is known of the model knowing the instrument by heart.
    """

    instruments: tuple[Asked, ...]
    populations: Mapping[str, str]
    model: str = ""
    revision: str = ""
    dtype: str = ""
    disclaimer: str = ""
    orders: str = ""
    labels: tuple[str, ...] = ()
    readout: str = "expected"
    fitted_items: tuple[str, ...] = ()
    resamples: int = 0
    seed: int = 0
    versions: Mapping[str, str] = field(default_factory=dict)
    date: str = ""
    opening: str = ""
    wordings: int = 1
    readouts: tuple[str, ...] = ()
    recited: str = ""


@dataclass(frozen=True)
class Searched:
    """The search behind a fit, by population where there are several.

    ``losses`` are on the questions that were fitted; ``reached`` the evaluations until the target loss,
    None where it was not reached; ``fronts`` the losses of the evaluations that no other one betters in
    all parts of the objective at once.
    """

    optimizer: str
    seed: int
    evaluations: int
    reason: str
    losses: Mapping[str, float]
    reached: Mapping[str, int | None] = field(default_factory=dict)
    fronts: Mapping[str, tuple[Mapping[str, float], ...]] = field(default_factory=dict)
    objective: str = "vsm13"
    placement: str = "first"
    tokens: int = 0
    target_loss: float | None = None

    def describe(self, counted: str = "evaluations") -> str:
        """What was spent by whom, and why it ended, in a sentence."""
        return (
            f"{self.evaluations:,} {counted} by {self.optimizer}, seed {self.seed}; stopped because "
            f"{self.reason}."
        )


@dataclass(frozen=True, eq=False)
class Result:
    """Figures and answers, what has to stand beside them, and what they follow from.

    ``split`` names the questions that tables lead with; ``bias`` is the correlation of the
    un-prompted item means asked straight and reversed; see :mod:`..assessment.position_bias`;
    ``language`` is by population, None where a model
    writes no texts.
    """

    figures: tuple[Figure, ...]
    answers: tuple[ItemAnswers, ...]
    notes: tuple[str, ...]
    provenance: Provenance
    split: Split = "all"
    search: Searched | None = None
    language: Mapping[str, Language] | None = None
    bias: float | None = None
    checklist: Checklist | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Result) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((self.figures, self.notes))

    def __repr__(self) -> str:
        titles = ", ".join(asked.title for asked in self.provenance.instruments)
        return f"Result({titles}: {len(self.figures)} figures)"

    def _repr_html_(self) -> str:
        """The table, for a notebook."""
        html: str = self.table()._repr_html_()  # type: ignore[operator]
        return html

    # -- reading ---------------------------------------------------------------------------------

    def select(
        self,
        *,
        population: str | None = None,
        condition: str | None = None,
        metric: str | None = None,
        split: Split | None = None,
        minus: str | None = "",
        instrument: str | None = None,
    ) -> list[Figure]:
        """The figures that fit; None is any, ``minus`` empty those that are no differences."""
        wanted = {
            "population": population, "condition": condition, "metric": metric, "split": split,
            "minus": minus, "instrument": instrument,
        }  # fmt: skip
        found = list(self.figures)  # thousands, of a fit of opinions
        for key, value in wanted.items():
            if value is not None:
                found = [figure for figure in found if getattr(figure, key) == value]
        return found

    @property
    def scores(self) -> list[Figure]:
        """The figures to print, no differences and no ranks, on the questions that tables lead with."""
        metrics = {m.name for asked in self.provenance.instruments for m in asked.metrics}
        return [f for f in self._leading() if f.metric in metrics and not f.minus]

    @property
    def differences(self) -> list[Figure]:
        """Paired differences between conditions, and from the baselines, on the same questions."""
        return [f for f in self._leading() if f.minus]

    def _leading(self) -> list[Figure]:
        """The figures on :attr:`split`, or on all questions of an instrument that was not split."""
        split = {f.instrument for f in self.figures if f.split == self.split}
        return [
            f for f in self.figures
            if f.split == (self.split if f.instrument in split else "all")
        ]  # fmt: skip

    @property
    def ranks(self) -> list[Figure]:
        """Kendall's tau between predicted and published figures over populations, index by index."""
        return [f for f in self.figures if f.metric.startswith(RANK)]

    @property
    def headline(self) -> tuple[str, ...]:
        """The metrics to print first."""
        return tuple(m for asked in self.provenance.instruments for m in asked.headline)

    def metric(self, name: str) -> Metric:
        """A metric by its name; :class:`SpecificationError` where there is none such."""
        known = [metric for asked in self.provenance.instruments for metric in asked.metrics]
        for metric in known:
            if metric.name == name:
                return metric
        names = ", ".join(metric.name for metric in known)
        raise SpecificationError(f"The metric must be one of {names}; not {name!r}.")

    def value(
        self,
        condition: str,
        metric: str | None = None,
        population: str | None = None,
        split: Split | None = None,
    ) -> float:
        """One figure: of the first headline metric, the last population and :attr:`split` if not named."""
        metric = metric or self.headline[0]
        population = population or self.scores[-1].population
        found = self.select(
            population=population, condition=condition, metric=metric, split=split or self.split
        )
        if not found:
            raise SpecificationError(
                f"There is no score of {condition!r} in {population} on {metric!r}."
            )
        return found[0].value

    def of(self, population: str) -> Result:
        """The part that belongs to one population."""
        search = self.search
        if search is not None:
            by_code = ("losses", "reached", "fronts")
            own: dict[str, Any] = {
                name: _only(getattr(search, name), population) for name in by_code
            }
            search = replace(search, **own)
        names = {population: self.provenance.populations.get(population, population)}
        part = replace(
            self,
            figures=tuple(f for f in self.figures if f.population == population),
            answers=tuple(a for a in self.answers if a.population in ("", population)),
            provenance=replace(self.provenance, populations=names),
            search=search,
            language=None if self.language is None else _only(self.language, population),
        )
        return part.with_checklist() if self.checklist is not None else part

    @property
    def loss(self) -> float:
        """The loss that was searched for, of several populations their mean; NaN without a search."""
        losses = list(self.search.losses.values()) if self.search else []
        return float(np.mean(losses)) if losses else math.nan

    # -- tables ----------------------------------------------------------------------------------

    def table(self) -> pd.DataFrame:
        """One row per population, condition and metric: value, low, high, n."""
        index = ["population", "condition", "metric"]
        return _frame(self.scores, index)

    def differences_table(self) -> pd.DataFrame:
        """One row per population, pair of conditions and metric: value, low, high, n."""
        return _frame(self.differences, ["population", "condition", "minus", "metric"])

    # -- writing ---------------------------------------------------------------------------------

    def with_notes(self, *notes: str) -> Result:
        """The same with notes behind its own; those that stand there already are not repeated."""
        return replace(self, notes=tuple(dict.fromkeys((*self.notes, *(n for n in notes if n)))))

    def with_checklist(self) -> Result:
        """The same with its :class:`.checklist.Checklist` filled in, once all else is known."""
        return replace(self, checklist=Checklist.of(self))

    def to_dict(self) -> dict[str, Any]:
        """All of it in JSON's own kinds; NaN is None."""
        return {"format": FORMAT, **to_plain(self)}

    @classmethod
    def from_dict(cls, value: Any, where: str = "result") -> Result:
        """A result from what :meth:`to_dict` made, or what a fit wrote in format 1.

        Raises
        ------
        RunError
            Something in it is damaged; the sentence says what, behind ``where``.
        """
        if not isinstance(value, Mapping):
            raise RunError(f"{where}: expected an object with named entries; the file is damaged.")
        if "format" not in value:
            from .format1 import read_format1

            return read_format1(value, where)
        if value["format"] != FORMAT:
            raise RunError(
                f"{where} is in format {value['format']!r}; this version reads {FORMAT} and 1."
            )
        return from_plain(cls, {k: v for k, v in value.items() if k != "format"}, where)

    @classmethod
    def joined(cls, parts: Sequence[Result]) -> Result:
        """One result of several instruments, asked of the same model."""
        populations = {c: n for part in parts for c, n in part.provenance.populations.items()}
        fitted = dict.fromkeys(item for part in parts for item in part.provenance.fitted_items)
        provenance = replace(
            parts[0].provenance,
            instruments=tuple(a for part in parts for a in part.provenance.instruments),
            populations=populations,
            fitted_items=tuple(fitted),
        )
        return cls(
            tuple(f for part in parts for f in part.figures),
            tuple(a for part in parts for a in part.answers),
            tuple(dict.fromkeys(note for part in parts for note in part.notes)),
            provenance,
            next((part.split for part in parts if part.split != "all"), "all"),
            bias=next((part.bias for part in parts if part.bias is not None), None),
        )


def _only(values: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {k: v for k, v in values.items() if k == key}


def _frame(figures: Sequence[Figure], index: list[str]) -> pd.DataFrame:
    import pandas as pd

    names = [*index, "value", "low", "high", "n"]
    rows = [[getattr(figure, name) for name in names] for figure in figures]
    return pd.DataFrame(rows, columns=names).set_index(index)
