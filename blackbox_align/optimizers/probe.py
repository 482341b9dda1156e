"""A few evaluations before a search: how noisy the outputs are, how far they are linear, what a step moves.

Along some random directions the outputs are seen at lengths that grow fourfold, from the start on. Where
they are linear, a step of four times the length moves them four times as far, the same way.

>>> import numpy as np
>>> rng = np.random.default_rng(0)
>>> J, vectors = rng.standard_normal((6, 50)), ladder(50, rng)
>>> probe = measure(np.sin(vectors @ J.T / 7))  # bends where its argument nears 1, at lengths of about 1
>>> bool(0.2 < probe.linear <= 0.5 and probe.noise < 0.01)
True
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blackbox_align.optimizers.base import Array

LADDER = (1 / 128, 1 / 32, 1 / 8, 1 / 2)  # lengths, in units of sqrt(dimension)
GROWTH = 4.0
DIRECTIONS = 2
BENT = 0.75  # what a step moves is no longer linear where so large a share of it is unforeseen
WIDEST = 1.0  # the largest step to be taken for the sake of noise


@dataclass(frozen=True)
class Probe:
    """What was measured; lengths are in units of sqrt(dimension), a word's norm where vectors are prompts.

    ``noise`` is the standard deviation of an output asked again a very short step away, or 0;
    ``leverage`` by how much a step of length 1 along a random direction moves an output, root mean square,
    as long as it is linear; ``linear`` up to which length it is.
    """

    noise: float
    leverage: float
    linear: float

    @property
    def spread(self) -> float:
        """The length of a first step: as long as outputs are linear, and longer where a step of that length
        moves them by less than twice their noise."""
        needed = 2.0 * self.noise / max(self.leverage, 1e-300)
        return float(np.clip(max(self.linear, needed), LADDER[1], WIDEST))

    @property
    def drowned(self) -> bool:
        """Whether noise is larger than all that a step does where the outputs are linear."""
        return self.noise > self.leverage * self.linear


def ladder(dimension: int, rng: np.random.Generator) -> Array:
    """(1 + 4 directions, dimension) vectors to evaluate: the start, then every length of every direction."""
    along = rng.standard_normal((DIRECTIONS, dimension))
    return np.concatenate([np.zeros((1, dimension)), *(length * along for length in LADDER)])


def measure(outputs: Array) -> Probe:
    """What (n, m) outputs of :func:`ladder` tell; they must be finite, residuals serve as well."""
    lengths = np.array(LADDER)
    moves = (outputs[1:] - outputs[0]).reshape(len(LADDER), -1)
    power = (moves**2).mean(axis=1)
    # Two lengths give the slope and the noise: move^2 = leverage^2 length^2 + 2 noise^2.
    noise = max((GROWTH**2 * power[0] - power[1]) / (GROWTH**2 - 1), 0.0)
    if noise < 0.1 * power[0]:  # a bend, not noise
        noise = 0.0
    clean = np.maximum(power - noise, 1e-12 * power.max() + 1e-300)
    unforeseen = ((moves[1:] - GROWTH * moves[:-1]) ** 2).mean(axis=1)
    unforeseen = np.maximum(unforeseen - (GROWTH**2 + 1) * noise, 0.0)
    misfit = np.sqrt(unforeseen / clean[1:])
    bent = np.flatnonzero(misfit > BENT)
    linear = lengths[-1]
    if len(bent):
        rung = int(bent[0])
        below = float(misfit[rung - 1]) if rung else 0.0
        share = (BENT - below) / (float(misfit[rung]) - below)
        linear = lengths[rung] * GROWTH ** float(np.clip(share, 0.0, 1.0))
    seen = min(int(np.searchsorted(lengths, linear)), len(lengths) - 1)
    leverage = float(np.sqrt(clean[seen]) / lengths[seen])
    return Probe(float(np.sqrt(noise / 2.0)), leverage, float(linear))
