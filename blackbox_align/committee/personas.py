"""Persona texts as experts: the rival that needs no search.

A persona is a sentence that says who answers. A pool of them is asked an instrument once, and weights over
them are found like those over any experts, from a few known answers: a mixture of personas that answers as a
population does (arXiv 2509.11311). What cannot beat it has not earned its search.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from numpy.random import Generator

from ..adapters.adapter import Adapter
from ..assessment.asking import Asking, ask
from ..assessment.assess import item_answers
from ..engines.base import Engine
from ..errors import DataFileError, SpecificationError
from ..experts import Card, Expert, write_expert
from ..files.tables import read_text
from ..results import Provenance, Result
from ..results.names import FITTED
from ..surveys.instrument import Instrument

AGES = (18, 24, 31, 38, 45, 52, 60, 68, 77)
PLACES = ("a village", "a small town", "a suburb", "a large city")
WORK = (
    "study", "work on a farm", "work in a factory", "work in a shop", "teach at a school", "nurse the sick",
    "run a small business", "work in an office", "serve in the army", "look for work",
    "care for your family at home", "live on a pension",
)  # fmt: skip
FAITH = (
    "religion guides all that you do", "religion matters to you", "religion matters little to you",
    "you have no religion",
)  # fmt: skip


@dataclass(frozen=True)
class Persona:
    """Who answers: a ``text`` that stands in front of every question, and what it says by attribute."""

    name: str
    text: str
    profile: Mapping[str, str] = field(default_factory=dict)


def drawn_personas(count: int, rng: Generator) -> list[Persona]:
    """Personas of a small grammar of age, place, work and faith, no two alike.

    Raises
    ------
    SpecificationError
        There are not so many.
    """
    known = [one for one in product(AGES, PLACES, WORK, FAITH) if _is_likely(one[0], one[2])]
    if not 1 <= count <= len(known):
        raise SpecificationError(f"The grammar makes 1 to {len(known):,} personas; not {count:,}.")
    personas = []
    for number, chosen in enumerate(rng.choice(len(known), count, replace=False)):
        age, place, work, faith = known[chosen]
        text = f"You are {age} years old, live in {place} and {work}; {faith}."
        profile = {"age": str(age), "place": place, "work": work, "faith": faith}
        personas.append(Persona(f"persona-{number + 1:03d}", text, profile))
    return personas


def _is_likely(age: int, work: str) -> bool:
    if work == "study":
        return age < 32
    if work == "live on a pension":
        return age >= 60
    return age < 77


def read_personas(path: Path) -> list[Persona]:
    """Personas of a file: a CSV with a column ``text`` and others, which are attributes, or a text a line.

    A column ``name`` names them.

    Raises
    ------
    DataFileError
        There is no persona in it, or two have one name.
    """
    content = read_text(path)
    if path.suffix.lower() != ".csv":
        rows = [{"text": line} for line in content.splitlines()]
    else:
        rows = [
            {k: v or "" for k, v in row.items() if k}
            for row in csv.DictReader(io.StringIO(content))
        ]
        if rows and "text" not in rows[0]:
            seen = ", ".join(rows[0])
            raise DataFileError(path, 1, f"there is no column 'text'; found {seen}.")
    personas: list[Persona] = []
    for row in rows:
        text = row.pop("text").strip()
        name = row.pop("name", "").strip() or f"persona-{len(personas) + 1:03d}"
        if text:
            personas.append(
                Persona(name, text, {k: v.strip() for k, v in row.items() if v.strip()})
            )
    names = [persona.name for persona in personas]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataFileError(path, None, f"two personas are called {twice!r}.")
    if not personas:
        raise DataFileError(path, None, "there is no persona in it: expected a text a line.")
    return personas


def write_personas(
    personas: Sequence[Persona],
    engine: Engine,
    instrument: Instrument,
    library: Path,
    asking: Asking | None = None,
) -> list[Expert]:
    """Ask every persona an instrument, once and side by side, and keep each as an expert of a text.

    Raises
    ------
    SpecificationError
        An expert of such a name is there already.
    """
    taken = next((p.name for p in personas if (library / p.name).exists()), None)
    if taken is not None:
        raise SpecificationError(
            f"{library / taken} is there already; remove it, or choose another --library."
        )
    adapters = [Adapter(text=persona.text) for persona in personas]
    asking = asking or Asking("reversed", "own")
    shares, _ = ask(engine, instrument.survey, adapters, asking)
    experts = []
    for persona, adapter, rows in zip(personas, adapters, shares, strict=True):
        answers = item_answers(instrument, persona.name, FITTED, rows)
        info = engine.info
        provenance = Provenance(
            (instrument.asked(),), {persona.name: persona.text}, info.name, info.revision, info.dtype,
            info.disclaimer, asking.orders,
        )  # fmt: skip
        note = "A persona: a text that says who answers. Nothing was searched or fitted for it."
        card = Card(
            persona.name, persona.text, info.name, info.revision, info.dtype,
            Result((), (answers,), (note,), provenance), persona.profile,
        )  # fmt: skip
        experts.append(write_expert(library / persona.name, adapter, card, None))
    return experts
