"""Readouts: from the probabilities of the answer options to the mean answer of each item.

==========  =====================================================================================
expected    sum of code times probability: continuous and exact, the default
greedy      the code of the most likely option: what one deterministic respondent would tick
sampled     the mean of ``respondents`` answers drawn at a ``temperature``: noisy, like real samples
==========  =====================================================================================
"""

from __future__ import annotations

import numpy as np

from ..errors import SpecificationError, require_one_of
from .survey import Survey

READOUTS = ("expected", "greedy", "sampled")


def item_means(
    probabilities: np.ndarray,
    survey: Survey,
    readout: str = "expected",
    *,
    respondents: int = 50,
    temperature: float = 1.0,
    rng: np.random.Generator | None = None,
) -> np.ndarray:
    """Mean answer code of every item.

    Parameters
    ----------
    probabilities : (candidates, items, width) float, rows sum to 1, zeros behind an item's options
    rng : needed by ``sampled`` only

    Returns
    -------
    (candidates, items) float64, in the units of the survey's codes (1..5 for VSM 2013)
    """
    require_one_of("The readout", readout, READOUTS)
    p = np.asarray(probabilities, dtype=np.float64)
    if readout == "expected":
        # One memory layout: the same probabilities give the same bits in any company.
        return np.einsum("cio,io->ci", np.ascontiguousarray(p), survey.codes)
    if readout == "greedy":
        likeliest = p.argmax(-1)[..., None]
        codes = np.take_along_axis(survey.codes[None], likeliest, axis=-1)[..., 0]
        return np.where(np.isfinite(p).all(-1), codes, np.nan)
    if rng is None:
        raise SpecificationError("The readout 'sampled' draws answers, so it needs a generator.")
    return _sampled_means(p, survey.codes, respondents, temperature, rng)


def raw_indices(survey: Survey, means: np.ndarray) -> np.ndarray:
    """(candidates, indices) index points of (candidates, items) item means, without constants."""
    # A fixed order of summation: the same means give the same bits in any company. Only the items
    # of an index enter it: a missing mean elsewhere leaves it whole.
    forms = []
    for weights in survey.index_weights:
        used = np.flatnonzero(weights)
        forms.append(np.ascontiguousarray(means[:, used] * weights[used]).sum(axis=1))
    return np.stack(forms, axis=1)


def check_sample(respondents: int, temperature: float) -> None:
    """Raise :class:`SpecificationError` for what nothing can be drawn with."""
    if respondents < 1 or not 0 < temperature < np.inf:
        raise SpecificationError(
            f"A sample needs at least 1 respondent and a temperature above 0; "
            f"not {respondents} and {temperature:g}."
        )


def _sampled_means(
    p: np.ndarray, codes: np.ndarray, respondents: int, temperature: float, rng: np.random.Generator
) -> np.ndarray:
    check_sample(respondents, temperature)
    means = np.full(p.shape[:2], np.nan)
    answered = np.isfinite(p).all(axis=(1, 2))  # a failed candidate stays NaN, and draws nothing
    # Relative to the likeliest option, so that a low temperature does not make all of them 0.
    sharpened = (p[answered] / p[answered].max(-1, keepdims=True)) ** (1 / temperature)
    sharpened /= sharpened.sum(axis=-1, keepdims=True)
    counts = rng.multinomial(respondents, sharpened)
    means[answered] = np.einsum("cio,io->ci", counts, codes) / respondents
    return means
