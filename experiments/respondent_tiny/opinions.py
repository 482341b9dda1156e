"""Simulated opinions: a multinomial logit on latent traits, fitted to the figures of an opinion survey.

The share of option o of item i in country c is softmax_o(a_io + b_io . t_c), a nominal response
model (Bock 1972) of whole countries. What no figures tell, a penalty on b and t settles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from blackbox_align.surveys import Survey
from blackbox_align.surveys.opinions import OpinionSurvey


@dataclass(frozen=True)
class Opinions:
    """Answers of simulated people to an opinion survey.

    ``intercepts`` is (items, width), -inf behind an item's last option; ``loadings`` is (items,
    width, traits); ``traits`` holds the (traits,) of every country with figures, by code.
    """

    survey: Survey
    intercepts: np.ndarray
    loadings: np.ndarray
    traits: Mapping[str, np.ndarray]

    def answers(
        self,
        traits: np.ndarray,
        items: Sequence[int] | slice = slice(None),
        tilts: np.ndarray | float = 0.0,
    ) -> np.ndarray:
        """(..., traits) -> (..., items, width) shares of the options among people with such traits.

        ``tilts``, of the shape of the answers or one that spreads to it, are added to the log shares.
        """
        moves = np.einsum("iot,...t->...io", self.loadings[items], traits)
        logits = self.intercepts[items] + moves + tilts
        shares = np.exp(logits - logits.max(-1, keepdims=True))
        return shares / shares.sum(-1, keepdims=True)

    def country_traits(self, codes: Sequence[str], indices: np.ndarray) -> np.ndarray:
        """(countries, traits): fitted where there are figures, else guessed by ridge regression.

        ``indices`` is (countries, 6), from which the traits of the others are guessed.
        """
        known = [row for row, code in enumerate(codes) if code in self.traits]
        centre, scale = indices.mean(axis=0), indices.std(axis=0)
        x = np.column_stack([(indices - centre) / scale, np.ones(len(codes))])
        y = np.stack([self.traits[codes[row]] for row in known])
        penalty = 2.0 * np.diag([1.0] * indices.shape[1] + [0.0])
        traits = x @ np.linalg.solve(x[known].T @ x[known] + penalty, x[known].T @ y)
        traits[known] = y
        return traits


def fit_opinions(opinions: OpinionSurvey, settings: Mapping[str, Any]) -> Opinions:
    """The latent model of the figures: as many traits as ``settings["anchors"]`` names.

    The traits are turned to their principal axes, the one that moves most answers first, and
    pointed so that the option named as a trait's anchor is the likelier the higher the trait;
    ``settings["spread"]`` is their standard deviation over the countries with figures.
    """
    survey, anchors = opinions.survey, settings["anchors"]
    codes = sorted(opinions.countries)
    items = {item.id: row for row, item in enumerate(survey.items)}
    shares = np.zeros((len(codes), len(items), survey.width))  # zeros where there are no figures
    for distribution, row in zip(opinions.distributions, opinions.shares(), strict=True):
        shares[codes.index(distribution.sample.country), items[distribution.item]] = row
    offered = np.arange(survey.width) < np.array([[len(i.scale)] for i in survey.items])
    outside = torch.where(torch.from_numpy(offered), 0.0, -torch.inf).double()
    goal = torch.from_numpy(shares)

    rng = np.random.default_rng(int(settings["seed"]))

    def start(*shape: int) -> torch.Tensor:
        return torch.from_numpy(0.1 * rng.standard_normal(shape)).requires_grad_()

    a = start(len(items), survey.width)
    b = start(len(items), survey.width, len(anchors))
    t = start(len(codes), len(anchors))
    search = torch.optim.LBFGS([a, b, t], max_iter=3000, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        search.zero_grad()
        logs = (a + outside + torch.einsum("iot,ct->cio", b, t)).log_softmax(-1)
        error = -(goal * logs.masked_fill(goal == 0, 0.0)).sum()
        penalty = len(codes) * b.square().sum() + t.square().sum() + 0.1 * a.square().sum()
        total = error + 0.5 * settings["ridge"] * penalty
        total.backward()
        return total

    search.step(loss)
    traits, loadings = t.detach().numpy(), b.detach().numpy()
    intercepts = (a.detach() + outside).numpy() + loadings @ traits.mean(axis=0)
    moves = np.einsum("iot,ct->cio", loadings, traits - traits.mean(axis=0))
    left, size, right = np.linalg.svd(moves.reshape(len(codes), -1), full_matrices=False)
    unit = settings["spread"] * np.sqrt(len(codes))
    traits = unit * left[:, : len(anchors)]
    axes = (size[:, None] * right)[: len(anchors)] / unit
    loadings = np.moveaxis(axes.reshape(-1, *offered.shape), 0, -1) * offered[..., None]
    for trait, (item, option) in enumerate(anchors.values()):
        place = survey.items[items[item]].scale.options.index(option)
        if loadings[items[item], place, trait] < 0:
            loadings[..., trait] *= -1
            traits[:, trait] *= -1
    return Opinions(survey, intercepts, loadings, dict(zip(codes, traits, strict=True)))
