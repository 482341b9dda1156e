"""A problem: the data and the objective of one specification made concrete.

It is a value that asks no model once its constants are recorded: from answers it gives losses and
residuals, for these countries or for others.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import SpecificationError, UnknownNameError
from ..objectives import (
    OPINIONS,
    Constants,
    IndexObjective,
    Language,
    Objective,
    SplitOpinions,
    WeightedSum,
)
from ..objectives.constants import settle_constants
from ..optimizers import Evaluation
from ..populations import Population, TargetSet, find_population, load_targets
from ..populations.population import country_population
from ..surveys import Survey, item_means, load_survey
from ..surveys.neutral_texts import neutral_texts
from ..surveys.opinion_files import load_opinions
from ..surveys.opinions import OpinionSurvey
from ..surveys.sheet import Sheet, sheet, spread
from ..surveys.sheet import asked as asked_in
from ..surveys.survey import NO_ANSWERS
from .asking import ONE_ORDER, Asked, by_item
from .specification import Specification

# The generators of a run are children of its seed, one per use: none disturbs another.
PROMPT, OPTIMIZER, READOUT, SPLIT, NOISE, VALIDATION = range(6)
_VALIDATION_SHARE = 0.25


def generator(settings: Specification, use: int, *more: int) -> np.random.Generator:
    """The generator of one use, from the seed."""
    return np.random.default_rng(np.random.SeedSequence(settings.seed, spawn_key=(use, *more)))


@dataclass(frozen=True, eq=False)
class Data:
    """What a specification names, loaded: no model is needed for it.

    ``survey`` and ``target_set`` are there in any case; ``opinions`` only where they are fitted.
    """

    specification: Specification
    populations: tuple[Population, ...]
    survey: Survey
    target_set: TargetSet
    opinions: SplitOpinions | None

    @property
    def index_names(self) -> list[str]:
        return [index.name for index in self.survey.indices]

    @property
    def held_out_indices(self) -> tuple[str, ...]:
        return tuple(filter(None, self.specification.hold_out.split(",")))

    def index_targets(self) -> np.ndarray:
        """(populations, indices) published points that a search may see; NaN for those held out."""
        targets = [self.target_set.target(p.code, self.index_names) for p in self.populations]
        seen = [name not in self.held_out_indices for name in self.index_names]
        return np.where(seen, np.array(targets), np.nan)

    def facts(self) -> dict[str, Any]:
        """What the settings' names stood for: a run that goes on must find the same."""
        facts: dict[str, Any] = {"countries": [one.code for one in self.populations]}
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
                "validation_questions": sorted(self.opinions.validation),
            }
        return facts


def load_data(
    settings: Specification,
    recorded: Mapping[str, Any] | None = None,
    targets: TargetSet | None = None,
) -> Data:
    """Survey, targets and opinions for the countries; told at once where a country has none.

    ``recorded`` are the facts of an earlier call, from which countries and held-out items are taken;
    ``targets`` stand in the place of those that the specification names.
    """
    survey, target_set = load_survey(settings.survey), targets or load_targets(settings.targets)
    everyone = load_opinions(settings.opinions) if settings.fits_opinions else None
    sources: dict[str, Collection[str]] = {}  # the countries that each source has all figures of
    if settings.fits_indices:
        if not survey.indices:
            raise SpecificationError(f"{survey.title} has no indices and {NO_ANSWERS}")
        sources[f"the target set {target_set.name}"] = target_set.complete(
            [index.name for index in survey.indices]
        )
    if everyone is not None:
        sources[everyone.survey.title] = everyone.countries
    first, *others = sources.values()
    found = _populations(settings, everyone, [c for c in first if all(c in o for o in others)])
    if recorded is not None and "countries" in recorded:
        found = tuple(find_population(code, everyone) for code in recorded["countries"])
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
        names = [index.name for index in survey.indices]
        for name in filter(None, settings.hold_out.split(",")):
            if name not in names:
                raise UnknownNameError("index", name, names)
        left = [name not in settings.hold_out.split(",") for name in names]
        for one in found:
            if np.isnan(target_set.target(one.code, names)[left]).all():
                raise SpecificationError(
                    f"With {settings.hold_out} held out no figure of {one.name} is left to fit."
                )
    opinions = None
    if everyone is not None:
        opinions = SplitOpinions.draw(
            everyone,
            [one.code for one in found],
            settings.held_out,
            generator(settings, SPLIT),
            recorded=(recorded or {}).get("held_out_questions"),
        )
        share = settings.validation
        opinions = opinions.validated(
            _VALIDATION_SHARE if share is None else share,
            generator(settings, VALIDATION),
            # A run of before there were any goes on without.
            recorded=None if recorded is None else recorded.get("validation_questions", ()),
        )
    return Data(settings, found, survey, target_set, opinions)


def _populations(
    settings: Specification, everyone: OpinionSurvey | None, complete: Sequence[str]
) -> tuple[Population, ...]:
    """Whom to fit: countries, ``complete`` ones where a group of countries is named; or people that the
    file of opinions declares.
    """
    if not settings.group:
        return tuple(map(country_population, settings.countries(complete)))
    if everyone is None or settings.fits_indices:
        raise SpecificationError(
            "Groups of people are fitted to their answers, which a file declares: give --objective "
            "opinions and --opinions FILE."
        )
    found = [find_population(name, everyone) for name in settings.group]
    codes = {group.code for group in everyone.groups}
    for one in found:
        if one.code not in codes:
            known = ", ".join(sorted(codes)) or "none"
            raise SpecificationError(
                f"{one.name} is a country and no group of {everyone.survey.title}: ask for it with "
                f"--country. Its groups: {known}."
            )
    return tuple(dict.fromkeys(found))


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
            else Evaluation.failed("the model's answer is not a finite number")
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
