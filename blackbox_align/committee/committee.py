"""The committee: experts on one engine that answer together, weighed by a decision.

A closed question has one answer of every expert, a distribution over its options, and the committee's is
their weighted mixture. An open one has texts in one of three forms:

==========  ======================================================================================
parts       a text of every expert's own
pooled      one text, each token drawn once from the weighted mixture of all experts' next tokens
sample      simulated answers, each by one expert that was drawn by weight: distributions of texts
==========  ======================================================================================

They are simulated answers, whoever's name an expert bears.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ..engines.base import Engine, Message, Request, Sampling
from ..errors import ModelError, SpecificationError, UnknownNameError, require_one_of
from ..experts import Expert
from ..surveys.sheet import Sheet
from .by_text import Query
from .decision import Decision

Array = NDArray[np.floating]
Form = Literal["parts", "pooled", "sample"]
FORMS: tuple[Form, ...] = ("parts", "pooled", "sample")
Prompt = Sequence[Message] | str | tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Committee:
    """Experts and a router on one engine.

    Parameters
    ----------
    engine : asks the model that all experts were fitted on
    experts : each called by its :attr:`..experts.Expert.name`, as decisions name them
    router : from a query to a decision, such as ``TextRouter(...).decide``

    Raises
    ------
    SpecificationError
        Two experts have one name.
    ExpertError
        An expert was fitted on another model, or its files are damaged.
    """

    engine: Engine
    experts: tuple[Expert, ...]
    router: Callable[[Query], Decision]

    def __post_init__(self) -> None:
        names = [expert.name for expert in self.experts]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise SpecificationError(
                f"Two experts are called {twice!r}; a library gives each a name of its own "
                "(`bbalign experts add`)."
            )
        for expert in self.experts:
            expert.refuse_other_model(self.engine.info)

    def parts(self, sheet: Sheet, decision: Decision) -> Array:
        """(experts, questions, options) float64: each one's answers, in the order of the weights.

        Raises :class:`SpecificationError` for an abstention, :class:`ModelError` where the model gives
        no answer.
        """
        adapters = [expert.adapter() for expert in self._chosen(decision)]
        answers = self.engine.answer(adapters, sheet)
        failed = next((why for why in answers.failures if why is not None), None)
        if failed is not None:
            raise ModelError(f"An expert gives no answer: {failed}.")
        return np.asarray(answers.probabilities, np.float64)

    def answer(self, sheet: Sheet, decision: Decision) -> Array:
        """(questions, options) float64: the weighted mixture of :meth:`parts`."""
        return mixed(self.parts(sheet, decision), decision)

    def requests(
        self,
        prompt: Prompt,
        decision: Decision,
        form: Form,
        *,
        sampling: Sampling = Sampling(),  # noqa: B008
        count: int = 1,
        rng: Generator | None = None,
        pool: Literal["linear", "log"] = "linear",
    ) -> list[Request]:
        """What to hand to ``engine.submit``: all of them at once, so that they are written side by side.

        Parameters
        ----------
        prompt : messages, plain text or tokens
        form : one of :data:`FORMS`; parts come in the order of the weights
        sampling : of every text; in a sample each gets a seed of its own
        count : how many answers a sample has
        rng : draws the experts and the seeds of a sample
        pool : how pooled voices are mixed

        Raises
        ------
        ExpertError
            One of the experts has lost the language: it answers questionnaires only.
        """
        experts = self._chosen(decision)
        for expert in experts:
            expert.refuse_speechless()
        require_one_of("The form", form, FORMS)
        if form == "parts":
            return [Request(prompt, sampling, ((e.adapter(), 1.0),)) for e in experts]
        if form == "pooled":
            voices = tuple((e.adapter(), decision.weights[e.name]) for e in experts)
            return [Request(prompt, sampling, voices, pool)]
        if rng is None or count < 1:
            raise SpecificationError(
                f"A sample draws 1 answer or more by a generator; got {count} and rng={rng!r}."
            )
        weights = np.array(list(decision.weights.values()))
        drawn = rng.choice(len(experts), size=count, p=weights / weights.sum())
        seeds = rng.integers(2**31, size=count)
        return [
            Request(prompt, replace(sampling, seed=int(seed)), ((experts[n].adapter(), 1.0),))
            for n, seed in zip(drawn, seeds, strict=True)
        ]

    def speakers(self, request: Request) -> tuple[str, ...]:
        """The names of the experts that write a request of :meth:`requests`."""
        names = {id(expert.adapter()): expert.name for expert in self.experts}
        return tuple(names[id(adapter)] for adapter, _ in request.voices)

    def _chosen(self, decision: Decision) -> list[Expert]:
        if decision.abstains:
            because = " ".join(decision.because)
            raise SpecificationError(f"No expert is to answer: {because}")
        by_name = {expert.name: expert for expert in self.experts}
        for name in decision.weights:
            if name not in by_name:
                raise UnknownNameError("expert", name, by_name)
        return [by_name[name] for name in decision.weights]


def mixed(parts: Array, decision: Decision) -> Array:
    """(questions, options): :meth:`Committee.parts` mixed by the weights of the decision."""
    return np.asarray(np.tensordot(np.array(list(decision.weights.values())), parts, 1))
