"""``assess``: instruments, an engine, populations and conditions make a result. Fits and scores call it."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..adapters.adapter import Adapter
from ..engines.base import Engine
from ..errors import ModelError
from ..populations import Population
from ..results import Figure, ItemAnswers, Provenance, Result
from ..results.names import MIXTURE, MIXTURE_OF_GROUPS, NOISE, PEOPLE, TEMPERED
from ..surveys.instrument import Instrument
from ..surveys.opinion_instrument import PEOPLE_ASSUMED
from .asking import STYLES, Asking, ask, left_out, unaskable
from .conditions import Condition
from .figures import Resampling, Rows, figures, index_figures

Array = NDArray[np.floating]

LEAST_MASS = 0.1
"""Below this share of the next token on the labels, a model mostly wants to say something else."""


def assess(
    instruments: Instrument | Sequence[Instrument],
    engine: Engine | None,
    populations: Sequence[Population],
    conditions: Sequence[Condition],
    asking: Asking | None = None,
    *,
    resampling: Resampling | None = None,
    fitted_items: Collection[str] = (),
) -> Result:
    """Every condition beside the baselines, on every instrument, with intervals and differences.

    A condition that applies the same to all populations is asked once for all of them, and adapters
    that are asked the same questions are asked them together.

    Parameters
    ----------
    engine : None asks nobody: without conditions the baselines remain
    populations : in the order in which they stand in tables
    fitted_items : ids of items that some condition was fitted to; then the figures come for these and for
        the others, which are held out, as well

    Raises
    ------
    ModelError
        The model cannot be asked any of the questions, or answers with numbers that are not finite.
    """
    several = instruments if isinstance(instruments, Sequence) else [instruments]
    given = (
        engine,
        tuple(populations),
        tuple(conditions),
        asking or Asking(),
        resampling or Resampling(),
    )
    return Result.joined([Trial(one, *given, frozenset(fitted_items)).result() for one in several])


@dataclass(frozen=True, eq=False)
class Trial:
    """An instrument under conditions, as :func:`assess` is told it; further readings of it share this."""

    instrument: Instrument
    engine: Engine | None
    populations: tuple[Population, ...]
    conditions: tuple[Condition, ...]
    asking: Asking
    resampling: Resampling
    fitted_items: frozenset[str] = frozenset()

    def result(self) -> Result:
        """What the model can be asked of it, beside the baselines; see :func:`assess`."""
        instrument, left_out = _askable(self)
        known = {population.code for population in instrument.populations}
        present = tuple(p for p in self.populations if p.code in known)
        trial = replace(self, instrument=instrument, populations=present)
        answered = _Answered.ask(trial)
        rows = [_measure(trial, population, answered) for population in present]
        found = list(figures(instrument, rows, self.fitted_items, self.resampling))
        if instrument.index_names:
            predicted = {
                one.name: {p.code: instrument.indices(answered.of(one, p)) for p in present}
                for one in self.conditions
            }
            found += index_figures(instrument, predicted)
        data = instrument.notes(present)
        how = [self.asking.describe(instrument.survey)] if self.conditions else []
        interval = interval_note(instrument, self.resampling)
        notes = [*data[:1], *how, *left_out, *data[1:], interval]
        return Result(
            tuple(found),
            tuple(_item_answers(trial, answered)),
            (*notes, *answered.notes(), *_remarks(found)),
            _provenance(trial),
            "held-out" if any(figure.split == "held-out" for figure in found) else "all",
        )


def interval_note(instrument: Instrument, resampling: Resampling) -> str:
    """What brackets are in a table of an instrument."""
    return (
        f"Brackets: 95 % interval over {'the ' if instrument.index_names else ''}{instrument.resampled}, "
        f"{resampling.resamples:,} resamples, seed {resampling.seed}."
    )


def _askable(trial: Trial) -> tuple[Instrument, list[str]]:
    """The instrument without what the engine's model cannot be asked, and a note of what that is."""
    instrument, engine, asking = trial.instrument, trial.engine, trial.asking
    refused = unaskable(engine, instrument.survey, asking) if engine and trial.conditions else {}
    if not refused:
        return instrument, []
    if len(refused) == len(instrument.items):
        reason = next(iter(refused.values()))
        mend = "" if asking.labels == "digits" else " Try --labels digits."
        raise ModelError(f"This model can be asked none of the questions: {reason}{mend}")
    return instrument.without(refused), [left_out(refused, "all rows")]


