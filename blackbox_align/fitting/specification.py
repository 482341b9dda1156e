"""What a fit is asked to do: every setting that its result depends on."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from ..adapters import INITIALIZATIONS
from ..engines.base import check_placement
from ..errors import SpecificationError
from ..objectives import (
    INDICES,
    OPINIONS,
    Language,
    OpinionObjective,
    describe_objective,
    is_function,
    parse_objective,
)
from ..objectives.constants import check_policy
from ..objectives.function import FUNCTION
from ..objectives.language import check_weight
from ..populations import Country
from ..populations.groups import expand, parse_countries
from ..surveys import READOUTS, check_sample
from ..surveys.sheet import ORDERS

# Where a search starts by default: from words drawn at random. The norms of a model take the length of a
# small vector away, so that around zero its answers are rough, and no step has a natural size.
USUAL_START = "vocabulary"

LONGER = 20
"""Virtual tokens where answers are drawn: a step of a word's length at each of them moves the answers
further, so that it is heard above their noise."""


@dataclass(frozen=True)
class Specification:
    """The settings of one fit; two runs with equal ones end on the same bits.

    Parameters
    ----------
    country : code, name or alias; several of them in a list or joined by ``+``; ``all``, which is every
        country with complete figures, or a continent. Kept as codes joined by ``+``
    objective : ``indices`` (those of the survey), ``opinions``, ``function:NAME``, or a weighted sum of
        them such as ``indices+0.5*opinions``; see :mod:`..objectives.weighted`
    opinions, held_out : an opinion survey's name or file, and the share of its questions that no
        search sees, drawn from the seed
    validation : share of the opinion questions to fit that only say when to stop; None is a quarter, or what
        a run that goes on recorded
    hold_out : names of indices that no search sees, such as ``LTO,IVR``
    warm_start : an earlier run whose evaluations the search starts from
    survey, targets : names of what ships with the package, or files; targets None is the default
        set
    group : code or name of people that the opinions file declares, in the place of a country; several
        in a list
    model, revision, dtype, device, trust_remote_code, chat_template, system : see
        :func:`..engines.open`
    optimizer, options : a registered name and that algorithm's own options
    tokens : length of the soft prompt; None is 1 in the last place and 5 in any other, or :data:`LONGER`
        there where answers are sampled
    placement : where it stands, one of :data:`..engines.base.PLACEMENTS`; ``auto`` is the last, in which
        little is asked and much is moved, but where the gradient is followed inside the first message of
        a model with a chat template, and first of any other, if it is heeded there (:mod:`.placing`); a
        model's card may say otherwise
    language : the weight of what a prompt does to the model's language, see
        :mod:`..objectives.language`; 0 leaves it out, None is 1 for models that write
    subspace : dimension of the random subspace that is searched; 0 is every entry of the prompt
    alpha : scale of a unit step, in norms of a word
    init : ``zeros``, ``vocabulary``, or ``text:`` and a text; ``auto`` is :data:`USUAL_START`, which is
        kept as such
    orders : in which the options of every question are asked, and answers averaged over them, one of
        :data:`..surveys.sheet.ORDERS`; ``auto`` is what suits the model, see
        :class:`..engines.base.EngineInfo`
    constants : the policy of :mod:`..objectives.constants`
    readout, respondents, temperature : see :func:`..surveys.item_means`
    """

    country: str | Sequence[str] = ""
    group: str | Sequence[str] = ()
    objective: str = INDICES
    opinions: str = "world-opinions"
    held_out: float = 0.5
    survey: str = "vsm2013"
    targets: str | None = None
    model: str = "respondent-tiny"
    revision: str | None = None
    dtype: str = "auto"
    device: str = "auto"
    trust_remote_code: bool = False
    chat_template: str = "auto"
    system: str = ""
    optimizer: str = "gauss-newton"
    options: Mapping[str, Any] = field(default_factory=dict)
    tokens: int | None = None
    placement: str = "auto"
    language: float | None = None
    subspace: int = 0
    alpha: float = 1.0
    init: str = "auto"
    orders: str = "auto"
    constants: str = "anchor"
    readout: str = "expected"
    respondents: int = 50
    temperature: float = 1.0
    seed: int = 0
    warm_start: str | None = None
    hold_out: str = ""
    validation: float | None = None

    def __post_init__(self) -> None:
        for one in fields(self):
            object.__setattr__(self, one.name, _plain(one.name, getattr(self, one.name)))
        groups = [self.group] if isinstance(self.group, str) else list(self.group)
        object.__setattr__(self, "group", [name for name in groups if name])
        if self.group and self.country:
            raise SpecificationError("A fit is to countries or to groups of people; not to both.")
        if not self.group:
            object.__setattr__(self, "country", _canonical(self.country))
        object.__setattr__(self, "objective", describe_objective(parse_objective(self.objective)))
        _refuse_what_is_no_number(self)
        names = [name for name in re.split(r"[,\s]+", self.hold_out) if name]
        object.__setattr__(self, "hold_out", ",".join(dict.fromkeys(names)))
        if self.hold_out and not self.fits_indices:
            raise SpecificationError(
                f"--hold-out names indices, which --objective {self.objective} does not fit; see --held-out."
            )
        if self.tokens is not None and self.tokens < 1:
            raise SpecificationError(f"A soft prompt has 1 token or more; not {self.tokens}.")
        if self.seed < 0:
            raise SpecificationError(f"The seed must be 0 or more; not {self.seed}.")
        if self.init == "auto":
            object.__setattr__(self, "init", USUAL_START)
        kind, _, text = self.init.partition(":")
        if kind not in INITIALIZATIONS or (kind == "text") != bool(text):
            raise SpecificationError(
                f"The start must be 'zeros', 'vocabulary' or 'text:SOME TEXT'; not {self.init!r}."
            )
        if self.readout not in READOUTS:
            known = ", ".join(repr(name) for name in READOUTS)
            raise SpecificationError(f"The readout must be one of {known}; not {self.readout!r}.")
        check_sample(self.respondents, self.temperature)
        if self.orders not in ("auto", *ORDERS):
            known = ", ".join(repr(name) for name in ("auto", *ORDERS))
            raise SpecificationError(f"The orders must be one of {known}; not {self.orders!r}.")
        if self.placement != "auto":
            check_placement(self.placement)
        if self.language is not None:
            check_weight(self.language)
        check_policy(self.constants)
        if not 0 < self.held_out < 1:
            raise SpecificationError(
                f"The share of questions that are held out lies between 0 and 1; not {self.held_out:g}."
            )
        if self.validation is not None and not 0 <= self.validation < 1:
            raise SpecificationError(
                "The share of validation questions lies from 0 to below 1; "
                f"not {self.validation:g}."
            )
        if self.open_ended and self.readout != "expected":
            raise SpecificationError(
                "Opinions and functions see distributions, so their readout is 'expected'; "
                f"not {self.readout!r}."
            )

    @property
    def weights(self) -> dict[str, float]:
        """The weight of every part of the objective."""
        return parse_objective(self.objective)

    @property
    def length(self) -> int:
        """Virtual tokens of a prompt, once it is settled where that stands."""
        if self.placement == "last":
            return self.tokens or 1
        return self.tokens or (LONGER if self.readout == "sampled" else 5)

    @property
    def language_part(self) -> Language | None:
        """The part of the objective that keeps the language, if it has a weight."""
        alone = list(self.weights) == [OPINIONS]
        unit = OpinionObjective.in_points if alone else 1.0
        return Language(self.language, unit) if self.language else None

    @property
    def fits_indices(self) -> bool:
        return INDICES in self.weights

    @property
    def fits_opinions(self) -> bool:
        return OPINIONS in self.weights

    @property
    def function(self) -> str:
        """The name of a function of one's own that is fitted; empty where there is none."""
        return next((part.removeprefix(FUNCTION) for part in self.weights if is_function(part)), "")

    @property
    def open_ended(self) -> bool:
        """Whether nobody knows how small the loss can be: of opinions, and of functions."""
        return self.fits_opinions or bool(self.function)

    @property
    def wanted(self) -> tuple[str, ...]:
        """The codes of ``country``, or the one word for a group of countries; or the groups of people."""
        if self.group:
            return tuple(self.group)
        return tuple(str(self.country).split("+"))

    def countries(self, complete: Sequence[str]) -> tuple[Country, ...]:
        """The countries to fit; a group is those of it among ``complete``, the codes with full data."""
        return expand(self.wanted, complete)

    @property
    def name(self) -> str:
        """The folder of the run under ``runs/``, unless another is named."""
        model = Path(self.model.rstrip("/")).name
        names = tuple(re.sub(r"[^\w+.-]+", "-", name) for name in self.wanted)
        if len(names) > 4:
            names = (f"{len(names)}-{'groups' if self.group else 'countries'}",)
        parts = ["+".join(names), model, self.optimizer, str(self.seed)]
        if self.open_ended:
            parts.insert(1, self.objective.replace("*", "x").replace(" ", ""))
        return "-".join([*parts, *self._distinction(len(names) < len(self.wanted))]).replace(
            ":", "-"
        )

    def _distinction(self, shortened: bool) -> list[str]:
        """What tells this run from the one with default settings: in words or, where those would be
        long, by a short hash."""
        other = {
            one.name: getattr(self, one.name)
            for one in fields(self)
            if one.name not in _IN_NAME and getattr(self, one.name) != _default(one)
        }
        if self.init == USUAL_START:
            del other["init"]
        if shortened:
            other["wanted"] = " ".join(self.wanted)
        words = [f"{option(key)[2:]}-{value}" for key, value in other.items()]
        if len(words) <= 2 and all(re.fullmatch(r"[\w.-]{1,24}", word) for word in words):
            return words
        text = json.dumps(other, sort_keys=True, default=str)
        return [hashlib.sha256(text.encode()).hexdigest()[:6]]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Specification:
        known = {f.name for f in fields(cls)}
        return cls(**{key: value for key, value in values.items() if key in known})


