"""A problem: the data and the objective of one specification made concrete.

It is a value that asks no model once its constants are recorded: from answers it gives losses and
residuals, for these countries or for others.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import SpecificationError
from ..objectives import Constants, IndexObjective, Objective, SplitOpinions, WeightedSum
from ..objectives.constants import settle_constants
from ..optimizers import Evaluation
from ..populations import Country, TargetSet, countries, load_targets
from ..surveys import Survey, item_means, load_survey
from ..surveys.opinion_files import load_opinions
from .asking import Asked
from .specification import Specification

# The generators of a run are children of its seed, one per use: none disturbs another.
PROMPT, OPTIMIZER, READOUT, SPLIT = range(4)


def generator(settings: Specification, use: int, *more: int) -> np.random.Generator:
    """The generator of one use, from the seed."""
    return np.random.default_rng(np.random.SeedSequence(settings.seed, spawn_key=(use, *more)))


@dataclass(frozen=True, eq=False)
class Data:
    """What a specification names, loaded: no model is needed for it.

    ``survey`` and ``target_set`` are there in any case; ``opinions`` only where they are fitted.
    """

    specification: Specification
    countries: tuple[Country, ...]
    survey: Survey
    target_set: TargetSet
    opinions: SplitOpinions | None

    @property
    def index_names(self) -> list[str]:
        return [index.name for index in self.survey.indices]

    def facts(self) -> dict[str, Any]:
        """What the settings' names stood for: a run that goes on must find the same."""
        facts: dict[str, Any] = {"countries": [country.code for country in self.countries]}
        if self.specification.fits_indices:
            facts |= {
                "survey_sha256": self.survey.sha256,
                "targets": self.target_set.name,
                "targets_sha256": self.target_set.sha256,
            }
        if self.opinions is not None:
            facts |= {
                "opinions_sha256": self.opinions.sha256,
                "fit_questions": [item.id for item in self.opinions.objective.survey.items],
                "held_out_questions": sorted(self.opinions.held_out),
            }
        return facts


def load_data(settings: Specification, recorded: Mapping[str, Any] | None = None) -> Data:
    """Survey, targets and opinions for the countries; told at once where a country has none.

    ``recorded`` are the facts of an earlier call, from which countries and held-out items are taken.
    """
    survey, target_set = load_survey(settings.survey), load_targets(settings.targets)
    everyone = load_opinions(settings.opinions) if settings.fits_opinions else None
    sources: dict[str, Collection[str]] = {}  # the countries that each source has all figures of
    if settings.fits_indices:
        sources[f"the target set {target_set.name}"] = target_set.complete(
            [index.name for index in survey.indices]
        )
    if everyone is not None:
        sources[everyone.survey.title] = everyone.countries
    first, *others = sources.values()
    found = settings.countries([c for c in first if all(c in codes for codes in others)])
    if recorded is not None and "countries" in recorded:
        found = tuple(countries()[code] for code in recorded["countries"])
    if len(found) > 1 and settings.optimizer != "gauss-newton":
        raise SpecificationError(
            f"Several countries at once are fitted by 'gauss-newton', which shares what it learns "
            f"among them; {settings.optimizer!r} fits one country at a time."
        )
    if not found:
        raise SpecificationError(
            f"No country of {settings.country!r} has complete figures in {' and '.join(sources)}; "
            "`bbalign countries` lists what a target set has."
        )
    if settings.fits_indices:
        for country in found:
            target_set.target(country, [index.name for index in survey.indices])
    opinions = None
    if everyone is not None:
        opinions = SplitOpinions.draw(
            everyone,
            [country.code for country in found],
            settings.held_out,
            generator(settings, SPLIT),
            recorded=(recorded or {}).get("held_out_questions"),
        )
    return Data(settings, found, survey, target_set, opinions)


