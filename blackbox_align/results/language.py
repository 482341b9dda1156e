"""What a soft prompt leaves of a model's language, as figures and in words."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

LOST_BEYOND = 2.0
"""A prompt under which plain text is more than so many times as perplexing has lost the language."""


@dataclass(frozen=True)
class Line:
    """The beginning of an answer to what was ``asked``, without the prompt and ``under`` it."""

    asked: str
    plain: str
    under: str


@dataclass(frozen=True)
class Language:
    """What is left of a model's language, on texts that no search read: nats a token, means over texts.

    ``divergence`` is the KL divergence from the model as it is, ``surprise`` its surprise under the
    adapter and ``unprompted`` without one; exp of their difference is the ratio of perplexities. ``norm``
    is the mean length of the prompt's vectors in lengths of a word's embedding; ``mass`` and
    ``unprompted_mass`` the share of the next token that is a label, a mean over questions; ``weight``
    that of the language in the search. NaN is what was not measured.
    """

    texts: int
    divergence: float
    surprise: float
    unprompted: float
    norm: float = math.nan
    mass: float = math.nan
    unprompted_mass: float = math.nan
    weight: float = 0.0
    lines: tuple[Line, ...] = ()

    @property
    def ratio(self) -> float:
        """How many times as perplexing plain text is under the prompt."""
        return math.exp(min(self.surprise - self.unprompted, 700.0))

    @property
    def lost(self) -> bool:
        """Whether it is for questionnaires only; what cannot be told is lost as well."""
        return not self.ratio <= LOST_BEYOND


def describe_language(language: Language) -> Iterator[str]:
    """Sentences for tables and cards; the last one says what a prompt that lost the language is for."""
    before, after = (math.exp(min(n, 700.0)) for n in (language.unprompted, language.surprise))
    yield (
        f"Language, on {language.texts} plain texts that no search read: perplexity {before:.1f} without "
        f"the prompt and {after:.1f} under it ({language.ratio:.2f} times); its next words move by "
        f"{language.divergence:.2f} nats a token."
    )
    if not math.isnan(language.norm):
        yield f"The prompt's vectors are {language.norm:.1f} times as long as a word's."
    if not math.isnan(language.mass):
        yield (
            f"Of the next token {language.mass:.2f} is an answer label ({language.unprompted_mass:.2f} "
            "without the prompt)."
        )
    if language.lost:
        yield (
            f"It has lost the language (more than {LOST_BEYOND:g} times as perplexing): it is for "
            "questionnaires only, and writes no texts."
        )


def describe_lines(language: Language) -> Iterator[str]:
    """What it writes, before and after."""
    for line in language.lines:
        yield f"{line.asked!r}: without it {line.plain!r}; under it {line.under!r}"
