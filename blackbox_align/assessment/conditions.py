"""Conditions: what stands before the questions when a model is assessed.

=================  ==============================================================================
``none``           nothing; ``naive`` is the name that arXiv 2503.16094 gives it
``icl``            the country in the text prompt, as in that paper's in-context condition
``prompting``      the question is put as one about people of that country, as in Cultural Palette
``text:...``       a text of your own, with ``{country}`` for the country's name
``expert:PATH``    a fitted prompt: a run, or an expert folder; ``{code}`` stands for the country's
                   code, so that every country can have an expert of its own
=================  ==============================================================================

The texts of ``icl`` and ``prompting`` are ours; the papers print theirs in part only.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ExpertError, SpecificationError, nearest_names
from ..populations import Country
from ..surveys.survey import COUNTRY_PREAMBLE

if TYPE_CHECKING:
    from ..engines.checkpoint import Checkpoint
    from ..experts import Expert

PRESETS = {
    "none": "",
    "naive": "",
    "icl": COUNTRY_PREAMBLE,
    "prompting": "How would people in {country} answer the following question?",
}


@dataclass(frozen=True)
class Condition:
    """A ``name`` for the table, and the ``text`` or the ``expert`` path that stands behind it."""

    name: str
    text: str = ""
    expert: str = ""

    @property
    def is_unprompted(self) -> bool:
        return not self.text and not self.expert

    @property
    def depends_on_country(self) -> bool:
        return "{country}" in self.text or "{code}" in self.expert

    def preamble(self, country: Country | None) -> str:
        """The text in front of the questions about a country."""
        return self.text.replace("{country}", country.name) if country else self.text

    def fitted(self, country: Country | None, model: Checkpoint | None) -> Expert | None:
        """The expert of the condition, if it has one.

        Raises
        ------
        ExpertError
            The folder is no expert, or was fitted on another model.
        """
        if not self.expert:
            return None
        from ..experts import read_expert

        folder = Path(self.expert.replace("{code}", country.code) if country else self.expert)
        inner = folder / "expert"
        expert = read_expert(inner if (inner / "expert.json").is_file() else folder)
        fitted_on = expert.metadata.get("facts", {}).get("model_revision")
        if model is not None and fitted_on != model.revision:
            raise ExpertError(
                f"{folder} was fitted on {expert.metadata.get('model', 'another model')!r} in a "
                f"revision ({str(fitted_on)[:12]}) that is not that of {model.name!r} "
                f"({model.revision[:12]}): a soft prompt means nothing to another model. Name its "
                "model with --model."
            )
        return expert


def parse_condition(text: str) -> Condition:
    """A condition from its written form; :class:`SpecificationError` for what is none."""
    kind, colon, rest = text.partition(":")
    if not colon and kind in PRESETS:
        return Condition(kind, PRESETS[kind])
    if kind == "text" and rest.strip():
        return Condition(text, rest.strip())
    if kind == "expert" and rest:
        return Condition(text, expert=rest)
    near = nearest_names(text, PRESETS, 1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise SpecificationError(
        f"A condition is one of {', '.join(PRESETS)}, 'text:SOME TEXT' or 'expert:FOLDER'; "
        f"not {text!r}.{hint}"
    )
