"""All that a search needs and that stays the same throughout: survey, model, objective, baselines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..countries import Country, TargetSet, load_targets
from ..errors import ModelError, SpecificationError
from ..evaluators import Evaluator
from ..objectives import Constants, IndexObjective
from ..objectives.constants import settle_constants
from ..optimizers import Evaluation, Optimizer, create
from ..optimizers.gauss_newton_many import GaussNewtonMany
from ..prompts import Parameterization, from_text, from_vocabulary, parameterize, zeros
from ..surveys import Survey, item_means, load_survey
from .specification import COUNTRY_PREAMBLE, Specification

if TYPE_CHECKING:
    from ..evaluators.language_model import LanguageModel
    from ..evaluators.ray_pool import RayEvaluator

# The generators of a run are children of its seed, one per use: none disturbs another.
_PROMPT, _OPTIMIZER, _READOUT = range(3)


@dataclass(frozen=True)
class Study:
    """One specification made concrete; :meth:`prepare` builds it."""

    specification: Specification
    countries: tuple[Country, ...]
    survey: Survey
    target_set: TargetSet
    model: LanguageModel
    evaluator: Evaluator

    @classmethod
    def prepare(cls, specification: Specification, pool: RayEvaluator | None = None) -> Study:
        """Load everything, the cheap and likely mistakes first, the model last.

        The workers of a ``pool`` answer in the place of this process, which then loads the model on
        the CPU, for its words and for the check of an expert.
        """
        survey = load_survey(specification.survey)
        target_set = load_targets(specification.targets)
        countries = specification.countries(target_set)
        if len(countries) > 1 and specification.optimizer != "gauss-newton":
            raise SpecificationError(
                f"Several countries at once are fitted by 'gauss-newton', which shares what it learns "
                f"among them; {specification.optimizer!r} fits one country at a time."
            )
        if not countries:
            raise SpecificationError(
                f"No country of {specification.country!r} has complete figures in the target set "
                f"{target_set.name}; `bbalign countries` lists what it has."
            )
        for country in countries:
            target_set.target(country, [index.name for index in survey.indices])
        # A rehearsal, so that a slip in the optimizer's name or options is told at once.
        create(specification.optimizer, 100, np.random.default_rng(0), **specification.options)

        from ..evaluators.in_process import InProcessEvaluator
        from ..evaluators.language_model import load_model

        settings: dict[str, Any] = {
            key: getattr(specification, key)
            for key in ("revision", "device", "dtype", "trust_remote_code")
        }
        if pool is None:
            model = load_model(specification.model, **settings)
            evaluator = InProcessEvaluator(model, placement=specification.placement)
            return cls(specification, countries, survey, target_set, model, evaluator)
        from ..evaluators.worker_model import LoadModel

        pool.connect()
        if settings["dtype"] == "auto" and pool.gpus:
            settings["dtype"] = "bfloat16"
        model = load_model(specification.model, **{**settings, "device": "cpu"})
        if settings["device"] == "auto" and pool.gpus > 1:
            settings["device"] = "spread"
        pool.load(
            LoadModel(
                specification.model,
                placement=specification.placement,
                expected=model.revision,
                **settings,
            )
        )
        return cls(specification, countries, survey, target_set, model, pool)

    def like(self, specification: Specification) -> Study:
        """Another specification on the same survey and model."""
        target_set = load_targets(specification.targets)
        return replace(
            self,
            specification=specification,
            countries=specification.countries(target_set),
            target_set=target_set,
        )

    @cached_property
    def index_names(self) -> list[str]:
        return [index.name for index in self.survey.indices]

    @cached_property
    def targets(self) -> np.ndarray:
        """(countries, indices) index points, NaN where no figure is published."""
        return np.array([self.target_set.target(c, self.index_names) for c in self.countries])

    @cached_property
    def objective(self) -> IndexObjective:
        return IndexObjective(self.survey, self.targets, self.constants)

    # -- un-prompted conditions ------------------------------------------------------------------

    def means_after(self, preamble: str) -> np.ndarray:
        """(1, items) item means without a soft prompt, after a text (or none)."""
        nothing = np.zeros((1, 0, self.model.embedding_width), np.float32)
        answers = self.evaluator.answer(nothing, self.survey.with_preamble(preamble))
        if not np.isfinite(answers).all():
            raise ModelError(
                f"The model {self.model.name!r} answers the survey with numbers that are not finite. "
                "Try --dtype float32, and check its weights."
            )
        return self._read(answers, ids=None)

    @cached_property
    def unprompted_means(self) -> np.ndarray:
        """(1, items) item means of the model as it is."""
        return self.means_after("")

    def country_means(self, country: Country) -> np.ndarray:
        """(1, items) item means when the country is named in text."""
        return self.means_after(COUNTRY_PREAMBLE.format(country=country.name))

    @cached_property
    def constants(self) -> Constants:
        """The shift per index that the specification's policy gives."""
        return settle_constants(
            self.specification.constants, self.survey, self.target_set, self._reference_means
        )

    def _reference_means(self, country: Country | None) -> np.ndarray:
        return self.unprompted_means if country is None else self.country_means(country)

    # -- the search ------------------------------------------------------------------------------

    def parameterization(self) -> Parameterization:
        settings = self.specification
        rng = self._generator(_PROMPT)
        kind, _, text = settings.init.partition(":")
        if kind == "zeros":
            initial = zeros(self.model, settings.tokens)
        elif kind == "vocabulary":
            size = len(self.model.tokenizer)
            initial = from_vocabulary(self.model, settings.tokens, size, rng)
        else:
            ids = self.model.tokenizer(text, add_special_tokens=False).input_ids
            initial = from_text(self.model, settings.tokens, ids)
        return parameterize(
            initial,
            self.model.embedding_std(),
            subspace=settings.subspace,
            rng=rng,
            alpha=settings.alpha,
        )

    def optimizer(self, dimension: int, budget: int, enough: float) -> Optimizer:
        """The search; ``enough`` is the loss at which a country is done, where there are several."""
        rng = self._generator(_OPTIMIZER)
        settings = self.specification
        if len(self.countries) > 1:
            return GaussNewtonMany(
                dimension,
                rng,
                budget=budget,
                targets=self.targets,
                enough=enough,
                **settings.options,
            )
        return create(settings.optimizer, dimension, rng, budget=budget, **settings.options)

    def score(self, answers: np.ndarray, ids: Sequence[int]) -> tuple[list[Evaluation], np.ndarray]:
        """Evaluations for the search, and every country's losses, from the answers of candidates.

        For one country the residuals are index minus target; for several they are the plain indices
        and the loss is the mean over the countries.

        Parameters
        ----------
        answers : (candidates, items, width) float32, NaN where the evaluation failed

        Returns
        -------
        evaluations, and (countries, candidates) losses in index points, NaN where it failed
        """
        means = self._read(answers, ids)
        means[~np.isfinite(answers).all(axis=(1, 2))] = np.nan
        losses = self.objective.losses(means)
        if len(self.countries) == 1:
            seen = self.objective.residuals(means)[0][:, ~np.isnan(self.targets[0])]
        else:
            seen = self.objective.indices(means)
        evaluations = [
            Evaluation(float(loss), row)
            if np.isfinite(loss)
            else Evaluation.failed("the model's answer is not a finite number")
            for loss, row in zip(losses.mean(axis=0), seen, strict=True)
        ]
        return evaluations, losses

    def _read(self, answers: np.ndarray, ids: Sequence[int] | None) -> np.ndarray:
        settings = self.specification
        readout = settings.readout
        if ids is None and readout == "sampled":
            readout = "expected"  # a baseline is not drawn: its expectation is known
        entropy = np.random.SeedSequence(settings.seed, spawn_key=(_READOUT, *(ids or ())[:1]))
        return item_means(
            answers,
            self.survey,
            readout,
            respondents=settings.respondents,
            temperature=settings.temperature,
            rng=np.random.default_rng(entropy),
        )

    def _generator(self, use: int) -> np.random.Generator:
        seed = np.random.SeedSequence(self.specification.seed, spawn_key=(use,))
        return np.random.default_rng(seed)

    # -- what is written down --------------------------------------------------------------------

    def facts(self) -> dict[str, Any]:
        """What the settings' names stood for: a continued run must find the same."""
        return {
            "survey_sha256": self.survey.sha256,
            "targets": self.target_set.name,
            "targets_sha256": self.target_set.sha256,
            "countries": [country.code for country in self.countries],
            "model_revision": self.model.revision,
            "dtype": str(self.model.dtype).removeprefix("torch."),
            "constants": list(self.constants.values),
        }

    def result(self, number: int, answers: np.ndarray) -> dict[str, Any]:
        """The final table of the ``number``-th country and all that has to stand beside it.

        ``answers`` (items, width) are those under the fitted prompt. A figure that is missing is
        None.
        """
        country, target = self.countries[number], self.targets[number]
        fitted = self.objective.indices(self._read(answers[None], ids=None))[0]
        unprompted = self.objective.indices(self.unprompted_means)[0]
        named = self.objective.indices(self.country_means(country))[0]
        errors = {
            condition: float(np.nanmean(np.abs(indices - target)))
            for condition, indices in (
                ("unprompted", unprompted),
                ("country_in_text", named),
                ("fitted", fitted),
            )
        }
        rows = zip(self.survey.indices, target, unprompted, named, fitted, strict=True)
        return {
            "country": country.code,
            "country_name": country.name,
            "loss": errors["fitted"],
            "l1": float(np.nansum(np.abs(fitted - target))),
            "errors": errors,
            "table": [
                {
                    "index": index.name,
                    "title": index.title,
                    "target": _number(figure),
                    "unprompted": float(before),
                    "country_in_text": float(text),
                    "fitted": float(after),
                    "error": _number(after - figure),
                }
                for index, figure, before, text, after in rows
            ],
            "missing": [
                name for name, t in zip(self.index_names, target, strict=True) if np.isnan(t)
            ],
            "estimate": country.code in self.target_set.estimates,
            "targets": {"name": self.target_set.name, "title": self.target_set.title},
            "constants": {
                "policy": self.constants.policy,
                "values": dict(zip(self.index_names, self.constants.values, strict=True)),
            },
            "readout": self.specification.readout,
            "placement": self.specification.placement,
            "model": self.model.name,
            "disclaimer": self.model.disclaimer,
        }


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
