"""What a specification names, loaded: survey, targets, opinions, people; no model is asked."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..assessment.asking import Asking, left_out, unaskable
from ..engines import Engine
from ..errors import SpecificationError
from ..objectives import SplitOpinions
from ..populations import Population, TargetSet, find_population, load_targets
from ..populations.population import country_population
from ..surveys import Survey, load_survey
from ..surveys.opinion_files import load_opinions
from ..surveys.opinions import OpinionSurvey
from ..surveys.own_loss import AnswersLoss, OwnLoss
from ..surveys.survey import NO_ANSWERS, refuse_unknown_indices
from .specification import Specification

# The generators of a run are children of its seed, one per use: none disturbs another.
PROMPT, OPTIMIZER, READOUT, SPLIT, NOISE, VALIDATION, STARTS = range(7)
_VALIDATION_SHARE = 0.25


def generator(settings: Specification, use: int, *more: int) -> np.random.Generator:
    """The generator of one use, from the seed."""
    return np.random.default_rng(np.random.SeedSequence(settings.seed, spawn_key=(use, *more)))


@dataclass(frozen=True, eq=False)
class Data:
    """What a specification names, loaded: no model is needed for it.

    ``survey`` and ``target_set`` are there in any case; ``opinions`` and a loss of one's ``own`` only where
    they are fitted. ``unasked`` are questions of the opinions that the model cannot be asked, each with the
    reason: they are left out.
    """

    specification: Specification
    populations: tuple[Population, ...]
    survey: Survey
    target_set: TargetSet
    opinions: SplitOpinions | None
    own: OwnLoss | None = None
    unasked: Mapping[str, str] = field(default_factory=dict)

    def askable(self, engine: Engine) -> Data:
        """The data without the questions of the opinions that the engine's model cannot be asked.

        Indices need the answers to all of their items, so these are asked or the fit is refused.
        """
        if self.opinions is None:
            return self
        refused = unaskable(engine, self.opinions.asked.survey, Asking(labels="own"))
        found = {**self.unasked, **refused}
        return replace(self, opinions=self.opinions.without(refused), unasked=found)

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence on what was left out, if anything was."""
        return (left_out(self.unasked, "the fit"),) if self.unasked else ()

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
        if self.own is not None:
            facts |= {"survey_sha256": self.survey.sha256, "function": self.own.fingerprint()}
        if self.opinions is not None:
            facts |= {
                "opinions_sha256": self.opinions.sha256,
                "fit_questions": [item.id for item in self.opinions.objective.survey.items],
                "held_out_questions": sorted(self.opinions.held_out),
                "validation_questions": sorted(self.opinions.validation),
            }
        if self.unasked:
            facts["unasked_questions"] = dict(self.unasked)
        return facts


def load_data(
    settings: Specification,
    recorded: Mapping[str, Any] | None = None,
    targets: TargetSet | None = None,
    function: AnswersLoss | None = None,
) -> Data:
    """Survey, targets and opinions for the countries; told at once where a country has none.

    ``recorded`` are the facts of an earlier call, from which countries and held-out items are taken;
    ``targets`` stand in the place of those that the specification names; ``function`` is what an objective
    of that kind is, for no record keeps it.
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
    first, *others = sources.values() or [target_set.codes]
    complete = [c for c in first if all(c in o for o in others)]
    found = _populations(settings, everyone, complete, recorded or {})
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
        refuse_unknown_indices(settings.hold_out, names)
        left = [name not in settings.hold_out.split(",") for name in names]
        for one in found:
            if np.isnan(target_set.target(one.code, names)[left]).all():
                raise SpecificationError(
                    f"With {settings.hold_out} held out no figure of {one.name} is left to fit."
                )
    opinions = None if everyone is None else _split(settings, everyone, found, recorded)
    own = _own(settings, survey, found, function) if settings.function else None
    unasked = (recorded or {}).get("unasked_questions", {})
    if opinions is not None:
        opinions = opinions.without(unasked)
    return Data(settings, found, survey, target_set, opinions, own, unasked)


def _own(
    settings: Specification,
    survey: Survey,
    people: tuple[Population, ...],
    function: AnswersLoss | None,
) -> OwnLoss:
    """The loss of one's own; what is wrong with its function is told before a model is loaded."""
    if function is None:
        raise SpecificationError(
            f"The objective {settings.function!r} is a function, which no record keeps: hand it in again, "
            f"as fit(..., objective={settings.function}) in Python."
        )
    if len(people) > 1:
        raise SpecificationError(
            f"The function {settings.function!r} knows no country, so it is fitted for one at a time; "
            f"not for {len(people)}."
        )
    own = OwnLoss(survey, function, people)
    own.fingerprint()
    return own


def _split(
    settings: Specification,
    everyone: OpinionSurvey,
    people: Sequence[Population],
    recorded: Mapping[str, Any] | None,
) -> SplitOpinions:
    """The opinions of some people, in those to fit, to validate on and held out, as drawn or recorded."""
    opinions = SplitOpinions.draw(
        everyone,
        [one.code for one in people],
        settings.held_out,
        generator(settings, SPLIT),
        recorded=(recorded or {}).get("held_out_questions"),
    )
    share = settings.validation
    return opinions.validated(
        _VALIDATION_SHARE if share is None else share,
        generator(settings, VALIDATION),
        # A run of before there were any goes on without.
        recorded=None if recorded is None else recorded.get("validation_questions", ()),
    )


def _populations(
    settings: Specification,
    everyone: OpinionSurvey | None,
    complete: Sequence[str],
    recorded: Mapping[str, Any],
) -> tuple[Population, ...]:
    """Whom to fit: those recorded; or countries, ``complete`` ones where a group of countries is named; or
    people that the file of opinions declares.
    """
    if "countries" in recorded:
        return tuple(find_population(code, everyone) for code in recorded["countries"])
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
