"""The gate: rows from hidden states of the colours' names, and how they share a prompt (2412.11167, Eq. 1).

A row is what the model makes of a colour's name at its last token, layer by layer: where a layer begins
(``layer-input``, as published, for that is what mergekit reads) or where its feed-forward part begins, which
is where the gate is applied. It knows tensors and names; no country and no question.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from ..adapters.adapter import Gate
from ..engines.base import Engine
from ..errors import SpecificationError, require_one_of

Array = NDArray[np.floating]
Source = Literal["layer-input", "feed-forward"]
Scope = Literal["token", "prompt"]
SOURCES: tuple[Source, ...] = get_args(Source)
SCOPES: tuple[Scope, ...] = get_args(Scope)


@dataclass(frozen=True)
class GateSettings:
    """How rows are made and used.

    Parameters
    ----------
    source : where the states of names are read, one of :data:`SOURCES`
    centred : the mean of all rows is subtracted before they are scaled to length 1; softmax alone would
        not notice, but the rows become longer where they differ, and the gate sharper
    scope : ``token`` is a gate for every token, as a merged model has it; ``prompt`` one for a whole prompt,
        made from the state of its subject (Eq. 1 says G(P))
    temperature : of the softmax
    """

    source: Source = "feed-forward"
    centred: bool = True
    scope: Scope = "prompt"
    temperature: float = 1.0

    def __post_init__(self) -> None:
        require_one_of("The source of a gate", self.source, SOURCES)
        require_one_of("The scope of a gate", self.scope, SCOPES)
        if not (np.isfinite(self.temperature) and self.temperature > 0):
            raise SpecificationError(
                f"The temperature of a gate must be above 0; not {self.temperature:g}."
            )


MEASURED = GateSettings()
"""What did best in simulation: the default for people."""
PUBLISHED = GateSettings("layer-input", centred=False, scope="token")
"""What the paper's merge amounts to: the default of the study."""


def name_states(engine: Engine, phrases: Sequence[Sequence[str]]) -> dict[str, Array]:
    """The states of names, by source: (layers, K, D) float32, averaged over the phrases of a colour.

    Raises :class:`..errors.ModelError` where the layers of a model cannot be found.
    """
    flat = [phrase for some in phrases for phrase in some]
    ends = np.cumsum([len(some) for some in phrases])[:-1]
    states: dict[str, Array] = {}
    for source in SOURCES:
        seen = np.asarray(engine.hidden(flat, source), np.float32)
        states[source] = np.stack([part.mean(0) for part in np.split(seen, ends)], axis=1)
    return states


def gate_rows(states: Mapping[str, Array], settings: GateSettings) -> Array:
    """(layers, K, D) float32 rows of length 1, or 0 where centring leaves nothing."""
    rows = np.asarray(states[settings.source], np.float64)
    if settings.centred:
        rows = rows - rows.mean(axis=1, keepdims=True)
    length = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.where(length > 0, length, 1.0), np.float32)


def prompt_weights(rows: Array, subject: Array, temperature: float = 1.0) -> Array:
    """(..., layers, K) shares of the colours in a prompt, 1 in sum: softmax(h W) layer by layer.

    Parameters
    ----------
    rows : (layers, K, D)
    subject : (..., layers, D) what enters the feed-forward part at the subject's last token
    """
    scores = np.einsum("lkd,...ld->...lk", rows.astype(np.float64), subject)
    return np.asarray(softmax(scores / temperature, axis=-1))


def one_hot(layers: int, colours: int, colour: int) -> Gate:
    """The gate that lets one colour through, alone."""
    weights = np.zeros((layers, colours), np.float32)
    weights[:, colour] = 1.0
    return Gate(weights)


@dataclass(frozen=True)
class GateReport:
    """What a gate does with subjects whose colour is known, layer by layer.

    Parameters
    ----------
    entropy : (layers,) mean entropy over ln K: 1 is a gate that does not gate
    own : (layers,) share of subjects whose own colour comes first; 1 / K is chance
    own_share : (layers,) mean weight of the own colour
    pooled : the same three of the mean over layers, which weighs the pool at the answers
    subjects : how many there were
    """

    entropy: tuple[float, ...]
    own: tuple[float, ...]
    own_share: tuple[float, ...]
    pooled: tuple[float, float, float]
    subjects: int


def gate_report(weights: Array, own: Sequence[int]) -> GateReport:
    """Of (subjects, layers, K) weights, and the position of every subject's own colour."""
    whole = np.concatenate([weights, weights.mean(1, keepdims=True)], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(whole > 0, np.log(whole), 0.0)
    entropy = (-(whole * logs).sum(-1) / np.log(whole.shape[-1])).mean(0)
    place = np.asarray(own)[:, None]
    first = (whole.argmax(-1) == place).mean(0)
    share = np.take_along_axis(whole, place[:, :, None], axis=2)[..., 0].mean(0)
    return GateReport(
        tuple(map(float, entropy[:-1])),
        tuple(map(float, first[:-1])),
        tuple(map(float, share[:-1])),
        (float(entropy[-1]), float(first[-1]), float(share[-1])),
        len(weights),
    )


def with_settings(settings: GateSettings, **changes: Any) -> GateSettings:
    """The settings with those ``changes`` that are not None."""
    return replace(settings, **{k: v for k, v in changes.items() if v is not None})
