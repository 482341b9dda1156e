"""What a fit is asked to do: every setting that its result depends on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ..countries import Country, TargetSet, countries, find_country
from ..errors import ChangedSpecificationError, SpecificationError
from ..evaluators.base import check_placement
from ..objectives.constants import check_policy
from ..prompts import INITIALIZATIONS
from ..surveys import READOUTS

GROUPS = ("all", "Africa", "Americas", "Asia", "Europe", "Oceania")
COUNTRY_PREAMBLE = "Answer as a typical person who lives in {country} would."


@dataclass(frozen=True)
class Specification:
    """The settings of one fit; two runs with equal ones end on the same bits.

    Parameters
    ----------
    country : code, name or alias; several of them in a list or joined by ``+``; ``all``, which is every
        country with complete figures, or a continent. Kept as codes joined by ``+``
    warm_start : an earlier run whose evaluations the search starts from
    survey, targets : names of what ships with the package, or files; targets None is the default
        set
    model, revision, dtype, device, trust_remote_code : see
        :func:`..evaluators.language_model.load_model`
    optimizer, options : a registered name and that algorithm's own options
    tokens : length of the soft prompt
    placement : where it stands, one of :data:`..evaluators.base.PLACEMENTS`
    subspace : dimension of the random subspace that is searched; 0 is every entry of the prompt
    alpha : scale of a unit step, in standard deviations of the word embeddings
    init : ``zeros``, ``vocabulary``, or ``text:`` and a text
    constants : the policy of :mod:`..objectives.constants`
    readout, respondents, temperature : see :func:`..surveys.item_means`
    """

    country: str | Sequence[str]
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

    @property
    def wanted(self) -> tuple[str, ...]:
        """The codes of ``country``, or the one word for a group of countries."""
        return tuple(str(self.country).split("+"))

    def countries(self, target_set: TargetSet) -> tuple[Country, ...]:
        """The countries to fit; a group is those of it with complete figures in ``target_set``."""
        found = []
        for name in self.wanted:
            if name in GROUPS:
                complete = [countries()[code] for code in target_set.complete()]
                found += [c for c in complete if not c.is_region and name in ("all", c.continent)]
            else:
                found.append(find_country(name))
        return tuple(dict.fromkeys(found))

    @property
    def name(self) -> str:
        """The folder of the run under ``runs/``, unless another is named."""
        model = Path(self.model.rstrip("/")).name
        names = self.wanted if len(self.wanted) < 5 else (f"{len(self.wanted)}-countries",)
        return f"{'+'.join(names)}-{model}-{self.optimizer}-{self.seed}".replace(":", "-")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Specification:
        known = {f.name for f in fields(cls)}
        return cls(**{key: value for key, value in values.items() if key in known})


def _canonical(country: str | Sequence[str]) -> str:
    names = country.split("+") if isinstance(country, str) else country
    if not names:
        raise SpecificationError("A fit needs a country; `bbalign countries` lists them.")
    groups = {group.casefold(): group for group in GROUPS}
    folded = [name.strip() for name in names]
    return "+".join(groups.get(n.casefold()) or find_country(n).code for n in folded)


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
