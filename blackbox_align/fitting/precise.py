"""The last choice: the best few of a search in half precision, scored again in float32."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..engines import Engine
from .asking import Asked, failures_of
from .outcome import Outcome
from .problem import Problem
from .record import Record
from .search import Standing

FEW = 5


def in_float32(outcome: Outcome, record: Record, engine: Engine) -> Outcome:
    """The outcome with the best of the best few by ``engine``, which asks the same model in float32.

    Table, proof and choice round in one way then. Targets and the evaluations that reached them are those of
    the search.
    """
    problem, standing = outcome.problem, outcome.standing
    past = record.past(vectors=True)
    assert past.vectors is not None
    parts = [_counting(problem, one.answers, one.ids[0], one.divergence) for one in past.entries]
    counting = np.concatenate([counts for _, counts in parts], axis=1)
    best = np.argsort(np.where(np.isnan(counting), np.inf, counting), axis=1)[:, :FEW]
    vectors = past.vectors[np.unique(best)]
    answers = engine.answer(outcome.space.adapters(vectors), problem.sheet)
    shares = answers.probabilities.copy()
    shares[[why is not None for why in failures_of(answers)]] = np.nan
    losses, counting = _counting(problem, shares, 0, answers.divergence)
    if np.isnan(counting).all(axis=1).any():  # none of them gives a finite answer in float32
        return outcome
    kept = np.nanargmin(counting, axis=1)
    chosen = Standing(len(problem.populations), vectors.shape[1], standing.stopping)
    chosen.vectors = vectors[kept]
    chosen.best = np.take_along_axis(losses, kept[:, None], axis=1)[:, 0]
    penalties = np.broadcast_to(problem.penalties(answers.divergence), len(vectors))
    chosen.errors = chosen.best - penalties[kept]
    chosen.told, chosen.reached_after = standing.told, standing.reached_after
    was = float(standing.errors.mean())
    note = (
        f"Searched in {outcome.engine.info.dtype}; the best {len(vectors)} were scored again in float32, "
        f"and the best there is kept (error {float(chosen.errors.mean()):.3g}; that of the search was "
        f"{was:.3g}). Table and proof are in float32."
    )
    asked = Asked(engine, {}, outcome.asked.orders)
    return replace(
        outcome, standing=chosen, engine=engine, asked=asked, notes=(*outcome.notes, note)
    )


def _counting(
    problem: Problem, answers: np.ndarray, first: int, divergence: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """(G, P) losses, and what a choice goes by: those on validation questions, where there are any."""
    losses = problem.score(answers, first, divergence)[1]
    validated = problem.validation_losses(answers, first, divergence)
    return losses, losses if validated is None else validated
