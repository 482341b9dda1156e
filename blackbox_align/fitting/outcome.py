"""What a search leaves: its result, which is an assessment of the best adapters, and experts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..adapters import Adapter, Parameterization
from ..assessment.asking import Asking
from ..assessment.assess import assess, interval_note
from ..assessment.conditions import Condition
from ..assessment.figures import Resampling
from ..assessment.language import measure_language
from ..assessment.recite import recite
from ..engines import Answers, Engine
from ..engines.function import FunctionEngine
from ..experts import Card, prove, write_expert
from ..objectives import INDICES, OPINIONS, is_function
from ..optimizers import Optimizer
from ..populations import Population
from ..results import Result, Searched
from ..results.names import FITTED
from ..results.tables import DISTANCE, ERROR, OWN
from ..statistics.pareto import pareto_front
from ..surveys import Survey
from ..surveys.index_instrument import Indices
from ..surveys.instrument import Instrument
from ..surveys.opinion_instrument import Opinions
from ..surveys.sheet import Question, Sheet, sheet
from ..surveys.sheet import asked as asked_in_order
from .asking import Asked
from .conditions import versions
from .entry import Entry
from .problem import Problem
from .search import Standing


@dataclass(frozen=True, eq=False)
class Outcome:
    """A search with all that its result and its experts are made from."""

    problem: Problem
    standing: Standing
    optimizer: Optimizer
    space: Parameterization
    engine: Engine
    asked: Asked
    day: str = ""
    """On which the run began: a result that is written later has the same bits."""
    recites: bool = False
    """Whether the model is asked what it knows by heart."""
    written: dict[str, float] = field(default_factory=dict)
    """The loss of each expert on disk, by country."""
    notes: tuple[str, ...] = ()

    @property
    def instruments(self) -> list[Instrument]:
        """What the result is read from, opinions first: all questions, with the constants of the run."""
        opinions, indices = self.problem.data.opinions, self.problem.index_objective
        made: list[Instrument] = []
        if opinions is not None:
            made.append(Opinions(opinions.asked, opinions.everyone))
        if indices is not None:
            made.append(
                Indices(
                    indices.survey,
                    self.problem.data.target_set,
                    indices.constants.values,
                    indices.constants.policy,
                    # Answers are drawn for the search alone: their expectation is known.
                    readout="expected" if indices.readout == "sampled" else indices.readout,
                    held_out=self.problem.data.held_out_indices,
                )
            )
        if self.problem.data.own is not None:
            made.append(self.problem.data.own)
        return made

    @cached_property
    def recited(self) -> str:
        """What the model knows by heart of what it is fitted to; empty where that is not asked."""
        if not self.recites or not self.engine.info.writes:
            return ""
        known = []
        for one in self.instruments:
            targets = self.problem.data.target_set if one.index_names else None
            known.append(f"{one.title}: {recite(self.engine, one.survey, targets).describe()}")
        return " ".join(known)

    @property
    def fitted_items(self) -> frozenset[str]:
        """The questions that were fitted, where others were held out."""
        opinions = self.problem.data.opinions
        if opinions is None:
            return frozenset()
        return frozenset(item.id for item in opinions.asked.survey.items) - opinions.held_out

    @property
    def orders(self) -> str:
        """In which options are shown, to search and to report alike."""
        return self.problem.orders

    def result(
        self,
        reason: str,
        entries: Sequence[Entry] = (),
        populations: Sequence[Population] | None = None,
    ) -> Result:
        """The best adapters beside the model without one, of all populations or of some.

        ``entries`` are all that was evaluated; where a loss has several parts, their Pareto front comes
        from there.
        """
        settings = self.problem.specification
        people = self.problem.populations if populations is None else populations
        adapters = {one.code: self._adapter(one) for one in people}
        fitted = Condition(FITTED, lambda population: adapters[population.code])
        instruments, resampling = self.instruments, Resampling(seed=settings.seed)
        found = Result.joined(
            [
                assess(
                    one,
                    self._knowing(people),
                    people,
                    [Condition.plain(), Condition.country_in_text(), *self._answers(one), fitted],
                    Asking(self.orders, "own"),
                    resampling=resampling,
                    fitted_items=self.fitted_items,
                )
                for one in instruments
            ]
        )
        # The tables of a fit say themselves what constants and brackets are.
        said = {one.notes(people)[0] for one in instruments if one.index_names}
        said |= {interval_note(one, resampling) for one in instruments}
        biases = [self.asked.position_bias(survey) for survey in self._surveys]
        notes = [note for note in found.notes if note not in said]
        bias, language = biases[0].correlation, None
        if self.engine.info.writes:
            kept, weight = list(adapters.values()), float(settings.language or 0.0)
            told = measure_language(self.engine, kept, self._questions, weight)
            language = dict(zip(adapters, told, strict=False)) or None
        return replace(
            found,
            notes=(
                *notes,
                *self.problem.data.notes,
                *(bias.describe() for bias in biases),
                *filter(None, [self.recited]),
                *self.notes,
            ),
            bias=None if np.isnan(bias) else bias,
            provenance=replace(
                found.provenance,
                readout=settings.readout,
                versions=versions(),
                date=self.day,
                recited=self.recited,
            ),
            search=self._searched(found, people, reason, entries),
            language=language,
        ).with_checklist()

    def _answers(self, instrument: Instrument) -> list[Condition]:
        """Of opinions, those that are fitted, in the text."""
        if not isinstance(instrument, Opinions):
            return []
        return [Condition.known_answers(instrument, self.fitted_items, self.engine)]

    @property
    def _questions(self) -> tuple[Question, ...]:
        """All that an expert answers."""
        return tuple(q for survey in self._surveys for q in sheet(survey, self.orders).questions)

    @property
    def _surveys(self) -> tuple[Survey, ...]:
        """What is asked, each survey once, whatever the parts of the objective."""
        return tuple({one.sha256: one for one in self.problem.surveys.values()}.values())

    def write_experts(self, result: Result, place: Mapping[str, Path]) -> None:
        """Write an expert for every population of a result, where ``place`` says."""
        settings = self.problem.specification.to_dict()
        for number, people in enumerate(self.problem.populations):
            if people.code not in result.provenance.populations:
                continue
            adapter = self._adapter(people)
            proof = prove(self.engine, adapter, Sheet(self._questions))
            card = replace(
                Card.of(result, people.code, settings),
                opening=self.engine.info.opening,
                date=self.engine.info.date,
            )
            write_expert(place[people.code], adapter, card, proof)
            self.written[people.code] = float(self.standing.best[number])

    @property
    def better_than_written(self) -> list[Population]:
        """The populations whose best adapter is better than their expert on disk."""
        losses = zip(self.problem.populations, self.standing.best, strict=True)
        return [one for one, loss in losses if loss < self.written.get(one.code, np.inf)]

    def _adapter(self, people: Population) -> Adapter:
        """What to keep: the best one or, where a loss is partly luck, the optimizer's own choice."""
        vector = self.standing.vectors[self.problem.populations.index(people)]
        sampled = self.problem.specification.readout == "sampled"
        if sampled and len(self.problem.populations) == 1:
            vector = self.optimizer.recommend().vector
        return self.space.adapters(vector[None])[0]

    def _knowing(self, people: Sequence[Population]) -> Engine:
        """The engine, but what it answers without a soft prompt is known and not asked again."""
        known: dict[str, dict[Question, np.ndarray]] = {}
        masses: dict[tuple[str, Question], float] = {}
        for survey in self.problem.surveys.values():
            questions = sheet(survey, self.orders).questions
            for told in (None, *people):
                adapter = Adapter(text=told.preamble()) if told else Adapter()
                rows = self.asked.rows(survey, told)
                of_one = known.setdefault(adapter.digest(), {})
                for question, (item, order) in zip(
                    questions, asked_in_order(survey, self.orders), strict=True
                ):
                    of_one[question] = rows[item, list(order)]
                shares = self.asked.mass(survey, told)
                if shares is not None:
                    keys = ((adapter.digest(), question) for question in questions)
                    masses.update(zip(keys, shares.tolist(), strict=True))

        def answer(adapters: Sequence[Adapter], asked: Sheet) -> Answers:
            looked_up = [known.get(adapter.digest()) for adapter in adapters]
            new = [n for n, rows in enumerate(looked_up) if rows is None]
            shape = (len(adapters), len(asked.questions))
            probabilities = np.zeros((*shape, asked.width), np.float32)
            mass = np.full(shape, np.nan, np.float32)
            if new:
                given = self.engine.answer([adapters[n] for n in new], asked)
                probabilities[new], mass[new] = given.probabilities, given.mass
            for n, rows in enumerate(looked_up):
                for column, question in enumerate(asked.questions if rows else ()):
                    assert rows is not None
                    probabilities[n, column, : len(question.labels)] = rows[question]
                    mass[n, column] = masses.get((adapters[n].digest(), question), np.nan)
            return replace(Answers.of(probabilities), mass=mass)

        return FunctionEngine(answer, self.engine.info)

    def _searched(
        self, found: Result, people: Sequence[Population], reason: str, entries: Sequence[Entry]
    ) -> Searched:
        settings, standing = self.problem.specification, self.standing
        codes = [one.code for one in self.problem.populations]
        several = len(self.problem.objective.parts) > 1 or self.problem.language is not None
        fronts = self._fronts(entries) if entries and several else []
        after = {
            code: int(n) or None for code, n in zip(codes, standing.reached_after, strict=True)
        }
        return Searched(
            settings.optimizer,
            settings.seed,
            standing.told,
            reason,
            {one.code: self._loss(found, one.code) for one in people},
            {one.code: after[one.code] for one in people},
            dict(zip(codes, fronts, strict=False)),
            settings.objective,
            settings.placement,
            settings.length,
            standing.stopping.target_loss,
        )

    def _loss(self, found: Result, code: str) -> float:
        """What was searched for, as the figures have it: of opinions on the questions to fit."""
        reached = {
            name: found.value(FITTED, OWN, code, "all")
            for name in self.problem.objective.parts
            if is_function(name)
        }
        if INDICES in self.problem.objective.parts:
            split = "fit" if self.problem.data.held_out_indices else "all"
            reached[INDICES] = found.value(FITTED, ERROR, code, split)  # type: ignore[arg-type]
        if OPINIONS in self.problem.objective.parts:
            reached[OPINIONS] = found.value(FITTED, DISTANCE, code, "fit")
        return float(self.problem.objective.weigh(reached))

    def _fronts(self, entries: Sequence[Entry]) -> list[tuple[dict[str, float], ...]]:
        """For every country, the evaluations that no other one betters in all parts at once."""
        tried = [
            self.problem.losses_by_part(one.answers, one.ids[0], one.divergence) for one in entries
        ]
        losses = {name: np.concatenate([one[name] for one in tried], axis=1) for name in tried[0]}
        return [
            tuple(
                {"evaluation": n + 1, **{name: float(rows[k, n]) for name, rows in losses.items()}}
                for n in pareto_front(np.stack([rows[k] for rows in losses.values()], axis=1))
            )
            for k in range(len(self.problem.populations))
        ]


def device_of(engine: Any) -> str:
    """Where the model lies that checks an expert: the engine's own, or that of this process beside workers;
    nowhere, for an engine without a model."""
    model = getattr(getattr(engine, "words", engine), "model", None)
    return "" if model is None else str(model.device)
