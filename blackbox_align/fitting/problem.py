"""A problem: the data and the objective of one specification made concrete.

It is a value that asks no model once its constants are recorded: from answers it gives losses and
residuals, for these countries or for others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..objectives import (
    OPINIONS,
    Constants,
    FunctionObjective,
    IndexObjective,
    Language,
    Objective,
    WeightedSum,
    is_function,
)
from ..objectives.constants import settle_constants
from ..optimizers import Evaluation
from ..populations import Population
from ..populations.population import country_population
from ..surveys import Survey, item_means
from ..surveys.neutral_texts import neutral_texts
from ..surveys.sheet import Sheet, sheet, spread
from ..surveys.sheet import asked as asked_in
from .asking import ONE_ORDER, Asked, by_item
from .data import READOUT, Data, generator
from .specification import Specification


@dataclass(frozen=True, eq=False)
class Problem:
    """Data with an objective; :func:`pose` makes it.

    ``orders`` are those in which the options of every question are asked; ``language`` is None where
    what a prompt does to the language is not searched for.
    """

    data: Data
    objective: WeightedSum
    index_objective: IndexObjective | None = None
    orders: str = ONE_ORDER
    language: Language | None = None

    @property
    def specification(self) -> Specification:
        return self.data.specification

    @property
    def populations(self) -> tuple[Population, ...]:
        return self.data.populations

    def facts(self) -> dict[str, Any]:
        """What a run records of it."""
        facts = {**self.data.facts(), "orders": self.orders}
        facts["language"] = self.language.weight if self.language else 0.0
        if self.index_objective is not None:
            facts["constants"] = list(self.index_objective.constants.values)
        return facts

    @property
    def surveys(self) -> dict[str, Survey]:
        """What is asked to report from, part by part; held-out questions included."""
        whole = {name: part.survey for name, part in self.objective.parts.items()}
        if self.data.opinions is not None:
            whole[OPINIONS] = self.data.opinions.asked.survey
        return whole

    @cached_property
    def sheet(self) -> Sheet:
        """What a candidate is asked: all parts, one behind another, and the texts that it reads."""
        parts = [sheet(survey, self.orders).questions for survey in self.objective.surveys]
        texts = neutral_texts().search if self.language else ()
        return Sheet(tuple(question for part in parts for question in part), texts)

    def arranged(self, answers: np.ndarray) -> np.ndarray:
        """(P, items of all surveys, largest width) from (P, questions, labels)."""
        blocks, start = [], 0
        for survey in self.objective.surveys:
            stop = start + sum(1 for _ in asked_in(survey, self.orders))
            blocks.append(by_item(answers[:, start:stop], survey, self.orders))
            start = stop
        width = max(block.shape[2] for block in blocks)
        return np.concatenate(
            [np.pad(b, ((0, 0), (0, 0), (0, width - b.shape[2]))) for b in blocks], axis=1
        )

    def as_asked(self, answers: np.ndarray) -> np.ndarray:
        """The reverse for answers that were recorded item by item, in one order of options."""
        columns, start = [], 0
        for survey in self.objective.surveys:
            columns += [start + item for item, _ in asked_in(survey, ONE_ORDER)]
            start += len(survey.items)
        return answers[:, columns]

    @property
    def targets(self) -> np.ndarray:
        """(G, m) of all residuals; that of the language is none at all."""
        targets = self.objective.targets
        return np.pad(targets, ((0, 0), (0, 1))) if self.language else targets

    def score(
        self, answers: np.ndarray, first: int, divergence: np.ndarray | None = None
    ) -> tuple[list[Evaluation], np.ndarray]:
        """Evaluations for the search, and every population's losses, from the answers of candidates.

        For one population the residuals are outputs minus targets (see
        :class:`..objectives.Objective`); for several they are the plain outputs and the loss is the
        mean over the populations.

        Parameters
        ----------
        answers : (P, questions, labels) float32 as they were given to :attr:`sheet`, NaN where the
            evaluation failed
        first : the number of the first candidate, which a readout draws from
        divergence : (P, texts) nats a token, where the :attr:`language` counts

        Returns
        -------
        evaluations, and (G, P) losses, NaN where it failed
        """
        outputs = self._outputs(answers, first)
        losses = self.objective.losses(outputs)
        seen = self.objective.stacked(outputs)
        if len(self.populations) == 1:
            target = self.objective.targets[0]
            seen = (seen - target)[:, ~np.isnan(target)]
        if self.language is not None:
            assert divergence is not None
            losses = losses + self.language.losses(divergence)
            seen = np.hstack([seen, self.language.outputs(divergence, seen.shape[1])])
        evaluations = [
            Evaluation(float(loss), row)
            if np.isfinite(loss)
            else Evaluation.failed("the loss is not a finite number")
            for loss, row in zip(losses.mean(axis=0), seen, strict=True)
        ]
        return evaluations, losses

    def penalties(self, divergence: np.ndarray | None) -> np.ndarray | float:
        """(P,) what the language adds to the losses of :meth:`score`."""
        if self.language is None or divergence is None:
            return 0.0
        return self.language.losses(divergence)

    def cotangent(self, answers: np.ndarray) -> np.ndarray:
        """(P, questions, labels) derivatives by the answers to :attr:`sheet`, for one population.

        See :meth:`..objectives.Objective.cotangent` for what of; 0 where the evaluation failed.
        """
        slopes = self.objective.cotangent(self.arranged(answers), 0)
        blocks, start = np.zeros(answers.shape), 0
        column = 0
        for survey in self.objective.surveys:
            stop = start + len(survey.items)
            block = spread(slopes[:, start:stop, : survey.width], survey, self.orders)
            blocks[:, column : column + block.shape[1], : survey.width] = block
            start, column = stop, column + block.shape[1]
        return np.nan_to_num(blocks)

    def validation_losses(
        self, answers: np.ndarray, first: int, divergence: np.ndarray | None = None
    ) -> np.ndarray | None:
        """(G, P) losses with the opinions of validation questions; None where there are none."""
        opinions = self.data.opinions
        if opinions is None or opinions.validating is None:
            return None
        outputs = self._outputs(answers, first)
        losses = self.objective.each(outputs)
        losses[OPINIONS] = opinions.validating.losses(outputs[OPINIONS])
        return np.asarray(self.objective.weigh(losses) + self.penalties(divergence))

    def losses_by_part(
        self, answers: np.ndarray, first: int, divergence: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """(G, P) losses of every part, each in its own unit; of the language nats a token."""
        each = self.objective.each(self._outputs(answers, first))
        if self.language is not None and divergence is not None:
            nats = self.language.divergences(divergence)
            each["language"] = np.broadcast_to(nats, (len(self.populations), len(nats)))
        return each

    def _outputs(self, answers: np.ndarray, first: int) -> dict[str, np.ndarray]:
        rng = generator(self.specification, READOUT, first)
        return self.objective.outputs(self.arranged(answers), rng)


def pose(data: Data, asked: Asked, recorded: Mapping[str, Any] | None = None) -> Problem:
    """The problem of ``data``; constants are those ``recorded``, or else ``asked`` is asked for them."""
    settings, indices = data.specification, None
    parts: dict[str, Objective] = {}
    for name in settings.weights:
        if name == OPINIONS:
            assert data.opinions is not None
            parts[name] = data.opinions.objective
            continue
        if data.own is not None and is_function(name):
            parts[name] = FunctionObjective(data.own)
            continue
        if recorded is not None and "constants" in recorded:
            constants = Constants(settings.constants, tuple(map(float, recorded["constants"])))
        else:
            constants = settle_constants(
                settings.constants,
                data.survey,
                data.target_set,
                lambda country: _reference_means(
                    data, asked, country_population(country) if country else None
                ),
            )
        parts[name] = indices = IndexObjective(
            data.survey,
            data.index_targets(),
            constants,
            settings.readout,
            settings.respondents,
            settings.temperature,
        )
    weighed = WeightedSum(parts, settings.weights)
    return Problem(data, weighed, indices, asked.orders, settings.language_part)


def _reference_means(data: Data, asked: Asked, told: Population | None) -> np.ndarray:
    readout = data.specification.readout
    return item_means(
        asked.answers(data.survey, told)[None],
        data.survey,
        "expected" if readout == "sampled" else readout,
    )