@dataclass(frozen=True)
class _Answered:
    """(items, options) answers and (items,) label mass by adapter, NaN where it was not asked."""

    conditions: Mapping[tuple[str, str], str]  # condition, population: the adapter's digest
    by_adapter: Mapping[str, tuple[Array, Array]]

    @classmethod
    def ask(cls, trial: Trial) -> _Answered:
        """Every adapter is asked what is asked of the populations that it is for, once."""
        digests: dict[tuple[str, str], str] = {}
        adapters: dict[str, Adapter] = {}
        wanted: dict[str, set[int]] = {}
        for condition in trial.conditions:
            for population in trial.populations:
                adapter = condition.adapter(population)
                digest = adapter.digest()
                digests[condition.name, population.code] = digest
                adapters[digest] = adapter
                items = trial.instrument.asked_of(population).tolist()
                wanted.setdefault(digest, set()).update(items)
        together: dict[tuple[int, ...], list[str]] = {}
        for digest, asked_of in wanted.items():
            together.setdefault(tuple(sorted(asked_of)), []).append(digest)
        answers: dict[str, tuple[Array, Array]] = {}
        for asked, some in together.items():
            given = _ask_some(trial, asked, [adapters[d] for d in some])
            answers.update(zip(some, given, strict=True))
        return cls(digests, answers)

    def of(self, condition: Condition, population: Population) -> Array:
        return self.by_adapter[self.conditions[condition.name, population.code]][0]

    def notes(self) -> Iterator[str]:
        """A sentence for every condition under which the model hardly answers with labels at all."""
        least: dict[str, tuple[int, int, float]] = {}
        for (condition, _), digest in self.conditions.items():
            mass = self.by_adapter[digest][1]
            mass = mass[np.isfinite(mass)]
            low, asked, smallest = least.get(condition, (0, 0, math.inf))
            low, asked = low + int((mass < LEAST_MASS).sum()), asked + len(mass)
            least[condition] = low, asked, min(smallest, float(mass.min(initial=math.inf)))
        for condition, (low, asked, smallest) in least.items():
            if low:
                yield (
                    f"Under {condition!r} the labels of the options have less than {100 * LEAST_MASS:.0f} % "
                    f"of the next token's probability in {100 * (low / asked):.0f} % of the answers (at "
                    f"least {smallest:.2g}): what the model would rather say is not measured. See "
                    "`bbalign doctor`."
                )


def _ask_some(
    trial: Trial, items: Sequence[int], adapters: Sequence[Adapter]
) -> Iterator[tuple[Array, Array]]:
    """For every adapter (items, options) answers and (items,) mass of all items, NaN where not asked."""
    assert trial.engine is not None
    survey = trial.instrument.survey
    asked = [survey.items[n] for n in items]
    whole = len(asked) == len(survey.items)
    part = survey if whole else replace(survey, items=tuple(asked), indices=())
    probabilities, mass = ask(trial.engine, part, adapters, trial.asking)
    for one, share in zip(probabilities, mass, strict=True):
        answers = np.full((len(survey.items), survey.width), np.nan)
        answers[list(items)] = 0.0
        answers[list(items), : part.width] = one
        spread = np.full(len(survey.items), np.nan)
        spread[list(items)] = share
        yield answers, spread


