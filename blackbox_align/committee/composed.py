"""MoCulE's pipeline (arXiv 2506.00242): sensitivity, topics, a plan, experts' answers, one composed answer.

Each agent is a function, and has two versions: one of a chat model, in this process or at an address, and
one that needs none. It is the baseline to beat, and not how a committee answers by default.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..engines.base import Sampling, write_all
from ..engines.chat import Chat, NoAnswer
from ..errors import ModelError
from ..results.plain import to_plain
from .asking import answer_closed, closed_question
from .by_text import Embedder, Query
from .committee import Committee
from .decision import Decision

Say = Callable[[str, int], str]
"""From what is said to a chat model, and the tokens of its answer at most, to that answer."""

SENSITIVE = 5  # from this score on the experts are asked
EXPERT_WORDS, COMPOSED_WORDS = 150, 200
_TOKENS_A_WORD = 1.5
COMPOSED_TOKENS = int(COMPOSED_WORDS * _TOKENS_A_WORD)


def said_by(chat: Chat) -> Say:
    """How a chat model is asked by the agents; :class:`ModelError` where it gives no answer."""

    def say(prompt: str, most: int) -> str:
        try:
            return chat.say(prompt, most, 0).text
        except NoAnswer as trouble:
            raise ModelError(f"The chat model {chat.name!r} gave no answer: {trouble}.") from None

    return say


# -- sensitivity ---------------------------------------------------------------------------------

_TOUCHY = (
    "abort", "alcohol", "belie", "boss", "child", "custom", "death", "divorce", "elder", "family", "famil",
    "father", "food", "funeral", "gay", "gender", "gift", "god", "govern", "greet", "homosexual", "honor",
    "honour", "husband", "immigra", "marr", "moral", "mother", "parent", "politic", "pork", "pray", "relig",
    "respect", "right", "ritual", "sex", "tradition", "value", "wedding", "wife", "woman", "women", "wrong",
)  # fmt: skip


REFERENCES = (
    "What is polite towards parents and elders?",
    "Is it right to have an abortion?",
    "How should a wedding be celebrated?",
    "Which role should religion play in politics?",
)
"""Questions whose answers depend on whose culture it is, to which others are likened."""


def sensitivity_by_words(query: Query) -> int:
    """Three points for every different word of a list that the question holds, ten at most."""
    words = re.findall(r"\w+", query.text.casefold())
    return min(10, 3 * len({w for w in words for stem in _TOUCHY if w.startswith(stem)}))


def sensitivity_by_reference(embed: Embedder) -> Callable[[Query], int]:
    """The likeness to :data:`REFERENCES`: 10 for as near as they are to one another, 0 for none at all."""

    def rate(query: Query) -> int:
        rows = np.asarray(embed([query.text, *REFERENCES]), float)
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        among = rows[1:] @ rows[1:].T
        usual = among[~np.eye(len(among), dtype=bool)].mean()
        return int(np.clip(round(10 * float((rows[1:] @ rows[0]).max()) / max(usual, 1e-9)), 0, 10))

    return rate


def sensitivity_by_chat(chat: Say) -> Callable[[Query], int]:
    """What a chat model says, a number from 0 to 10; :class:`ModelError` where it says none."""

    def rate(query: Query) -> int:
        said = chat(
            "From 0 to 10, how much does a good answer to this question depend on the culture of the person "
            f"who asks? 0: not at all, 10: wholly. Answer with the number alone.\n\n{query.text}",
            8,
        )
        found = re.search(r"\d+", said)
        if found is None:
            raise ModelError(f"A number from 0 to 10 was asked for, and {said[:60]!r} came back.")
        return min(10, int(found[0]))

    return rate


# -- topics --------------------------------------------------------------------------------------

_TOPICS: Mapping[str, tuple[str, ...]] = {
    "family": ("child", "divorc", "elder", "famil", "father", "husband", "marr", "mother", "parent", "wife"),
    "religion": ("church", "faith", "god", "mosque", "pray", "relig", "temple"),
    "politics": ("democra", "govern", "law", "politic", "state", "vote"),
    "work": ("boss", "colleague", "compan", "job", "office", "work"),
    "food": ("drink", "eat", "food", "meal", "restaurant"),
    "custom": ("celebrat", "custom", "festival", "gift", "greet", "holiday", "ritual", "tradition",
               "wedding"),
    "gender": ("gender", "girl", "men", "woman", "women"),
}  # fmt: skip


def topics_by_words(query: Query) -> tuple[str, ...]:
    """The topics of a list whose words the question holds."""
    words = re.findall(r"\w+", query.text.casefold())
    return tuple(
        topic
        for topic, stems in _TOPICS.items()
        if any(word.startswith(stem) for word in words for stem in stems)
    )


def topics_by_chat(chat: Say) -> Callable[[Query], tuple[str, ...]]:
    """One to three topics that a chat model names."""

    def name(query: Query) -> tuple[str, ...]:
        said = chat(
            f"Name one to three topics of this question, separated by commas.\n\n{query.text}", 24
        )
        parts = (part.strip(" .\n").casefold() for part in said.split("\n")[0].split(","))
        return tuple(dict.fromkeys(part for part in parts if part))[:3]

    return name


# -- experts' answers, and one of them all ---------------------------------------------------------

Answering = Callable[[Query, Decision], Mapping[str, str]]
"""What every expert of a decision answers, by name."""

Composing = Callable[[Query, Mapping[str, str], Decision], str]
"""One answer of several."""


def label_answers(committee: Committee, options: tuple[str, ...]) -> Answering:
    """Without writing: the likeliest option of a closed question with its share."""

    def answer(query: Query, decision: Decision) -> Mapping[str, str]:
        survey = closed_question(query.text, options)
        parts, _ = answer_closed(committee, decision, survey)
        return {
            name: f"{options[int(shares.argmax())]} ({100 * shares.max():.0f}%)"
            for name, shares in zip(decision.weights, parts, strict=True)
        }

    return answer


def written_answers(committee: Committee) -> Answering:
    """A text of every expert, of at most :data:`EXPERT_WORDS`, all written side by side."""

    def answer(query: Query, decision: Decision) -> Mapping[str, str]:
        told = f"{query.text}\nAnswer in at most {EXPERT_WORDS} words."
        sampling = Sampling(int(EXPERT_WORDS * _TOKENS_A_WORD), 0.0)
        prompt = [{"role": "user", "content": told}]
        asked = committee.requests(prompt, decision, "parts", sampling=sampling)
        texts = write_all(committee.engine, asked)
        return {
            name: _cut(text.text, EXPERT_WORDS)
            for name, text in zip(decision.weights, texts, strict=True)
        }

    return answer


def tally(query: Query, answers: Mapping[str, str], decision: Decision) -> str:
    """Without writing: who says what, the heaviest first."""
    return "\n".join(f"{n} ({decision.weights[n]:.2f}): {said}" for n, said in answers.items())


def composed_by_chat(chat: Say) -> Composing:
    """One text of a chat model, of at most :data:`COMPOSED_WORDS`, which gives each answer its weight."""

    def compose(query: Query, answers: Mapping[str, str], decision: Decision) -> str:
        said = "\n".join(
            f"From {name}, weight {decision.weights[name]:.2f}: {text}"
            for name, text in answers.items()
        )
        prompt = (
            f"People of several cultures were asked:\n{query.text}\n\nTheir answers:\n{said}\n\n"
            f"Write one answer that gives each its weight, in at most {COMPOSED_WORDS} words."
        )
        return _cut(chat(prompt, COMPOSED_TOKENS), COMPOSED_WORDS)

    return compose


# -- the pipeline ----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Composed:
    """What the pipeline gave, with every step that led to it."""

    sensitivity: int
    topics: tuple[str, ...]
    decision: Decision | None
    answers: Mapping[str, str]
    text: str

    def to_dict(self) -> dict[str, Any]:
        """It as plain values, which JSON can hold."""
        decision = self.decision.to_dict() if self.decision else None
        return {**to_plain(self), "decision": decision}


@dataclass(frozen=True, eq=False)
class Planner:
    """Sensitivity, from 0 to 10, then topics, the router, the experts and the composer.

    ``plain`` answers a question that is not sensitive, or that no expert answers.
    """

    sensitivity: Callable[[Query], int]
    topics: Callable[[Query], tuple[str, ...]]
    route: Callable[[Query], Decision]
    experts: Answering
    composer: Composing
    plain: Callable[[str], str] = field(default=lambda question: "")
    sensitive_from: int = SENSITIVE

    def run(self, query: Query) -> Composed:
        """The whole pipeline on one question."""
        rated = self.sensitivity(query)
        if rated < self.sensitive_from:
            return Composed(rated, (), None, {}, self.plain(query.text))
        topics = self.topics(query)
        decision = self.route(Query(query.text, query.profile, topics))
        if decision.abstains:
            return Composed(rated, topics, decision, {}, self.plain(query.text))
        answers = self.experts(query, decision)
        text = self.composer(query, answers, decision)
        return Composed(rated, topics, decision, answers, text)


def planned(
    committee: Committee,
    decision: Decision,
    options: Sequence[str] | None = None,
    chat: Say | None = None,
    embed: Embedder | None = None,
) -> Planner:
    """The pipeline over a decision that is made: with a chat model where there is one, else without.

    Without ``chat`` the experts are always asked, sensitivity is found by the likeness of sentences
    (``embed``) or by words, and the composed answer is a tally. ``options`` are those of a closed question,
    whose answers no model composes.
    """
    experts = (
        written_answers(committee) if options is None else label_answers(committee, tuple(options))
    )
    if chat is None:
        rated = sensitivity_by_words if embed is None else sensitivity_by_reference(embed)
        return Planner(
            rated, topics_by_words, lambda query: decision, experts, tally, sensitive_from=0
        )
    return Planner(
        sensitivity_by_chat(chat),
        topics_by_chat(chat),
        lambda query: decision,
        experts,
        composed_by_chat(chat) if options is None else tally,
        lambda text: chat(text, 256),
    )


def _cut(text: str, words: int) -> str:
    """At most so many words."""
    found = list(re.finditer(r"\S+", text))
    return text.strip() if len(found) <= words else text[: found[words - 1].end()].strip()
