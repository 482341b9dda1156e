"""How a search opens: a probe where it starts and, where little moves there, at other places on offer.

A few evaluations tell how far outputs are linear and what a step moves (:mod:`.probe`). Where all that a
linear step does is small beside the loss, the way is long, and places differ: of the words of a language
model some let a step move the answers ten times as far as others. So each place on offer is asked twice, a
short step apart, and the search starts where such a step moves the outputs most. A search that took its way
for short, and has most of it before it still after many steps, looks at them then. Where the way is short,
what counts is how far a random step moves the outputs, and steps are drawn as examples of vectors lie
(:mod:`.shape`); on a long way what moves most bends as soon, and they are drawn alike in all directions.

>>> import numpy as np
>>> opening = Opening(2, np.random.default_rng(0))
>>> opening.offer(np.array([[3.0, 0.0]]))
>>> place = lambda z: 3.0 - z if z[0] < 2 else 3.0 - 40 * (z - [3.0, 0.0])  # much moves at the second
>>> while opening.pending:
...     told = [(id, 3.0, 0.01 * place(vector)) for id, vector in opening.pending.items()]
...     opening.tell([id for id, _, _ in told], told, alone=True)
>>> opening.place.tolist(), opening.begun
([3.0, 0.0], 10)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from blackbox_align.optimizers.base import Array, Candidate
from blackbox_align.optimizers.probe import LONG, SHORT, Probe, directions, measure, steps

FAR = 24.0  # a loss of so many linear steps along a random direction is far away
LEFT = 0.5  # a search with so large a share of its first loss left after many steps is far still

Seen = tuple[int, float, Array]
"""The number of a candidate, its loss and its outputs."""


class Opening:
    """The evaluations before the first step of a search, which are its first ``begun`` candidates.

    ``pending`` are the vectors that are not told yet, by number; ``probe`` is what was measured at
    ``place``, where the search starts; ``kept`` the numbers of what was evaluated around it.
    """

    def __init__(self, dimension: int, rng: np.random.Generator) -> None:
        self.along = directions(dimension, rng)
        self.places, self.place = np.zeros((1, dimension)), np.zeros(dimension)
        self.pending: dict[int, Array] = {}
        self.begun = 0
        self.probe: Probe | None = None
        self._outputs: dict[int, Array] = {}
        self._losses: dict[int, float] = {}
        self._stage = "probing"
        self.late = self.moved = False  # it looked again; it left its first place
        self._moves = np.zeros(1)  # of the outputs at each place, by a short step
        self._pairs: list[tuple[int, int]] = []
        self.kept = self._ask(np.concatenate([np.zeros((1, dimension)), steps(self.along, LONG)]))

    def offer(self, places: Array) -> None:
        """Other places (n, dimension) that are as good to start from, as far as anybody knows."""
        self.places = np.concatenate([self.places, places])

    def tell(self, numbers: Iterable[int], told: Sequence[Seen], *, alone: bool) -> None:
        """What came of candidates, some of which may have failed; ``alone``: nothing else was asked yet."""
        before = len(self.pending)
        for number, loss, outputs in told:
            if number in self.pending:
                self._outputs[number], self._losses[number] = outputs, loss
        for number in numbers:
            self.pending.pop(number, None)
        if before and not self.pending:
            getattr(self, f"_after_{self._stage}")(alone)

    @property
    def elsewhere(self) -> bool:
        """Whether what is pending lies at other places than where the search is."""
        return bool(self.pending) and self._stage in ("looking", "arriving")

    def look_again(self, begun: int, lowest: float) -> None:
        """After ``begun`` candidates of a search that came down to the loss ``lowest``: once, look at the
        places on offer where that is still far and none of them was looked at."""
        self.late = True
        if self.probe is None or self.probe.noisy or self._pairs or not self._may_look():
            return
        if lowest > LEFT * self._losses[self.kept[0]]:
            self.begun, self.probe = begun, replace(self.probe, near=False)
            self._ask_elsewhere()

    def refuse(self, candidates: Iterable[Candidate]) -> None:
        """Look no further where other vectors were evaluated: a record of a search that did not look."""
        if any(not np.array_equal(self.pending.get(c.id, c.vector), c.vector) for c in candidates):
            self.pending.clear()

    @property
    def looked(self) -> bool:
        """Whether other places were asked."""
        return bool(self._pairs)

    def another(self) -> Array | None:
        """The place on offer where next to those taken a step moves most; None where none is known."""
        if self._moves.max() <= 0:
            return None
        best = int(self._moves.argmax())
        self._moves[best] = 0.0
        return np.asarray(self.places[best])

    # -- stages ----------------------------------------------------------------------------------

    def _ask(self, vectors: Array) -> list[int]:
        numbers = list(range(self.begun, self.begun + len(vectors)))
        self.pending.update(zip(numbers, vectors, strict=True))
        self.begun += len(vectors)
        return numbers

    def _measured(self, numbers: list[int], lengths: tuple[float, ...]) -> Probe | None:
        rows = [self._outputs[number] for number in numbers if number in self._outputs]
        if len(rows) < len(numbers) or len({len(row) for row in rows}) > 1:
            return None
        return measure(np.array(rows), lengths)

    def _after_probing(self, alone: bool) -> None:
        self.probe = self._measured(self.kept, LONG)
        if self.probe and self.probe.unclear and alone:
            short = self._ask(self.place + steps(self.along, SHORT))
            self.kept = [self.kept[0], *short, *self.kept[1:]]
            self._stage = "telling_noise"
        else:
            self._look_elsewhere(alone)

    def _after_telling_noise(self, alone: bool) -> None:
        self.probe = self._measured(self.kept, (*SHORT, *LONG)) or self.probe
        self._look_elsewhere(alone)

    def _look_elsewhere(self, alone: bool) -> None:
        if self.probe is None:
            return
        near = self._losses[self.kept[0]] <= FAR * self.probe.leverage * self.probe.linear
        self.probe = replace(self.probe, near=near)
        if alone and not near and self._may_look():
            self._ask_elsewhere()

    def _may_look(self) -> bool:
        return len(self.places) > 1 and self.probe is not None and not self.probe.drowned

    def _ask_elsewhere(self) -> None:
        elsewhere = np.repeat(self.places[1:], 2, axis=0)
        elsewhere[1::2] += LONG[0] * self.along[0]
        self._pairs = [(self.kept[0], self.kept[-2 * len(LONG)]), *_pairs(self._ask(elsewhere))]
        self._stage = "looking"

    def _after_looking(self, alone: bool) -> None:
        known = self._outputs
        self._moves = np.array(
            [np.linalg.norm(known[b] - known[a]) if {a, b} <= set(known) else 0.0 for a, b in self._pairs]
        )  # fmt: skip
        best = int(self._moves.argmax())
        self._moves[best] = 0.0
        if best and alone:
            rest = np.concatenate([LONG[0] * self.along[1:], LONG[1] * self.along])
            self.place, self.moved = self.places[best], True
            self.kept = [*self._pairs[best], *self._ask(self.place + rest)]
            self._stage = "arriving"

    def _after_arriving(self, alone: bool) -> None:
        self.probe = self._measured(self.kept, LONG) or self.probe


def _pairs(numbers: list[int]) -> list[tuple[int, int]]:
    return list(zip(numbers[::2], numbers[1::2], strict=True))
