"""All that a search needs and that stays the same throughout: survey, model, objective, baselines."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..adapters import Parameterization, from_text, from_vocabulary, parameterize, zeros
from ..engines import Evaluator
from ..errors import ModelError, SpecificationError
from ..objectives import Constants, IndexObjective, Objective, SplitOpinions, WeightedSum
from ..objectives.constants import settle_constants
from ..optimizers import Evaluation, Optimizer, create
from ..populations import Country, TargetSet, load_targets
from ..surveys import Survey, item_means, load_survey
from ..surveys.opinion_files import load_opinions
from ..surveys.survey import COUNTRY_PREAMBLE
from .specification import Specification
from .tables import index_table, opinion_table

if TYPE_CHECKING:
    from ..engines.checkpoint import LanguageModel
    from ..engines.ray.engine import RayEvaluator

# The generators of a run are children of its seed, one per use: none disturbs another.
_PROMPT, _OPTIMIZER, _READOUT, _SPLIT = range(4)


@dataclass(frozen=True)
class Study:
    """One specification made concrete; :meth:`prepare` builds it."""

    specification: Specification
    countries: tuple[Country, ...]
    survey: Survey
    target_set: TargetSet
    opinions: SplitOpinions | None
    model: LanguageModel
    evaluator: Evaluator

    @classmethod
    def prepare(cls, specification: Specification, pool: RayEvaluator | None = None) -> Study:
        """Load everything, the cheap and likely mistakes first, the model last.

        The workers of a ``pool`` answer in the place of this process, which then loads the model on
        the CPU, for its words and for the check of an expert.
        """
        data = _load_data(specification)
        # A rehearsal, so that a slip in the optimizer's name or options is told at once.
        rehearsed = np.random.default_rng(0)
        create(specification.optimizer, 100, rehearsed, budget=1000, **specification.options)

        from ..engines.checkpoint import load_model
        from ..engines.local.in_process import InProcessEvaluator

        settings: dict[str, Any] = {
            key: getattr(specification, key)
            for key in ("revision", "device", "dtype", "trust_remote_code")
        }
        if pool is None:
            model = load_model(specification.model, **settings)
            evaluator = InProcessEvaluator(model, placement=specification.placement)
            return cls(specification, **data, model=model, evaluator=evaluator)
        from ..engines.ray.worker_model import LoadModel

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
        return cls(specification, **data, model=model, evaluator=pool)

    def like(self, specification: Specification) -> Study:
        """Another specification on the same model."""
        return replace(self, specification=specification, **_load_data(specification))

    @cached_property
    def index_names(self) -> list[str]:
        return [index.name for index in self.survey.indices]

    @cached_property
    def index_objective(self) -> IndexObjective:
        settings = self.specification
        return IndexObjective(
            self.survey,
            np.array([self.target_set.target(c, self.index_names) for c in self.countries]),
            self.constants,
            settings.readout,
            settings.respondents,
            settings.temperature,
        )

    @cached_property
    def objective(self) -> WeightedSum:
        parts: dict[str, Objective] = {}
        for name in self.specification.weights:
            if name == "opinions":
                assert self.opinions is not None
                parts[name] = self.opinions.objective
            else:
                parts[name] = self.index_objective
        return WeightedSum(parts, self.specification.weights)

    @cached_property
    def surveys(self) -> dict[str, Survey]:
        """What is asked to report from, part by part; held-out questions included."""
        whole = {name: part.survey for name, part in self.objective.parts.items()}
        if self.opinions is not None:
            whole["opinions"] = self.opinions.asked.survey
        return whole

    # -- asking ----------------------------------------------------------------------------------

    def answer(self, soft_prompts: np.ndarray) -> np.ndarray:
        """(candidates, items, width): what the search sees, one survey after another."""
        blocks = [self.evaluator.answer(soft_prompts, s) for s in self.objective.surveys]
        width = max(block.shape[2] for block in blocks)
        return np.concatenate(
            [np.pad(b, ((0, 0), (0, 0), (0, width - b.shape[2]))) for b in blocks], axis=1
        )

    def answers_after(self, preamble: str, survey: Survey) -> np.ndarray:
        """(items, width) answers without a soft prompt, after a text (or none)."""
        nothing = np.zeros((1, 0, self.model.embedding_width), np.float32)
        answers = self.evaluator.answer(nothing, survey.with_preamble(preamble))
        if not np.isfinite(answers).all():
            raise ModelError(
                f"The model {self.model.name!r} answers the survey with numbers that are not finite. "
                "Try --dtype float32, and check its weights."
            )
        return answers[0]

    @cached_property
    def unprompted(self) -> dict[str, np.ndarray]:
        """The answers of the model as it is, part by part."""
        return {name: self.answers_after("", survey) for name, survey in self.surveys.items()}

    def named(self, country: Country) -> dict[str, np.ndarray]:
        """The answers when the country is named in text, part by part."""
        preamble = COUNTRY_PREAMBLE.format(country=country.name)
        return {name: self.answers_after(preamble, survey) for name, survey in self.surveys.items()}

    @cached_property
    def constants(self) -> Constants:
        """The shift per index that the specification's policy gives."""
        return settle_constants(
            self.specification.constants, self.survey, self.target_set, self._reference_means
        )

    def _reference_means(self, country: Country | None) -> np.ndarray:
        preamble = COUNTRY_PREAMBLE.format(country=country.name) if country else ""
        readout = self.specification.readout
        return item_means(
            self.answers_after(preamble, self.survey)[None],
            self.survey,
            "expected" if readout == "sampled" else readout,
        )

    # -- the search ------------------------------------------------------------------------------

    def parameterization(self) -> Parameterization:
        settings = self.specification
        rng = _generator(settings, _PROMPT)
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
        rng = _generator(self.specification, _OPTIMIZER)
        settings = self.specification
        return create(
            settings.optimizer,
            dimension,
            rng,
            budget=budget,
            targets=self.objective.targets if len(self.countries) > 1 else None,
            # Only of indices is the loss the mean of the residuals.
            enough=0.0 if settings.fits_opinions else enough,
            **settings.options,
        )

    def score(self, answers: np.ndarray, ids: Sequence[int]) -> tuple[list[Evaluation], np.ndarray]:
        """Evaluations for the search, and every country's losses, from the answers of candidates.

        For one country the residuals are outputs minus targets (see
        :class:`..objectives.Objective`); for several they are the plain outputs and the loss is the
        mean over the countries.

        Parameters
        ----------
        answers : (candidates, items, width) float32, NaN where the evaluation failed

        Returns
        -------
        evaluations, and (countries, candidates) losses, NaN where it failed
        """
        outputs = self._outputs(answers, ids)
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

    def losses_by_part(self, answers: np.ndarray, ids: Sequence[int]) -> dict[str, np.ndarray]:
        """(countries, candidates) losses of every part of the objective, each in its own unit."""
        return self.objective.each(self._outputs(answers, ids))

    def _outputs(self, answers: np.ndarray, ids: Sequence[int]) -> dict[str, np.ndarray]:
        entropy = np.random.SeedSequence(self.specification.seed, spawn_key=(_READOUT, *ids[:1]))
        return self.objective.outputs(answers, np.random.default_rng(entropy))

    # -- what is written down --------------------------------------------------------------------

    def facts(self) -> dict[str, Any]:
        """What the settings' names stood for: a continued run must find the same."""
        facts: dict[str, Any] = {
            "countries": [country.code for country in self.countries],
            "model_revision": self.model.revision,
            "dtype": str(self.model.dtype).removeprefix("torch."),
        }
        if self.specification.fits_indices:
            facts |= {
                "survey_sha256": self.survey.sha256,
                "targets": self.target_set.name,
                "targets_sha256": self.target_set.sha256,
                "constants": list(self.constants.values),
            }
        if self.opinions is not None:
            facts |= {
                "opinions_sha256": self.opinions.sha256,
                "fit_questions": [item.id for item in self.opinions.objective.survey.items],
                "held_out_questions": sorted(self.opinions.held_out),
            }
        return facts

    def result(self, number: int, fitted: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """The final table of the ``number``-th country and all that has to stand beside it.

        ``fitted`` holds the answers under the fitted prompt, (items, width) for every survey of
        :attr:`surveys`. A figure that is missing is None.
        """
        country = self.countries[number]
        conditions = {
            "unprompted": self.unprompted,
            "country_in_text": self.named(country),
            "fitted": fitted,
        }
        result: dict[str, Any] = {"country": country.code, "country_name": country.name}
        if self.specification.fits_indices:
            answers = {name: part["vsm13"] for name, part in conditions.items()}
            result |= index_table(
                self.index_objective, number, country.code, self.target_set, answers
            )
        if self.opinions is not None:
            answers = {name: part["opinions"] for name, part in conditions.items()}
            table = opinion_table(self.opinions, number, answers, self.specification.seed)
            reached = {
                "vsm13": result.get("loss"),
                "opinions": table["fit"]["distances"]["fitted"]["value"],
            }
            result |= {
                "objective": self.specification.objective,
                # On the questions to fit: what was searched for.
                "loss": self.objective.weigh(reached),
                "opinions": table,
            }
        return {
            **result,
            "readout": self.specification.readout,
            "placement": self.specification.placement,
            "model": self.model.name,
            "disclaimer": self.model.disclaimer,
        }


def _load_data(settings: Specification) -> dict[str, Any]:
    """Survey, targets and opinions for the countries; told at once where a country has none."""
    survey, target_set = load_survey(settings.survey), load_targets(settings.targets)
    everyone = load_opinions(settings.opinions) if settings.fits_opinions else None
    data: dict[str, Collection[str]] = {}  # the countries that each source has all figures of
    if settings.fits_indices:
        indices = [index.name for index in survey.indices]
        data[f"the target set {target_set.name}"] = target_set.complete(indices)
    if everyone is not None:
        data[everyone.survey.title] = everyone.countries
    first, *others = data.values()
    countries = settings.countries([c for c in first if all(c in codes for codes in others)])
    if len(countries) > 1 and settings.optimizer != "gauss-newton":
        raise SpecificationError(
            f"Several countries at once are fitted by 'gauss-newton', which shares what it learns "
            f"among them; {settings.optimizer!r} fits one country at a time."
        )
    if not countries:
        raise SpecificationError(
            f"No country of {settings.country!r} has complete figures in {' and '.join(data)}; "
            "`bbalign countries` lists what a target set has."
        )
    if settings.fits_indices:
        for country in countries:
            target_set.target(country, [index.name for index in survey.indices])
    opinions = None
    if everyone is not None:
        codes = [country.code for country in countries]
        rng = _generator(settings, _SPLIT)
        opinions = SplitOpinions.draw(everyone, codes, settings.held_out, rng)
    return {
        "countries": countries,
        "survey": survey,
        "target_set": target_set,
        "opinions": opinions,
    }


def _generator(settings: Specification, use: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(settings.seed, spawn_key=(use,)))
