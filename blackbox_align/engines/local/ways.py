"""Which ways through a model may be believed: what is known of it, and what was compared."""

from __future__ import annotations

import logging

from ...errors import ModelError
from ..checkpoint import LanguageModel
from . import guard
from .compiled import Compiled
from .passes import Passes
from .plan import Plan

_LONGER = 1.5  # than the questions that a way was compared on: it is compared again

_log = logging.getLogger("blackbox_align")


class Ways:
    """Decides for each plan and place of the prompt whether its questions share a pass."""

    def __init__(self, model: LanguageModel, passes: Passes) -> None:
        self.model, self.passes = model, passes
        self.limits = guard.limits(model.model)
        self._trusted: dict[str, tuple[int, str | None]] = {}
        self._embeddable: tuple[str | None] | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what was found out while it was asked, such as that it is asked slowly."""
        return tuple(
            f"{self.model.name!r} is asked question by question, which is slower: {why}."
            for why in dict.fromkeys(why for _, why in self._trusted.values() if why)
        )

    @property
    def taken(self) -> str:
        """How questions that share a pass are computed, in words."""
        compiled = self.passes.compiled
        kernel = "oneDNN's packed weights" if self.passes.packed else "torch's own products"
        masks = "under one mask" if self.passes.most_dense else "block by block along the tree"
        way = f"{masks}, {kernel}"
        if compiled is None:
            return way
        if compiled.why_not is not None:
            return f"{way}; {compiled.why_not}"
        return (
            f"one block mask of the whole tree, compiled layers{_told(compiled)}"
            if compiled.kinds
            else way
        )

    def check_positions(self, plan: Plan, width: int) -> None:
        """Refuse what is longer than the model has learned, with a prompt of ``width`` tokens."""
        most = self.limits.positions
        if most is not None and plan.longest + width > most:
            raise ModelError(
                f"The longest question has {plan.longest:,} tokens, {plan.longest + width:,} with the "
                f"soft prompt, and {self.model.name!r} has learned {most:,} positions; ask shorter "
                "questions, or use fewer virtual tokens."
            )

    def alone(self, plan: Plan, placement: str, width: int) -> str | None:
        """Why questions cannot share a pass; None where they can."""
        limits, longest = self.limits, plan.longest + width
        alone = limits.alone or self._other_embeddings(plan)
        if alone:
            self._trust("", 0, alone)
            return alone
        if limits.shared and longest > limits.shared:
            longer = f"beyond {limits.shared} tokens it attends by the length of each text"
            self._trust("long", 0, longer)
            return longer
        way = placement or "first"
        compared, known = self._trusted.get(way, (0, None))
        if known or longest <= _LONGER * compared:
            return known
        ask = self.passes.behind if way == "last" else (
            lambda part, given: self.passes.in_a_row(part, given, way == "message")
        )  # fmt: skip
        layers = int(self.model.model.config.get_text_config().num_hidden_layers)
        with self.passes.without_compiler():  # a few questions, once, are worth no compilation
            why = guard.differs(self.passes, plan, ask, way, layers)
            if why and self.passes.ends_only:  # perhaps its last layer is none as others have it
                self.passes.ends_only = False
                why = guard.differs(self.passes, plan, ask, way, layers)
        self._trust(way, longest, why)
        return why

    def _trust(self, way: str, longest: int, why: str | None) -> None:
        before = self.notes
        self._trusted[way] = longest, why
        for note in self.notes[len(before) :]:
            _log.warning(note)

    def _other_embeddings(self, plan: Plan) -> str | None:
        if self._embeddable is None:
            self._embeddable = (guard.other_embeddings(self.passes, plan),)
        return self._embeddable[0]

    def refuse_other_embeddings(self, plan: Plan) -> None:
        why = self._other_embeddings(plan)
        if why:
            raise ModelError(
                f"{self.model.name!r} ({self.model.model.config.model_type}) cannot be given a soft "
                f"prompt: {why}. Choose a model of another architecture, such as Llama, "
                "Qwen, Mistral, Gemma or Phi."
            )


def _told(compiled: Compiled) -> str:
    """What each way took for the largest pass that was compared; nothing where one alone was tried."""
    took = compiled.took[max(compiled.took)]
    if len(took) == 1:
        return ""
    each = ", ".join(f"{way} {1000 * seconds:.3g}" for way, seconds in took.items())
    return f"; ms for a pass of {max(compiled.took)}: {each}"