def _measure(trial: Trial, population: Population, answered: _Answered) -> Rows:
    """Baselines and conditions of one population, measured row by row."""
    instrument, nothing = trial.instrument, Adapter().digest()
    given = {c.name: answered.of(c, population) for c in trial.conditions}
    unprompted = (
        answered.by_adapter.get(nothing) if nothing in answered.conditions.values() else None
    )
    rng = np.random.default_rng(0)  # a score depends on no seed, nor on who else is asked about
    known = instrument.baselines(
        population, None if unprompted is None else unprompted[0], trial.fitted_items, rng
    )
    measured = {name: instrument.measure(rows, population) for name, rows in given.items()}
    return Rows(population, instrument.rows(population), {**known, **measured})


def _item_answers(trial: Trial, answered: _Answered) -> Iterator[ItemAnswers]:
    """What people answered, and what the model did, item by item."""
    instrument = trial.instrument
    for population in trial.populations:
        if not instrument.index_names:
            shares = instrument.shares(population)
            yield item_answers(instrument, population.code, PEOPLE, shares)
    for condition in dict.fromkeys(name for name, _ in answered.conditions):
        own = {code: d for (name, code), d in answered.conditions.items() if name == condition}
        if len(set(own.values())) == 1 and len(own) > 1:
            own = {"": next(iter(own.values()))}
        for code, digest in own.items():
            yield item_answers(instrument, code, condition, *answered.by_adapter[digest])


def item_answers(
    instrument: Instrument, population: str, condition: str, rows: Array, mass: Array | None = None
) -> ItemAnswers:
    """(items, options) answers and (items,) label mass item by item, without the items that are NaN."""
    items = instrument.items
    there = np.flatnonzero(~np.isnan(rows).any(-1))
    return ItemAnswers(
        instrument.name, population, condition,
        tuple(items[n].id for n in there),
        tuple(tuple(map(float, rows[n, : len(items[n].scale)])) for n in there),
        () if mass is None else tuple(float(mass[n]) for n in there),
    )  # fmt: skip


def _remarks(found: Sequence[Figure]) -> Iterator[str]:
    """What has to be known to read figures such as these."""
    scores = [figure for figure in found if not figure.minus and figure.low == figure.low]
    counts: dict[tuple[str, str, str], set[int]] = {}
    for figure in scores:
        counts.setdefault((figure.population, figure.metric, figure.split), set()).add(figure.n)
    if any(len(several) > 1 for several in counts.values()):
        yield "Where the n of two rows differ, read their difference, not the two rows."
    conditions = [figure for figure in scores if not figure.is_baseline and figure.n]
    if any(f.low == f.high and f.metric == "accuracy" for f in conditions):
        yield (
            "A bracket without width means that all n questions came out alike; up to about 3 in n of "
            "others might still not (the rule of three)."
        )
    if any(figure.condition in (TEMPERED, MIXTURE, MIXTURE_OF_GROUPS) for figure in found):
        yield (
            "The mixture of others, the temperature and the correction are fitted to people's answers to "
            + (
                "the questions that were fitted."
                if any(figure.split == "fit" for figure in found)
                else "other questions: every fifth is answered by the other four fifths."
            )
        )
    if any(figure.condition == NOISE for figure in found):
        yield (
            "The sampling noise is that of another sample as large as people's own; nothing can be "
            f"expected to come nearer. Where a size is not known it is taken for {PEOPLE_ASSUMED:,}."
        )


def _provenance(trial: Trial) -> Provenance:
    info = trial.engine.info if trial.engine else None
    items = trial.instrument.items
    return Provenance(
        (trial.instrument.asked(),),
        {population.code: population.name for population in trial.populations},
        model=info.name if info else "",
        revision=info.revision if info else "",
        dtype=info.dtype if info else "",
        disclaimer=info.disclaimer if info else "",
        orders=trial.asking.orders if info else "",
        labels=STYLES[trial.asking.labels] if info else (),
        opening=info.opening if info else "",
        readouts=("first token",) if info else (),
        fitted_items=tuple(item.id for item in items if item.id in trial.fitted_items),
        resamples=trial.resampling.resamples,
        seed=trial.resampling.seed,
    )
