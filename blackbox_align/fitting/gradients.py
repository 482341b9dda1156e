"""What a search by gradients needs beside answers: an engine that gives them, and where they are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..engines import Answers, Engine
from ..errors import ModelError
from ..optimizers import Evaluation

NOT_FINITE = "the gradient is not a finite number"


def refuse_without_gradient(engine: Engine) -> None:
    """Raise :class:`ModelError` where an engine cannot differentiate."""
    if "pullback" not in engine.info.can:
        raise ModelError(
            f"The engine of {engine.info.name!r} gives answers and no gradients, which this optimizer "
            "follows: ask a model in this process (without --workers), or choose 'gauss-newton', which "
            "needs none."
        )


def by_answers(answers: Answers, slopes: np.ndarray, by_text: np.ndarray | None = None) -> Answers:
    """Derivatives by (P, questions, labels) probabilities, and by (P, texts) divergence where there are
    texts, as an engine pulls them back.
    """
    nothing = np.zeros_like(answers.divergence)
    return replace(
        answers,
        probabilities=slopes.astype(np.float32),
        mass=np.zeros_like(answers.mass),
        divergence=nothing if by_text is None else by_text.astype(np.float32),
        surprise=nothing,
    )


def with_gradients(
    evaluations: Sequence[Evaluation], gradients: np.ndarray | None
) -> list[Evaluation]:
    """The evaluations with their (P, d) gradients; one whose gradient is not finite failed."""
    if gradients is None:
        return list(evaluations)
    return [
        one
        if one.failure
        else replace(one, gradient=row)
        if np.isfinite(row).all()
        else Evaluation.failed(NOT_FINITE)
        for one, row in zip(evaluations, gradients, strict=True)
    ]