def _canonical(country: str | Sequence[str]) -> str:
    if not any([country] if isinstance(country, str) else country):
        raise SpecificationError(
            "A fit needs a country (--country SAU) or a group of people (--group NAME); "
            "`bbalign countries` lists countries."
        )
    return "+".join(parse_countries(country))


def folder(runs: Path | str, name: str) -> Path:
    """The directory of the run called ``name`` in ``runs``; refuses a name that leads elsewhere."""
    plain = name.strip()
    wrong = (
        not plain or plain.startswith(".") or any(c in "/\\" or not c.isprintable() for c in plain)
    )
    if wrong or len(plain.encode("utf-8", "replace")) > 200:
        raise SpecificationError(
            f"--name is the name of one folder in the runs folder, without slashes and not beginning "
            f"with a dot; not {name!r}."
        )
    return Path(runs) / plain


def option(name: str) -> str:
    """How a setting is called on the command line."""
    return {"warm_start": "--from", "options": "--option"}.get(name, f"--{name.replace('_', '-')}")


def spoken(value: Any) -> str:
    """A setting's value as one would say it."""
    if value is None:
        return "not given"
    if isinstance(value, Mapping):
        return " ".join(f"{k}={v}" for k, v in value.items()) or "none"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


# Named in a run's name in any case, or nothing that another run should be made for.
_IN_NAME = (
    "country",
    "group",
    "objective",
    "model",
    "optimizer",
    "seed",
    "device",
    "trust_remote_code",
)


def _default(one: Any) -> Any:
    return one.default_factory() if one.default is MISSING else one.default


def _plain(name: str, value: Any) -> Any:
    """A setting as Python and JSON have it: no paths, no numbers of numpy."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, np.generic):
        value = value.item()
    if name == "orders" and type(value) is int:  # YAML and tables have 1 as a number
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(name, part) for key, part in value.items()}
    if isinstance(value, (list, tuple)) and name in ("options", "group"):
        return [_plain(name, part) for part in value]
    return value


def _refuse_what_is_no_number(settings: Specification) -> None:
    for name, kind in (("tokens", int), ("subspace", int), ("respondents", int), ("seed", int),
                       ("alpha", float), ("held_out", float), ("temperature", float),
                       ("language", float)):  # fmt: skip
        value = getattr(settings, name)
        if value is None and name in ("language", "tokens"):
            continue
        wanted = (int, float) if kind is float else int
        if isinstance(value, bool) or not isinstance(value, wanted) or not math.isfinite(value):
            what = "a whole number" if kind is int else "a finite number"
            raise SpecificationError(f"{option(name)} must be {what}; not {value!r}.")
    for name, value in settings.options.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise SpecificationError(f"--option {name} must be a finite number; not {value!r}.")
