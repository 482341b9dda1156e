"""The opinion objective: how far the model's answer distributions are from those of a country's people.

The loss is the mean Jensen-Shannon distance in nats over the questions. The residuals are those of
the Hellinger distance, sqrt(p) - sqrt(q) for every option: in square roots of shares a search for
least squares works on nearly the same thing, for ln 2 H^2 <= JSD <= H^2 with
H^2 = sum (sqrt(p) - sqrt(q))^2 / 2 (both are f-divergences; compare Topsoe 2000, "Some inequalities
for information divergence and related measures of discrimination").
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..errors import SpecificationError
from ..statistics.distances import js_distance
from ..surveys import Survey
from ..surveys.opinion_instrument import shares_by_country
from ..surveys.opinions import OpinionSurvey
from .base import known_mean

NEAR = 1e-3
LEAST_SHARE = 1e-9
LEAST_TO_FIT = 12  # items: of fewer none is spared to say when to stop


@dataclass(frozen=True)
class OpinionObjective:
    """Scores answer distributions against those of one country or of many at once.

    The outputs are the square roots of the shares of all options of all items, scaled so that the
    mean of the squared residuals is the mean H^2 over the items; see :class:`.base.Objective`.

    Parameters
    ----------
    shares : (countries, items, width) float64, rows sum to 1; NaN where a country was not asked
    """

    survey: Survey
    shares: np.ndarray
    # In a sum with index points a distance counts in hundredths: both are then about 10.
    in_points = 100.0

    @cached_property
    def _offered(self) -> np.ndarray:
        """(items, width) bool: which options an item has."""
        counts = np.array([len(item.scale) for item in self.survey.items])
        return np.arange(self.survey.width) < counts[:, None]

    @property
    def _scale(self) -> float:
        return float(np.sqrt(self._offered.sum() / (2 * len(self.survey.items))))

    @cached_property
    def targets(self) -> np.ndarray:
        return self._scale * np.sqrt(self.shares[:, self._offered])

    def outputs(self, answers: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
        """(candidates, options of all items); nothing is drawn. One NaN spoils its candidate."""
        outputs = self._scale * np.sqrt(np.asarray(answers, np.float64)[:, self._offered])
        outputs[~np.isfinite(answers).all(axis=(1, 2))] = np.nan
        return outputs

    def losses(self, outputs: np.ndarray) -> np.ndarray:
        """(countries, candidates): the mean JS distance in nats over the items asked in a country."""
        answers = np.zeros((len(outputs), *self._offered.shape))
        answers[:, self._offered] = (outputs / self._scale) ** 2
        return known_mean(self.distances(answers))

    def cotangent(self, answers: np.ndarray, country: int) -> np.ndarray:
        """Of the mean JS distance itself: d sqrt(J) / dp = ln(2 p / (p + q)) / (4 sqrt(J)).

        Where a distance is below :data:`NEAR` nats it is taken for that, so that the slope of a root at 0
        stays a number; so is a share below :data:`LEAST_SHARE`.
        """
        p, q = np.asarray(answers, np.float64), self.shares[country]
        asked = ~np.isnan(q).any(-1)
        q = np.where(asked[:, None], q, 0.0)
        distance = np.maximum(js_distance(p, q), NEAR)
        least = np.maximum(p, LEAST_SHARE)
        slope = np.log(2 * least / (least + q)) / (4 * distance[..., None])
        slope = np.where(self._offered & asked[:, None], slope, 0.0) / asked.sum()
        slope[~np.isfinite(p).all(axis=(1, 2))] = np.nan
        return np.asarray(slope)

    def distances(self, answers: np.ndarray) -> np.ndarray:
        """(countries, candidates, items): JS distances in nats, NaN where a country was not asked."""
        return np.stack([js_distance(answers, shares) for shares in self.shares])


@dataclass(frozen=True)
class SplitOpinions:
    """The opinions of some countries, their items split into those to fit and those held out.

    ``everyone`` is the survey with all its countries, ``asked`` what is left of it for ``codes``. Of the
    items to fit, those in ``validation`` enter no residual: they say when to stop.
    """

    everyone: OpinionSurvey
    asked: OpinionSurvey
    codes: tuple[str, ...]
    held_out: frozenset[str]
    validation: frozenset[str] = frozenset()

    @classmethod
    def draw(
        cls,
        opinions: OpinionSurvey,
        codes: Sequence[str],
        share: float,
        rng: np.random.Generator,
        recorded: Collection[str] | None = None,
    ) -> SplitOpinions:
        """Hold out about ``share`` of the items, the same ones whatever the countries.

        Only samples that stand for a whole country, or groups, count. ``recorded`` are items that were
        held out before, by whichever version: then nothing is drawn.

        Raises
        ------
        SpecificationError
            A country has no such sample (the message says which near ones have), or all of its
            items came to lie on one side.
        """
        everyone = opinions.select(samples="national")
        asked = opinions.select(samples="national", countries=list(codes))
        names = sorted(item.id for item in everyone.survey.items)
        drawn = rng.permutation(len(names))[: round(share * len(names))]
        held_out = frozenset(names[n] for n in drawn)
        if recorded is not None:
            held_out = frozenset(recorded)
        found = cls(everyone, asked, tuple(codes), held_out & {i.id for i in asked.survey.items})
        found._refuse_one_side(f"{everyone.survey.title} holds")
        return found

    def without(self, refused: Mapping[str, str]) -> SplitOpinions:
        """The same without items that a model cannot be asked, each with the reason.

        Raises :class:`SpecificationError` where all that is left of a country lies on one side.
        """
        gone = frozenset(refused) & {item.id for item in self.asked.survey.items}
        if not gone:
            return self
        left = replace(
            self,
            asked=self.asked.without(gone),
            held_out=self.held_out - gone,
            validation=self.validation - gone,
        )
        reason = next(iter(refused.values()))
        left._refuse_one_side("this model can be asked", f" What it cannot: {reason}")
        return left

    def _refuse_one_side(self, holds: str, why: str = "") -> None:
        for code in self.codes:
            own = self._items_of(code)
            if not own & self.held_out or not own - self.held_out:
                raise SpecificationError(
                    f"Of the {len(own)} questions that {holds} for {code}, "
                    f"{len(own & self.held_out)} would be held out; at least one has to be, and one left "
                    f"to fit. Try another --held-out or --seed.{why}"
                )

    def _items_of(self, code: str) -> set[str]:
        return {d.item for d in self.asked.distributions if d.sample.country == code}

    @cached_property
    def objective(self) -> OpinionObjective:
        """The objective on the items to fit: the only one that a search may see.

        It asks those of :attr:`validation` as well, and takes no people's answers to them.
        """
        return self._objective(self.asked.without(self.held_out), unknown=self.validation)

    @cached_property
    def validating(self) -> OpinionObjective | None:
        """The objective on the items of :attr:`validation`, from the outputs of :attr:`objective`."""
        if not self.validation:
            return None
        asked = self.asked.without(self.held_out)
        trained = {item.id for item in asked.survey.items} - self.validation
        return self._objective(asked, unknown=trained)

    @cached_property
    def whole(self) -> OpinionObjective:
        """The objective on all items, to report from."""
        return self._objective(self.asked)

    @cached_property
    def sha256(self) -> str:
        """A hash of the questions and of what the people of the countries answered to them."""
        asked = replace(self.asked.survey, source="").sha256  # wherever the file lies
        rows = [(d.item, d.sample.label, d.shares) for d in self.asked.distributions]
        return hashlib.sha256(json.dumps([asked, rows]).encode()).hexdigest()

    def validated(
        self, share: float, rng: np.random.Generator, recorded: Collection[str] | None = None
    ) -> SplitOpinions:
        """The same with about ``share`` of the items to fit as validation, or with those ``recorded``.

        Of fewer than :data:`LEAST_TO_FIT` none is spared, and none where some country would be left without
        one to fit or one to validate.
        """
        if recorded is not None:
            return replace(self, validation=frozenset(recorded))
        names = sorted({item.id for item in self.asked.survey.items} - self.held_out)
        if len(names) < LEAST_TO_FIT:
            return self
        drawn = rng.permutation(len(names))[: round(share * len(names))]
        spared = frozenset(names[n] for n in drawn)
        for code in self.codes:
            own = self._items_of(code)
            if not own & spared or not own & (set(names) - spared):
                return self
        return replace(self, validation=spared)

    def _objective(
        self, opinions: OpinionSurvey, unknown: Collection[str] = ()
    ) -> OpinionObjective:
        shares = shares_by_country(opinions, self.codes)
        shares[:, [item.id in unknown for item in opinions.survey.items]] = np.nan
        return OpinionObjective(opinions.survey, shares)