@dataclass(frozen=True, eq=False)
class Problem:
    """Data with an objective; :func:`pose` makes it."""

    data: Data
    objective: WeightedSum
    index_objective: IndexObjective | None = None

    @property
    def specification(self) -> Specification:
        return self.data.specification

    @property
    def countries(self) -> tuple[Country, ...]:
        return self.data.countries

    def facts(self) -> dict[str, Any]:
        """What a run records of it."""
        facts = self.data.facts()
        if self.index_objective is not None:
            facts["constants"] = list(self.index_objective.constants.values)
        return facts

    @property
    def surveys(self) -> dict[str, Survey]:
        """What is asked to report from, part by part; held-out questions included."""
        whole = {name: part.survey for name, part in self.objective.parts.items()}
        if self.data.opinions is not None:
            whole["opinions"] = self.data.opinions.asked.survey
        return whole

    def score(self, answers: np.ndarray, first: int) -> tuple[list[Evaluation], np.ndarray]:
        """Evaluations for the search, and every country's losses, from the answers of candidates.

        For one country the residuals are outputs minus targets (see
        :class:`..objectives.Objective`); for several they are the plain outputs and the loss is the
        mean over the countries.

        Parameters
        ----------
        answers : (P, items, width) float32, NaN where the evaluation failed
        first : the number of the first candidate, which a readout draws from

        Returns
        -------
        evaluations, and (countries, P) losses, NaN where it failed
        """
        outputs = self._outputs(answers, first)
        losses = self.objective.losses(outputs)
        seen = self.objective.stacked(outputs)
        if len(self.countries) == 1:
            target = self.objective.targets[0]
            seen = (seen - target)[:, ~np.isnan(target)]
        evaluations = [
            Evaluation(float(loss), row)
            if np.isfinite(loss)
            else Evaluation.failed("the model's answer is not a finite number")
            for loss, row in zip(losses.mean(axis=0), seen, strict=True)
        ]
        return evaluations, losses

    def losses_by_part(self, answers: np.ndarray, first: int) -> dict[str, np.ndarray]:
        """(countries, P) losses of every part of the objective, each in its own unit."""
        return self.objective.each(self._outputs(answers, first))

    def _outputs(self, answers: np.ndarray, first: int) -> dict[str, np.ndarray]:
        return self.objective.outputs(answers, generator(self.specification, READOUT, first))


def pose(data: Data, asked: Asked, recorded: Mapping[str, Any] | None = None) -> Problem:
    """The problem of ``data``; constants are those ``recorded``, or else ``asked`` is asked for them."""
    settings, indices = data.specification, None
    parts: dict[str, Objective] = {}
    for name in settings.weights:
        if name == "opinions":
            assert data.opinions is not None
            parts[name] = data.opinions.objective
            continue
        if recorded is not None and "constants" in recorded:
            constants = Constants(settings.constants, tuple(map(float, recorded["constants"])))
        else:
            constants = settle_constants(
                settings.constants,
                data.survey,
                data.target_set,
                lambda country: _reference_means(data, asked, country),
            )
        parts[name] = indices = IndexObjective(
            data.survey,
            np.array([data.target_set.target(c, data.index_names) for c in data.countries]),
            constants,
            settings.readout,
            settings.respondents,
            settings.temperature,
        )
    return Problem(data, WeightedSum(parts, settings.weights), indices)


def _reference_means(data: Data, asked: Asked, country: Country | None) -> np.ndarray:
    readout = data.specification.readout
    return item_means(
        asked.answers(data.survey, country)[None],
        data.survey,
        "expected" if readout == "sampled" else readout,
    )


def answers_side_by_side(blocks: Sequence[np.ndarray]) -> np.ndarray:
    """(P, items of all surveys, largest width) from the answers to one survey after another."""
    width = max(block.shape[2] for block in blocks)
    return np.concatenate(
        [np.pad(b, ((0, 0), (0, 0), (0, width - b.shape[2]))) for b in blocks], axis=1
    )
