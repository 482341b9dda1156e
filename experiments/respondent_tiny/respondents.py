"""Simulated respondents: a graded response model (Samejima 1969) over the items of a survey.

Every respondent has a value on each latent trait, one trait per index of the survey. An item loads
on the trait of its index with the sign that the survey's own key gives it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from blackbox_align.populations import TargetSet
from blackbox_align.surveys import Survey

_GRID = np.linspace(-16, 16, 1281)  # logits; answers beyond are certain to four digits


@dataclass(frozen=True)
class Respondents:
    """Answers of simulated people to one survey.

    ``loadings`` is (items, traits); ``thresholds`` is (items, width - 1), +inf behind an item's
    last option; ``individual_spread`` is the standard deviation of a trait within one group.
    """

    survey: Survey
    loadings: np.ndarray
    thresholds: np.ndarray
    individual_spread: float

    def answers(self, traits: np.ndarray) -> np.ndarray:
        """(n, traits) group means -> (n, items, width) shares of the options in those groups."""
        return _look_up(self._marginal, np.asarray(traits) @ self.loadings.T)

    @cached_property
    def _marginal(self) -> np.ndarray:
        """(items, grid, width): option shares given a group's mean, people integrated out."""
        nodes, weights = np.polynomial.hermite_e.hermegauss(21)
        weights = weights / weights.sum()
        spread = self.individual_spread * np.linalg.norm(self.loadings, axis=1)  # (items,)
        position = _GRID[None, :, None] + spread[:, None, None] * nodes  # (items, grid, nodes)
        return _options(position, self.thresholds) @ weights

    def country_traits(self, targets: TargetSet, codes: list[str]) -> np.ndarray:
        """(countries, traits): group means whose expected raw indices are the published figures.

        The thresholds place trait 0 at the mean figure, so the shift per index shared by all
        countries is none, and raw scores and published figures are on one scale.
        """
        survey = self.survey
        grid = np.linspace(-4, 4, 801)
        traits = np.zeros((len(codes), len(survey.indices)))
        for column, index in enumerate(survey.indices):
            along = np.zeros((len(grid), traits.shape[1]))
            along[:, column] = grid
            means = np.einsum("gio,io->gi", self.answers(along), survey.codes)
            scores = means @ survey.index_weights[column]
            figures = [targets.target(code, [index.name])[0] for code in codes]
            traits[:, column] = np.interp(figures, scores, grid)
        return traits


def keyed_respondents(
    survey: Survey, index_means: np.ndarray, settings: Mapping[str, float]
) -> Respondents:
    """Respondents whose items load on their index's trait by the survey's key.

    ``index_means`` (indices,) are the raw indices of a group whose traits are all 0.
    """
    rng = np.random.default_rng(int(settings["seed"]))
    weights = survey.index_weights
    size = settings["discrimination"] * rng.uniform(0.85, 1.15, size=len(survey.items))
    loadings = np.sign(weights).T * size[:, None]
    means = settings["middle"] + settings["item_spread"] * rng.standard_normal(len(survey.items))
    means += np.linalg.pinv(weights) @ (index_means - weights @ means)
    steps = survey.width - 1
    offsets = (np.arange(steps) - (steps - 1) / 2) * settings["spacing"]
    thresholds = np.full((len(survey.items), steps), np.inf)
    for row, item in enumerate(survey.items):
        thresholds[row, : len(item.scale) - 1] = offsets[: len(item.scale) - 1]
    centred = Respondents(survey, loadings, thresholds, settings["individual_spread"])
    curves = np.einsum("igo,io->ig", centred._marginal, survey.codes)
    centres = [np.interp(mean, curve, _GRID) for mean, curve in zip(means, curves, strict=True)]
    return Respondents(
        survey, loadings, thresholds - np.array(centres)[:, None], settings["individual_spread"]
    )


def _options(position: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """(items, grid, nodes) logits -> (items, grid, width, nodes) probabilities of the options."""
    above = 1 / (1 + np.exp(thresholds[:, None, :, None] - position[:, :, None, :]))
    ones = np.ones_like(above[:, :, :1])
    return -np.diff(np.concatenate([ones, above, 0 * ones], axis=2), axis=2)


def _look_up(table: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Linear interpolation of (items, grid, width) at (n, items) logits -> (n, items, width)."""
    step = _GRID[1] - _GRID[0]
    place = np.clip((position - _GRID[0]) / step, 0, len(_GRID) - 1.001)
    low = place.astype(int)
    share = (place - low)[..., None]
    items = np.arange(table.shape[0])
    return (1 - share) * table[items, low] + share * table[items, low + 1]
