"""An expert for every people: the search of `fit` to opinions, without its tables and proofs.

Those would take most of the time on a real model, and the study has its own. The questions to fit, those to
validate on, the first prompt, the search and its end are those of `bbalign fit --objective opinions`.
What was found is kept, so that the same command goes on where it was stopped.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blackbox_align.adapters import Parameterization
from blackbox_align.adapters.adapter import Adapter, SoftPrompt
from blackbox_align.engines.base import Engine
from blackbox_align.fitting import Specification
from blackbox_align.fitting.asking import Asked, failures_of, search_space
from blackbox_align.fitting.data import PROMPT, generator, load_data
from blackbox_align.fitting.gradients import by_answers, with_gradients
from blackbox_align.fitting.problem import Problem, pose
from blackbox_align.fitting.search import Batch, Standing, search
from blackbox_align.fitting.searcher import make_optimizer, options_of
from blackbox_align.fitting.settled import settle
from blackbox_align.fitting.stopping import Stopping
from blackbox_align.optimizers import Evaluation


@dataclass(frozen=True, eq=False)
class Found:
    """What a search found: a prompt (tokens, width), its losses in nats on the questions that were fitted
    at the start and at the end, and the ids of the questions that it might see."""

    prompt: SoftPrompt
    first: float
    last: float
    evaluations: int
    seen: frozenset[str]

    @property
    def adapter(self) -> Adapter:
        return Adapter(prompt=self.prompt)


def find_expert(settings: Specification, engine: Engine, budget: int, kept: Path) -> Found:
    """The expert of the one people that ``settings`` name, searched for or kept from an earlier call."""
    settings = settle(settings, engine.info, {}, uses_gradient=settings.optimizer == "adam")
    data = load_data(settings)
    assert data.opinions is not None
    everything = {item.id for item in data.opinions.asked.survey.items}
    seen = frozenset(everything - data.opinions.held_out)
    if kept.exists():
        with np.load(kept) as held:
            prompt = SoftPrompt(held["vectors"], settings.placement)
            return Found(prompt, *held["losses"].tolist(), int(held["evaluations"]), seen)
    problem = pose(data, Asked(engine, orders=settings.orders))
    space = search_space(settings, engine, generator(settings, PROMPT))
    stopping = Stopping.for_objective(
        True,
        target_loss=None,
        patience=None,
        validated=bool(data.opinions.validation),
        budget=budget,
    )
    optimizer = make_optimizer(problem, space.dimension, stopping, options_of(problem, {}))
    slopes = optimizer.capabilities.uses_gradient
    standing, losses = Standing(1, space.dimension, stopping), []

    def evaluate(vectors: np.ndarray, first: int) -> Batch:
        batch = evaluated(problem, space, engine, vectors, first, slopes)
        losses.extend(batch.losses[0].tolist())
        return batch

    search(evaluate, optimizer, standing)
    [vectors] = space.soft_prompts(standing.vectors)
    ends = losses[0], float(standing.best[0])
    kept.parent.mkdir(parents=True, exist_ok=True)
    np.savez(kept, vectors=vectors, losses=ends, evaluations=standing.told)
    return Found(SoftPrompt(vectors, settings.placement), *ends, standing.told, seen)


def evaluated(
    problem: Problem,
    space: Parameterization,
    engine: Engine,
    vectors: np.ndarray,
    first: int,
    slopes: bool,
) -> Batch:
    """What came of vectors, with gradients where a search follows them."""
    adapters, pull = space.adapters(vectors), None
    if slopes:
        answers, pull = engine.pullback(adapters, problem.sheet)
    else:
        answers = engine.answer(adapters, problem.sheet)
    shares, divergence = answers.probabilities, answers.divergence
    evaluations, losses = problem.score(shares, first, divergence)
    evaluations = [
        Evaluation.failed(why) if why else one
        for why, one in zip(failures_of(answers), evaluations, strict=True)
    ]
    gradients = None
    if pull is not None:
        by_text = problem.language.cotangent(divergence) if problem.language else None
        cotangent = by_answers(answers, problem.cotangent(shares), by_text)
        gradients = space.pull(pull(cotangent)).astype(np.float32)
    return Batch(
        vectors,
        losses,
        with_gradients(evaluations, gradients),
        penalties=problem.penalties(divergence),
        validation=problem.validation_losses(shares, first, divergence),
    )
