"""When a search ends, and the reason it gives."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import SpecificationError

# Opinions that are fitted for longer are only fitted more closely: on the embedded model the distance on
# held-out questions is smallest after 70 to 400 evaluations, while that on the others falls on.
OPINION_PATIENCE, OPINION_GAIN = 60, 0.05
# With validation questions, whose loss is a matter of few and falls by fits and starts.
VALIDATION_PATIENCE = 120


@dataclass(frozen=True)
class Stopping:
    """The ends of a search; whichever comes first. These may change when a run is continued.

    ``budget`` counts evaluations of one candidate on the whole survey. ``target_loss`` is in the unit
    of the loss; its default is half an index point, the rounding of the published figures.
    ``patience`` is the number of evaluations without a better loss, where better means smaller by
    the share ``gain``; ``seconds`` is the time of this process.
    """

    budget: int = 2000
    target_loss: float = 0.5
    patience: int | None = None
    seconds: float | None = None
    gain: float = 0.0

    @classmethod
    def for_objective(
        cls,
        open_ended: bool,
        *,
        target_loss: float | None,
        patience: int | None,
        validated: bool = False,
        **ends: Any,
    ) -> Stopping:
        """With defaults for what was not asked for (None).

        No prompt answers opinions without error, and how near one can come nobody knows beforehand: an
        ``open_ended`` search ends not at a loss but when it hardly gains any more; ``validated``, when
        it gains nothing on validation questions.
        """
        if open_ended and validated and patience is None:
            patience = VALIDATION_PATIENCE
        elif open_ended and patience is None:
            patience, ends["gain"] = OPINION_PATIENCE, OPINION_GAIN
        if target_loss is None:
            target_loss = 0.0 if open_ended else cls.target_loss
        return cls(target_loss=target_loss, patience=patience, **ends)

    def __post_init__(self) -> None:
        for name in ("budget", "target_loss", "patience", "seconds"):
            value = getattr(self, name)
            if isinstance(value, np.generic):  # plain numbers alone are JSON
                object.__setattr__(self, name, value := value.item())
            if value is not None and not math.isfinite(value):
                raise SpecificationError(
                    f"--{name.replace('_', '-')} must be a finite number; not {value!r}."
                )
        if self.budget < 1:
            raise SpecificationError(f"The budget must be 1 evaluation or more; not {self.budget}.")
        if self.target_loss < 0:
            raise SpecificationError(
                f"The target loss cannot be negative; not {self.target_loss:g}."
            )
        if self.patience is not None and self.patience < 1:
            raise SpecificationError(f"The patience must be 1 or more; not {self.patience}.")
        if self.seconds is not None and self.seconds <= 0:
            raise SpecificationError(f"The time must be above 0 seconds; not {self.seconds:g}.")

    def reason(
        self, evaluations: int, best: float | None, since_better: int, seconds: float
    ) -> str | None:
        """Why to stop now, as a phrase; None to go on."""
        if best is not None and best <= self.target_loss:
            return f"the error reached {self.target_loss:g}"
        if evaluations >= self.budget:
            return f"the budget of {self.budget:,} evaluations is spent"
        if self.patience is not None and since_better >= self.patience:
            by = f" by {100 * self.gain:.0f} %" if self.gain else ""
            return f"no improvement{by} in {since_better:,} evaluations"
        if self.seconds is not None and seconds >= self.seconds:
            return f"{self.seconds:g} seconds have passed"
        return None
