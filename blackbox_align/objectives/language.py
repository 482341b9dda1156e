"""The language part: how far a soft prompt moves a model's next words on texts about nothing in particular.

A prompt that is searched for by answers to a questionnaire alone may cost the model its language: nothing in
the loss holds it. The part is the Kullback-Leibler divergence of the next-token distributions under the
prompt from those without it, in nats a token, as reinforcement learning from feedback keeps a model near its
reference (Ziegler et al. 2019, "Fine-Tuning Language Models from Human Preferences", eq. 2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import SpecificationError

USUAL = 1.0
"""The weight for models that write, where no other is asked for."""
IN_POINTS = 1.0
"""What a nat a token counts for at a weight of 1, in index points."""


@dataclass(frozen=True)
class Language:
    """The language part with its ``weight``.

    ``unit`` is what a loss of 1 of the rest of the objective counts for, in index points.
    """

    weight: float
    unit: float = 1.0

    @property
    def factor(self) -> float:
        """What a nat a token adds to the loss."""
        return self.weight * IN_POINTS / self.unit

    def divergences(self, divergence: np.ndarray) -> np.ndarray:
        """(P,) nats a token, the mean over texts of (P, texts); rounding makes nothing negative."""
        return np.asarray(np.maximum(divergence, 0.0).mean(axis=1, dtype=np.float64))

    def losses(self, divergence: np.ndarray) -> np.ndarray:
        """(P,) what the texts add to the loss of a candidate."""
        return self.factor * self.divergences(divergence)

    def outputs(self, divergence: np.ndarray, others: int) -> np.ndarray:
        """(P, 1) one residual more beside ``others``, for searches that make squares small.

        The square root of a divergence grows like the length of a step, as a residual does; at a nat a
        token its share of the mean square is the square of the part's share of the loss.
        """
        root = np.sqrt(self.divergences(divergence))
        return np.asarray(self.factor * np.sqrt(others) * root)[:, None]

    def cotangent(self, divergence: np.ndarray) -> np.ndarray:
        """(P, texts) derivatives of :meth:`losses`; 0 where a divergence is no number."""
        slope = np.full(divergence.shape, self.factor / max(1, divergence.shape[1]))
        return np.where(np.isfinite(divergence), slope, 0.0)


def check_weight(weight: float) -> float:
    """Refuse what is no weight."""
    if not 0 <= weight < np.inf:
        raise SpecificationError(
            f"The weight of the language is 0 (which leaves it out) or more; not {weight:g}."
        )
    return weight
