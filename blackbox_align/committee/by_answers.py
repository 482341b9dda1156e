"""Weights by answers: the mixture of experts that answers a few known questions as people do.

The arithmetic is :mod:`..statistics.mixtures`; here it becomes a decision.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator

from ..errors import SpecificationError
from ..statistics.mixtures import FEW, STRENGTH, fit_weights
from .decision import Considered, Decision


def weights_by_answers(
    experts: Sequence[str],
    profiles: np.ndarray,
    answers: np.ndarray,
    *,
    prior: np.ndarray | None = None,
    strength: float = STRENGTH,
    least: float = 0.01,
    resamples: int = 200,
    rng: Generator | None = None,
) -> Decision:
    """The decision by known answers; arrays and settings as :func:`fit_weights` takes them.

    Experts with a weight below ``least`` are left out, and the others share what they had. Without
    ``rng`` there is no interval.
    """
    if len(experts) != len(profiles):
        raise SpecificationError(f"{len(experts)} experts have {len(profiles)} profiles.")
    fitted = fit_weights(
        profiles,
        answers,
        prior=prior,
        strength=strength,
        resamples=resamples if rng is not None else 0,
        rng=rng,
    )
    # The heaviest stays however light it is: among 200 even weights none reaches a per cent.
    kept = fitted.weights >= min(least, float(fitted.weights.max()))
    shares = np.where(kept, fitted.weights, 0.0) / fitted.weights[kept].sum()
    order = np.argsort(-fitted.weights, kind="stable")
    nearest = int(fitted.alone.argmin())
    because = [
        f"{fitted.answers:g} answers to {fitted.questions} questions are known.",
        f"The mixture lies {fitted.divergence:.3f} nats an answer from them (Kullback-Leibler), "
        f"the nearest expert alone, {experts[nearest]}, {fitted.alone[nearest]:.3f}.",
        f"The prior counts as {strength:g} answers more.",
    ]
    if rng is not None and fitted.questions < FEW:
        because.append(f"Fewer than {FEW} questions give no interval.")
    if not kept.all():
        because.append(f"{int((~kept).sum())} experts with less than {least:g} are left out.")
    return Decision(
        {experts[k]: float(shares[k]) for k in order if kept[k]},
        "answers",
        tuple(because),
        considered=tuple(
            Considered(
                experts[k],
                float(fitted.alone[k]),
                _number(fitted.low[k]),
                _number(fitted.high[k]),
            )
            for k in order
            if kept[k]
        ),
        change=("Answers to more questions, or another strength of the prior.",),
    )


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
