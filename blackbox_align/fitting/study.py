"""All that a search needs and that stays the same throughout: survey, model, objective, baselines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..countries import Country, TargetSet, find_country, load_targets
from ..errors import ModelError
from ..evaluators import Evaluator
from ..objectives import Constants, IndexObjective
from ..objectives.constants import anchored, check_policy, given
from ..optimizers import Evaluation, Optimizer, create
from ..prompts import Parameterization, from_text, from_vocabulary, parameterize, zeros
from ..surveys import Survey, item_means, load_survey
from .specification import COUNTRY_PREAMBLE, Specification

if TYPE_CHECKING:
    from ..evaluators.language_model import LanguageModel

# The generators of a run are children of its seed, one per use: none disturbs another.
_PROMPT, _OPTIMIZER, _READOUT = range(3)


@dataclass(frozen=True)
class Study:
    """One specification made concrete; :meth:`prepare` builds it."""

    specification: Specification
    country: Country
    survey: Survey
    target_set: TargetSet
    model: LanguageModel
    evaluator: Evaluator

    @classmethod
    def prepare(cls, specification: Specification) -> Study:
        """Load everything, the cheap and likely mistakes first, the model last."""
        country = find_country(specification.country)
        survey = load_survey(specification.survey)
        target_set = load_targets(specification.targets)
        target_set.target(country, [index.name for index in survey.indices])
        # A rehearsal, so that a slip in the optimizer's name or options is told at once.
        create(specification.optimizer, 100, np.random.default_rng(0), **specification.options)

        from ..evaluators.in_process import InProcessEvaluator
        from ..evaluators.language_model import load_model

        model = load_model(
            specification.model,
            revision=specification.revision,
            device=specification.device,
            dtype=specification.dtype,
            trust_remote_code=specification.trust_remote_code,
        )
        return cls(specification, country, survey, target_set, model, InProcessEvaluator(model))

    @cached_property
    def index_names(self) -> list[str]:
        return [index.name for index in self.survey.indices]

    @cached_property
    def target(self) -> np.ndarray:
        """(indices,) index points, NaN where no figure is published."""
        return self.target_set.target(self.country, self.index_names)

    @cached_property
    def objective(self) -> IndexObjective:
        return IndexObjective(self.survey, self.target[None], self.constants)

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

    def country_means(self, country: Country) -> np.ndarray:
        """(1, items) item means when the country is named in text."""
        return self.means_after(COUNTRY_PREAMBLE.format(country=country.name))

    @cached_property
    def constants(self) -> Constants:
        """The shift per index that the specification's policy gives."""
        policy = self.specification.constants
        kind, argument = check_policy(policy)
        if kind == "given":
            return given(policy, Path(argument), self.index_names)
        if kind == "zero":
            return Constants(policy, (0.0,) * len(self.index_names))
        unshifted = Constants("zero", (0.0,) * len(self.index_names))
        raw = IndexObjective(self.survey, self.target[None], unshifted)
        if argument:
            reference = find_country(argument)
            means = self.country_means(reference)
            figures = self.target_set.target(reference, self.index_names)
        else:
            means, figures = self.means_after(""), self.target_set.mean(self.index_names)
        return anchored(policy, raw.indices(means)[0], figures)

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

    def optimizer(self, dimension: int, budget: int) -> Optimizer:
        rng = self._generator(_OPTIMIZER)
        settings = self.specification
        return create(settings.optimizer, dimension, rng, budget=budget, **settings.options)

    def score(self, answers: np.ndarray, ids: Sequence[int]) -> list[Evaluation]:
        """Evaluations of candidates from their (candidates, items, width) answers."""
        answered = np.isfinite(answers).all(axis=(1, 2))
        residuals = self.objective.residuals(self._read(answers, ids))[0]
        losses = self.objective.losses(self._read(answers, ids))[0]
        known = ~np.isnan(self.target)
        return [
            Evaluation(float(loss), row[known])
            if ok
            else Evaluation.failed("the model's answer is not a finite number")
            for ok, loss, row in zip(answered, losses, residuals, strict=True)
        ]

    def _read(self, answers: np.ndarray, ids: Sequence[int] | None) -> np.ndarray:
        settings = self.specification
        readout = settings.readout
        if ids is None and readout == "sampled":
            readout = (
                "expected"  # a baseline is not drawn again and again: its expectation is known
            )
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
            "model_revision": self.model.revision,
            "dtype": str(self.model.dtype).removeprefix("torch."),
            "constants": list(self.constants.values),
        }

    def result(self, soft_prompt: np.ndarray) -> dict[str, Any]:
        """The final table and all that has to stand beside it; NaN is written as None."""
        answers = self.evaluator.answer(soft_prompt[None], self.survey)
        fitted = self.objective.indices(self._read(answers, ids=None))[0]
        unprompted = self.objective.indices(self.means_after(""))[0]
        named = self.objective.indices(self.country_means(self.country))[0]
        errors = {
            "unprompted": self._error(unprompted),
            "country_in_text": self._error(named),
            "fitted": self._error(fitted),
        }
        rows = zip(self.survey.indices, self.target, unprompted, named, fitted, strict=True)
        return {
            "country": self.country.code,
            "country_name": self.country.name,
            "loss": errors["fitted"],
            "l1": float(np.nansum(np.abs(fitted - self.target))),
            "errors": errors,
            "table": [
                {
                    "index": index.name,
                    "title": index.title,
                    "target": _number(target),
                    "unprompted": float(before),
                    "country_in_text": float(text),
                    "fitted": float(after),
                    "error": _number(after - target),
                }
                for index, target, before, text, after in rows
            ],
            "missing": [
                name for name, t in zip(self.index_names, self.target, strict=True) if np.isnan(t)
            ],
            "estimate": self.country.code in self.target_set.estimates,
            "targets": {"name": self.target_set.name, "title": self.target_set.title},
            "constants": {
                "policy": self.constants.policy,
                "values": dict(zip(self.index_names, self.constants.values, strict=True)),
            },
            "readout": self.specification.readout,
            "model": self.model.name,
            "disclaimer": self.model.disclaimer,
        }

    def _error(self, indices: np.ndarray) -> float:
        return float(np.nanmean(np.abs(indices - self.target)))


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
