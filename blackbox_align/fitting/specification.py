"""What a fit is asked to do: every setting that its result depends on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ..adapters import INITIALIZATIONS
from ..engines.base import check_placement
from ..errors import ChangedSpecificationError, SpecificationError
from ..objectives import parse_objective
from ..objectives.constants import check_policy
from ..populations import Country
from ..populations.groups import expand, parse_countries
from ..surveys import READOUTS


@dataclass(frozen=True)
class Specification:
    """The settings of one fit; two runs with equal ones end on the same bits.

    Parameters
    ----------
    country : code, name or alias; several of them in a list or joined by ``+``; ``all``, which is every
        country with complete figures, or a continent. Kept as codes joined by ``+``
    objective : ``vsm13`` (the indices of the survey), ``opinions``, or a weighted sum of both such as
        ``vsm13+0.5*opinions``; see :mod:`..objectives.weighted`
    opinions, held_out : an opinion survey's name or file, and the share of its questions that no
        search sees, drawn from the seed
    warm_start : an earlier run whose evaluations the search starts from
    survey, targets : names of what ships with the package, or files; targets None is the default
        set
    model, revision, dtype, device, trust_remote_code : see
        :func:`..engines.checkpoint.load_model`
    optimizer, options : a registered name and that algorithm's own options
    tokens : length of the soft prompt
    placement : where it stands, one of :data:`..engines.base.PLACEMENTS`
    subspace : dimension of the random subspace that is searched; 0 is every entry of the prompt
    alpha : scale of a unit step, in standard deviations of the word embeddings
    init : ``zeros``, ``vocabulary``, or ``text:`` and a text
    constants : the policy of :mod:`..objectives.constants`
    readout, respondents, temperature : see :func:`..surveys.item_means`
    """

    country: str | Sequence[str]
    objective: str = "vsm13"
    opinions: str = "world-opinions"
    held_out: float = 0.5
    survey: str = "vsm2013"
    targets: str | None = None
    model: str = "respondent-tiny"
    revision: str | None = None
    dtype: str = "auto"
    device: str = "auto"
    trust_remote_code: bool = False
    optimizer: str = "gauss-newton"
    options: Mapping[str, Any] = field(default_factory=dict)
    tokens: int = 5
    placement: str = "first"
    subspace: int = 0
    alpha: float = 1.0
    init: str = "zeros"
    constants: str = "anchor"
    readout: str = "expected"
    respondents: int = 50
    temperature: float = 1.0
    seed: int = 0
    warm_start: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "country", _canonical(self.country))
        object.__setattr__(self, "options", dict(self.options))
        if self.tokens < 1:
            raise SpecificationError(f"A soft prompt has 1 token or more; not {self.tokens}.")
        if self.seed < 0:
            raise SpecificationError(f"The seed must be 0 or more; not {self.seed}.")
        kind, _, text = self.init.partition(":")
        if kind not in INITIALIZATIONS or (kind == "text") != bool(text):
            raise SpecificationError(
                f"The start must be 'zeros', 'vocabulary' or 'text:SOME TEXT'; not {self.init!r}."
            )
        if self.readout not in READOUTS:
            known = ", ".join(repr(name) for name in READOUTS)
            raise SpecificationError(f"The readout must be one of {known}; not {self.readout!r}.")
        check_placement(self.placement)
        check_policy(self.constants)
        if not 0 < self.held_out < 1:
            raise SpecificationError(
                f"The share of questions that are held out lies between 0 and 1; not {self.held_out:g}."
            )
        if self.fits_opinions and self.readout != "expected":
            raise SpecificationError(
                "Opinions are compared as distributions, so their readout is 'expected'; "
                f"not {self.readout!r}."
            )

    @property
    def weights(self) -> dict[str, float]:
        """The weight of every part of the objective."""
        return parse_objective(self.objective)

    @property
    def fits_indices(self) -> bool:
        return "vsm13" in self.weights

    @property
    def fits_opinions(self) -> bool:
        return "opinions" in self.weights

    @property
    def wanted(self) -> tuple[str, ...]:
        """The codes of ``country``, or the one word for a group of countries."""
        return tuple(str(self.country).split("+"))

    def countries(self, complete: Sequence[str]) -> tuple[Country, ...]:
        """The countries to fit; a group is those of it among ``complete``, the codes with full data."""
        return expand(self.wanted, complete)

    @property
    def name(self) -> str:
        """The folder of the run under ``runs/``, unless another is named."""
        model = Path(self.model.rstrip("/")).name
        names = self.wanted if len(self.wanted) < 5 else (f"{len(self.wanted)}-countries",)
        parts = ["+".join(names), model, self.optimizer, str(self.seed)]
        if self.fits_opinions:
            parts.insert(1, self.objective.replace("*", "x").replace(" ", ""))
        return "-".join(parts).replace(":", "-")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Specification:
        known = {f.name for f in fields(cls)}
        return cls(**{key: value for key, value in values.items() if key in known})


def _canonical(country: str | Sequence[str]) -> str:
    return "+".join(parse_countries(country))


def refuse_changes(then: Mapping[str, Any], now: Mapping[str, Any], where: Path) -> None:
    """Raise :class:`ChangedSpecificationError`, with the differences, unless both are the same."""
    changed = [
        f"{key}: {then.get(key)!r} then, {now.get(key)!r} now"
        for key in [*now, *(key for key in then if key not in now)]
        if then.get(key) != now.get(key)
    ]
    if changed:
        raise ChangedSpecificationError(
            f"The run {where} was made with other settings ({'; '.join(changed)}). "
            "Ask for the same settings to continue it, or start another with --name."
        )
