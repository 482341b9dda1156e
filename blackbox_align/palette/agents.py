"""The three agents of Cultural Palette: drafts by every colour, self-regulation, decision.

===========  ==========================================  ===================================================
stage        without a model that chats                  with one
===========  ==========================================  ===================================================
draft        every colour's shares of the options        a text of every colour, all in one batch
regulation   a tally: "From Africa answer B."            a summary that the model writes of the drafts
decision     shares with the tally in front              shares with the summary in front
===========  ==========================================  ===================================================

The last stage is never a text: its shares are those of the next token, for a printed answer scored as if it
were certain lies below a uniform guess. Drafts are kept in a journal, and all variants share them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ..adapters.adapter import Adapter
from ..assessment.asking import Asking, ask
from ..engines.base import Engine, Request, Sampling, write_all
from ..errors import ModelError
from ..surveys.sheet import Question, Sheet, asked, average
from ..surveys.survey import Survey
from .calls import CallJournal, call_key
from .gate import one_hot
from .palette import Palette
from .prompts import VERSION, prompt_text

Array = NDArray[np.floating]

TALLY = "From {colour} answer {label}."
NEAR_TIE = 0.05
"""A draft whose two likeliest options lie nearer than this says nothing that a decision could lean on."""


# -- without a model that chats -----------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Drafts:
    """What the colours answer: ``shares`` (K, items, options), in the order of their ``names``."""

    names: tuple[str, ...]
    shares: Array


def draft(palette: Palette, engine: Engine, survey: Survey, asking: Asking) -> Drafts:
    """Every colour's shares of the options, all colours in one call."""
    shares, _ = ask(engine, survey, palette.adapters(), asking)
    return Drafts(tuple(colour.name for colour in palette.map.colours), shares)


@dataclass(frozen=True, eq=False)
class Tally:
    """The likeliest option of every colour: ``option`` (K, items), -1 where nothing is said."""

    names: tuple[str, ...]
    option: NDArray[np.integer]

    def lines(self, item: int, labels: Sequence[str], order: Sequence[int]) -> str:
        """What stands before an item whose options are shown in an order: a line a colour."""
        return "\n".join(
            TALLY.format(colour=name, label=labels[list(order).index(int(option))])
            for name, option in zip(self.names, self.option[:, item], strict=True)
            if option >= 0
        )


def unregulated(drafts: Drafts) -> Tally:
    """The drafts as they are: the likeliest option of every colour, however near the next one is."""
    return Tally(drafts.names, drafts.shares.argmax(-1))


def regulate(drafts: Drafts, near_tie: float = NEAR_TIE) -> Tally:
    """A tally of the drafts that say something: of a near tie nothing is told."""
    best = np.sort(drafts.shares, axis=-1)
    clear = best[..., -1] - best[..., -2] > near_tie
    return Tally(drafts.names, np.where(clear, drafts.shares.argmax(-1), -1))


def decide(
    engine: Engine,
    adapters: Sequence[Adapter],
    survey: Survey,
    orders: str,
    tally: Tally | None = None,
) -> Array:
    """(adapters, items, options): shares of the options, the tally in front of each question.

    An adapter's text, such as the sentence that names a country, stands before the tally.

    Raises :class:`ModelError` where an answer is not a finite number.
    """

    def before(item: int, order: tuple[int, ...]) -> str:
        return tally.lines(item, survey.items[item].scale.labels, order) if tally else ""

    answers = engine.answer(list(adapters), _sheet(survey, orders, before))
    failed = next((why for why in answers.failures if why is not None), None)
    if failed is not None:
        raise ModelError(f"The decision has no answer: {failed}.")
    return average(answers.probabilities, survey, orders)


def _sheet(survey: Survey, orders: str, before: Callable[[int, tuple[int, ...]], str]) -> Sheet:
    """All items in all orders of their options, each behind a text of its own."""
    questions = []
    for number, order in asked(survey, orders):
        item, lines = survey.items[number], before(number, order)
        text = survey.question(item, order)
        questions.append(Question(f"{lines}\n{text}" if lines else text, item.scale.labels))
    return Sheet(tuple(questions))


# -- with a model that chats --------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Writers:
    """The agents that write: one engine, one palette, and a journal of what was written.

    ``sampling`` is of the drafts; a summary is written greedily.
    """

    palette: Palette
    engine: Engine
    journal: CallJournal
    sampling: Sampling = field(default_factory=lambda: Sampling(150))
    version: int = VERSION

    def draft(self, question: str, country: str) -> dict[str, str]:
        """A text of every colour, by code; all that are not in the journal are written in one batch."""
        form = prompt_text("draft", self.version)
        prompts = {
            colour.code: (form.format(country=country, colour=colour.name, question=question), one)
            for colour, one in zip(self.palette.map.colours, self._colours(), strict=True)
        }
        return self._written("draft", prompts, self.sampling)

    def regulate(self, question: str, country: str, drafts: Mapping[str, str]) -> str:
        """What the model as it is sums up of the drafts, for a country."""
        named = {colour.code: colour.name for colour in self.palette.map.colours}
        comments = "\n\n".join(f"From {named[code]}: {text}" for code, text in drafts.items())
        prompt = prompt_text("regulate", self.version).format(
            country=country, question=question, drafts=comments
        )
        greedy = replace(self.sampling, max_tokens=200, temperature=0.0)
        return self._written("regulate", {"": (prompt, Adapter())}, greedy)[""]

    def decide(self, survey: Survey, orders: str, told: str, summaries: Sequence[str]) -> Array:
        """(items, options): shares with the summary of each item in front, behind the sentence ``told``."""
        form = prompt_text("decide", self.version)
        asked_with = _sheet(
            survey, orders, lambda item, order: form.format(summary=summaries[item])
        )
        given = self.engine.answer([Adapter(text=told)], asked_with)
        return np.asarray(average(given.probabilities, survey, orders)[0])

    def _colours(self) -> list[Adapter]:
        """LoRA under one-hot gates, which are written in one batch; others as they are."""
        plain = self.palette.adapters()
        if any(len(one.loras) != 1 or one.prompt is not None or one.text for one in plain):
            return plain
        layers, count = len(self.palette.rows), len(plain)
        loras = tuple(one.loras[0] for one in plain)
        return [Adapter(loras=loras, gate=one_hot(layers, count, n)) for n in range(count)]

    def _key(self, step: str, prompt: str, adapter: Adapter) -> str:
        info = self.engine.info
        return call_key(
            step=step,
            version=self.version,
            model=info.revision or info.name,
            opening=info.opening,
            adapter=adapter.digest(),
            sampling=self.sampling,
            prompt=prompt,
        )

    def _written(
        self, step: str, prompts: Mapping[str, tuple[str, Adapter]], sampling: Sampling
    ) -> dict[str, str]:
        """Texts by colour; those that are not in the journal are written in one batch."""
        keys = {code: self._key(step, *prompts[code]) for code in prompts}
        new = {code: key for code, key in keys.items() if self.journal.get(key) is None}
        requests = [
            Request([{"role": "user", "content": prompt}], sampling, ((adapter, 1.0),))
            for prompt, adapter in map(prompts.__getitem__, new)
        ]
        for code, text in zip(new, write_all(self.engine, requests), strict=True):
            self.journal.finish(new[code], step=step, colour=code, text=text.text.strip())
        return {code: str(self.journal.finished[key]["text"]) for code, key in keys.items()}
