"""The calls of a synthesis: which there are, what each asks, and what they come to.

Three a colour for each question (Cultural Palette, section 3.1, in our own words): ``answer`` for the
colour; ``remark``, which reads it beside the answers of the others; ``revise``, which makes the final answer
of both.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from ..engines.chat import Chat
from ..errors import SpecificationError
from .calls import Call, CallJournal, call_key
from .checks import findings
from .maps import PaletteMap
from .preferences import Preference
from .prompts import VERSION, prompt_text

ANSWER, REMARK, REVISE = STEPS = ("answer", "remark", "revise")
_TOKENS_A_WORD = 2  # room for languages that take more than English


@dataclass(frozen=True)
class SynthesisSettings:
    """What texts follow from besides the model: ``words`` of an answer, ``version`` of the prompts."""

    words: int = 150
    version: int = VERSION

    def __post_init__(self) -> None:
        if not 1 <= self.words <= 10_000:
            raise SpecificationError(f"An answer has 1 to 10,000 words; not {self.words}.")

    @property
    def most_tokens(self) -> int:
        return _TOKENS_A_WORD * self.words


@dataclass(frozen=True)
class SynthesisAnswer:
    """A final answer with the way to it; ``found`` is what the checks found, ``verdict`` a reader's."""

    id: str
    question: str
    colour: str
    before: str
    remarks: str
    text: str
    found: tuple[str, ...] = ()
    verdict: str = ""


@dataclass(frozen=True)
class Synthesizer:
    """The calls of a synthesis, and what a journal holds of them: a plan for :class:`.calling.Caller`."""

    palette_map: PaletteMap
    questions: tuple[str, ...]
    chat: Chat
    settings: SynthesisSettings
    journal: CallJournal = field(default_factory=CallJournal)

    def __post_init__(self) -> None:
        names = [colour.name for colour in self.palette_map.colours]
        if len(set(names)) < len(names):
            raise SpecificationError(
                f"Two colours of the map {self.palette_map.name!r} have one name, which is what the model "
                "reads; give each its own."
            )

    @property
    def calls(self) -> int:
        """How many there are in all."""
        return len(self.questions) * len(STEPS) * len(self.palette_map.colours)

    def ready(self) -> Iterator[Call]:
        """The calls that are not finished and wait for no other."""
        return self._open(self._places())

    def after(self, call: Call) -> Iterator[Call]:
        """The calls that waited for this one last."""
        question, step, colour = call.place
        if step == 0:
            return self._open(
                (question, 1, place) for place in range(len(self.palette_map.colours))
            )
        return self._open([(question, 2, colour)] if step == 1 else [])

    def _places(self) -> Iterable[tuple[int, int, int]]:
        """Question, step and colour of every call, in order."""
        return product(
            range(len(self.questions)), range(len(STEPS)), range(len(self.palette_map.colours))
        )

    def _open(self, places: Iterable[tuple[int, int, int]]) -> Iterator[Call]:
        """The calls that can be made and are not finished."""
        for call in (self.call(*place) for place in places):
            if call is not None and self.journal.get(call.key) is None:
                yield call

    def call(self, question: int, step: int, colour: int) -> Call | None:
        """One call; None where it waits for others."""
        prompt = self._prompt(question, step, colour)
        if prompt is None:
            return None
        name, code = STEPS[step], self.palette_map.colours[colour].code
        key = call_key(
            step=name,
            version=self.settings.version,
            model=self.chat.name,
            parameters=dict(self.chat.parameters),
            most_tokens=self.settings.most_tokens,
            prompt=prompt,
        )
        about = (("step", name), ("colour", code), ("question", self.questions[question]))
        return Call((question, step, colour), key, prompt, about)

    def text(self, question: int, step: int, colour: int) -> str | None:
        """What a call gave, if it is finished."""
        found = self._given(question, step, colour)
        return None if found is None else str(found["text"])

    def _given(self, question: int, step: int, colour: int) -> Mapping[str, Any] | None:
        """What the journal holds of a call, if it is finished."""
        call = self.call(question, step, colour)
        return None if call is None else self.journal.get(call.key)

    def _prompt(self, question: int, step: int, colour: int) -> str | None:
        colours, words = self.palette_map.colours, self.settings.words
        form = prompt_text(STEPS[step], self.settings.version)
        known = {"question": self.questions[question], "colour": colours[colour].name}
        if step == 0:
            return form.format(**known, words=words)
        answers = [self.text(question, 0, place) for place in range(len(colours))]
        if any(text is None for text in answers):
            return None
        known["answer"] = str(answers[colour])
        if step == 1:
            others = "\n\n".join(
                f"For {one.name}: {text}"
                for place, (one, text) in enumerate(zip(colours, answers, strict=True))
                if place != colour
            )
            return form.format(**known, others=others, words=words)
        remarks = self.text(question, 1, colour)
        return None if remarks is None else form.format(**known, remarks=remarks, words=words)

    def bare(self, step: str) -> int:
        """Bytes of a step's prompt without a question or a text."""
        return len(prompt_text(step, self.settings.version).encode())

    def answers_of(self, question: int) -> list[SynthesisAnswer] | None:
        """The final answers of all colours; None where one is not there."""
        colours = self.palette_map.colours
        entries = [
            entry for n in range(len(colours)) if (entry := self._given(question, 2, n)) is not None
        ]
        if len(entries) < len(colours):
            return None
        codes = self.palette_map.codes
        texts = {code: str(entry["text"]) for code, entry in zip(codes, entries, strict=True)}
        made = []
        for place, (colour, entry) in enumerate(zip(colours, entries, strict=True)):
            before = str(self.text(question, 0, place))
            found = findings(
                self.questions[question], colour.code, texts, before, self.palette_map,
                self.settings.words, bool(entry["cut"]),
            )  # fmt: skip
            made.append(SynthesisAnswer(
                str(entry["key"])[:16], self.questions[question], colour.code, before,
                str(self.text(question, 1, place)), texts[colour.code], found,
            ))  # fmt: skip
        return made

    def finished(self) -> Iterator[Mapping[str, Any]]:
        """What the journal holds of the calls of these questions."""
        return (found for place in self._places() if (found := self._given(*place)) is not None)


def preferences_of(
    answers: Collection[SynthesisAnswer], colour: str, told: str
) -> list[Preference]:
    """The preferences of a colour: its answers chosen, those of the others to the question rejected.

    The query has the sentence in front that tells the model in text whom to answer like, as the paper's has.
    """
    by_question: dict[str, dict[str, str]] = {}
    for one in answers:
        by_question.setdefault(one.question, {})[one.colour] = one.text
    return [
        Preference(
            f"{told}\n{question}",
            texts[colour],
            tuple(text for code, text in texts.items() if code != colour and text != texts[colour]),
        )
        for question, texts in by_question.items()
        if colour in texts
    ]
