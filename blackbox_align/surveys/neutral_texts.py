"""Plain texts about nothing in particular, on which one sees what a soft prompt does to the language."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from ..files.data import data_folder
from ..files.yaml import YamlDocument, read_yaml

Pairs = tuple[tuple[str, str], ...]
"""Pairs of a context, which may be empty, and a continuation; see :class:`.sheet.Sheet`."""


@dataclass(frozen=True)
class NeutralTexts:
    """Those that a ``search`` reads with every candidate, and those ``held_out`` for its report."""

    search: Pairs
    held_out: Pairs


@lru_cache
def neutral_texts() -> NeutralTexts:
    """The texts that ship with the package."""
    document = read_yaml(data_folder() / "neutral-texts" / "texts.yaml")
    document.only(document.value, (), {"search", "held_out"})
    return NeutralTexts(_pairs(document, "search"), _pairs(document, "held_out"))


def _pairs(document: YamlDocument, part: str) -> Pairs:
    rows = document.require(document.value, (), part, list, "- {asked, text}")
    pairs = []
    for number, row in enumerate(rows):
        place = (part, number)
        text = document.require(row, place, "text", str, "what is read")
        document.only(row, place, {"asked", "text"})
        pairs.append((str(row.get("asked", "")), text))
    return tuple(pairs)
