"""Weights by a profile: the experts whose people are most like somebody of whom a few things are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..errors import SpecificationError
from ..experts import Expert
from .decision import Considered, Decision
from .lexicon import people_key

_COUNTRY = "country"


def read_profile(pairs: Sequence[str]) -> dict[str, str]:
    """``country=SAU``, ``age=30`` to a profile; :class:`SpecificationError` for what is no pair."""
    profile: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = (part.strip() for part in pair.partition("="))
        if not (name and equals and value) or name.casefold() in profile:
            raise SpecificationError(
                f"A profile is told as NAME=VALUE, each name once, such as country=SAU; not {pair!r}."
            )
        profile[name.casefold()] = value
    return profile


def weights_by_profile(profile: Mapping[str, str], experts: Sequence[Expert]) -> Decision:
    """Even weights over the experts that share the most attributes with a profile.

    A number is shared by the experts whose own is nearest to it, a country by those who speak for it, any
    other attribute by equal words. An attribute that no expert has is said and left aside; where none is
    shared, nobody answers.

    Raises
    ------
    SpecificationError
        There is no expert, or nothing is known.
    """
    if not profile or not experts:
        raise SpecificationError(
            "A profile needs an attribute, such as country=SAU, and an expert."
        )
    shared: dict[str, list[str]] = {expert.name: [] for expert in experts}
    because = []
    for name, value in profile.items():
        found = _sharing(name, value, experts)
        told = f"{len(found)} of {len(experts)} experts share {name}={value}."
        because.append(told if found else f"No expert shares {name}={value}: it decides nothing.")
        for expert in found:
            shared[expert].append(name)
    most = max(map(len, shared.values()))
    chosen = (
        [name for name, attributes in shared.items() if len(attributes) == most] if most else []
    )
    if chosen:
        because.append(f"Those that share the most, {most} of {len(profile)}, weigh alike.")
    return Decision(
        {name: 1 / len(chosen) for name in chosen},
        "profile",
        tuple(because),
        considered=tuple(Considered(name, words=tuple(shared[name])) for name in chosen),
        change=("Other attributes, or stated weights (--population).",),
    )


def _sharing(name: str, value: str, experts: Sequence[Expert]) -> list[str]:
    if name == _COUNTRY:
        people = people_key(value)
        return [expert.name for expert in experts if people_key(_own(expert, name)) == people]
    own = {expert.name: _own(expert, name) for expert in experts}
    number = _number(value)
    if number is None:
        return [expert for expert, known in own.items() if known.casefold() == value.casefold()]
    far = {e: abs(n - number) for e, known in own.items() if (n := _number(known)) is not None}
    nearest = min(far.values(), default=0.0)
    return [expert for expert, distance in far.items() if distance == nearest]


def _own(expert: Expert, name: str) -> str:
    known = {key.casefold(): text for key, text in expert.card.profile.items()}
    return known.get(name, expert.country if name == _COUNTRY else "")


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
