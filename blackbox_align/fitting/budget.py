"""How much a search may spend: evaluations, or the tokens or seconds that they are counted from.

A clock never steers a search: the same seed proposes the same vectors whatever the time. What a budget in
tokens or seconds buys is counted once, before the search, and recorded as a number of evaluations; a run
that goes on keeps it.

>>> price = Price(tokens=48, seconds=0.14)
>>> Budget.parse("100k-tokens").evaluations(price), Budget.parse("5min").evaluations(price)
(2083, 2142)
>>> Budget.parse(None).evaluations(price)  # a minute buys fewer
500
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import SpecificationError
from ..optimizers import Capabilities
from .stopping import Stopping

USUAL = 60.0
"""Seconds that a search may take where no budget is given ..."""
LEAST, MOST = 500, Stopping.budget
"""... as long as they buy so many evaluations: half of the searches on a real model that were seen came to
an error of 3 points with fewer than the first, and all with fewer than the second."""
_MOST = 1e12
LEAST_STEPS = 60  # along the gradient, of which tens do
PASSES_OF_A_STEP = 3  # forward, and back at twice the work

_UNITS = {
    "": "evaluations", "evaluations": "evaluations", "tokens": "tokens", "s": "seconds",
    "seconds": "seconds", "min": "minutes", "minutes": "minutes", "h": "hours", "hours": "hours",
}  # fmt: skip
_SECONDS = {"seconds": 1.0, "minutes": 60.0, "hours": 3600.0}
_ANY = Capabilities()
_WRITTEN = re.compile(r"(\d[\d_,]*\.?\d*)\s*([kM]?)[\s-]*([a-z]*)")


@dataclass(frozen=True)
class Price:
    """What one evaluation costs: ``tokens`` that it adds to a pass (0 where an engine does not tell), and
    ``seconds`` on the machine, as measured before the search.
    """

    tokens: int
    seconds: float


@dataclass(frozen=True)
class Budget:
    """An ``amount`` of ``unit``: evaluations, tokens or seconds; without a unit, the default."""

    amount: float = USUAL
    unit: str = ""

    @classmethod
    def parse(cls, written: int | float | str | None) -> Budget:
        """A number of evaluations, or a number and its unit such as ``200k-tokens``, ``90s``, ``5min``.

        Raises :class:`SpecificationError` for what is neither.
        """
        if written is None:
            return cls()
        found = _WRITTEN.fullmatch(str(written).strip())
        if found is None or found[3] not in _UNITS or isinstance(written, bool):
            raise SpecificationError(
                f"--budget is a number of evaluations, or of tokens or of time as in 200k-tokens, 90s or "
                f"5min; not {written!r}."
            )
        amount = float(re.sub("[_,]", "", found[1])) * {"": 1.0, "k": 1e3, "M": 1e6}[found[2]]
        unit = _UNITS[found[3]]
        if unit == "evaluations" and amount != int(amount):
            raise SpecificationError(f"--budget is a whole number of evaluations; not {written}.")
        if unit == "evaluations" and amount < 1:
            raise SpecificationError(f"The budget must be 1 evaluation or more; not {written}.")
        if not 0 < amount <= _MOST:
            raise SpecificationError(
                f"--budget is above 0 and at most {_MOST:,.0f} of anything; not {written}."
            )
        return cls(amount * _SECONDS.get(unit, 1.0), "seconds" if unit in _SECONDS else unit)

    @property
    def fixed(self) -> int | None:
        """The evaluations, where nothing has to be known of the machine."""
        return int(self.amount) if self.unit == "evaluations" else None

    def evaluations(self, price: Price, search: Capabilities = _ANY) -> int:
        """How many it buys, one at least. By default a search that shapes itself by its budget gets
        :data:`MOST`, since no clock may steer it."""
        if self.unit == "evaluations":
            return int(self.amount)
        if self.unit == "tokens":
            if not price.tokens:
                raise SpecificationError(
                    "What is asked here does not tell its tokens: give --budget in evaluations or seconds."
                )
            return max(int(self.amount / price.tokens), 1)
        bought = int(self.amount / price.seconds)
        if self.unit == "seconds":
            return max(bought, 1)
        least = LEAST_STEPS if search.uses_gradient else LEAST
        return MOST if search.uses_budget else min(max(bought, least), MOST)


@dataclass(frozen=True)
class Outlay:
    """What a search will spend at most, as it is said before it begins.

    ``made`` of the ``evaluations`` lie in the record already; ``steps`` says that they are along the
    gradient; ``placements`` are the tokens of one with the prompt in each place, as far as they are known;
    ``usual`` says that nobody gave a budget.
    """

    evaluations: int
    price: Price
    made: int = 0
    steps: bool = False
    usual: bool = False
    placements: tuple[tuple[str, int], ...] = ()

    def describe(self) -> str:
        """One or two sentences."""
        left, price = self.evaluations - self.made, self.price
        tokens = f"{price.tokens:,} tokens and " if price.tokens else ""
        said = (
            f"At most {left:,} {'more ' if self.made else ''}{'steps' if self.steps else 'evaluations'} of "
            f"{tokens}{spoken_seconds(price.seconds)} each: {spoken_seconds(left * price.seconds)}"
        )
        minute = int(USUAL / price.seconds)
        if self.usual and minute < self.evaluations:
            said += f" (a minute buys {max(minute, 1):,})"
        if not self.placements:
            return f"{said}."
        each = ", ".join(f"{tokens:,} {place}" for place, tokens in self.placements)
        return f"{said}. Tokens by --placement: {each}."


def spoken_seconds(seconds: float) -> str:
    """A length of time in the unit that suits it, to two digits."""
    if seconds < 0.9995:
        return f"{1000 * seconds:.2g} ms" if seconds < 0.0995 else f"{1000 * seconds:.0f} ms"
    if seconds < 99.5:
        return f"{seconds:.2g} s" if seconds < 9.95 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5970 else f"{seconds / 3600:.1f} h"
