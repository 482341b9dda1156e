"""What a search leaves: experts, and the tables of its result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..adapters import Adapter, Parameterization
from ..assessment.asking import Asking
from ..engines import Engine
from ..experts import Card, prove, write_expert
from ..objectives import INDICES, OPINIONS
from ..optimizers import Optimizer
from ..populations import Population
from ..results import Result
from ..statistics.pareto import pareto_front
from ..surveys.sheet import Sheet, sheet
from .asking import Asked, by_item
from .conditions import versions
from .entry import Entry
from .problem import Problem
from .search import Standing
from .tables import index_table, opinion_table


@dataclass(frozen=True, eq=False)
class Outcome:
    """A search with all that its result and its experts are made from."""

    problem: Problem
    standing: Standing
    optimizer: Optimizer
    space: Parameterization
    engine: Engine
    asked: Asked
    facts: Mapping[str, Any]
    written: dict[str, float] = field(default_factory=dict)
    """The loss of each expert on disk, by country."""

    def experts(
        self, place: Mapping[str, Path], reason: str, *, only_better: bool = False
    ) -> list[dict[str, Any]]:
        """Write all experts, or those that are better than on disk; returns their results."""
        results, orders = [], self.problem.orders
        for number, people in enumerate(self.problem.populations):
            loss = float(self.standing.best[number])
            if only_better and not loss < self.written.get(people.code, np.inf):
                continue
            adapter = self._adapter(number)
            sheets = {name: sheet(s, orders) for name, s in self.problem.surveys.items()}
            answers = {
                name: by_item(
                    self.engine.answer([adapter], sheets[name]).probabilities, survey, orders
                )[0]
                for name, survey in self.problem.surveys.items()
            }
            result = self._result(number, people, answers, reason)
            settings = self.problem.specification.to_dict()
            more = {"facts": dict(self.facts), "specification": settings, "versions": versions()}
            card = Card.of(Result.from_fit_dict({**result, **more}), people.code, settings)
            questions = [question for one in sheets.values() for question in one.questions]
            proof = prove(self.engine, adapter, Sheet(tuple(questions)))
            write_expert(place[people.code], adapter, card, proof)
            self.written[people.code] = loss
            results.append(result)
        return results

    def summary(
        self, results: list[dict[str, Any]], entries: tuple[Entry, ...], reason: str
    ) -> dict[str, Any]:
        """What ``result.json`` holds: one country's result, or those of all and their mean."""
        if len(self.problem.objective.parts) > 1:
            for result, front in zip(results, self._fronts(entries), strict=True):
                result["pareto_front"] = front
        if len(results) == 1:
            return results[0]
        enough = self.standing.stopping.target_loss
        return {
            "countries": results,
            "loss": float(np.mean([result["loss"] for result in results])),
            "reached": int(sum(self.standing.best <= enough)),
            "target_loss": enough,
            "evaluations": self.standing.told,
            "reason": reason,
        }

    def _adapter(self, number: int) -> Adapter:
        """What to keep: the best one or, where a loss is partly luck, the optimizer's own choice."""
        vector = self.standing.vectors[number]
        sampled = self.problem.specification.readout == "sampled"
        if sampled and len(self.problem.populations) == 1:
            vector = self.optimizer.recommend().vector
        return self.space.adapters(vector[None])[0]

    def _result(
        self, number: int, people: Population, answers: Mapping[str, np.ndarray], reason: str
    ) -> dict[str, Any]:
        settings = self.problem.specification
        return {
            **self._tables(number, people, answers),
            **self._asking(),
            "readout": settings.readout,
            "placement": settings.placement,
            "model": self.engine.info.name,
            "disclaimer": self.engine.info.disclaimer,
            "evaluations": self.standing.told,
            "reached_after": int(self.standing.reached_after[number]) or None,
            "reason": reason,
            "optimizer": settings.optimizer,
            "seed": settings.seed,
        }

    def _asking(self) -> dict[str, Any]:
        """In which orders the questions were put, and what these do to the answers."""
        asking, surveys = Asking(self.problem.orders, "own"), self.problem.surveys.values()
        biases = [self.asked.position_bias(survey) for survey in surveys]
        correlation = biases[0].correlation
        notes = [asking.describe(survey) for survey in surveys]
        return {
            "orders": self.problem.orders,
            "bias": None if np.isnan(correlation) else correlation,
            "notes": list(dict.fromkeys([*notes, *(bias.describe() for bias in biases)])),
        }

    def _tables(
        self, number: int, people: Population, fitted: Mapping[str, np.ndarray]
    ) -> dict[str, Any]:
        """The final tables of one country; ``fitted`` are the answers under its prompt."""
        problem, data = self.problem, self.problem.data
        conditions = {
            "unprompted": {n: self.asked.answers(s, None) for n, s in problem.surveys.items()},
            "country_in_text": {
                n: self.asked.answers(s, people) for n, s in problem.surveys.items()
            },
            "fitted": fitted,
        }
        result: dict[str, Any] = {"country": people.code, "country_name": people.name}
        if problem.index_objective is not None:
            answers = {name: part[INDICES] for name, part in conditions.items()}
            result |= index_table(
                problem.index_objective, number, people.code, data.target_set, answers
            )
        if data.opinions is not None:
            answers = {name: part[OPINIONS] for name, part in conditions.items()}
            table = opinion_table(data.opinions, number, answers, problem.specification.seed)
            reached = {
                INDICES: result.get("loss"),
                OPINIONS: table["fit"]["distances"]["fitted"]["value"],
            }
            result |= {
                "objective": problem.specification.objective,
                # On the questions to fit: what was searched for.
                "loss": problem.objective.weigh(reached),
                "opinions": table,
            }
        return result

    def _fronts(self, entries: tuple[Entry, ...]) -> list[list[dict[str, Any]]]:
        """For every country, the evaluations that no other one betters in all parts at once."""
        tried = [self.problem.losses_by_part(one.answers, one.ids[0]) for one in entries]
        losses = {
            name: np.concatenate([one[name] for one in tried], axis=1)
            for name in self.problem.objective.parts
        }
        return [
            [
                {"evaluation": n + 1, **{name: float(rows[k, n]) for name, rows in losses.items()}}
                for n in pareto_front(np.stack([rows[k] for rows in losses.values()], axis=1))
            ]
            for k in range(len(self.problem.populations))
        ]


def device_of(engine: Any) -> str:
    """Where the model lies that checks an expert: the engine's own, or that of this process beside workers;
    nowhere, for an engine without a model."""
    model = getattr(getattr(engine, "words", engine), "model", None)
    return "" if model is None else str(model.device)
