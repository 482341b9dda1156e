"""A few evaluations before a search: how noisy the outputs are, how far they are linear, what a step moves.

Along two random directions the outputs are seen at lengths that grow fourfold, from the start on. Where
they are linear, a step of four times the length moves them four times as far, the same way. Two lengths
tell how far that is; where nothing seems linear, two very short ones tell noise from a bend.

>>> import numpy as np
>>> rng = np.random.default_rng(0)
>>> J, along = rng.standard_normal((6, 50)), directions(50, rng)
>>> vectors = np.concatenate([np.zeros((1, 50)), steps(along, LONG)])
>>> probe = measure(np.sin(vectors @ J.T / 7), LONG)  # bends where its argument nears 1
>>> bool(0.2 < probe.linear <= 0.5), probe.unclear
(True, False)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blackbox_align.optimizers.base import Array

LONG = (1 / 8, 1 / 2)  # lengths, in units of sqrt(dimension)
SHORT = (1 / 128, 1 / 32)
GROWTH = 4.0
DIRECTIONS = 2
BENT = 0.75  # what a step moves is no longer linear where so large a share of it is unforeseen
UNCLEAR = 1.5  # a share that may be noise as well as a bend
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
    unclear: bool = False
    """Whether what was seen may be noise as well as a bend: short steps would tell."""
    near: bool = False
    """Whether the loss at the start is no more than a few such steps are worth; see :mod:`.opening`."""

    @property
    def spread(self) -> float:
        """The length of a first step: as long as outputs are linear, and longer where a step of that length
        moves them by less than twice their noise. What is noisy is not told from bent over short steps, so
        that none begins short there."""
        needed = 2.0 * self.noise / max(self.leverage, 1e-300)
        shortest = LONG[-1] if self.noisy else SHORT[1]
        return float(np.clip(max(self.linear, needed), shortest, WIDEST))

    @property
    def noisy(self) -> bool:
        """Whether it is noise that decides how long a step is."""
        return 2.0 * self.noise > self.leverage * self.linear

    @property
    def drowned(self) -> bool:
        """Whether noise is larger than all that a step does where the outputs are linear."""
        return self.noise > self.leverage * self.linear


def directions(dimension: int, rng: np.random.Generator) -> Array:
    """(2, dimension), each about sqrt(dimension) long."""
    return rng.standard_normal((DIRECTIONS, dimension))


def steps(along: Array, lengths: tuple[float, ...]) -> Array:
    """(lengths x directions, dimension) vectors to evaluate, length by length."""
    return np.concatenate([length * along for length in lengths])


def measure(outputs: Array, tried: tuple[float, ...]) -> Probe:
    """What (1 + n, m) outputs tell, of the start and of :func:`steps` of growing lengths ``tried``.

    They must be finite; residuals serve as well.
    """
    lengths = np.array(tried)
    moves = (outputs[1:] - outputs[0]).reshape(len(lengths), -1)
    power = (moves**2).mean(axis=1)
    noise = 0.0
    if tried[0] == SHORT[0]:
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
    unclear = tried[0] != SHORT[0] and bool(misfit[0] > UNCLEAR)
    return Probe(float(np.sqrt(noise / 2.0)), leverage, float(linear), unclear)
